# Sourced by tools/run and tools/test: finds Python, makes .venv, installs the project in editable form.

fail() {
    echo "nodegate: $1" >&2
    exit 1
}

find_python() {
    for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11; do
        [ -n "$candidate" ] || continue
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
}

# ensure_venv ROOT EXTRA: installs again only when pyproject.toml changed or EXTRA was never installed.
ensure_venv() {
    venv=$1/.venv
    stamp=$venv/installed$2
    if [ ! -x "$venv/bin/python" ]; then
        python=$(find_python)
        [ -n "$python" ] || fail "needs Python 3.11 or newer; install it (Debian: apt install python3 python3-venv) or name it in PYTHON"
        "$python" -c 'import ensurepip, venv' 2>/dev/null || fail "$python has no venv module; install it (Debian: apt install python3-venv)"
        "$python" -m venv "$venv" || fail "cannot make $venv with $python -m venv"
    fi
    if ! cmp -s "$1/pyproject.toml" "$stamp"; then
        echo "nodegate: installing into $venv …" >&2
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable "$1$2" >&2 ||
            fail "installing failed; the lines above say why"
        cp "$1/pyproject.toml" "$stamp"
    fi
}

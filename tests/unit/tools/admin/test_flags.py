"""Help shows a flag by its name alone."""

from __future__ import annotations

import pytest

from tools.admin.main import build


@pytest.mark.parametrize(
    ("words", "flag"),
    [((), "--help"), (("device", "create"), "--json"), (("read",), "--json"), (("simulate",), "--no-cid")],
)
def test_help_names_no_type_beside_a_flag(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], flag: str
) -> None:
    with pytest.raises(SystemExit):
        build().main([*words, "--help"], prog_name="nodegate")
    shown = capsys.readouterr().out
    assert flag in shown
    assert "<bool>" not in shown

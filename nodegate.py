"""Nodegate for programs that embed it, and for tests: `Gateway`, `Device`, `DeviceError`."""

try:
    from gateway.embedding.device import Device
    from gateway.embedding.errors import DeviceError
    from gateway.embedding.gateway import Gateway
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] not in ("gateway", "registry"):
        raise
    raise ImportError(
        f"nodegate needs its own package {(error.name or '').partition('.')[0]!r}, "
        "but another one of that name comes first on sys.path; rename that one"
    ) from error

__all__ = ["Device", "DeviceError", "Gateway"]

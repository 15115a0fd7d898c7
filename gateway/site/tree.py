"""The resources that are ordinary aiocoap ones: all that no device needs often."""

from __future__ import annotations

from aiocoap.resource import Site

from gateway.site.wellknown import WellKnownCore


def build_site() -> Site:
    """The tree below ``/``; the registration interface is not in it, it is dispatched before."""
    site = Site()
    site.add_resource([".well-known", "core"], WellKnownCore())
    return site

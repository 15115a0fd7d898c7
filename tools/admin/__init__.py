"""The ``nodegate`` command: what an administrator types.

Knows the registry, and for ``serve`` the gateway's composition root. Knows no protocol.
"""

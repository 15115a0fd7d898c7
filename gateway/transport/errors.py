"""What can go wrong before the first datagram.

    TransportError
    └── BindError      a listening address cannot be had

Nothing here is ever raised by what a peer sends.
"""


class TransportError(Exception):
    """Root of the tree; its text is one line for the operator: what, where, what to do."""


class BindError(TransportError):
    """The address or port cannot be listened on."""

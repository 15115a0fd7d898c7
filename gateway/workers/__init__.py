"""Work that no datagram asks for: a class each, with ``async def run()``.

A worker waits out a disk that is full, fails or is locked. Any other error ends its ``run``, and with it
the process: a registry that is not tended to must not look healthy.
"""

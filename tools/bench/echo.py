"""The floor: a drained Python echo server. Runs as a process of its own and prints its port.

It receives and sends as the gateway's transport does, and does nothing in between.
"""

from __future__ import annotations

import asyncio
import socket

_BATCH = 64


async def _serve() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)

        def drain() -> None:
            for _ in range(_BATCH):
                try:
                    data, address = sock.recvfrom(2048)
                except BlockingIOError:
                    return
                sock.sendto(data, address)

        asyncio.get_running_loop().add_reader(sock, drain)
        print(f"listening echo://127.0.0.1:{sock.getsockname()[1]}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())

"""Takes what comes in on the site's 127.0.0.1 ports into its network: `python -m falaj_site.forward JSON`.

The listening sockets belong to this machine's network and are inherited; the connections they are spliced to are
made in the site's. The bytes are TLS from end to end: this process can read none of them.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys

_CHUNK = 1 << 16


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def _splice(host: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        inner_reader, inner_writer = await asyncio.open_connection(host, port)
    except OSError:
        writer.transport.abort()
        return
    try:
        await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))
    except OSError:
        # One side broke off: so does the other, as it would without us between them.
        inner_writer.transport.abort()
        writer.transport.abort()
    finally:
        inner_writer.close()
        writer.close()


async def _serve(forwards: list[tuple[int, str, int]]) -> None:
    servers = []
    for descriptor, host, port in forwards:
        listener = socket.socket(fileno=descriptor)
        listener.setblocking(False)

        async def accept(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str = host, port: int = port
        ) -> None:
            await _splice(host, port, reader, writer)

        servers.append(await asyncio.start_server(accept, sock=listener))
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(_serve([(int(fd), str(host), int(port)) for fd, host, port in json.loads(sys.argv[1])]))

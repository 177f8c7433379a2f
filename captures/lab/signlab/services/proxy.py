"""The office's web proxy: CONNECT (RFC 9110 §9.3.6) for those who sign in with NTLM.

`python -m signlab.services.proxy RUNDIR`, in the DMZ. It knows the names table instead of asking
DNS, and goes out from its own address, by which the servers know whom it speaks for.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import sys
from collections.abc import Mapping

from ..config import Run
from ..ntlm import challenge, proves, user_of
from ..phone.proxy import PORT, account_of
from ..truth import Truth

READ = 1 << 16
HEAD_LIMIT = 1 << 16
COMPUTER = "WEBPROXY1"
DENIED = "The proxy requires authentication."


class Proxy:
    def __init__(self, run: Run) -> None:
        self._run = run
        self._truth = Truth(run, "proxy")
        hosts = run.names.hosts.by_role().values()
        self._addresses = {host.name: host.address for host in hosts}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client connection: requests until one is let through, then bytes both ways."""
        nonce = b""
        try:
            while True:
                line, headers = await self._head(reader)
                target = line.split(" ")[1]
                facts = {"method": "CONNECT", "scheme": "http", "host": headers["host"]}
                facts["path"] = target
                self._truth.message("http", "phone", "received", facts)
                offer = headers.get("proxy-authorization", "").removeprefix("NTLM ")
                token = base64.b64decode(offer)
                status, answer = 407, "NTLM"
                if token[8:9] == b"\1":
                    text, nonce = challenge(self._run.names.organisation.directory, COMPUTER)
                    answer = f"NTLM {base64.b64encode(text).decode()}"
                elif token and self._lets_in(token, nonce):
                    status = 200
                self._truth.message("http", "phone", "sent", {**facts, "status": status})
                writer.write(self._answer(status, answer))
                await writer.drain()
                if status == 200:
                    await self._tunnel(target, reader, writer)
                    return
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            return  # the client has gone, or never spoke HTTP
        finally:
            writer.close()

    @staticmethod
    async def _head(reader: asyncio.StreamReader) -> tuple[str, Mapping[str, str]]:
        raw = await reader.readuntil(b"\r\n\r\n")
        line, *rest = raw.decode("latin-1").strip().split("\r\n")
        pairs = (entry.partition(":") for entry in rest)
        return line, {name.lower(): value.strip() for name, _, value in pairs}

    def _lets_in(self, token: bytes, nonce: bytes) -> bool:
        if self._run.scenario.network.proxy == "denies":
            return False
        account = account_of(self._run)
        try:
            return user_of(token) == account.user and proves(token, nonce, account)
        except (ValueError, binascii.Error):
            return False

    @staticmethod
    def _answer(status: int, authenticate: str) -> bytes:
        if status == 200:
            return b"HTTP/1.1 200 Connection established\r\n\r\n"
        return (
            "HTTP/1.1 407 Proxy Authentication Required\r\n"
            f"Proxy-Authenticate: {authenticate}\r\n"
            "Proxy-Connection: keep-alive\r\n"
            "Content-Type: text/plain\r\n"
            f"Content-Length: {len(DENIED)}\r\n\r\n{DENIED}"
        ).encode()

    async def _tunnel(
        self, target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        host, _, port = target.rpartition(":")
        own = (self._run.names.clients.proxy, 0)
        far_reader, far_writer = await asyncio.open_connection(
            self._addresses[host], int(port), local_addr=own
        )
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Bytes from one side to the other until that side ends, or the other is gone."""
    with contextlib.suppress(ConnectionError):
        while data := await source.read(READ):
            sink.write(data)
            await sink.drain()
    sink.close()


async def serve(run: Run) -> None:
    server = await asyncio.start_server(
        Proxy(run).serve, run.names.clients.proxy, PORT, limit=HEAD_LIMIT
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(Run.from_arguments(sys.argv[1:])))

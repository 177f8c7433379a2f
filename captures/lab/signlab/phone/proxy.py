"""The phone's way out through a web proxy: CONNECT, and NTLM when it is asked for."""

from __future__ import annotations

import base64
import socket

from ..config import Run
from ..ntlm import Account, authenticate, negotiate
from ..truth import Truth

PORT = 8080
READ = 1 << 15


class ProxyRefused(Exception):
    """The proxy will not have this user; the text is its last status."""


def account_of(run: Run) -> Account:
    """The domain account whose name and password stand in the phone's settings."""
    name = run.user.sip.partition("@")[0]
    return Account(run.names.organisation.directory, name, run.password)


def tunnel(
    run: Run, truth: Truth, host: str, port: int, *, agent: str, timeout: float
) -> socket.socket:
    """A TCP connection to host:port by way of the proxy. Raises ProxyRefused, OSError."""
    raw = socket.create_connection((run.names.clients.proxy, PORT), timeout)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    target, token, offer = f"{host}:{port}", b"", b""
    facts = {"method": "CONNECT", "scheme": "http", "host": target, "path": target}
    while True:
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", f"User-Agent: {agent}"]
        lines.append("Proxy-Connection: Keep-Alive")
        if token:
            encoded = base64.b64encode(token).decode()
            lines.append(f"Proxy-Authorization: NTLM {encoded}")
            if offer:  # the first message of the three says nothing of anybody
                truth.secret("proxy_authorization", encoded)
        truth.message("http", "proxy", "sent", facts)
        raw.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        status, offer = _answer(raw)
        truth.message("http", "proxy", "received", {**facts, "status": status})
        if status == 200:
            return raw
        if status != 407 or (token and not offer):
            raw.close()
            raise ProxyRefused(str(status))
        account = account_of(run)
        name = f"VVX-{run.device.mac[-6:].upper()}"
        token = authenticate(account, offer, name) if offer else negotiate()


def _answer(raw: socket.socket) -> tuple[int, bytes]:
    """Status of the proxy's answer and the NTLM message in it, empty when there is none."""
    buffer = b""
    while b"\r\n\r\n" not in buffer:
        buffer += _more(raw)
    head, _, body = buffer.partition(b"\r\n\r\n")
    line, *rest = head.decode("latin-1").split("\r\n")
    pairs = (entry.partition(":") for entry in rest)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    while len(body) < int(headers.get("content-length", 0)):
        body += _more(raw)
    challenged = headers.get("proxy-authenticate", "").removeprefix("NTLM").strip()
    return int(line.split(" ")[1]), base64.b64decode(challenged)


def _more(raw: socket.socket) -> bytes:
    data = raw.recv(READ)
    if not data:
        raise ConnectionResetError("the proxy has closed the connection")
    return data

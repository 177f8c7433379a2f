"""The phone's HTTPS client: HTTP/1.1 over ssl with a key log, one connection a host."""

from __future__ import annotations

import gzip
import http.client
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ..config import Run
from ..truth import Truth

USER_AGENT = "Polycom/5.5.1.11526 PolycomVVX-VVX_600-UA/5.5.1.11526"
TIMEOUT = 15.0
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes


def tls_context(run: Run) -> ssl.SSLContext:
    """The phone's TLS: the scenario's version only, the lab's root, keys to phone.keys."""
    context = ssl.create_default_context(cafile=str(run.directory / "ca.crt"))
    version = VERSIONS[run.scenario.phone.tls]
    context.minimum_version = context.maximum_version = version
    if run.scenario.phone.ciphers:
        context.set_ciphers(run.scenario.phone.ciphers)
    context.keylog_filename = str(phone_keys(run))
    return context


def phone_keys(run: Run) -> Path:
    return run.directory / "phone.keys"


class Web:
    def __init__(self, run: Run, truth: Truth, context: ssl.SSLContext) -> None:
        self._run = run
        self._truth = truth
        self._context = context
        self._connections: dict[str, http.client.HTTPSConnection] = {}
        self._actors = {host.name: host.actor for host in run.names.hosts.by_role().values()}

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    def request(
        self, method: str, url: str, headers: dict[str, str], body: bytes | None = None
    ) -> Answer:
        """Send one request and read the answer whole; the connection is kept for the next."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        connection = self._connections.get(host)
        if connection is None:
            connection = http.client.HTTPSConnection(
                host, parts.port or 443, context=self._context, timeout=TIMEOUT
            )
            self._connections[host] = connection
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        facts = {"method": method, "scheme": "https", "host": host, "path": path}
        sent = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip", **headers}
        peer = self._actors[host]
        if connection.sock is None:
            connection.connect()  # first, so that the note bears the request's time
        self._truth.message("http", peer, "sent", facts)
        connection.request(method, path, body, sent)
        response = connection.getresponse()
        content = response.read()
        self._truth.message("http", peer, "received", {**facts, "status": response.status})
        for cookie in response.headers.get_all("Set-Cookie") or []:
            self._truth.secret("cookie", cookie.partition("=")[2].partition(";")[0])
        if response.headers.get("Content-Encoding") == "gzip":
            content = gzip.decompress(content)
        return Answer(response.status, response.headers, content)

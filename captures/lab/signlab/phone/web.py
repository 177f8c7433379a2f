"""The phone's HTTPS client: HTTP/1.1 over ssl with a key log, connections kept or not.

What fails is tried again, as often as the scenario says; then the error is the caller's.
"""

from __future__ import annotations

import gzip
import http.client
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from ..clock import pause
from ..config import Run
from ..knobs import PhoneKnobs
from ..truth import Truth
from .proxy import ProxyRefused, tunnel

USER_AGENT = "Polycom/5.5.1.11526 PolycomVVX-VVX_600-UA/5.5.1.11526"
TIMEOUT = 15.0
CONNECT_TIMEOUT = 8.0  # time for four SYNs
VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}


T = TypeVar("T")


class Refused(Exception):
    """A server has answered, and the answer is no; the text is the phone's word for it."""


def insist(knobs: PhoneKnobs, attempt: Callable[[], T], *failures: type[Exception]) -> T:
    """The result of `attempt`, made again after a pause while it fails in one of these ways."""
    for _ in range(knobs.tries - 1):
        try:
            return attempt()
        except failures:
            pause(knobs.retry_seconds)
    return attempt()


class Connection(http.client.HTTPSConnection):
    """An HTTPS connection that resumes an earlier TLS session (RFC 5246 §7.3, RFC 8446 §2.2)."""

    def __init__(
        self,
        host: str,
        port: int,
        context: ssl.SSLContext,
        session: ssl.SSLSession | None,
        reach: Callable[[str, int], socket.socket],
    ) -> None:
        super().__init__(host, port, context=context, timeout=TIMEOUT)
        self._tls, self._session, self._reach = context, session, reach

    def connect(self) -> None:
        raw = self._reach(self.host, self.port)
        raw.settimeout(TIMEOUT)
        self._wrapped = self._tls.wrap_socket(raw, server_hostname=self.host, session=self._session)
        self.sock = self._wrapped

    def session(self) -> ssl.SSLSession | None:
        """The session to resume; ask while the answer's body is unread, for its read may close."""
        return self._wrapped.session


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
    if run.scenario.phone.tls == "1.0":
        context.set_ciphers("DEFAULT:@SECLEVEL=0")  # TLS 1.0 signs with MD5 and SHA-1
    if run.scenario.phone.ciphers:
        context.set_ciphers(run.scenario.phone.ciphers)
    context.keylog_filename = str(phone_keys(run))
    return context


def phone_keys(run: Run) -> Path:
    return run.file("phone", ".keys")


def reach(host: str, port: int) -> socket.socket:
    """A TCP connection to host:port. Raises OSError."""
    raw = socket.create_connection((host, port), CONNECT_TIMEOUT)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return raw


class Web:
    def __init__(
        self, run: Run, truth: Truth, context: ssl.SSLContext, agent: str = USER_AGENT
    ) -> None:
        self._run = run
        self._agent = agent
        self._truth = truth
        self._context = context
        self._connections: dict[str, Connection] = {}
        self._sessions: dict[str, ssl.SSLSession | None] = {}
        self._keep = run.scenario.phone.connections == "kept"
        self._actors = {host.name: host.actor for host in run.names.hosts.by_role().values()}

    def _reach(self, host: str, port: int) -> socket.socket:
        """A TCP connection to host:port, through the proxy if the phone has been given one."""
        if self._run.scenario.phone.proxy:
            return tunnel(
                self._run, self._truth, host, port, agent=self._agent, timeout=CONNECT_TIMEOUT
            )
        return reach(host, port)

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    def request(
        self, method: str, url: str, headers: dict[str, str], body: bytes | None = None
    ) -> Answer:
        """Send one request and read the answer; the scenario says if the connection is kept."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        connection = self._connections.get(host)
        if connection is None:
            session = self._sessions.get(host)
            connection = Connection(host, parts.port or 443, self._context, session, self._reach)
            self._connections[host] = connection
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        facts = {"method": method, "scheme": "https", "host": host, "path": path}
        sent = {"User-Agent": self._agent, "Accept-Encoding": "gzip", **headers}
        if not self._keep:
            sent["Connection"] = "close"
        peer = self._actors[host]
        if connection.sock is None:
            # First, so that the note bears the request's time.
            insist(self._run.scenario.phone, connection.connect, OSError, ProxyRefused)
        self._truth.message("http", peer, "sent", facts)
        connection.request(method, path, body, sent)
        response = connection.getresponse()
        session_now = connection.session()
        content = response.read()
        if not self._keep:
            self._sessions[host] = session_now
            del self._connections[host]
            connection.close()
        self._truth.message("http", peer, "received", {**facts, "status": response.status})
        for cookie in response.headers.get_all("Set-Cookie") or []:
            self._truth.secret("cookie", cookie.partition("=")[2].partition(";")[0])
        if response.headers.get("Content-Encoding") == "gzip":
            content = gzip.decompress(content)
        return Answer(response.status, response.headers, content)

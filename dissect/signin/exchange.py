"""A request and its response, and what rules ask of them.

`Pairer` joins the messages of a connection by their exchange number. The accessors parse
on demand and once: most exchanges are never looked at twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

from dissect.model import EMPTY_BODY, Connection, HttpRequest, HttpResponse, Message, Place
from dissect.redaction.judge import pairs
from dissect.redaction.markup import Form, forms

JSON_LIMIT = 1 << 20  # a sign-in's JSON is some KB; a megabyte of it is something else


class Exchange:
    """One HTTP exchange; either side may be missing from the capture. Rules see it when it is
    complete: what they have once asked for stays. It is let go with its bodies after the rules:
    nothing that outlives them may hold it."""

    def __init__(self, request: HttpRequest | None) -> None:
        self.request = request
        self.response: HttpResponse | None = None
        self.interim: list[HttpResponse] = []
        self.serials = [0, 0]  # the numbers that request and response were read as

    @property
    def place(self) -> Place:
        message = self.request or self.response or self.interim[0]
        return message.place

    @cached_property
    def host(self) -> str | None:
        """The server's name, without port: Host, else the TLS server name."""
        message = self.request or self.response
        host = self.request.host if self.request else None
        host = host or (message.server_name if message else None)
        if host is None:
            return None
        bare, colon, port = host.rpartition(":")
        return (bare if colon and port.isdigit() and bare else host).strip("[]").lower()

    @property
    def method(self) -> str:
        return self.request.method if self.request else ""

    @cached_property
    def path(self) -> str:
        """The request's path in lower case, without an absolute form's scheme and host."""
        if self.request is None:
            return ""
        path = self.request.path
        if "://" in path[:12]:
            path = "/" + path.partition("://")[2].partition("/")[2]
        return path.lower()

    @property
    def status(self) -> int:
        """The final status code; 0 where no response was captured."""
        return self.response.status if self.response else 0

    @cached_property
    def query(self) -> dict[str, str]:
        return (
            {name.lower(): value for name, value in pairs(self.request.query)}
            if self.request
            else {}
        )

    @cached_property
    def form(self) -> dict[str, str]:
        """The request's urlencoded form, names in lower case; empty for other types."""
        if self.request is None or not self.request.body.data:
            return {}
        kind = (self.request.headers.get("content-type") or "").lower()
        if "json" in kind or "xml" in kind:
            return {}
        text = self.request.body.text
        if "=" not in text[:256]:
            return {}
        return {name.lower(): value for name, value in pairs(text.strip())}

    @cached_property
    def request_json(self) -> dict[str, Any]:
        return _object(self.request.body.text if self.request else "")

    @cached_property
    def response_json(self) -> dict[str, Any]:
        return _object(self.response.body.text if self.response else "")

    @cached_property
    def response_text(self) -> str:
        return (self.response.body if self.response else EMPTY_BODY).text

    @cached_property
    def forms(self) -> list[Form]:
        """The forms of the page that the response holds."""
        return forms(self.response_text)

    def request_header(self, name: str) -> str | None:
        return self.request.headers.get(name) if self.request else None

    def response_header(self, name: str) -> str | None:
        return self.response.headers.get(name) if self.response else None

    @property
    def location(self) -> str | None:
        return self.response_header("location")

    @property
    def response_type(self) -> str:
        """The response's media type, lower case, without parameters; empty if none."""
        return (self.response_header("content-type") or "").partition(";")[0].strip().lower()


def _object(text: str) -> dict[str, Any]:
    if not text[:64].lstrip("\ufeff \t\r\n").startswith("{") or len(text) > JSON_LIMIT:
        return {}
    try:
        value = json.loads(text.lstrip("\ufeff"))
        if "\\ud" in text.lower():
            # An escaped half of a surrogate pair is no character, and no file could hold it.
            whole = json.dumps(value, ensure_ascii=False).encode("utf-16-le", "surrogatepass")
            value = json.loads(whole.decode("utf-16-le", "replace"))
    except (ValueError, RecursionError):
        return {}  # a cut body or no JSON at all: the rules that want JSON see none
    return value if isinstance(value, dict) else {}


OPEN_EXCHANGES = 20_000
OPEN_BYTES = 32 << 20  # of bodies


class Pairer:
    """Pairs requests with responses as they come; hands each exchange on when complete.

    What is still open at `finish` is handed on then, in order of its request. If more than
    `limits` (exchanges, bytes of bodies) are open, the oldest are handed on with one half;
    `given_up` counts them, `first_given_up` is where the first was. No limits: all stay.
    """

    def __init__(
        self, done: Callable[[Exchange], None], limits: tuple[int, int] | None = None
    ) -> None:
        self._done = done
        self._limits = limits
        self._open: dict[tuple[Connection, int], Exchange] = {}
        self._bytes = 0
        self.given_up = 0
        self.first_given_up: Place | None = None

    def add(self, message: HttpRequest | HttpResponse, serial: int = 0) -> None:
        key = (message.place.connection, message.exchange)
        exchange = self._open.get(key)
        if isinstance(message, HttpRequest):
            if exchange is None:
                exchange = self._open[key] = Exchange(message)
            elif exchange.request is None:
                # The response was complete before the request's body was.
                exchange.request = message
            else:
                return  # a second request of this number: the first counts
            exchange.serials[0] = serial
        else:
            if exchange is None:
                exchange = self._open[key] = Exchange(None)
            if message.interim:
                exchange.interim.append(message)
                return
            if exchange.response is not None:
                self._bytes -= len(exchange.response.body.data)  # the last one counts
            exchange.response = message
            exchange.serials[1] = serial
        self._bytes += len(message.body.data)
        if exchange.request is not None and exchange.response is not None:
            self._hand_on(key)
        elif self._limits is not None:
            while len(self._open) > 1 and (
                len(self._open) > self._limits[0] or self._bytes > self._limits[1]
            ):
                oldest = next(iter(self._open))
                self.given_up += 1
                self.first_given_up = self.first_given_up or self._open[oldest].place
                self._hand_on(oldest)

    def _hand_on(self, key: tuple[Connection, int]) -> None:
        exchange = self._open.pop(key)
        for message in (exchange.request, exchange.response):
            self._bytes -= len(message.body.data) if message is not None else 0
        self._done(exchange)

    def finish(self) -> None:
        for exchange in sorted(self._open.values(), key=_start):
            self._done(exchange)
        self._open.clear()


def _start(exchange: Exchange) -> tuple[int, int]:
    place = exchange.place
    return place.connection.capture, place.span.first_frame


def pair(messages: Iterable[Message]) -> list[Exchange]:
    """All HTTP exchanges among some messages, in order of completion."""
    done: list[Exchange] = []
    pairer = Pairer(done.append)
    for message in messages:
        if isinstance(message, HttpRequest | HttpResponse):
            pairer.add(message)
    pairer.finish()
    return done

"""HTTP/1 messages out of tshark's `http` layers, paired into exchanges."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from dissect.engines.tshark.frames import FrameTable, StreamKey
from dissect.engines.tshark.pdml import PdmlLayer, PdmlUnit
from dissect.model import (
    EMPTY_BODY,
    Body,
    Headers,
    HttpRequest,
    HttpResponse,
    Opaque,
)
from dissect.protocols import content
from dissect.protocols.header_sections import host_of, index, tokens
from dissect.protocols.http.messages import absolute_form
from dissect.protocols.http.pairing import MAX_PENDING
from dissect.protocols.http1_framing import Version

MAX_WAITING = MAX_PENDING  # requests of a connection, as in the other engine
_CODED = "Content-encoded entity body"


@dataclass(slots=True)
class HttpState:
    """What is known of a connection's HTTP: exchanges that wait, tunnel, upgrade."""

    waiting: deque[tuple[int, int, str]] = field(default_factory=lambda: deque(maxlen=MAX_WAITING))
    # Responses whose request is not complete yet, or was not captured: is it the last one?
    early: deque[tuple[int, int, bool]] = field(default_factory=lambda: deque(maxlen=MAX_WAITING))
    full: bool = False  # more requests waited than `waiting` holds
    count: int = 0
    via: str | None = None
    upgraded: int | None = None  # the exchange that an Upgrade to HTTP/2 goes on with
    streams: dict[int, int] = field(default_factory=dict)  # HTTP/2 stream → exchange

    def fresh(self) -> int:
        self.count += 1
        return self.count

    def asked(self, first: int, frame: int, method: str) -> int:
        """The exchange of a request that began in frame `first` and ended in `frame`.

        A response that stands between the two was for it: 100 Continue, or a refusal.
        """
        while self.early and self.early[0][1] < first:
            self.early.popleft()
        self.full |= len(self.waiting) == MAX_WAITING
        if not self.early:
            exchange = self.fresh()
            self.waiting.append((exchange, frame, method))
            return exchange
        exchange, _, final = self.early.popleft()
        if not final:
            self.waiting.append((exchange, frame, method))
        return exchange

    def answered(self, frame: int, request_in: int | None, interim: bool) -> tuple[int, str]:
        """Exchange and method of the request that a response is for."""
        waiting = self.waiting
        if request_in is not None and any(asked == request_in for _, asked, _ in waiting):
            while waiting[0][1] != request_in:
                waiting.popleft()
        if waiting:
            exchange, _, method = waiting[0]
            if not interim:
                waiting.popleft()
            return exchange, method
        goes_on = bool(self.early) and not self.early[-1][2]
        exchange = self.early.pop()[0] if goes_on else self.fresh()
        self.early.append((exchange, frame, not interim))
        return exchange, ""


class Http1:
    """Makes messages of `http` layers; one for a capture."""

    def __init__(self, table: FrameTable, names: dict[StreamKey, str]) -> None:
        self._table = table
        self._names = names
        self.states: dict[StreamKey, HttpState] = {}

    def state(self, key: StreamKey) -> HttpState:
        return self.states.setdefault(key, HttpState())

    @property
    def full(self) -> int:
        """Connections of which more requests wait than are remembered."""
        return sum(state.full for state in self.states.values())

    def server_name(self, unit: PdmlUnit, state: HttpState) -> str | None:
        return self._names.get(unit.frame.key) if unit.encrypted else None

    def message(self, unit: PdmlUnit) -> HttpRequest | HttpResponse | None:
        """The message of a layer; None for one that only continues another."""
        if "http.request.method" in unit.layer:
            return self._request(unit)
        if "http.response.code" in unit.layer:
            return self._response(unit)
        return None

    def _request(self, unit: PdmlUnit) -> HttpRequest:
        layer, state = unit.layer, self.state(unit.frame.key)
        headers = _headers(layer, "http.request.line")
        method = layer.first("http.request.method") or ""
        target = layer.raw_first("http.request.uri")
        exchange = state.asked(unit.first, unit.frame.number, method)
        scheme = "https" if unit.encrypted else "http"
        host = headers.get("host") or None
        absolute = absolute_form(target)
        if absolute is not None:
            scheme, host = absolute[0], host or absolute[1] or None
        elif method == "CONNECT":
            host = host or target.decode("latin-1")
        host = host_of(host) or None if host else None
        return HttpRequest(
            place=self._table.place(unit.first, unit.frame, unit.encrypted),
            exchange=exchange,
            version=_version(layer.first("http.request.version")),
            method=method,
            target=Opaque(target),
            scheme=scheme,
            host=host,
            headers=headers,
            body=_body(layer, headers),
            server_name=self.server_name(unit, state),
            via=state.via,
            head_frame=unit.frame_of(_head_size(layer, "http.request.line") - 1),
        )

    def _response(self, unit: PdmlUnit) -> HttpResponse:
        layer, state = unit.layer, self.state(unit.frame.key)
        headers = _headers(layer, "http.response.line")
        status = layer.number("http.response.code")
        interim = 100 <= status < 200 and status != 101
        request_in = layer.first("http.request_in")
        exchange, method = state.answered(
            unit.first, int(request_in) if request_in else None, interim
        )
        if method == "CONNECT" and 200 <= status < 300:
            state.via = str(unit.frame.source)
        elif status == 101 and "h2c" in (headers.get("upgrade") or "").lower():
            state.upgraded = exchange
        return HttpResponse(
            place=self._table.place(unit.first, unit.frame, unit.encrypted),
            exchange=exchange,
            version=_version(layer.first("http.response.version")),
            status=status,
            reason=Opaque(layer.raw_first("http.response.phrase")),
            headers=headers,
            body=_body(layer, headers),
            interim=interim,
            server_name=self.server_name(unit, state),
            head_frame=unit.frame_of(_head_size(layer, "http.response.line") - 1),
        )


def _version(text: str | None) -> Version:
    return "1.0" if (text or "").endswith(("HTTP/1.0", "HTTP/0.9")) else "1.1"


def _headers(layer: PdmlLayer, name: str) -> Headers:
    """Header fields of the lines that tshark shows; a folded line's parts are joined."""
    pairs: list[tuple[bytes, bytes]] = []
    for line in layer.raw(name):
        key, colon, value = line.partition(b":")
        if colon:
            pairs.append((key.strip(), b" ".join(part.strip() for part in value.splitlines())))
    return Headers.of(pairs)


def _head_size(layer: PdmlLayer, name: str) -> int:
    """Bytes of the header section with its empty line; 1 if there are no lines to tell."""
    lines = layer.all(name)
    # Trailers come behind the body: the last line before it is in unbroken sequence.
    end = start = None
    for item in lines:
        position, size = int(item.pos or 0), int(item.size or 0)
        if end is not None and position != end:
            break
        start = position if start is None else start
        end = position + size
    first = layer.all("")
    if not first:
        return 1
    begin = int(first[0].pos or 0)
    if end is None:
        end = begin + int(first[0].size or 0)
    return end - begin + 2


def _body(layer: PdmlLayer, headers: Headers) -> Body:
    """The body as tshark has put it together: without chunks, and decoded where it can.

    What tshark was built without (brotli, zstd) is decoded here.
    """
    data = layer.raw_first("http.file_data")
    coded = next((raw for text, raw in layer.labels() if text.startswith(_CODED)), None)
    chunks = [int(text, 0) for text in layer.shown("http.chunk_size") if text]
    found = index([(bytes(name), bytes(value)) for name, value in headers])
    if not data and coded is None:
        return EMPTY_BODY
    size = sum(chunks) if chunks else len(coded if coded is not None else data)
    problem = None
    codings = tokens(found, b"content-encoding")
    codings += [name for name in tokens(found, b"transfer-encoding") if name != "chunked"]
    if codings and (coded is None or coded == data):
        data, problem = content.decode(data, codings)
    length = layer.first("http.content_length")
    if length and not chunks and size < int(length):
        problem = content.join(f"{int(length) - size} of {length} bytes are missing", problem)
    return Body(Opaque(data), size, problem)

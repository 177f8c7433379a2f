"""HTTP/2 messages out of tshark's `http2` layers (one a frame of RFC 9113)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from dissect.engines.tshark.frames import Frame, FrameTable, Key
from dissect.engines.tshark.http1 import Http1, HttpState
from dissect.engines.tshark.layers import Layer, Unit
from dissect.model import (
    EMPTY_BODY,
    Body,
    Direction,
    Headers,
    HttpRequest,
    HttpResponse,
    Opaque,
)
from dissect.protocols import content
from dissect.protocols.heads import host_of, index, tokens

DATA, HEADERS, RST_STREAM, PUSH_PROMISE, CONTINUATION = 0, 1, 3, 5, 9
MAX_OPEN = 4096  # messages of one capture that wait for their end
MAX_BODY = 16 << 20  # bytes kept of one body
_CODED = "Content-encoded entity body"
_REQUEST = frozenset((b":method", b":path", b":scheme", b":authority"))
UNKNOWN = "?"


@dataclass(slots=True)
class _Half:
    """What one direction of an HTTP/2 stream has brought so far."""

    stream: int
    fields: list[tuple[bytes, bytes]]
    first: int
    head: Frame
    last: Frame
    encrypted: bool
    exchange: int
    via: str | None
    server_name: str | None
    pushed: bool = False
    raw: bytearray = field(default_factory=bytearray)
    size: int = 0
    decoded: bytes | None = None

    @property
    def response(self) -> bool:
        return any(name == b":status" for name, _ in self.fields)


class Http2:
    """Puts the messages of all HTTP/2 streams of a capture together."""

    def __init__(self, table: FrameTable, http1: Http1) -> None:
        self._table = table
        self._http1 = http1
        self._open: dict[tuple[Key, int, Direction], _Half] = {}

    def take(self, unit: Unit) -> Iterator[HttpRequest | HttpResponse]:
        """One layer; gives the messages that end with it."""
        layer = unit.layer
        if "http2.type" not in layer:
            return
        kind, stream = layer.number("http2.type"), layer.number("http2.streamid")
        key = unit.frame.key
        direction = self._table.place(unit.first, unit.frame, unit.encrypted).direction
        if kind == DATA:
            yield from self._data(unit, self._open.get((key, stream, direction)))
        elif kind in (HEADERS, PUSH_PROMISE, CONTINUATION):
            promised = layer.first("http2.push_promise.promised_stream_id")
            if kind == PUSH_PROMISE and promised:
                yield from self._promise(unit, int(promised), direction)
            else:
                yield from self._headers(unit, stream, direction, kind)
        elif kind == RST_STREAM:
            for side in (0, 1):
                half = self._open.pop((key, stream, side), None)
                if half is not None:
                    yield self._message(half, "the stream was reset before the end")
            return
        else:
            return
        if kind in (DATA, HEADERS) and _ends(layer):
            half = self._open.pop((key, stream, direction), None)
            if half is not None:
                half.last = unit.frame
                yield self._message(half, None)

    def finish(self) -> Iterator[HttpRequest | HttpResponse]:
        """What never ended."""
        for half in self._open.values():
            yield self._message(half, "its end was not captured")
        self._open.clear()

    # ------------------------------------------------------------ frames

    def _headers(
        self, unit: Unit, stream: int, direction: Direction, kind: int
    ) -> Iterator[HttpRequest | HttpResponse]:
        fields = _fields(unit.layer)
        if not fields:
            return
        place = (unit.frame.key, stream, direction)
        half = self._open.get(place)
        if half is not None and not any(name.startswith(b":") for name, _ in fields):
            half.fields += fields  # trailers, or the rest of a header block
            half.last = unit.frame
            return
        if half is not None:
            # A final response follows an interim one on the same stream.
            interim = half.response and _status(half.fields) // 100 == 1
            yield self._message(half, None if interim else "its end was not captured")
        self._open[place] = self._half(unit, stream, fields)
        if len(self._open) > MAX_OPEN:
            oldest = next(iter(self._open))
            yield self._message(self._open.pop(oldest), "given up, too many streams are open")

    def _promise(
        self, unit: Unit, promised: int, direction: Direction
    ) -> Iterator[HttpRequest | HttpResponse]:
        half = self._half(unit, promised, _fields(unit.layer))
        half.pushed = True
        yield self._message(half, None)

    def _half(self, unit: Unit, stream: int, fields: list[tuple[bytes, bytes]]) -> _Half:
        state = self._http1.state(unit.frame.key)
        return _Half(
            stream,
            fields,
            unit.first,
            unit.frame,
            unit.frame,
            unit.encrypted,
            _exchange(state, stream),
            state.via,
            self._http1.server_name(unit, state),
        )

    def _data(self, unit: Unit, half: _Half | None) -> Iterator[HttpRequest | HttpResponse]:
        if half is None:
            return
        layer = unit.layer
        half.last = unit.frame
        padding = layer.number("http2.pad_length")
        own = layer.number("http2.length") - padding - (1 if padding else 0)
        half.size += own
        shown = layer.raw("http2.data.data")
        whole = layer.raw_first("http2.body.reassembled.data")
        coded = next((raw for text, raw in layer.labels() if text.startswith(_CODED)), None)
        if whole:
            # The last of several frames shows the whole body instead of its own part.
            half.raw[:] = whole[:MAX_BODY]
            if shown and (coded is not None or len(shown[-1]) != len(whole)):
                half.decoded = shown[-1]
        elif coded is not None:
            half.raw += coded
            half.decoded = shown[-1] if shown else None
        elif shown and len(half.raw) < MAX_BODY:
            half.raw += shown[0]
        yield from ()

    # ------------------------------------------------------------ messages

    def _message(self, half: _Half, problem: str | None) -> HttpRequest | HttpResponse:
        pseudo = {name: value for name, value in half.fields if name.startswith(b":")}
        headers = Headers.of([pair for pair in half.fields if not pair[0].startswith(b":")])
        place = self._table.place(half.first, half.last, half.encrypted)
        body = _body(half, headers, problem)
        if half.response:
            status = _status(half.fields)
            return HttpResponse(
                place=place,
                exchange=half.exchange,
                version="2",
                status=status,
                reason=Opaque(),
                headers=headers,
                body=body,
                interim=100 <= status < 200,
                server_name=half.server_name,
                h2_stream=half.stream,
                head_frame=half.head.number,
            )
        authority = pseudo.get(b":authority", b"").decode("utf-8", "replace")
        host = host_of(authority or headers.get("host") or "") or None
        scheme = pseudo.get(b":scheme", b"").decode("utf-8", "replace")
        return HttpRequest(
            place=place,
            exchange=half.exchange,
            version="2",
            method=pseudo.get(b":method", b"").decode("utf-8", "replace") or UNKNOWN,
            target=Opaque(pseudo.get(b":path") or UNKNOWN.encode()),
            scheme=scheme or ("https" if half.encrypted else "http"),
            host=host,
            headers=headers,
            body=body,
            server_name=half.server_name,
            via=half.via,
            pushed=half.pushed,
            h2_stream=half.stream,
            head_frame=half.head.number,
        )


def _fields(layer: Layer) -> list[tuple[bytes, bytes]]:
    return list(zip(layer.raw("http2.header.name"), layer.raw("http2.header.value"), strict=False))


def _ends(layer: Layer) -> bool:
    """END_STREAM (RFC 9113 §6.1, §6.2)."""
    if "http2.flags.end_stream" in layer:
        return layer.true("http2.flags.end_stream")
    return bool(layer.number("http2.flags") & 1)


def _status(fields: list[tuple[bytes, bytes]]) -> int:
    value = next((value for name, value in fields if name == b":status"), b"")
    return int(value) if value.isdigit() and len(value) == 3 else 0


def _exchange(state: HttpState, stream: int) -> int:
    if stream == 1 and state.upgraded is not None:
        return state.upgraded
    if stream not in state.streams:
        state.streams[stream] = state.fresh()
    return state.streams[stream]


def _body(half: _Half, headers: Headers, problem: str | None) -> Body:
    if not half.size and problem is None:
        return EMPTY_BODY
    raw = bytes(half.raw)
    data, trouble = raw, None
    if half.decoded is not None:
        data = half.decoded
    else:
        codings = tokens(index([(bytes(n), bytes(v)) for n, v in headers]), b"content-encoding")
        if codings:
            data, trouble = content.decode(raw, codings)
    return Body(Opaque(data), half.size, content.join(problem, trouble))

"""HTTP/2 messages out of tshark's `http2` layers (one a frame of RFC 9113)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from dissect.engines.tshark.frames import Frame, FrameTable, StreamKey
from dissect.engines.tshark.http1 import Http1, HttpState
from dissect.engines.tshark.pdml import PdmlLayer, PdmlUnit
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
from dissect.protocols.header_sections import host_of, index, tokens

DATA, HEADERS, RST_STREAM, PUSH_PROMISE, CONTINUATION = 0, 1, 3, 5, 9
MAX_OPEN = 4096  # messages of one capture that wait for their end
MAX_BODY = 16 << 20  # bytes kept of one body
_CODED = "Content-encoded entity body"
_REQUEST = frozenset((b":method", b":path", b":scheme", b":authority"))
UNKNOWN = "?"


@dataclass(slots=True)
class _StreamState:
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
        self._open: dict[tuple[StreamKey, int, Direction], _StreamState] = {}

    def take(self, unit: PdmlUnit) -> Iterator[HttpRequest | HttpResponse]:
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
                stream_state = self._open.pop((key, stream, side), None)
                if stream_state is not None:
                    yield self._message(stream_state, "the stream was reset before the end")
            return
        else:
            return
        if kind in (DATA, HEADERS) and _ends(layer):
            stream_state = self._open.pop((key, stream, direction), None)
            if stream_state is not None:
                stream_state.last = unit.frame
                yield self._message(stream_state, None)

    def finish(self) -> Iterator[HttpRequest | HttpResponse]:
        """What never ended."""
        for stream_state in self._open.values():
            yield self._message(stream_state, "its end was not captured")
        self._open.clear()

    # ------------------------------------------------------------ frames

    def _headers(
        self, unit: PdmlUnit, stream: int, direction: Direction, kind: int
    ) -> Iterator[HttpRequest | HttpResponse]:
        fields = _fields(unit.layer)
        if not fields:
            return
        place = (unit.frame.key, stream, direction)
        stream_state = self._open.get(place)
        if stream_state is not None and not any(name.startswith(b":") for name, _ in fields):
            stream_state.fields += fields  # trailers, or the rest of a header block
            stream_state.last = unit.frame
            return
        if stream_state is not None:
            # A final response follows an interim one on the same stream.
            interim = stream_state.response and _status(stream_state.fields) // 100 == 1
            yield self._message(stream_state, None if interim else "its end was not captured")
        self._open[place] = self._stream_state(unit, stream, fields)
        if len(self._open) > MAX_OPEN:
            oldest = next(iter(self._open))
            yield self._message(self._open.pop(oldest), "given up, too many streams are open")

    def _promise(
        self, unit: PdmlUnit, promised: int, direction: Direction
    ) -> Iterator[HttpRequest | HttpResponse]:
        stream_state = self._stream_state(unit, promised, _fields(unit.layer))
        stream_state.pushed = True
        yield self._message(stream_state, None)

    def _stream_state(
        self, unit: PdmlUnit, stream: int, fields: list[tuple[bytes, bytes]]
    ) -> _StreamState:
        state = self._http1.state(unit.frame.key)
        return _StreamState(
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

    def _data(
        self, unit: PdmlUnit, stream_state: _StreamState | None
    ) -> Iterator[HttpRequest | HttpResponse]:
        if stream_state is None:
            return
        layer = unit.layer
        stream_state.last = unit.frame
        padding = layer.number("http2.pad_length")
        own = layer.number("http2.length") - padding - (1 if padding else 0)
        stream_state.size += own
        shown = layer.raw("http2.data.data")
        whole = layer.raw_first("http2.body.reassembled.data")
        coded = next((raw for text, raw in layer.labels() if text.startswith(_CODED)), None)
        if whole:
            # The last of several frames shows the whole body instead of its own part.
            stream_state.raw[:] = whole[:MAX_BODY]
            if shown and (coded is not None or len(shown[-1]) != len(whole)):
                stream_state.decoded = shown[-1]
        elif coded is not None:
            stream_state.raw += coded
            stream_state.decoded = shown[-1] if shown else None
        elif shown and len(stream_state.raw) < MAX_BODY:
            stream_state.raw += shown[0]
        yield from ()

    # ------------------------------------------------------------ messages

    def _message(
        self, stream_state: _StreamState, problem: str | None
    ) -> HttpRequest | HttpResponse:
        pseudo = {name: value for name, value in stream_state.fields if name.startswith(b":")}
        headers = Headers.of([pair for pair in stream_state.fields if not pair[0].startswith(b":")])
        place = self._table.place(stream_state.first, stream_state.last, stream_state.encrypted)
        body = _body(stream_state, headers, problem)
        if stream_state.response:
            status = _status(stream_state.fields)
            return HttpResponse(
                place=place,
                exchange=stream_state.exchange,
                version="2",
                status=status,
                reason=Opaque(),
                headers=headers,
                body=body,
                interim=100 <= status < 200,
                server_name=stream_state.server_name,
                h2_stream=stream_state.stream,
                head_frame=stream_state.head.number,
            )
        authority = pseudo.get(b":authority", b"").decode("utf-8", "replace")
        host = host_of(authority or headers.get("host") or "") or None
        scheme = pseudo.get(b":scheme", b"").decode("utf-8", "replace")
        return HttpRequest(
            place=place,
            exchange=stream_state.exchange,
            version="2",
            method=pseudo.get(b":method", b"").decode("utf-8", "replace") or UNKNOWN,
            target=Opaque(pseudo.get(b":path") or UNKNOWN.encode()),
            scheme=scheme or ("https" if stream_state.encrypted else "http"),
            host=host,
            headers=headers,
            body=body,
            server_name=stream_state.server_name,
            via=stream_state.via,
            pushed=stream_state.pushed,
            h2_stream=stream_state.stream,
            head_frame=stream_state.head.number,
        )


def _fields(layer: PdmlLayer) -> list[tuple[bytes, bytes]]:
    return list(zip(layer.raw("http2.header.name"), layer.raw("http2.header.value"), strict=False))


def _ends(layer: PdmlLayer) -> bool:
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


def _body(stream_state: _StreamState, headers: Headers, problem: str | None) -> Body:
    if not stream_state.size and problem is None:
        return EMPTY_BODY
    raw = bytes(stream_state.raw)
    data, trouble = raw, None
    if stream_state.decoded is not None:
        data = stream_state.decoded
    else:
        codings = tokens(index([(bytes(n), bytes(v)) for n, v in headers]), b"content-encoding")
        if codings:
            data, trouble = content.decode(raw, codings)
    return Body(Opaque(data), stream_state.size, content.join(problem, trouble))

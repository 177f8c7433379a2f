"""HTTP/1.0 and HTTP/1.1 as a passive observer sees them (RFC 9110, RFC 9112).

Each direction is read by a small state machine, a reader function a state; whether it
carries requests or responses is told by each start line, not by ports. A queue pairs
responses with requests. After lost bytes whose place in the framing is not known the
direction looks for the next thing that can only be a start line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dissect.model import Anomaly, Direction, Message, Span, StreamParser
from dissect.protocols import http1_bodies as bodies
from dissect.protocols import http1_framing as framing
from dissect.protocols import http1_reading as reading
from dissect.protocols.base import Layer, OpenUpgrade, Upgrade
from dissect.protocols.heads import (
    HEAD_END,
    MAX_HEAD,
    Field,
    Index,
    host_of,
    index,
    read_section,
    tail_of_start,
)
from dissect.protocols.http1_bodies import Step
from dissect.protocols.http1_pairing import MAX_PENDING, Pairing, Pending
from dissect.protocols.http1_reading import Extent, Reading, Side, State
from dissect.protocols.outbox import Outbox

MAX_HELD = 64 * 1024  # bytes that follow CONNECT or Upgrade before its answer


class Http1Parser:
    """A `StreamParser` for HTTP/1.x; raises nothing, oddities come as `Anomaly`.

    `upgrades` opens what a 101 switched to, by the token of the Upgrade field; what is not
    in it is left to the layer's sniffer.
    """

    def __init__(self, layer: Layer, upgrades: Mapping[str, OpenUpgrade] | None = None) -> None:
        self._layer = layer
        self._upgrades = upgrades or {}
        self._sides = (Side(0), Side(1))
        self._pairing = Pairing(layer.exchanges)
        self._child: StreamParser | None = None
        self._out = Outbox(layer)

    # ------------------------------------------------------------ the three verbs

    def data(
        self, direction: Direction, view: bytes | memoryview, span: Span
    ) -> list[Message | Anomaly]:
        side = self._sides[direction]
        if side.state is State.TUNNEL and self._child is not None:
            return list(self._child.data(direction, view, span))
        if side.state is not State.IGNORE:
            side.buffer.append(view, span)
            self._run(side)
        return self._out.flush()

    def gap(self, direction: Direction, length: int, span: Span) -> list[Message | Anomaly]:
        side = self._sides[direction]
        if side.state is State.TUNNEL and self._child is not None:
            return list(self._child.gap(direction, length, span))
        if side.state is not State.IGNORE:
            self._gap(side, length)
            self._run(side)
        return self._out.flush()

    def end(self, direction: Direction, span: Span) -> list[Message | Anomaly]:
        side = self._sides[direction]
        if side.state is State.HELD:
            self._resume(side)
        if side.state is State.TUNNEL and self._child is not None:
            for item in self._child.end(direction, span):
                self._out.add(item)
        elif side.message is not None:
            if side.state in (State.LENGTH, State.CLOSE):
                bodies.take(side)
            if side.state is State.CLOSE:
                # Wireshark names such a message by the frame that closed the connection.
                side.message.span = side.message.span.to(span)
                self._finish(side)
            else:
                self._finish(side, side.missing())
        else:
            self._cut_head(side)
        side.state = State.IGNORE
        side.buffer.clear()
        return self._out.flush()

    # ------------------------------------------------------------ the readers

    def _run(self, side: Side) -> None:
        while side.buffer.data and _READERS[side.state](self, side):
            continue

    def _read_head(self, side: Side) -> bool:
        buffer, data = side.buffer, side.buffer.data
        if data[0] in b"\r\n":  # empty lines before a start line (RFC 9112 §2.2)
            buffer.drop(len(data) - len(data.lstrip(b"\r\n")))
            side.scanned = 0
            return True
        match = HEAD_END.search(data, max(0, side.scanned - 3))
        side.scanned = len(data)
        line_end = data.find(b"\n")
        if line_end < 0 and len(data) <= MAX_HEAD:
            return False
        line = bytes(data[: max(line_end, 0)]).removesuffix(b"\r")
        start = framing.start_line(line)
        if start is None:
            kind = "http.bad_start_line" if side.begun else "http.began_inside"
            return self._seek(side, kind, "bytes that begin no HTTP message are skipped")
        if match is None or match.end() > MAX_HEAD:
            if len(data) <= MAX_HEAD:
                return False
            sentence = f"a header section of over {MAX_HEAD} bytes is skipped"
            return self._seek(side, "http.head_too_long", sentence)
        span = buffer.span(match.end())
        section = bytes(data[line_end + 1 : match.start()])
        found = read_section(section, buffer.at + line_end + 1)
        extent = reading.extent(side, line, start, found, match.end())
        side.consume(match.end())
        if found.odd:
            self._odd_fields(found.odd, span)
        side.begun = True
        self._begin(side, start, found.fields, span, extent)
        return True

    def _read_body(self, side: Side) -> bool:
        step = bodies.READERS[side.state](side)
        if step is Step.END:
            if side.odd_lines and side.message is not None:
                self._odd_fields(side.odd_lines, side.message.span)
                side.odd_lines = 0
            self._finish(side)
        elif step is Step.ABSENT:
            self._finish(side, None if side.answers else "it was not sent, the answer came first")
        elif step is Step.BAD:
            frame = side.buffer.span(1).first_frame
            self._out.odd("http.bad_chunk", "a chunk of the body has no valid size or end", frame)
            self._finish(side, "its chunks are damaged")
            if side.state is State.HEAD:
                self._look_for_start(side)
        return step is not Step.MORE

    def _read_held(self, side: Side) -> bool:
        """Bytes after CONNECT or Upgrade whose answer was not seen yet."""
        data, asked = side.buffer.data, self._pairing.latest
        if asked is None:
            self._resume(side)
        elif asked.method == "CONNECT" and data[:2] == b"\x16\x03":
            self._open_tunnel(side.direction, asked)
        elif "h2c" in asked.upgrade and data[:14] == b"PRI * HTTP/2.0":
            self._upgrade(asked, {b"connection": [b"upgrade"], b"upgrade": [b"h2c"]})
        elif len(data) > MAX_HELD:
            self._resume(side)
        else:
            return False
        return True

    def _read_lost(self, side: Side) -> bool:
        data = side.buffer.data
        match = framing.find_start(data)
        if match is None:
            side.buffer.drop(max(tail_of_start(data), len(data) - framing.MAX_START))
            return False
        side.buffer.drop(match.start())
        side.scanned = 0
        side.state = State.HEAD
        return True

    def _stay(self, side: Side) -> bool:
        return False

    # ------------------------------------------------------------ messages begin

    def _begin(
        self,
        side: Side,
        start: framing.RequestLine | framing.StatusLine,
        fields: list[Field],
        span: Span,
        extent: Extent,
        cut: str | None = None,
    ) -> None:
        """Begin a message, and end it at once if it has no body or its head is `cut`."""
        found = index(fields)
        if isinstance(start, framing.RequestLine):
            side.answers = False
            pending = self._pairing.asked(start, found, span.last_frame)
            if self._pairing.forgets:
                self._out.limit(
                    "limit.http_pipelined",
                    f"more than {MAX_PENDING} requests wait for their answers: from here on "
                    "requests stay without answer and answers without request",
                    span.last_frame,
                )
            verdict = framing.request_framing(found)
        else:
            side.answers = True
            pending = self._pairing.answered(framing.is_interim(start.status), span.first_frame)
            verdict = framing.response_framing(start.status, pending.method, found)
        side.message = Reading(start, fields, found, span, span.last_frame, pending, extent)
        for problem in verdict.problems:
            self._out.odd("http.framing", problem, span.last_frame)
        length, chunked = verdict.framing
        side.remaining = length or 0
        if cut or length == 0:
            self._finish(side, cut)
        elif chunked:
            side.state = State.CHUNK_SIZE
        else:
            side.state = State.CLOSE if length is None else State.LENGTH

    # ------------------------------------------------------------ messages end

    def _finish(self, side: Side, problem: str | None = None) -> None:
        """Give the message; then the next one begins, or what was switched to."""
        message = side.message
        if message is None:
            return
        side.message = None
        side.state = State.HEAD
        side.scanned = 0
        pending, start = message.pending, message.start
        if isinstance(start, framing.RequestLine):
            self._out.add(reading.request(self._layer, side, message, start, problem))
            self._out.unpacked(self._layer, message.span.last_frame)
            if self._child is not None:
                self._enter_tunnel(side)
            elif pending.switches and not pending.answered:
                side.state = State.HELD
            return
        self._out.add(reading.response(self._layer, side, message, start, problem))
        self._out.unpacked(self._layer, message.span.last_frame)
        if pending.method == "CONNECT" and 200 <= start.status < 300:
            self._open_tunnel(_other(side.direction), pending)
        elif start.status == 101:
            self._upgrade(pending, message.index)
        elif pending.switches and not framing.is_interim(start.status):
            self._resume(self._sides[_other(side.direction)])

    def _cut_head(self, side: Side) -> None:
        """A header section that breaks off: an anomaly, and the message as far as it is known."""
        data = bytes(side.buffer.data.lstrip(b"\r\n"))
        if side.state is not State.HEAD or not data:
            return
        span = side.buffer.span(len(side.buffer))
        side.buffer.drop(len(side.buffer) - len(data))
        first, newline, rest = data.partition(b"\n")
        start = framing.start_line(first.removesuffix(b"\r")) if newline else None
        if start is None and not framing.MAY_START.match(data):
            sentence = f"{len(data)} bytes that begin no HTTP message"
            self._out.odd("http.bad_start_line", sentence, span.last_frame)
            return
        problem = f"the header section breaks off after {len(data)} bytes"
        self._out.odd("http.incomplete", f"HTTP: {problem}", span.last_frame)
        if start is not None:
            lines = rest.rpartition(b"\n")[0]
            found = read_section(lines, side.buffer.at + len(first) + 1)
            # Nobody knows what its last line was going to say: only where it is, is told.
            extent = Extent(side.buffer.at, side.buffer.at + len(data), (), None, [])
            side.buffer.clear()
            self._begin(side, start, found.fields, span, extent, problem)

    # ------------------------------------------------------------ loss

    def _gap(self, side: Side, length: int) -> None:
        if side.state in (State.LENGTH, State.CLOSE):
            bodies.take(side)
        message = side.message
        if message is not None and length:
            if side.state is State.CLOSE:
                message.body.lose(length)
                return
            if side.state in (State.LENGTH, State.CHUNK_DATA) and length <= side.remaining:
                message.body.lose(length)
                side.remaining -= length
                if side.state is State.LENGTH and not side.remaining:
                    self._finish(side)
                return
        if message is not None:
            message.body.lose(min(length, side.remaining))
            self._finish(side, "its end was not captured")
        self._cut_head(side)
        side.buffer.clear()
        if side.state is State.TUNNEL and self._child is not None:
            return
        self._look_for_start(side)

    def _look_for_start(self, side: Side) -> None:
        side.state = State.LOST
        side.scanned = 0
        if side.answers or (not side.begun and side.direction == 1):
            self._pairing.responses_lost = True
            other, asked = self._sides[_other(side.direction)], self._pairing.latest
            if other.state is State.HELD and asked is not None and asked.upgrade:
                self._resume(other)

    def _seek(self, side: Side, kind: str, sentence: str) -> bool:
        self._out.odd(kind, sentence, side.buffer.span(1).first_frame)
        side.buffer.drop(1)
        self._look_for_start(side)
        return True

    def _odd_fields(self, count: int, span: Span) -> None:
        self._out.odd("http.bad_header", f"{count} header lines are no fields", span.last_frame)

    # ------------------------------------------------------------ CONNECT and Upgrade

    def _resume(self, side: Side) -> None:
        """The switch did not happen: what was held is HTTP."""
        if side.state is State.HELD:
            side.state = State.HEAD
            side.scanned = 0
            self._run(side)

    def _open_tunnel(self, asking: Direction, pending: Pending) -> None:
        """CONNECT succeeded (RFC 9110 §9.3.6): another protocol follows in both directions."""
        proxy = self._layer.connection.receiver(asking)
        authority = host_of(pending.target.decode("latin-1"))
        host = authority.rpartition(":")[0].strip("[]")
        # The proxy's own TLS and its ALPN are not those of what is inside.
        self._switch(self._layer.child(via=str(proxy), server_name=host or None, alpn=None))

    def _upgrade(self, pending: Pending, accepted: Index) -> None:
        """101 Switching Protocols (RFC 9110 §7.8)."""
        protocols = framing.upgrades(accepted) or pending.upgrade or [""]
        opener = self._upgrades.get(protocols[0])
        if opener is None:
            self._switch(self._layer.child(alpn=None))
        else:
            upgrade = Upgrade(pending.exchange, pending.fields, accepted)
            self._switch(opener(self._layer, upgrade))

    def _switch(self, child: StreamParser) -> None:
        self._child = child
        for side in self._sides:
            if side.message is None and side.state is not State.IGNORE:
                self._enter_tunnel(side)

    def _enter_tunnel(self, side: Side) -> None:
        if self._child is not None:
            side.state = State.TUNNEL
            for piece, span in side.buffer.pieces():
                for item in self._child.data(side.direction, piece, span):
                    self._out.add(item)


def _other(direction: Direction) -> Direction:
    return 0 if direction else 1


_READERS: dict[State, Callable[[Http1Parser, Side], bool]] = {
    State.HEAD: Http1Parser._read_head,
    State.LENGTH: Http1Parser._read_body,
    State.CLOSE: Http1Parser._read_body,
    State.CHUNK_SIZE: Http1Parser._read_body,
    State.CHUNK_DATA: Http1Parser._read_body,
    State.TRAILERS: Http1Parser._read_body,
    State.HELD: Http1Parser._read_held,
    State.LOST: Http1Parser._read_lost,
    State.TUNNEL: Http1Parser._stay,
    State.IGNORE: Http1Parser._stay,
}

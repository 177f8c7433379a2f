"""HTTP/1.0 and HTTP/1.1 as a passive observer sees them (RFC 9110, RFC 9112).

Each direction is read by a small state machine, a reader function a state; whether it
carries requests or responses is recognised by each start line, not by ports. A queue pairs
responses with requests. After lost bytes whose place in the framing is not known the
direction looks for the next thing that can only be a start line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dissect.model import Anomaly, Direction, Message, Span, StreamParser
from dissect.protocols import http1_bodies as bodies
from dissect.protocols import http1_framing as framing
from dissect.protocols.base import Layer, OpenUpgrade, Upgrade
from dissect.protocols.header_sections import Index, index, tail_of_start
from dissect.protocols.http.messages import Request, Response, is_interim
from dissect.protocols.http.pairing import MAX_PENDING, Pairing, Pending
from dissect.protocols.http.switch import through_proxy, upgraded, upgrades
from dissect.protocols.http1_bodies import BodyStep
from dissect.protocols.http1_heads import Head, NoHead, take_cut_head, take_head
from dissect.protocols.http1_reading import HttpDirection, State
from dissect.protocols.outbox import Outbox

MAX_HELD = 64 * 1024  # bytes that follow CONNECT or Upgrade before its answer


class Http1Parser:
    """A `StreamParser` for HTTP/1.x; raises nothing, anomalies come as `Anomaly`.

    `upgrades` opens what a 101 switched to, by the token of the Upgrade field; what is not
    in it is left to the layer's sniffer.
    """

    def __init__(self, layer: Layer, upgrades: Mapping[str, OpenUpgrade] | None = None) -> None:
        self._layer = layer
        self._upgrades = upgrades or {}
        self._sides = (HttpDirection(0), HttpDirection(1))
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

    def _run(self, side: HttpDirection) -> None:
        while side.buffer.data and _READERS[side.state](self, side):
            continue

    def _read_head(self, side: HttpDirection) -> bool:
        buffer, data = side.buffer, side.buffer.data
        if data[0] in b"\r\n":  # empty lines before a start line (RFC 9112 §2.2)
            buffer.drop(len(data) - len(data.lstrip(b"\r\n")))
            side.scanned = 0
            return True
        head = take_head(side)
        if head is None:
            return False
        if isinstance(head, NoHead):
            self._out.anomaly(head.kind, head.sentence, buffer.span(1).first_frame)
            buffer.drop(1)
            self._look_for_start(side)
            return True
        if head.malformed:
            self._malformed_fields(head.malformed, head.span)
        side.begun = True
        self._begin(side, head)
        return True

    def _read_body(self, side: HttpDirection) -> bool:
        step = bodies.READERS[side.state](side)
        if step is BodyStep.END:
            if side.malformed_lines and side.message is not None:
                self._malformed_fields(side.malformed_lines, side.message.span)
                side.malformed_lines = 0
            self._finish(side)
        elif step is BodyStep.ABSENT:
            self._finish(side, None if side.answers else "it was not sent, the answer came first")
        elif step is BodyStep.BAD:
            frame = side.buffer.span(1).first_frame
            self._out.anomaly(
                "http.bad_chunk", "a chunk of the body has no valid size or end", frame
            )
            self._finish(side, "its chunks are damaged")
            if side.state is State.HEAD:
                self._look_for_start(side)
        return step is not BodyStep.MORE

    def _read_held(self, side: HttpDirection) -> bool:
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

    def _read_lost(self, side: HttpDirection) -> bool:
        data = side.buffer.data
        match = framing.find_start(data)
        if match is None:
            side.buffer.drop(max(tail_of_start(data), len(data) - framing.MAX_START))
            return False
        side.buffer.drop(match.start())
        side.scanned = 0
        side.state = State.HEAD
        return True

    def _stay(self, side: HttpDirection) -> bool:
        return False

    # ------------------------------------------------------------ messages begin

    def _begin(self, side: HttpDirection, head: Head) -> None:
        """Begin a message, and end it at once if it has no body or its head is cut."""
        start, span, fields = head.start, head.span, index(head.fields)
        control: Request | Response
        if isinstance(start, framing.RequestLine):
            side.answers = False
            control = Request(start.method, start.target)
            pending = self._pairing.asked(control, fields, span.last_frame)
            if self._pairing.forgets:
                self._out.limit(
                    "limit.http_pipelined",
                    f"more than {MAX_PENDING} requests wait for their answers: from here on "
                    "requests stay without answer and answers without request",
                    span.last_frame,
                )
            verdict = framing.request_framing(fields)
        else:
            side.answers = True
            control = Response(start.status, start.reason)
            pending = self._pairing.answered(is_interim(start.status), span.first_frame)
            verdict = framing.response_framing(start.status, pending.method, fields)
        side.message = head.begun(side.direction, control, fields, pending)
        for problem in verdict.problems:
            self._out.anomaly("http.framing", problem, span.last_frame)
        length, chunked = verdict.framing
        side.remaining = length or 0
        if head.cut or length == 0:
            self._finish(side, head.cut)
        elif chunked:
            side.state = State.CHUNK_SIZE
        else:
            side.state = State.CLOSE if length is None else State.LENGTH

    # ------------------------------------------------------------ messages end

    def _finish(self, side: HttpDirection, problem: str | None = None) -> None:
        """Give the message; then the next one begins, or what was switched to."""
        message = side.message
        if message is None:
            return
        side.message = None
        side.state = State.HEAD
        side.scanned = 0
        pending, control = message.pending, message.control
        self._out.add(message.give(self._layer, problem))
        self._out.unpacked(self._layer, message.span.last_frame)
        if isinstance(control, Request):
            if self._child is not None:
                self._enter_tunnel(side)
            elif pending.switches and not pending.answered:
                side.state = State.HELD
        elif pending.method == "CONNECT" and 200 <= control.status < 300:
            self._open_tunnel(_other(side.direction), pending)
        elif control.status == 101:
            self._upgrade(pending, message.index)
        elif pending.switches and not is_interim(control.status):
            self._resume(self._sides[_other(side.direction)])

    def _cut_head(self, side: HttpDirection) -> None:
        """A header section that breaks off: an anomaly, and the message as far as it is known."""
        found = take_cut_head(side) if side.state is State.HEAD else None
        if found is not None:
            head, reported, span = found
            self._out.anomaly(reported.kind, reported.sentence, span.last_frame)
            if head is not None:
                self._begin(side, head)

    # ------------------------------------------------------------ loss

    def _gap(self, side: HttpDirection, length: int) -> None:
        if side.state in (State.LENGTH, State.CLOSE):
            bodies.take(side)
        message = side.message
        if message is not None and length:
            if side.state is State.CLOSE:
                message.content.lose(length)
                return
            if side.state in (State.LENGTH, State.CHUNK_DATA) and length <= side.remaining:
                message.content.lose(length)
                side.remaining -= length
                if side.state is State.LENGTH and not side.remaining:
                    self._finish(side)
                return
        if message is not None:
            message.content.lose(min(length, side.remaining))
            self._finish(side, "its end was not captured")
        self._cut_head(side)
        side.buffer.clear()
        if side.state is State.TUNNEL and self._child is not None:
            return
        self._look_for_start(side)

    def _look_for_start(self, side: HttpDirection) -> None:
        side.state = State.LOST
        side.scanned = 0
        if side.answers or (not side.begun and side.direction == 1):
            self._pairing.responses_lost = True
            other, asked = self._sides[_other(side.direction)], self._pairing.latest
            if other.state is State.HELD and asked is not None and asked.upgrade:
                self._resume(other)

    def _malformed_fields(self, count: int, span: Span) -> None:
        self._out.anomaly("http.bad_header", f"{count} header lines are no fields", span.last_frame)

    # ------------------------------------------------------------ CONNECT and Upgrade

    def _resume(self, side: HttpDirection) -> None:
        """The switch did not happen: what was held is HTTP."""
        if side.state is State.HELD:
            side.state = State.HEAD
            side.scanned = 0
            self._run(side)

    def _open_tunnel(self, asking: Direction, pending: Pending) -> None:
        """CONNECT succeeded (RFC 9110 §9.3.6): another protocol follows in both directions."""
        authority = pending.target.decode("latin-1")
        self._switch(through_proxy(self._layer, asking, authority))

    def _upgrade(self, pending: Pending, accepted: Index) -> None:
        """101 Switching Protocols (RFC 9110 §15.2.2)."""
        protocol = (upgrades(accepted) or pending.upgrade or [""])[0]
        upgrade = Upgrade(pending.exchange, pending.fields, accepted)
        self._switch(upgraded(self._layer, protocol, upgrade, self._upgrades))

    def _switch(self, child: StreamParser) -> None:
        self._child = child
        for side in self._sides:
            if side.message is None and side.state is not State.IGNORE:
                self._enter_tunnel(side)

    def _enter_tunnel(self, side: HttpDirection) -> None:
        if self._child is not None:
            side.state = State.TUNNEL
            for piece, span in side.buffer.pieces():
                for item in self._child.data(side.direction, piece, span):
                    self._out.add(item)


def _other(direction: Direction) -> Direction:
    return 0 if direction else 1


_READERS: dict[State, Callable[[Http1Parser, HttpDirection], bool]] = {
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

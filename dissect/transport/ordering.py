"""Both directions of a TCP connection put in order: what waits, and for how long.

**Order.** Bytes of a direction are delivered in order of sequence number. Of bytes sent
twice the first captured are kept; that they differ is noticed as long as the first copy
waits or is in the direction's `trail`. Between the directions the order is that of the
capture, except where an acknowledgment proves it wrong: a segment that acknowledges bytes
of the peer that were not captured yet waits for them (mirror ports and several receive
queues swap frames). A connection whose SYN was not captured waits with its first bytes
until the peer is seen, because only then is known what they acknowledge.

**Holes.** Bytes that are missing may still come: late in the file (frames swapped by the
capturing side) or sent again (lost on the way). They are lost to the capture when

- the peer has acknowledged bytes beyond the start of the hole, so it has got them, or
  the peer's direction isn't in the capture at all, and since then `PATIENCE_FRAMES` frames
  of the connection or `PATIENCE_NS` of capture time have passed without them;
- or more than `reassembly.MAX_BYTES` wait behind the hole;
- or the connection, or the capture, ends.

Then the parser gets `gap(length)`, and the bytes behind it follow. An acknowledgment one
byte ahead is not a hole: it is that of a FIN, or of a probe, that was not captured.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from dissect.model import Connection, Span, StreamParser
from dissect.reassembly import Piece
from dissect.transport import trail
from dissect.transport.delivery import Delivery, Emit
from dissect.transport.tcp_direction import MASK, TcpDirection, ahead

PATIENCE_FRAMES = 64
PATIENCE_NS = 1_000_000_000

FAR = 16 << 20
"""A hole larger than this is believed only if the peer has acknowledged bytes in it."""


class Segment(NamedTuple):
    """Where a segment's bytes are: TCP header `view[head:body]`, data `view[body:end]`, and
    `missing` bytes more that the capture has cut off. `acks` is the sequence number that
    it acknowledges, or None."""

    view: memoryview
    head: int
    body: int
    end: int
    missing: int
    frame: int
    ns: int
    acks: int | None

    @property
    def size(self) -> int:
        """Bytes of data on the wire."""
        return self.end - self.body + self.missing


class Ordering(Delivery):
    """The two directions with what waits in them."""

    __slots__ = ("sure",)

    def __init__(
        self,
        capture: int,
        stream: int,
        states: tuple[TcpDirection, TcpDirection],
        first: tuple[int, int],
        open_tcp: Callable[[Connection], StreamParser],
        emit: Emit,
    ) -> None:
        super().__init__(capture, stream, states, first, open_tcp, emit)
        self.sure = False  # a SYN was seen, or the peer was waited for in vain

    # -------------------------------------------------------------- bytes in

    def _payload(self, state: TcpDirection, where: int, segment: Segment) -> None:
        """Put a segment's bytes in their place; `where` is the offset of the first."""
        view, _, body, stop, missing, frame, ns, acks = segment
        end = where + stop - body + missing
        if where < state.offset:
            self._again(state, where, segment)
        if state.fin is not None:
            end = min(end, state.fin)
        if end <= state.offset:
            return
        start = max(where, state.offset)
        first, last = body + start - where, min(stop, body + end - where)
        captured = start + max(0, last - first)
        if captured > start:
            if start == state.offset and not state.pieces.items and not self._early(state, acks):
                state.remember((start, view, first, last, ns))
                self._deliver(state, view[first:last], Span(frame, ns, frame, ns))
            else:
                self._keep(state, Piece(start, captured, bytes(view[first:last]), frame, ns, acks))
        if end > captured:
            state.pieces.add(Piece(captured, end, None, frame, ns, acks))
        if state.pieces.full:
            # Behind a hole, or ahead of bytes of the peer that may never come.
            self.sure = True
            self._advance(frame, ns)
            for which, everything in ((state, False), (state.peer, False), (state, True)):
                if state.pieces.full:
                    self._give_up(which, frame, ns, everything)

    def _again(self, state: TcpDirection, where: int, segment: Segment) -> None:
        """A segment that begins in what was delivered: sent, or only captured, once more."""
        view, head, body, stop, _, frame, ns, _ = segment
        if segment.size <= 1 and where + 1 == state.offset:
            return  # a keep-alive: its byte means nothing (RFC 9293 §3.8.4)
        if trail.is_copy(state.trail, where, view[head:stop], body - head, ns):
            state.copies += 1
            return
        state.resent += 1
        if trail.differs(state.trail, where, view[body:stop]):
            self._overlap(frame)

    def _keep(self, state: TcpDirection, piece: Piece) -> None:
        """A piece that has to wait, or for which others wait."""
        items, size = state.pieces.items, state.pieces.size
        # So soon no sender sends again: the network or the capture has swapped frames.
        soon = bool(items) and abs(piece.ns - items[0].ns) <= trail.COPY_NS
        last = items[-1].offset if items else 0
        differs = state.pieces.add(piece)
        if state.pieces.size == size and soon and not differs:
            state.copies += 1
        elif state.pieces.size == size or (piece.offset < last and not soon):
            state.resent += 1
        elif piece.offset < last:
            state.late += 1
        if differs:
            self._overlap(piece.frame)

    def _overlap(self, frame: int) -> None:
        self._tell(
            "tcp.overlap", "bytes were sent twice with different values; the first are used", frame
        )

    def _early(self, state: TcpDirection, acks: int | None) -> bool:
        """Whether a segment acknowledges bytes of the peer that are (or may be) to come."""
        peer = state.peer
        if acks is None or peer.ended:
            return False
        if not peer.started:
            return not self.sure and not peer.frames
        return 1 < ahead(acks, peer.next) <= FAR

    def _unsure(self, state: TcpDirection) -> bool:
        """Whether the first bytes of a direction wait for a peer that was not seen yet."""
        if self.sure or not state.started or state.peer.frames:
            return False
        return bool(state.pieces.items) or state.fin is not None

    # -------------------------------------------------------------- bytes out

    def _advance(self, frame: int, ns: int) -> None:
        """Deliver all that can be, in both directions, until neither moves."""
        moved = True
        while moved:
            moved = False
            for state in self.states:
                items = state.pieces.items
                while items and items[0].offset <= state.offset:
                    if self._early(state, items[0].ack):
                        break
                    self._release(state, state.pieces.pop(), frame, ns)
                    moved = True
                if (
                    state.fin == state.offset
                    and not items
                    and not state.ended
                    and not self._early(state, state.fin_ack)
                ):
                    state.next = (state.next + 1) & MASK
                    state.offset += 1
                    self._end(state, Span(frame, ns, frame, ns))
                    moved = True
        # While one direction waits, it may be for bytes of the other: nothing is delivered
        # in passing then.
        waits = any(state.pieces.items or state.fin is not None for state in self.states)
        for state in self.states:
            ready = self.opened and state.started and not waits and not state.ended
            state.expect = state.next if ready else -1

    def _release(self, state: TcpDirection, piece: Piece, frame: int, ns: int) -> None:
        """A piece at `offset`; it became readable with the latest frame up to its end."""
        if piece.frame > state.high:
            state.high, state.high_ns = piece.frame, piece.ns
        span = Span(piece.frame, piece.ns, state.high, state.high_ns)
        if piece.data is None:
            self._gap(state, piece.end - state.offset, span._replace(cut=True))
            return
        peer = state.peer
        if peer.high > piece.frame and piece.ack is not None and ahead(piece.ack, peer.next) >= 0:
            span = span._replace(after_ns=peer.high_ns)
            self._tell(
                "tcp.order",
                f"frame {peer.high} was captured after frame {piece.frame}, which acknowledges "
                "it: order corrected by ack, times are as captured",
                piece.frame,
            )
        if len(piece.data) <= trail.LONGEST_OWN:
            own = memoryview(piece.data)
            state.remember((piece.offset, own, 0, len(own), piece.ns))
        self._deliver(state, piece.data[state.offset - piece.offset :], span)

    # -------------------------------------------------------------- holes

    def _patience(self, frame: int, ns: int) -> None:
        """Give up the holes that have been waited for long enough."""
        frames = self.states[0].frames + self.states[1].frames
        for state in self.states:
            unsure = self._unsure(state)
            if not unsure and not state.gone():
                state.since = None
            elif state.since is None or state.since[2] != state.offset:
                # Begun now; or another hole, that before it was filled in passing.
                state.since = frames, ns, state.offset
            elif frames - state.since[0] >= PATIENCE_FRAMES or ns - state.since[1] >= PATIENCE_NS:
                state.since = None
                if unsure:
                    self.sure = True
                else:
                    self._give_up(state, frame, ns)
                self._advance(frame, ns)

    def _give_up(self, state: TcpDirection, frame: int, ns: int, everything: bool = False) -> None:
        """The first hole of a direction is lost; with `everything` all of them are."""
        while not state.ended:
            length = state.hole()
            if not length:
                if everything and state.pieces.items:
                    # What is left waits for bytes of the peer that nobody will see.
                    self._release(state, state.pieces.pop(), frame, ns)
                    continue
                return
            items = state.pieces.items
            if items and length > FAR and state.acked <= state.offset:
                self._tell("tcp.far_segment", "a segment far ahead of all others", items[0].frame)
                state.pieces.pop()
                continue
            if items and state.acked - state.offset > 1:
                length = min(length, state.acked - state.offset)
            at = items[0] if items else None
            self._tell(
                "tcp.lost",
                f"{length} bytes from {state.sender} are not in the capture",
                at.frame if at else frame,
            )
            span = Span(at.frame, at.ns, at.frame, at.ns) if at else Span(frame, ns, frame, ns)
            self._gap(state, length, span)
            self._advance(frame, ns)
            if not everything:
                return

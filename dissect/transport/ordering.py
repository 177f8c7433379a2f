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
from dissect.transport.half import MASK, Half, ahead

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
        halves: tuple[Half, Half],
        first: tuple[int, int],
        open_tcp: Callable[[Connection], StreamParser],
        emit: Emit,
    ) -> None:
        super().__init__(capture, stream, halves, first, open_tcp, emit)
        self.sure = False  # a SYN was seen, or the peer was waited for in vain

    # -------------------------------------------------------------- bytes in

    def _payload(self, half: Half, where: int, segment: Segment) -> None:
        """Put a segment's bytes in their place; `where` is the offset of the first."""
        view, _, body, stop, missing, frame, ns, acks = segment
        end = where + stop - body + missing
        if where < half.offset:
            self._again(half, where, segment)
        if half.fin is not None:
            end = min(end, half.fin)
        if end <= half.offset:
            return
        start = max(where, half.offset)
        first, last = body + start - where, min(stop, body + end - where)
        captured = start + max(0, last - first)
        if captured > start:
            if start == half.offset and not half.pieces.items and not self._early(half, acks):
                half.remember((start, view, first, last, ns))
                self._deliver(half, view[first:last], Span(frame, ns, frame, ns))
            else:
                self._keep(half, Piece(start, captured, bytes(view[first:last]), frame, ns, acks))
        if end > captured:
            half.pieces.add(Piece(captured, end, None, frame, ns, acks))
        if half.pieces.full:
            # Behind a hole, or ahead of bytes of the peer that may never come.
            self.sure = True
            self._advance(frame, ns)
            for which, everything in ((half, False), (half.peer, False), (half, True)):
                if half.pieces.full:
                    self._give_up(which, frame, ns, everything)

    def _again(self, half: Half, where: int, segment: Segment) -> None:
        """A segment that begins in what was delivered: sent, or only captured, once more."""
        view, head, body, stop, _, frame, ns, _ = segment
        if segment.size <= 1 and where + 1 == half.offset:
            return  # a keep-alive: its byte means nothing (RFC 9293 §3.8.4)
        if trail.is_copy(half.trail, where, view[head:stop], body - head, ns):
            half.copies += 1
            return
        half.resent += 1
        if trail.differs(half.trail, where, view[body:stop]):
            self._overlap(frame)

    def _keep(self, half: Half, piece: Piece) -> None:
        """A piece that has to wait, or for which others wait."""
        items, size = half.pieces.items, half.pieces.size
        # So soon no sender sends again: the network or the capture has swapped frames.
        soon = bool(items) and abs(piece.ns - items[0].ns) <= trail.COPY_NS
        last = items[-1].offset if items else 0
        differs = half.pieces.add(piece)
        if half.pieces.size == size and soon and not differs:
            half.copies += 1
        elif half.pieces.size == size or (piece.offset < last and not soon):
            half.resent += 1
        elif piece.offset < last:
            half.late += 1
        if differs:
            self._overlap(piece.frame)

    def _overlap(self, frame: int) -> None:
        self._tell(
            "tcp.overlap", "bytes were sent twice with different values; the first are used", frame
        )

    def _early(self, half: Half, acks: int | None) -> bool:
        """Whether a segment acknowledges bytes of the peer that are (or may be) to come."""
        peer = half.peer
        if acks is None or peer.ended:
            return False
        if not peer.started:
            return not self.sure and not peer.frames
        return 1 < ahead(acks, peer.next) <= FAR

    def _unsure(self, half: Half) -> bool:
        """Whether the first bytes of a direction wait for a peer that was not seen yet."""
        if self.sure or not half.started or half.peer.frames:
            return False
        return bool(half.pieces.items) or half.fin is not None

    # -------------------------------------------------------------- bytes out

    def _advance(self, frame: int, ns: int) -> None:
        """Deliver all that can be, in both directions, until neither moves."""
        moved = True
        while moved:
            moved = False
            for half in self.halves:
                items = half.pieces.items
                while items and items[0].offset <= half.offset:
                    if self._early(half, items[0].ack):
                        break
                    self._release(half, half.pieces.pop(), frame, ns)
                    moved = True
                if (
                    half.fin == half.offset
                    and not items
                    and not half.ended
                    and not self._early(half, half.fin_ack)
                ):
                    half.next = (half.next + 1) & MASK
                    half.offset += 1
                    self._end(half, Span(frame, ns, frame, ns))
                    moved = True
        # While one direction waits, it may be for bytes of the other: nothing is delivered
        # in passing then.
        waits = any(half.pieces.items or half.fin is not None for half in self.halves)
        for half in self.halves:
            ready = self.opened and half.started and not waits and not half.ended
            half.expect = half.next if ready else -1

    def _release(self, half: Half, piece: Piece, frame: int, ns: int) -> None:
        """A piece at `offset`; it became readable with the latest frame up to its end."""
        if piece.frame > half.high:
            half.high, half.high_ns = piece.frame, piece.ns
        span = Span(piece.frame, piece.ns, half.high, half.high_ns)
        if piece.data is None:
            self._gap(half, piece.end - half.offset, span._replace(cut=True))
            return
        peer = half.peer
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
            half.remember((piece.offset, own, 0, len(own), piece.ns))
        self._deliver(half, piece.data[half.offset - piece.offset :], span)

    # -------------------------------------------------------------- holes

    def _patience(self, frame: int, ns: int) -> None:
        """Give up the holes that have been waited for long enough."""
        frames = self.halves[0].frames + self.halves[1].frames
        for half in self.halves:
            unsure = self._unsure(half)
            if not unsure and not half.gone():
                half.since = None
            elif half.since is None or half.since[2] != half.offset:
                # Begun now; or another hole, that before it was filled in passing.
                half.since = frames, ns, half.offset
            elif frames - half.since[0] >= PATIENCE_FRAMES or ns - half.since[1] >= PATIENCE_NS:
                half.since = None
                if unsure:
                    self.sure = True
                else:
                    self._give_up(half, frame, ns)
                self._advance(frame, ns)

    def _give_up(self, half: Half, frame: int, ns: int, everything: bool = False) -> None:
        """The first hole of a direction is lost; with `everything` all of them are."""
        while not half.ended:
            length = half.hole()
            if not length:
                if everything and half.pieces.items:
                    # What is left waits for bytes of the peer that nobody will see.
                    self._release(half, half.pieces.pop(), frame, ns)
                    continue
                return
            items = half.pieces.items
            if items and length > FAR and half.acked <= half.offset:
                self._tell("tcp.far_segment", "a segment far ahead of all others", items[0].frame)
                half.pieces.pop()
                continue
            if items and half.acked - half.offset > 1:
                length = min(length, half.acked - half.offset)
            at = items[0] if items else None
            self._tell(
                "tcp.lost",
                f"{length} bytes from {half.sender} are not in the capture",
                at.frame if at else frame,
            )
            span = Span(at.frame, at.ns, at.frame, at.ns) if at else Span(frame, ns, frame, ns)
            self._gap(half, length, span)
            self._advance(frame, ns)
            if not everything:
                return

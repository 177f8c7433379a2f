"""A TCP connection as an observer sees it (RFC 9293): both directions put in order.

The assembler's loop delivers in-order segments itself; everything else comes here.

**Order.** Bytes of a direction are delivered in order of sequence number. Of bytes sent
twice the first captured are kept; that they differ is noticed only while the first still
wait for a hole, because delivered bytes are not stored. Between the directions the order
is that of the capture, except where an acknowledgment proves it wrong: a segment that
acknowledges bytes of the peer that were not captured yet waits for them (mirror ports
and several receive queues swap frames).

**Holes.** Bytes that are missing may still come: late in the file (frames swapped by the
capturing side) or sent again (lost on the way). They are lost to the capture when

- the peer has acknowledged bytes beyond the start of the hole, so it has got them, or
  the peer's direction isn't in the capture at all, and since then `PATIENCE_FRAMES` frames
  of the connection or `PATIENCE_NS` of capture time have passed without them;
- or more than `pieces.MAX_BYTES` wait behind the hole;
- or the connection, or the capture, ends.

Then the parser gets `gap(length)`, and the bytes behind it follow. An acknowledgment one
byte ahead is not a hole: it is that of a FIN, or of a probe, that was not captured.

**End.** A FIN ends its direction once all before it was delivered. After a RST segments
that were under way are still delivered for `LINGER_NS`, then both directions end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from dissect.model import (
    Connection,
    Place,
    Span,
    StreamParser,
    TcpConnection,
)
from dissect.transport.delivery import Delivery, Emit
from dissect.transport.half import MASK, Half, ahead
from dissect.transport.pieces import Piece

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16

PATIENCE_FRAMES = 64
PATIENCE_NS = 1_000_000_000
LINGER_NS = 2_000_000_000

FAR = 16 << 20
"""A hole larger than this is believed only if the peer has acknowledged bytes in it."""

MAX_AHEAD = 1 << 30
"""The largest window (RFC 7323 §2.3); sequence numbers beyond it are not of this stream."""

GUESS_WINDOW = 1 << 20
"""How far before the first captured segment an acknowledgment may tell the start."""


class Flow(Delivery):
    """A TCP connection: its two halves, its parser, and how it began and ended."""

    __slots__ = ("_queued", "_reset_payload", "reset_by", "syn_count", "synack", "waiting")

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
        self.reset_by: Half | None = None
        self.syn_count = 0
        self.synack = False
        self.waiting: tuple[int, int] | None = None
        self._reset_payload = 0
        self._queued = False
        for half in halves:
            half.flow = self

    # -------------------------------------------------------------- segments in

    def segment(
        self,
        half: Half,
        frame: int,
        ns: int,
        seq: int,
        ack: int,
        flags: int,
        data: memoryview | bytes,
        missing: int,
    ) -> None:
        """Any segment. `missing` bytes at its end were on the wire but not captured."""
        peer = half.peer
        acks = ack if flags & ACK else None
        if flags & SYN:
            self._syn(half, seq, flags)
            seq = (seq + 1) & MASK
        if acks is not None and not flags & RST:
            self._acknowledged(peer, ack)
        if self.dead:
            return
        if flags & RST:
            if self.reset_by is None:
                self.reset_by, self._reset_payload = half, half.payload
            return
        size = len(data) + missing
        if size or flags & FIN:
            if not half.started:
                self._guess_start(half, seq, data, missing, flags)
            distance = ahead(seq, half.next)
            if distance > MAX_AHEAD:
                self._tell("tcp.far_segment", "a sequence number outside of any window", frame)
                return
            where = half.offset + distance
            if size:
                self._payload(half, where, data, missing, frame, ns, acks)
            if flags & FIN and half.fin is None and 0 <= where + size - half.offset <= FAR:
                half.fin, half.fin_ack = where + size, acks
        self._advance(frame, ns)
        if self.waiting or half.gone() or peer.gone():
            self._patience(frame, ns)

    def _syn(self, half: Half, seq: int, flags: int) -> None:
        half.syn = True
        if flags & ACK:
            self.synack = True
        else:
            self.syn_count += 1
        if not self.opened:
            # Seen late, a SYN still decides who the client is, as long as nobody was told.
            client = half.peer if flags & ACK else half
            client.direction, client.peer.direction = 0, 1
        if not half.started:
            half.begin((seq + 1) & MASK)

    def _acknowledged(self, peer: Half, ack: int) -> None:
        if not peer.started:
            if not peer.next or ahead(ack, peer.next) > 0:
                peer.next = ack  # a guess, see _guess_start
            return
        distance = ahead(ack, peer.next)
        if 0 < distance <= FAR:
            peer.acked = max(peer.acked, peer.offset + distance)

    def _guess_start(
        self, half: Half, seq: int, data: memoryview | bytes, missing: int, flags: int
    ) -> None:
        """Where a direction begins whose SYN was not captured.

        What the peer had acknowledged before is a good guess for the case that the first
        segments are out of order; a lone byte of zero is a keep-alive (RFC 9293 §3.8.4).
        """
        guess = half.next if half.peer.frames and half.next else seq
        keep_alive = len(data) == 1 and not missing and not flags & PSH and data[0] == 0
        if keep_alive:
            half.begin((seq + 1) & MASK)
        else:
            half.begin(guess if 0 < ahead(seq, guess) <= GUESS_WINDOW else seq)

    def _payload(
        self,
        half: Half,
        where: int,
        data: memoryview | bytes,
        missing: int,
        frame: int,
        ns: int,
        acks: int | None,
    ) -> None:
        """Put a segment's bytes in their place; `where` is the offset of the first."""
        end = where + len(data) + missing
        if half.fin is not None:
            end = min(end, half.fin)
        old = half.offset - where
        if end <= half.offset:
            return  # sent again, all of it
        body = data[max(0, old) : max(0, end - where)]
        start = max(where, half.offset)
        captured = start + len(body)
        if captured > start:
            if start == half.offset and not half.pieces.items and not self._early(half, acks):
                self._deliver(half, body, Span(frame, ns, frame, ns))
            else:
                piece = Piece(start, captured, bytes(body), frame, ns, acks)
                if half.pieces.add(piece):
                    self._tell(
                        "tcp.overlap",
                        "bytes were sent twice with different values; the first are used",
                        frame,
                    )
        if end > captured:
            half.pieces.add(Piece(captured, end, None, frame, ns, acks))
        if half.pieces.full:
            # Behind a hole, or ahead of bytes of the peer that may never come.
            self._advance(frame, ns)
            for which, everything in ((half, False), (half.peer, False), (half, True)):
                if half.pieces.full:
                    self._give_up(which, frame, ns, everything)

    def _early(self, half: Half, acks: int | None) -> bool:
        """Whether a segment acknowledges bytes of the peer that are still to come."""
        peer = half.peer
        if acks is None or not peer.started or peer.ended:
            return False
        return 1 < ahead(acks, peer.next) <= FAR

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
        for half in self.halves:
            waits = half.pieces.items or half.fin is not None
            ready = self.opened and half.started and not waits and not half.ended
            half.expect = half.next if ready else -1

    def _release(self, half: Half, piece: Piece, frame: int, ns: int) -> None:
        """A piece at `offset`; it became readable with the latest frame up to its end."""
        if piece.frame > half.high:
            half.high, half.high_ns = piece.frame, piece.ns
        span = Span(piece.frame, piece.ns, half.high, half.high_ns)
        if piece.data is None:
            self._gap(half, piece.end - half.offset, span)
        else:
            self._deliver(half, piece.data[half.offset - piece.offset :], span)

    # -------------------------------------------------------------- holes

    def _patience(self, frame: int, ns: int) -> None:
        """Give up the holes that have been waited for long enough."""
        first, second = self.halves
        if not (first.gone() or second.gone()):
            self.waiting = None
            return
        frames = first.frames + second.frames
        if self.waiting is None:
            self.waiting = frames, ns
            return
        since, since_ns = self.waiting
        if frames - since >= PATIENCE_FRAMES or ns - since_ns >= PATIENCE_NS:
            self.waiting = None
            for half in self.halves:
                if half.gone():
                    self._give_up(half, frame, ns)

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

    # -------------------------------------------------------------- the end

    def finish(self) -> None:
        """Nothing more will come: give up holes, end both directions, free the buffers."""
        if self.dead:
            return
        frame, ns = self._last()
        # The direction whose segments were captured first goes first.
        while not self.dead:
            stuck = [half for half in self.halves if half.hole() and not half.ended]
            if not stuck:
                break
            self._give_up(min(stuck, key=_first_waiting), frame, ns)
        for half in self.halves:
            self._give_up(half, frame, ns, everything=True)
        for half in self.halves:
            self._end(half, Span(frame, ns, frame, ns))
        self.release()

    def lingers(self) -> bool:
        """Whether this is the first call since a side has reset the connection."""
        if self.reset_by is None or self._queued or self.dead:
            return False
        self._queued = True
        return True

    def expire(self) -> None:
        """Some time after a reset: finish, unless the side that sent it has gone on since.

        Such a RST was not accepted by the other side (RFC 5961), or not of this connection.
        """
        self._queued = False
        if self.reset_by is not None and self.reset_by.payload > self._reset_payload:
            self.reset_by = None
        else:
            self.finish()

    def row(self) -> TcpConnection:
        """How the connection began and ended."""
        client = self.client
        server = client.peer
        span = Span(*self.first, *self._last())
        reset = self.reset_by
        outcome: Literal["open", "closed", "refused", "reset", "timeout"] = "open"
        if client.fin is not None or server.fin is not None:
            outcome, reset = "closed", None
        elif reset is not None:
            answers_syn = reset is server and client.syn and not self.synack
            outcome = "refused" if answers_syn and not server.payload else "reset"
        elif self.syn_count > 1 and not server.frames:
            outcome = "timeout"
        return TcpConnection(
            Place(self.connection, 0, span),
            outcome,
            frames=client.frames + server.frames,
            payload=(client.payload, server.payload),
            lost=(client.lost, server.lost),
            syn_count=self.syn_count,
            handshake_seen=client.syn and self.synack,
            reset_by=reset.direction if reset is not None else None,
        )


def _first_waiting(half: Half) -> int:
    items = half.pieces.items
    return items[0].frame if items else half.peer.last_frame + 1

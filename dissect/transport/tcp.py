"""A TCP connection as an observer sees it (RFC 9293): how it begins, goes on and ends.

`ordering` puts the bytes in order.

The assembler's loop delivers in-order segments itself; everything else comes here.

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
from dissect.transport.delivery import Emit
from dissect.transport.ordering import FAR, Ordering, Segment
from dissect.transport.tcp_direction import MASK, TcpDirection, ahead

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16

LINGER_NS = 2_000_000_000

MAX_AHEAD = 1 << 30
"""The largest window (RFC 7323 §2.3); sequence numbers beyond it are not of this stream."""

GUESS_WINDOW = 1 << 20
"""How far before the first captured segment an acknowledgment may tell the start."""


class FlowDirection(TcpDirection):
    """A direction that knows its connection."""

    __slots__ = ("flow",)

    flow: Flow


class Flow(Ordering):
    """A TCP connection: its two halves, its parser, and how it began and ended."""

    __slots__ = ("_queued", "_reset_payload", "reset_by", "syn_count", "synack")

    def __init__(
        self,
        capture: int,
        stream: int,
        states: tuple[FlowDirection, FlowDirection],
        first: tuple[int, int],
        open_tcp: Callable[[Connection], StreamParser],
        emit: Emit,
    ) -> None:
        super().__init__(capture, stream, states, first, open_tcp, emit)
        self.reset_by: TcpDirection | None = None
        self.syn_count = 0
        self.synack = False
        self._reset_payload = 0
        self._queued = False
        for state in states:
            state.flow = self

    # -------------------------------------------------------------- segments in

    def segment(self, state: TcpDirection, seq: int, flags: int, segment: Segment) -> None:
        """Any segment with sequence number `seq`."""
        peer = state.peer
        acks, frame, ns = segment.acks, segment.frame, segment.ns
        if flags & SYN:
            self._syn(state, seq, flags)
            seq = (seq + 1) & MASK
        if acks is not None and not flags & RST:
            self._acknowledged(peer, acks)
        if self.dead:
            return
        if flags & RST:
            if self.reset_by is None:
                self.reset_by, self._reset_payload = state, state.payload
            return
        size = segment.size
        if size or flags & FIN:
            if not state.started:
                self._guess_start(state, seq, segment, flags)
            distance = ahead(seq, state.next)
            if distance > MAX_AHEAD:
                self._tell("tcp.far_segment", "a sequence number outside of any window", frame)
                return
            where = state.offset + distance
            if size:
                self._payload(state, where, segment)
            if flags & FIN and state.fin is None and 0 <= where + size - state.offset <= FAR:
                state.fin, state.fin_ack = where + size, acks
        elif not state.started and peer.pieces.items:
            self._answered(state, seq)
        self._advance(frame, ns)
        for side in self.states:
            if side.since or side.gone() or self._unsure(side):
                self._patience(frame, ns)
                break

    def _syn(self, state: TcpDirection, seq: int, flags: int) -> None:
        state.syn = self.sure = True
        if flags & ACK:
            self.synack = True
        else:
            self.syn_count += 1
        if not self.opened:
            # Seen late, a SYN still decides who the client is, as long as nobody was reported.
            client = state.peer if flags & ACK else state
            client.direction, client.peer.direction = 0, 1
        if not state.started:
            state.begin((seq + 1) & MASK)

    def _acknowledged(self, peer: TcpDirection, ack: int) -> None:
        if not peer.started:
            if not peer.next or ahead(ack, peer.next) > 0:
                peer.next = ack  # a guess, see _guess_start
            return
        distance = ahead(ack, peer.next)
        if 0 < distance <= FAR:
            peer.acked = max(peer.acked, peer.offset + distance)

    def _answered(self, state: TcpDirection, seq: int) -> None:
        """The first segment of a direction, without data, while the peer's bytes wait: they
        tell whether bytes after `seq` are on their way."""
        ack = state.peer.pieces.items[0].ack
        if ack is not None and 1 < ahead(ack, seq) <= GUESS_WINDOW:
            state.begin(seq)
            state.acked = state.offset + ahead(ack, seq)

    def _guess_start(self, state: TcpDirection, seq: int, segment: Segment, flags: int) -> None:
        """Where a direction begins whose SYN was not captured.

        What the peer had acknowledged before is a good guess for the case that the first
        segments are out of order; a lone byte of zero is a keep-alive (RFC 9293 §3.8.4).
        """
        guess = state.next if state.peer.frames and state.next else seq
        lone = segment.size == 1 and not segment.missing and not flags & PSH
        if lone and segment.view[segment.body] == 0:
            state.begin((seq + 1) & MASK)
        else:
            state.begin(guess if 0 < ahead(seq, guess) <= GUESS_WINDOW else seq)

    # -------------------------------------------------------------- the end

    def finish(self) -> None:
        """Nothing more will come: give up holes, end both directions, free the buffers."""
        if self.dead:
            return
        frame, ns = self._last()
        self.sure = True
        self._advance(frame, ns)
        # The direction whose segments were captured first goes first.
        while not self.dead:
            stuck = [state for state in self.states if state.hole() and not state.ended]
            if not stuck:
                break
            self._give_up(min(stuck, key=_first_waiting), frame, ns)
        for state in self.states:
            self._give_up(state, frame, ns, everything=True)
        for state in self.states:
            self._end(state, Span(frame, ns, frame, ns))
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

    def activity(self) -> tuple[bool, int]:
        """Orders connections by how long they are silent; those that are over come first."""
        return not self.dead, max(state.last_frame for state in self.states)

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


def _first_waiting(state: TcpDirection) -> int:
    items = state.pieces.items
    return items[0].frame if items else state.peer.last_frame + 1

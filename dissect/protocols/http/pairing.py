"""Which response answers which request where only their order tells (RFC 9112 §9.3.2)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice, takewhile

from dissect.protocols.header_sections import Index, values
from dissect.protocols.http.messages import Request
from dissect.protocols.http.switch import upgrades

MAX_PENDING = 16_384
"""Requests of a connection that wait for their response. No client is known to send more than
some tens ahead; further ones are counted, and their responses stay without request."""


@dataclass(slots=True)
class Pending:
    """A request that waits for its final response; not `known` if it was not captured, or was
    one of the `forgotten` beyond MAX_PENDING, for which one stands in the queue."""

    exchange: int
    frame: int = 0
    method: str = ""
    known: bool = True
    target: bytes = b""
    upgrade: list[str] = field(default_factory=list)
    fields: Index = field(default_factory=dict)
    expects_continue: bool = False
    answered: bool = False
    forgotten: int = 0

    @property
    def switches(self) -> bool:
        return self.method == "CONNECT" or bool(self.upgrade)


class Pairing:
    """The queue of requests that wait; numbers exchanges from the connection's counter."""

    def __init__(self, exchanges: Iterator[int]) -> None:
        self._exchanges = exchanges
        self._waiting: deque[Pending] = deque()
        self._pipelined = False
        self._orphans = 0  # answers without a request since the queue was last right
        # Set when bytes were lost that may have held whole responses.
        self.responses_lost = False
        self.forgets = False  # whether MAX_PENDING was reached

    @property
    def latest(self) -> Pending | None:
        return self._waiting[-1] if self._waiting else None

    def asked(self, request: Request, fields: Index, frame: int) -> Pending:
        """A request whose head became complete in `frame`."""
        upgrade = upgrades(fields)
        connects = request.method == "CONNECT"
        pending = Pending(
            next(self._exchanges),
            frame,
            request.method,
            target=request.target if connects else b"",
            upgrade=upgrade,
            fields=fields if upgrade else {},  # what else waits is kept small
            expects_continue=b"100-continue" in b"".join(values(fields, b"expect")).lower(),
        )
        if len(self._waiting) < MAX_PENDING:
            self._waiting.append(pending)
        else:
            self.forgets = True
            last = self._waiting[-1]
            if last.forgotten:
                last.forgotten += 1
            else:
                self._waiting.append(Pending(0, frame, known=False, forgotten=1))
        return pending

    def answered(self, interim: bool, frame: int) -> Pending:
        """The request that a response which began in `frame` belongs to.

        A made-up one if none was captured. After lost responses it is the last request
        before `frame`, unless requests are pipelined on this connection: without
        pipelining the client had each lost response before it asked again. So it is after
        a response that was captured before its request (two interfaces, one of them slow):
        that request stays unanswered, and the ones that follow are paired rightly.
        """
        if not (self.responses_lost or self._orphans):
            self._pipelined = self._pipelined or self._before(frame, 2) > 1
        elif not self._pipelined:
            # Each orphan may be the answer to one of these, captured before it (see below).
            most = len(self._waiting) if self.responses_lost else self._orphans + 1
            for _ in range(self._before(frame, most) - 1):
                self._waiting.popleft()
            if self._waiting:
                self._orphans = 0
        self.responses_lost = False
        if not self._waiting:
            self._waiting.append(Pending(next(self._exchanges), known=False))
        pending = self._waiting[0]
        if not (interim or pending.known or pending.forgotten):
            self._orphans += 1
        if pending.forgotten:
            pending.forgotten -= 1
            if not pending.forgotten:
                self._waiting.popleft()
            pending = Pending(next(self._exchanges), known=False)
            if interim:
                self._waiting.appendleft(pending)
        if not interim:
            pending.answered = True
            if self._waiting and self._waiting[0] is pending:
                self._waiting.popleft()
        return pending

    def _before(self, frame: int, most: int) -> int:
        """How many of the first `most` requests in the queue came before `frame`. Frames of one
        direction never go back, so no more than these have to be looked at."""
        first = islice(self._waiting, most)
        return sum(1 for _ in takewhile(lambda pending: pending.frame < frame, first))

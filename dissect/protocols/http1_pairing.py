"""Which HTTP/1 response answers which request of a connection (RFC 9112 §9.3.2)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from dissect.protocols import http1_framing as framing
from dissect.protocols.heads import Index, values

MAX_PENDING = 1024  # requests that wait for their response


@dataclass(slots=True)
class Pending:
    """A request that waits for its final response; not `known` if it was not captured."""

    exchange: int
    frame: int = 0
    method: str = ""
    known: bool = True
    target: bytes = b""
    upgrade: list[str] = field(default_factory=list)
    fields: Index = field(default_factory=dict)
    expects_continue: bool = False
    answered: bool = False

    @property
    def switches(self) -> bool:
        return self.method == "CONNECT" or bool(self.upgrade)


class Pairing:
    """The queue of requests that wait; numbers exchanges from the connection's counter."""

    def __init__(self, exchanges: Iterator[int]) -> None:
        self._exchanges = exchanges
        self._waiting: deque[Pending] = deque(maxlen=MAX_PENDING)
        self._pipelined = False
        self._orphans = 0  # answers without a request since the queue was last right
        # Set when bytes were lost that may have held whole responses.
        self.responses_lost = False

    @property
    def latest(self) -> Pending | None:
        return self._waiting[-1] if self._waiting else None

    def asked(self, start: framing.RequestLine, fields: Index, frame: int) -> Pending:
        """A request whose head became complete in `frame`."""
        pending = Pending(
            next(self._exchanges),
            frame,
            start.method,
            target=start.target,
            upgrade=framing.upgrades(fields),
            fields=fields,
            expects_continue=b"100-continue" in b"".join(values(fields, b"expect")).lower(),
        )
        self._waiting.append(pending)
        return pending

    def answered(self, interim: bool, frame: int) -> Pending:
        """The request that a response which began in `frame` belongs to.

        A made-up one if none was captured. After lost responses it is the last request
        before `frame`, unless requests are pipelined on this connection: without
        pipelining the client had each lost response before it asked again. So it is after
        a response that was captured before its request (two interfaces, one of them slow):
        that request stays unanswered, and the ones that follow are paired rightly.
        """
        before = sum(pending.frame < frame for pending in self._waiting)
        if not (self.responses_lost or self._orphans):
            self._pipelined |= before > 1
        elif not self._pipelined:
            # Each orphan may be the answer to one of these, captured before it (see below).
            extra = before - 1 if self.responses_lost else min(before - 1, self._orphans)
            for _ in range(extra):
                self._waiting.popleft()
            self._orphans = 0
        self.responses_lost = False
        if not self._waiting:
            self._waiting.append(Pending(next(self._exchanges), known=False))
            self._orphans += not interim
        pending = self._waiting[0]
        if not interim:
            pending.answered = True
            self._waiting.popleft()
        return pending

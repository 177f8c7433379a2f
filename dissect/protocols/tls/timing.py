"""How long a server took to answer each flight of the client's handshake.

Measured where the capture was made: a capture at the client's side holds the way there and
back and the server's work, one at the server's side the latter only.
"""

from __future__ import annotations

from dissect.model import Span

MAX_TRIPS = 8  # of one connection; renegotiations add to them


class RoundTrips:
    """Records of a handshake in, times out. `role` is 0 for the client's, 1 for the server's."""

    __slots__ = ("_asked_ns", "_done", "found_ns")

    def __init__(self) -> None:
        self.found_ns: list[int] = []
        self._asked_ns: int | None = None  # when the client's flight ended
        self._done = False

    def note(self, role: int, span: Span) -> None:
        """A record of a handshake message or a ChangeCipherSpec."""
        if self._done:
            return
        if role == 0:
            self._asked_ns = span.last_ns
        elif self._asked_ns is not None:
            took = span.first_ns - self._asked_ns
            self._asked_ns = None
            if took >= 0 and len(self.found_ns) < MAX_TRIPS:  # a swapped order says nothing
                self.found_ns.append(took)

    def stop(self) -> None:
        """Application data of the server: handshake messages that follow answer nothing."""
        self._done = True

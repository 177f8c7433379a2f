"""What came before in a registration: challenges, rounds of stale nonces, bindings that were
taken back at once, requests that nobody answered. One `History` a registration; pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from dissect.model import Fact, Place, SipMessage
from dissect.signin import digest
from dissect.signin.authentication import Credentials

NONCES = 8  # of earlier challenges that are remembered
# So often in a row a nonce that was just given is called stale, or a fresh binding is taken back.
STALE_ROUNDS = 3
BINDING_ROUNDS = 2
# RFC 3261 §17.1.2.2: sent again after 0.5, 1, 2, 4, 4 … s; Timer F ends it after 32 s. Whoever
# still sends after half of that, and got nothing, is not being answered.
SILENCE_NS = 16_000_000_000


class History:
    """Of one registration (a Call-ID)."""

    __slots__ = (
        "_bound_ns",
        "_first_ns",
        "_last",
        "_nonces",
        "_offers",
        "_rounds",
        "_rounds_since",
        "_sends",
        "_stale",
        "_stale_since",
    )

    def __init__(self) -> None:
        self._offers: tuple[Credentials, ...] = ()
        self._nonces: deque[str] = deque(maxlen=NONCES)
        self._stale, self._stale_since = 0, 0
        self._bound_ns: int | None = None
        self._rounds, self._rounds_since = 0, 0
        self._sends, self._first_ns = 0, 0
        self._last: SipMessage | None = None

    # ------------------------------------------------------------ challenges

    def challenged(self, items: Sequence[Credentials]) -> None:
        """A challenge came: the next answer is to fit it."""
        offers = digest.only(items)
        if offers:
            self._nonces.extend(item.parameters.get("nonce", "") for item in self._offers)
            self._offers = offers

    @property
    def was_challenged(self) -> bool:
        return bool(self._offers)

    def asked_in(self, realms: set[str]) -> bool:
        """Whether the challenge that came last was one of these realms."""
        return any(item.parameters.get("realm", "") in realms for item in self._offers)

    def contradiction(self, answer: Credentials) -> str:
        """What of an answer the challenge before it contradicts; "" where none was seen."""
        if not self._offers or digest.is_aka(answer):
            return ""
        return digest.contradiction(answer, self._offers, self._nonces)

    def stale(self, at_ns: int) -> dict[str, Fact]:
        """One more nonce was called stale: how often, and in what time, once it is a loop."""
        if not self._stale:
            self._stale_since = at_ns
        self._stale += 1
        if self._stale < STALE_ROUNDS:
            return {}
        return {"rounds": self._stale, "took": _seconds(at_ns - self._stale_since)}

    def settled(self) -> None:
        """An answer that is no stale one."""
        self._stale = 0

    # -------------------------------------------------------------- bindings

    def bound(self, at_ns: int) -> None:
        self._bound_ns = at_ns

    def released(self, at_ns: int) -> dict[str, Fact]:
        """The binding was taken back. How often that was done, and in how many seconds, once it
        is a loop; whoever takes back what was not seen to be given is at a beginning."""
        if self._bound_ns is None:
            return {}
        if not self._rounds:
            self._rounds_since = self._bound_ns
        self._rounds, self._bound_ns = self._rounds + 1, None
        if self._rounds < BINDING_ROUNDS:
            return {}
        return {"rounds": self._rounds, "took": _seconds(at_ns - self._rounds_since)}

    # --------------------------------------------------------------- silence

    def sent(self, message: SipMessage) -> None:
        """A request went out, or went out again."""
        if not self._sends:
            self._first_ns = message.place.span.first_ns
        self._sends += 1
        self._last = message

    def answered(self) -> None:
        self._sends, self._last = 0, None

    @property
    def waits(self) -> bool:
        """Whether what was sent last has no answer yet."""
        return self._last is not None

    def silence(self) -> tuple[Place, SipMessage, dict[str, Fact]] | None:
        """What was sent last, if nobody answered for so long that nobody will."""
        if self._last is None:
            return None
        place = self._last.place
        took = place.span.first_ns - self._first_ns
        if self._sends < 2 or took < SILENCE_NS:
            return None
        return place, self._last, {"attempts": self._sends, "took": _seconds(took)}


def _seconds(ns: int) -> str:
    return f"{ns / 1e9:.1f} s" if ns < 10_000_000_000 else f"{ns / 1e9:.0f} s"

"""Date fields of HTTP and SIP (RFC 9110 §5.6.7, RFC 3261 §20.17) as moments."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime

from dissect.model import Fact
from dissect.signin.rule import FactValue, Found, Timed

ALLOWED_S = 300  # a difference that Kerberos, SAML and token services commonly bear


def moment(date: str) -> float | None:
    """What a Date field says, in seconds since 1970; None if it is no date.

    Where it names no zone (asctime's form, `-0000`) it is GMT (RFC 9110 §5.6.7, RFC 3261 §20.17).
    """
    try:
        reported = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None  # an unreadable Date tells nothing
    return (reported if reported.tzinfo else reported.replace(tzinfo=UTC)).timestamp()


def apart(
    name: str,
    at_ns: int,
    seconds: Callable[[int], int],
    words: Callable[[int], str],
    of_response: bool = False,
    **more: Fact,
) -> Found:
    """An event that there is if two clocks are too far apart: by `seconds` at a moment (ns), in
    `words`."""

    def much(ns: int) -> int | None:
        found = seconds(ns)
        return found if abs(found) > ALLOWED_S else None

    def text(ns: int) -> str | None:
        found = much(ns)
        return None if found is None else words(found)

    facts: dict[str, FactValue] = {
        "seconds": Timed(at_ns, much),
        **more,
        "text": Timed(at_ns, text),
    }
    return Found(name, of_response, facts, only_with="seconds")


def compared(seconds: int) -> str:
    """`90 s ahead of`, `90 s behind`."""
    return f"{abs(seconds)} s {'ahead of' if seconds > 0 else 'behind'}"

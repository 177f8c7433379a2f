"""Date fields of HTTP and SIP (RFC 9110 §5.6.7, RFC 3261 §20.17) as moments."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime


def moment(date: str) -> float | None:
    """What a Date field says, in seconds since 1970; None if it is no date.

    Where it names no zone (asctime's form, `-0000`) it is GMT (RFC 9110 §5.6.7, RFC 3261 §20.17).
    """
    try:
        said = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None  # an unreadable Date tells nothing
    return (said if said.tzinfo else said.replace(tzinfo=UTC)).timestamp()

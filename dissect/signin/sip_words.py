"""What a SIP answer says of its refusal in fields of its own (RFC 3261 §20, [MS-SIPREGE])."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dissect.model import Fact, SipMessage
from dissect.signin import server_words

MAX_FIELDS = 6  # option tags that are named
MAX_CONTACTS = 8  # of a redirection that are followed

_REASON = re.compile(r'reason="((?:[^"\\]|\\.)*)"', re.I)
_QUOTED = re.compile(r'(?<!\\)"((?:[^"\\]|\\.)*+)"')
_URI = re.compile(r"<\s*([^<>\s]{1,1000})\s*>|((?:sips?|tel):[^\s,;<>]{1,1000})", re.I)
# Fields that say why, or what would do: RFC 3261 §20, RFC 3326, RFC 3329, RFC 4028, RFC 3903.
_WHY = (
    "Warning", "Reason", "Retry-After", "Min-Expires", "Min-SE", "Require", "Unsupported",
    "Security-Server", "Error-Info", "Permission-Missing", "Proxy-Require",
)  # fmt: skip


def diagnostics(message: SipMessage) -> dict[str, Fact]:
    """ms-diagnostics (or its public form, or Warning) as error id and reason."""
    for name in ("ms-diagnostics", "ms-diagnostics-public"):
        header = message.header(name)
        if header:
            reason = _REASON.search(header)
            facts: dict[str, Fact] = {"ms_error": header.partition(";")[0].strip()}
            if reason:
                facts["text"] = reason.group(1)
            return facts
    warning = message.header("warning")
    quoted = _QUOTED.search(warning) if warning else None
    return {"text": quoted.group(1)} if quoted else {}


def own_words(message: SipMessage) -> str:
    """The fields of an answer that say why it refuses, as they are, in the order of `_WHY`;
    then those that a maker gave such a name. Empty if there are none."""
    found = [(name, value) for name in _WHY for value in message.header_all(name)]
    return server_words.quoted(found, message.headers, sip=True)


def contacts(message: SipMessage) -> tuple[str, ...]:
    """The addresses that a 3xx sends to (RFC 3261 §8.1.3.4)."""
    values = ", ".join(message.header_all("contact"))
    return tuple(a or b for a, b in _URI.findall(values))[:MAX_CONTACTS]


def demands(message: SipMessage, request: Request | None) -> str:
    """What the request has, or lacks, of what the answer demands; "" if nothing is seen."""
    return next(filter(None, _demands(message, request)), "") if request is not None else ""


class Request:
    """What of a request its answer may object to."""

    __slots__ = ("expires", "required", "supported")

    def __init__(self, message: SipMessage, expires: int | None) -> None:
        self.expires = expires
        self.supported = frozenset(_options(message, "supported"))
        self.required = frozenset(_options(message, "require"))


def _demands(message: SipMessage, request: Request) -> Iterator[str]:
    if message.status == 423:
        least = (message.header("min-expires") or "").strip()
        if least.isdecimal() and len(least) <= 10 and request.expires is not None:
            if request.expires < int(least):
                yield f"the request asks for {request.expires} s"
            else:
                yield f"the request asks for {request.expires} s, which is no less"
    elif message.status == 421:
        wanted = [name for name in _options(message, "require") if name not in request.supported]
        if wanted:
            yield f"the request's Supported does not name {', '.join(wanted[:MAX_FIELDS])}"
    elif message.status == 420:
        found = [name for name in _options(message, "unsupported") if name in request.required]
        if found:
            yield f"the request requires {', '.join(found[:MAX_FIELDS])}"


_OPTION = re.compile(r"[A-Za-z0-9.!%*_+`'~-]{1,40}")


def _options(message: SipMessage, name: str) -> list[str]:
    """The option tags of a field (RFC 3261 §27.1), in lower case."""
    words = ",".join(message.header_all(name)).split(",")
    return [word.strip().lower() for word in words if _OPTION.fullmatch(word.strip())]

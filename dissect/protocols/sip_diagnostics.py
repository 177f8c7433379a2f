"""Why a SIP answer says no, in words: ms-diagnostics ([MS-OCER] §2.2.1), Warning, Reason.

The header fields are read, not interpreted: what a number of Microsoft's means is a
matter of the error catalogue.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from dissect.model import SipMessage

Field = Literal["ms-diagnostics", "ms-diagnostics-public", "warning", "reason"]

MAX_FIELD = 8 * 1024
MAX_FOUND = 16  # explained of one message; the field itself is shown whole beside

_WARNING = re.compile(r"([1-9][0-9]{2})[ \t]++(\S++)[ \t]++\"((?:[^\"\\]|\\.)*+)\"?")
_PARAMETER = re.compile(r";\s*([\w.-]{1,64})\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"?|([^;,\s\"]+))")
_NUMBER = re.compile(r"\s*([0-9]{1,9})\s*(?=[;,]|\Z)")

# RFC 3261 §20.43.
WARNINGS = {
    300: "incompatible network protocol",
    301: "incompatible network address formats",
    302: "incompatible transport protocol",
    303: "incompatible bandwidth units",
    304: "media type not available",
    305: "incompatible media format",
    306: "attribute not understood",
    307: "session description parameter not understood",
    330: "multicast not available",
    331: "unicast not available",
    370: "insufficient bandwidth",
    399: "",
}
# RFC 3326 names the protocols; Q.850 causes that a call log shows most (ITU-T Q.850 §2.2.5).
_Q850 = {
    1: "unallocated number",
    16: "normal clearing",
    17: "user busy",
    18: "no user responding",
    19: "no answer from user",
    21: "call rejected",
    27: "destination out of order",
    31: "normal, unspecified",
    34: "no circuit available",
    38: "network out of order",
    41: "temporary failure",
    88: "incompatible destination",
    102: "recovery on timer expiry",
}


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One reason that a message gives: `code` as sent, `text` its words, `source` who says so."""

    field: Field
    code: int
    text: str = ""
    source: str | None = None

    def __str__(self) -> str:
        name = "warning" if self.field == "warning" else self.field
        words = f"{name} {self.code}"
        if self.text:
            words += f": {self.text}"
        return words + (f" (says {self.source})" if self.source else "")


def diagnostics(message: SipMessage) -> list[Diagnostic]:
    """Every reason of a message, the most telling field first; repeats of one are given once.

    ms-diagnostics-public repeats ms-diagnostics for peers outside: it counts where it is alone.
    """
    found: list[Diagnostic] = []
    names: tuple[Field, ...] = ("ms-diagnostics", "ms-diagnostics-public")
    for name in names:
        for value in message.header_all(name):
            item = ms_diagnostics(value, name)
            if item is not None and item.code not in [other.code for other in found]:
                found.append(item)
    for value in message.header_all("warning"):
        found += warnings(value)
    for value in message.header_all("reason"):
        if item := _reason(value):
            found.append(item)
    return found[:MAX_FOUND]


def ms_diagnostics(value: str, name: Field = "ms-diagnostics") -> Diagnostic | None:
    """`4005;reason="…";source="…"`; None if no number begins it."""
    value = value[:MAX_FIELD]
    number = _NUMBER.match(value)
    if number is None:
        return None
    parameters = _parameters(value)
    source = parameters.get("source")
    return Diagnostic(name, int(number[1]), parameters.get("reason", ""), source)


def warnings(value: str) -> list[Diagnostic]:
    """The members of a Warning field: code, agent, text (RFC 3261 §20.43)."""
    found = []
    for code, agent, text in _WARNING.findall(value[:MAX_FIELD]):
        known = WARNINGS.get(int(code), "")
        words = ": ".join(dict.fromkeys(filter(None, (known, _unquoted(text)))))
        found.append(Diagnostic("warning", int(code), words, agent))
    return found


def _reason(value: str) -> Diagnostic | None:
    """RFC 3326: `Q.850;cause=16;text="…"`."""
    value = value[:MAX_FIELD]
    parameters = _parameters(value)
    cause = parameters.get("cause", "")
    if not (cause.isascii() and cause.isdigit() and len(cause) < 6):
        return None
    protocol = value.partition(";")[0].strip()
    known = _Q850.get(int(cause), "") if protocol.upper() == "Q.850" else ""
    words = ": ".join(dict.fromkeys(filter(None, (known, parameters.get("text", "")))))
    return Diagnostic("reason", int(cause), words, protocol or None)


def _parameters(value: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, quoted, bare in _PARAMETER.findall(value):
        found.setdefault(name.lower(), _unquoted(quoted) or bare)
    return found


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)

"""The few positions whose value may be seen, and why. All others may not, in no output."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple


class Allowed(NamedTuple):
    """A position that may be seen: in which outputs, in which shapes of the value, why."""

    position: str
    reason: str
    shapes: tuple[str, ...] = ("word", "dotted", "upper")
    files: tuple[str, ...] = ("*",)


ALLOWED = (
    Allowed("* target.path.segment", "a word of a path is where a message goes"),
    Allowed("* target.path.last", "a word of a path is where a message goes"),
    Allowed("* response.Location.path", "a word of a path is where a message goes"),
    Allowed("* target.query.redirect_uri.path", "a word of a path is where a browser is sent next"),
    Allowed("* request.Referer.path", "a word of a path is where a message goes"),
    Allowed("dhcp.*.60", "the kind of device, which a DHCP server chooses options by",
            ("word", "words", "dotted", "upper")),
    Allowed("dhcp.*.66", "the host that a phone is sent to"),
    Allowed("dhcp.offer.67", "the name of the file that a phone is sent to"),
    Allowed("dhcp.offer.*.path", "a word of a path is where a phone is sent to"),
    Allowed("dhcp.sname", "the host that a phone is sent to"),
    Allowed("dhcp.file", "the name of the file that a phone is sent to"),
    Allowed("tls.*", "a handshake's bytes as captured; none opens anything without a key that stays out",
            ("word", "token", "words", "dotted", "upper", "host"), ("*.pcapng",)),
)  # fmt: skip


# Where a host's name is what somebody chose to keep others out, it is hidden as anything is.
_KEPT_OUT = re.compile(
    r"pass|pwd|kennwort|secret|token|cookie|credential|auth(?!or)|pin\b|otc|otp|\bcode\b|nonce|ticket"
    r"|assertion(?!-attribute)|signature|named|answer-typed|private",
    re.I,
)
_HOST = "a host's name says where something is: it is shown but under the name of a secret"


def reason(position: str, shape: str, place: str, chained: bool) -> str | None:
    """Why a canary may be seen there; None: it may not. What is encoded is no word of a path."""
    plain = position.partition(" (")[0]
    if shape == "host" and not chained and not _KEPT_OUT.search(plain.rpartition(" ")[2]):
        return _HOST
    for item in ALLOWED:
        shown = fnmatchcase(plain, item.position) and shape in item.shapes
        if shown and any(fnmatchcase(place, name) for name in item.files):
            if chained and item.files == ("*",):
                continue
            return item.reason
    return None


def unused(seen: Iterable[str]) -> list[str]:
    """Entries that no position fits: each has to be one."""
    names = {name.partition(" (")[0] for name in seen}
    return [a.position for a in ALLOWED if not any(fnmatchcase(n, a.position) for n in names)]

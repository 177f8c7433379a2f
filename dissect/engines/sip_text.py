"""SIP messages that stand in a log as text: whole, cut, or with damaged line ends."""

from __future__ import annotations

import re
from typing import Literal

from dissect.model import Body, Headers, Opaque, Place, SipMessage

MESSAGE_LIMIT = 64 * 1024  # characters of a message
_REQUEST = re.compile(r"([A-Z]{3,12}) ((?:sips?|tel|urn):\S+) SIP/2\.0$")
_STATUS = re.compile(r"SIP/2\.0 ([1-6]\d\d)(?: (.*))?$")
_CSEQ = re.compile(r"\s*\d+\s+([A-Z]+)")
_BLANK = re.compile(r"\r?\n[ \t]*\r?\n")

Transport = Literal["udp", "tcp", "tls", "ws"]


def is_start(line: str) -> bool:
    """Whether a line can be the first of a SIP message (RFC 3261 §7.1, §7.2)."""
    return bool(_REQUEST.match(line) or _STATUS.match(line))


def message(text: str, place: Place, transport: Transport) -> SipMessage | None:
    """The message that a text begins with; None if it begins with none.

    A header line that was cut before its colon is left out, as is a body beyond its
    Content-Length; a body that is shorter says so.
    """
    head, _, rest = _split(text[:MESSAGE_LIMIT])
    lines = head.splitlines()
    start = lines[0].strip() if lines else ""
    request, status = _REQUEST.match(start), _STATUS.match(start)
    if request is None and status is None:
        return None
    pairs: list[tuple[bytes, bytes]] = []
    for line in lines[1:]:
        if line[:1] in (" ", "\t") and pairs and ":" not in line.partition(" ")[0]:
            name, value = pairs[-1]  # a folded line (RFC 3261 §7.3.1)
            pairs[-1] = (name, value + b" " + line.strip().encode())
            continue
        label, colon, content = line.partition(":")
        if colon and label.strip():
            pairs.append((label.strip().encode(), content.strip().encode()))
    headers = Headers.of(pairs)
    found = SipMessage(
        place=place,
        kind="request" if request else "response",
        method=request.group(1) if request else "",
        uri=Opaque(request.group(2).encode() if request else b""),
        status=int(status.group(1)) if status else None,
        reason=(status.group(2) or "") if status else "",
        headers=headers,
        body=_body(headers, rest),
        transport=transport,
    )
    cseq = _CSEQ.match(found.header("cseq") or "")
    # A response that the log cut before its CSeq still has a status, and perhaps a Date.
    if request is None and cseq is not None:
        return SipMessage(
            place=place,
            kind="response",
            method=cseq.group(1),
            uri=found.uri,
            status=found.status,
            reason=found.reason,
            headers=headers,
            body=found.body,
            transport=transport,
        )
    return found


def complete(text: str) -> bool:
    """Whether a message has all its header fields and as much body as it says."""
    head, blank, rest = _split(text)
    return bool(blank) and len(rest.encode()) >= _length(head)


class Growing:
    """A message that comes line by line. Whether it is `complete` is known at each without
    reading anew what came before: a message of n lines takes n steps."""

    def __init__(self, text: str = "") -> None:
        self._pieces: list[str] = []
        self._end = ""  # the last line end and what is behind it: a blank line may begin there
        self._lacks: int | None = None  # bytes of its body to come; None in its header section
        self.size = 0  # characters
        if text:
            self.add(text)

    def add(self, text: str) -> None:
        """What comes next, with its line ends."""
        self._pieces.append(text)
        self.size += len(text)
        if self._lacks is not None:
            self._lacks -= len(text.encode())
            return
        seen = self._end + text
        if _BLANK.search(seen) is None:
            self._end = seen[max(seen.rfind("\n") - 1, 0) :]
            return
        head, _, rest = _split(self.text)
        self._lacks = _length(head) - len(rest.encode())

    @property
    def text(self) -> str:
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""

    @property
    def has_head(self) -> bool:
        """Whether its header section is whole."""
        return self._lacks is not None

    @property
    def complete(self) -> bool:
        """As `complete` has it."""
        return self._lacks is not None and self._lacks <= 0


def _split(text: str) -> tuple[str, str, str]:
    match = _BLANK.search(text)
    if match is None:
        return text, "", ""
    return text[: match.start()], match.group(), text[match.end() :]


def _length(head: str) -> int:
    match = re.search(r"(?im)^(?:content-length|l)\s*:\s*(\d{1,9})\s*$", head)
    return int(match.group(1)) if match else 0


def _body(headers: Headers, rest: str) -> Body:
    reported = headers.get("content-length") or headers.get("l") or ""
    length = int(reported) if reported.isdecimal() and len(reported) < 10 else 0
    data = rest.encode()[:length]
    problem = f"the log has {len(data)} of its {length} bytes" if len(data) < length else None
    return Body(Opaque(data), len(data), problem)

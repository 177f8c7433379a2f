"""SIP messages (RFC 3261 §7) as far as a phone and a registrar need them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

AUTH_PARAMETER = re.compile(r'([\w-]+)=(?:"([^"]*)"|([^\s,"]+))')
URI = re.compile(r"<([^>]+)>")


@dataclass
class SipMessage:
    """A start line, headers in order with repeats, a body."""

    start: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    def get(self, name: str) -> str:
        """The first header of this name, "" when absent."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), "")

    def all(self, name: str) -> list[str]:
        wanted = name.lower()
        return [value for key, value in self.headers if key.lower() == wanted]

    @property
    def method(self) -> str:
        return "" if self.is_response else self.start.split(" ", 1)[0]

    @property
    def is_response(self) -> bool:
        return self.start.startswith("SIP/2.0 ")

    @property
    def status(self) -> int:
        return int(self.start.split(" ")[1]) if self.is_response else 0

    def encode(self) -> bytes:
        """The message on the wire; Content-Length is added last."""
        lines = [self.start, *(f"{name}: {value}" for name, value in self.headers)]
        lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body

    def facts(self) -> dict[str, object]:
        """What truth.json says of a message."""
        facts: dict[str, object] = {"call_id": self.get("Call-ID"), "cseq": self.get("CSeq")}
        if self.is_response:
            facts["status"] = self.status
        facts["method"] = self.get("CSeq").partition(" ")[2]
        return facts


def take(buffer: bytearray) -> SipMessage | None:
    """Remove one whole message from the front of the buffer; None while it is incomplete.

    Leading CRLFs (keep-alives, RFC 5626 §4.4.1) are dropped. Raises ValueError on a bad length.
    """
    while buffer[:2] == b"\r\n":
        del buffer[:2]
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    start, *rest = bytes(buffer[:end]).decode("utf-8").split("\r\n")
    headers = [(name.strip(), value.strip()) for name, _, value in (h.partition(":") for h in rest)]
    message = SipMessage(start, headers)
    length = int(message.get("Content-Length") or 0)
    if len(buffer) < end + 4 + length:
        return None
    message.body = bytes(buffer[end + 4 : end + 4 + length])
    message.headers = [h for h in headers if h[0].lower() != "content-length"]
    del buffer[: end + 4 + length]
    return message


def auth_parameters(value: str) -> tuple[str, dict[str, str]]:
    """Scheme and parameters (names in lower case) of an authentication header."""
    scheme, _, rest = value.partition(" ")
    pairs = AUTH_PARAMETER.findall(rest)
    return scheme, {name.lower(): quoted or bare for name, quoted, bare in pairs}


def uri_of(value: str) -> str:
    """The URI of a From, To or Contact header."""
    found = URI.search(value)
    return found.group(1) if found else value.split(";", maxsplit=1)[0].strip()


def tag_of(value: str) -> str:
    """The tag parameter after the URI of a From or To header, "" when absent."""
    found = re.search(r";tag=([^;\s]+)", value.rpartition(">")[2])
    return found.group(1) if found else ""

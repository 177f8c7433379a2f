"""Control data among the fields, as HTTP/2 and HTTP/3 write it (RFC 9113 §8.3, RFC 9114 §4.3)."""

from __future__ import annotations

from typing import NamedTuple

from dissect.protocols.header_sections import Field, Index, index
from dissect.protocols.http.messages import Request, Response

UNKNOWN = "‹unknown›"
"""Stands for what only a lost part of the compression's state would tell."""
UNKNOWN_BYTES = UNKNOWN.encode()

_OF_REQUEST = {b":method", b":path", b":scheme", b":authority", b":protocol"}


class Section(NamedTuple):
    """A field section: its pseudo-fields (of a repeated one the first), and the other fields."""

    pseudo: dict[bytes, bytes]
    fields: list[Field]

    @property
    def is_response(self) -> bool:
        return b":status" in self.pseudo

    @property
    def is_request(self) -> bool:
        return not _OF_REQUEST.isdisjoint(self.pseudo)

    def text(self, name: bytes) -> str:
        return self.pseudo.get(name, b"").decode("utf-8", "replace")


def read(section: list[Field]) -> Section:
    pseudo: dict[bytes, bytes] = {}
    fields: list[Field] = []
    for item in section:
        if item[0][:1] == b":":
            pseudo.setdefault(item[0], item[1])
        else:
            fields.append(item)
    return Section(pseudo, fields)


def control(section: Section, answers: bool) -> tuple[Request | Response, Index]:
    """The control data of a section that begins a message, `answers` if it is a response, and
    the index of its fields."""
    fields = index(section.fields)
    if answers:
        status = section.text(b":status")
        valid = status.isascii() and status.isdigit() and len(status) == 3
        return Response(int(status) if valid else 0), fields
    authority = section.text(b":authority")
    if not authority and b"host" in fields:
        authority = fields[b"host"][0].decode("utf-8", "replace")
    method = section.text(b":method") or UNKNOWN
    target = section.pseudo.get(b":path", b"")
    if not target:
        target = authority.encode() if method == "CONNECT" else UNKNOWN_BYTES
    protocol = section.text(b":protocol").lower()
    return Request(method, target, section.text(b":scheme"), authority, protocol), fields

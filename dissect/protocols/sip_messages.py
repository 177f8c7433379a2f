"""SIP messages out of header sections and bodies (RFC 3261 §7), whatever carried them."""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from dissect.model import (
    EMPTY_BODY,
    Body,
    Direction,
    Headers,
    Opaque,
    Ranges,
    SipMessage,
    Span,
)
from dissect.protocols.base import Layer
from dissect.protocols.content import BodyCollector
from dissect.protocols.header_sections import (
    Field,
    Index,
    between,
    content_lengths,
    index,
    read_section,
    tokens,
    values,
)
from dissect.protocols.outbox import Outbox
from dissect.protocols.sip_dsk import TlsDskError, tls_dsk_blobs, tls_dsk_names
from dissect.protocols.sip_lines import StartLine, start_line, value_in
from dissect.protocols.track import new_ranges

if TYPE_CHECKING:
    from dissect.protocols.tls.dsk import DskHandshakes
    from dissect.protocols.tls.secret_store import SecretStore

MAX_BODY = 4 << 20  # a Content-Length above is taken for damage
# Messages remembered to tell retransmissions, which come within 32 s (RFC 3261 §17.1.1.2).
MAX_SEEN = 2048

_BRANCH = re.compile(r";\s*branch\s*=\s*([^\s;,]+)", re.IGNORECASE)
_TAG = re.compile(r";\s*tag\s*=\s*([^\s;,>]+)", re.IGNORECASE)

Transport = Literal["udp", "tcp", "tls", "ws"]


@dataclass(slots=True)
class Head:
    """A header section, and where it was."""

    start: StartLine
    fields: list[Field]
    index: Index
    span: Span
    ranges: Ranges
    body: BodyCollector = field(default_factory=BodyCollector)


class Maker:
    """Heads and bodies to messages: what UDP and stream transports have in common."""

    def __init__(
        self, layer: Layer, transport: Transport, secrets: SecretStore | None = None
    ) -> None:
        self._layer = layer
        self._transport = transport
        self._secrets = secrets
        self._dsk: DskHandshakes | None = None
        self._seen: OrderedDict[tuple[object, ...], None] = OrderedDict()
        self.out = Outbox(layer)

    def head(
        self,
        section: bytes,
        span: Span,
        direction: Direction,
        at: int,
        size: int,
        ended: bool = True,
    ) -> Head | None:
        """A header section from offset `at` on without its empty line, with which it has `size`
        bytes; None if no SIP start line begins it. Of one that is not `ended` nobody knows what
        its last line was going to say: only where it is, is reported."""
        first, _, rest = section.partition(b"\n")
        line = first.removesuffix(b"\r")
        start = start_line(line)
        if start is None:
            return None
        found = read_section(rest, at + len(first) + 1)
        if found.malformed:
            sentence = f"{found.malformed} header lines are no fields"
            self.out.anomaly("sip.bad_header", sentence, span.last_frame)
        first_value, length = value_in(line, start)
        ranges = new_ranges(
            ((direction, at, size),),
            between(direction, at, at + size, found.unread),
            (direction, at + first_value, length),
            found.places,
        )
        if not ended:
            ranges = Ranges(ranges.whole)
        return Head(start, found.fields, index(found.fields), span, ranges)

    def length(self, head: Head) -> int | None:
        """The Content-Length; None (and an anomaly if it is there but no number) if absent."""
        length, problem = content_lengths(values(head.index, b"content-length", b"l"))
        if length is not None and length > MAX_BODY:
            length, problem = None, "Content-Length is beyond any SIP message"
        if problem:
            self.out.anomaly("sip.content_length", problem, head.span.last_frame)
        return length

    def emit(self, head: Head, direction: Direction, problem: str | None = None) -> None:
        headers = Headers.of(head.fields)
        start = head.start
        message = SipMessage(
            place=self._layer.place(direction, head.span, _ranges(head, direction)),
            kind="request" if start.status is None else "response",
            method=start.method or _cseq_method(headers),
            uri=Opaque(start.uri),
            status=start.status,
            reason=start.reason,
            headers=headers,
            body=self._body(head, problem),
            transport=self._transport,
            retransmission=False,
            tls_dsk=self._tls_dsk(head),
        )
        if self._repeated(message, direction):
            message = replace(message, retransmission=True)
        self.out.add(message)
        if message.tls_dsk and not message.retransmission:
            self._handshake(head, message.header("call-id") or "", direction)

    def finish(self) -> None:
        """The connection has ended: the rows of TLS-DSK handshakes are due."""
        if self._dsk is not None:
            for item in self._dsk.finish():
                self.out.add(item)

    def _handshake(self, head: Head, call_id: str, direction: Direction) -> None:
        from dissect.protocols.tls.dsk import DskHandshakes

        if self._dsk is None:
            self._dsk = DskHandshakes(self._layer, self._secrets)
        for blob in tls_dsk_blobs(head.fields):
            for item in self._dsk.add(call_id, direction, blob, head.span):
                self.out.add(item)

    def _body(self, head: Head, problem: str | None) -> Body:
        if not head.body.wire_size and problem is None and not head.body.lost:
            return EMPTY_BODY
        codings = tokens(head.index, b"content-encoding", b"e")
        body = head.body.body(codings, problem, self._layer.allowance)
        self.out.unpacked(self._layer, head.span.last_frame)
        return body

    def _tls_dsk(self, head: Head) -> tuple[str, ...]:
        try:
            return tls_dsk_names(head.fields)
        except TlsDskError as error:
            self.out.anomaly("sip.tls_dsk", str(error), head.span.last_frame)
            return ()

    def _repeated(self, message: SipMessage, direction: Direction) -> bool:
        """Whether the same message was seen before (RFC 3261 §17: same branch and CSeq).

        The To tag tells the answers of several forked branches apart.
        """
        branch = _BRANCH.search(message.header("via") or "")
        tag = _TAG.search(message.header("to") or "")
        key = (
            direction,
            message.header("call-id"),
            branch and branch[1],
            message.header("cseq"),
            message.status,
            message.method,
            tag and tag[1],
            hash(bytes(message.body.data)),
        )
        if key in self._seen:
            self._seen.move_to_end(key)
            return True
        self._seen[key] = None
        if len(self._seen) > MAX_SEEN:
            self._seen.popitem(last=False)
        return False


def _ranges(head: Head, direction: Direction) -> Ranges:
    """The ranges of a message whose body is complete. Its body may have holes, no framing."""
    if head.body.track is None or not (body := head.body.track.ranges(direction)):
        return head.ranges
    ((_, start, size),) = head.ranges.whole
    stop = max(start + size, body[-1][1] + body[-1][2])
    return head.ranges._replace(whole=((direction, start, stop - start),), body=body)


def _cseq_method(headers: Headers) -> str:
    parts = (headers.get("cseq") or "").split()
    return parts[1] if len(parts) > 1 and parts[1].isascii() else ""

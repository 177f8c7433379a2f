"""Why the engines differ, and who is right.

A rule explains a difference by evidence that stands in the messages themselves and in the
rows of their connections; what no rule fits stays unexplained. Lists of single known
differences are in `known`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dissect.engines import Reading
from dissect.engines.crosscheck import ABSENT, Comparison, Difference, Right
from dissect.model import (
    HttpRequest,
    HttpResponse,
    Message,
    SipMessage,
    TcpConnection,
    TlsConnection,
)

# What a TLS row tells only where records could be decrypted.
_KNOWN_FROM_RECORDS = frozenset(
    (
        "alerts",
        "alpn",
        "certificates",
        "cipher_suite",
        "client_certificates",
        "decrypted",
        "resumed",
        "server_name",
        "version",
    )
)
Stream = tuple[int, int]
_REASSEMBLY = "https://www.wireshark.org/docs/wsug_html_chunked/ChAdvReassemblySection.html"
_TLS = "https://wiki.wireshark.org/TLS"


@dataclass(frozen=True, slots=True)
class Reason:
    """A code, who is right, one sentence, and where Wireshark's behaviour is described."""

    code: str
    right: Right
    text: str
    link: str = ""


@dataclass(slots=True)
class TlsRows:
    """The rows of connections, by stream: how they were decrypted and what was lost."""

    ours: dict[Stream, TlsConnection]
    theirs: dict[Stream, TlsConnection]
    tcp: dict[Stream, TcpConnection]

    @classmethod
    def of(cls, embedded: Reading, tshark: Reading) -> TlsRows:
        tcp = {_stream(m): m for m in embedded.messages if isinstance(m, TcpConnection)}
        return cls(_tls(embedded), _tls(tshark), tcp)

    def lost(self, message: Message) -> int:
        """Bytes lost in the direction of a message."""
        row = self.tcp.get(_stream(message))
        return row.lost[message.place.direction] if row is not None else 0


def _stream(message: Message) -> Stream:
    connection = message.place.connection
    return connection.capture, connection.stream


def _tls(reading: Reading) -> dict[Stream, TlsConnection]:
    return {
        _stream(m): m
        for m in reading.messages
        if isinstance(m, TlsConnection) and not (m.inside or m.quic)
    }


Explains = Callable[[Difference, TlsRows], bool]


def _only_embedded(item: Difference) -> Message | None:
    return item.pair[0] if item.name == ABSENT and item.pair[1] is None else None


def _problem(message: Message | None) -> str:
    """What the body of a message lacks, in words; empty if nothing."""
    if isinstance(message, HttpRequest | HttpResponse | SipMessage):
        return message.body.problem or ""
    return ""


def _body_unfinished(item: Difference, rows: TlsRows) -> bool:
    problem = _problem(_only_embedded(item))
    return bool(problem) and "header section" not in problem


def _head_unfinished(item: Difference, rows: TlsRows) -> bool:
    return "header section" in _problem(_only_embedded(item))


def _until_close(item: Difference, rows: TlsRows) -> bool:
    message = _only_embedded(item)
    if not isinstance(message, HttpResponse) or message.version == "2":
        return False
    framed = message.headers.get("content-length") or message.headers.get("transfer-encoding")
    return message.place.encrypted and not framed and message.body.problem is None


def _header_fragment(item: Difference, rows: TlsRows) -> bool:
    one, other = item.pair
    if item.name != "head_frame" or not isinstance(one, HttpRequest | HttpResponse):
        return False
    assert isinstance(other, HttpRequest | HttpResponse)
    return one.version == "2" and one.head_frame > other.head_frame


def _blank_in_target(item: Difference, rows: TlsRows) -> bool:
    one, other = item.pair
    if item.name != "target" or not isinstance(one, HttpRequest):
        return False
    assert isinstance(other, HttpRequest)
    return bytes(one.target).startswith(bytes(other.target) + b" ")


def _partial_line(item: Difference, rows: TlsRows) -> bool:
    half = "header section" in _problem(item.pair[0])
    return item.name == "headers" and item.embedded == "-" and half


def _after_loss(item: Difference, rows: TlsRows) -> bool:
    message = _only_embedded(item)
    if not isinstance(message, HttpRequest | HttpResponse | SipMessage):
        return False
    return not message.body.problem and rows.lost(message) > 0


def _cut_hello(item: Difference, rows: TlsRows) -> bool:
    one, other = item.pair
    if item.name != "server_name" or not isinstance(one, TlsConnection):
        return False
    assert isinstance(other, TlsConnection)
    return other.server_name is None and rows.lost(one) > 0


def _undecrypted_here(item: Difference, rows: TlsRows) -> bool:
    """A message that tshark alone has, of a connection that stayed undecrypted to us."""
    return _undecrypted(item, item.pair[1], rows.ours)


def _undecrypted_there(item: Difference, rows: TlsRows) -> bool:
    return _undecrypted(item, item.pair[0], rows.theirs)


def _undecrypted(
    item: Difference, message: Message | None, rows: dict[Stream, TlsConnection]
) -> bool:
    if item.name != ABSENT or message is None or not message.place.encrypted:
        return False
    row = rows.get(_stream(message))
    return row is not None and row.decrypted != "full" and row.reason is not None


def _row_after_loss(item: Difference, rows: TlsRows) -> bool:
    """Of a connection joined late or with a hole dissect opens what tshark leaves undecrypted."""
    one, other = item.pair
    if not isinstance(one, TlsConnection) or not isinstance(other, TlsConnection):
        return False
    tcp = rows.tcp.get(_stream(one))
    broken = tcp is not None and (any(tcp.lost) or not tcp.handshake_seen)
    more = ("none", "partial", "full")
    decrypted = more.index(one.decrypted) > more.index(other.decrypted)
    return broken and decrypted and item.name in _KNOWN_FROM_RECORDS


def _cipher(item: Difference, rows: TlsRows) -> bool:
    one, other = item.pair
    if item.name != "decrypted" or not isinstance(one, TlsConnection):
        return False
    return one.reason == "cipher_unsupported" and getattr(other, "decrypted", "") == "full"


RULES: tuple[tuple[Reason, Explains], ...] = (
    (
        Reason(
            "body_unfinished",
            "embedded",
            "the body's end was not captured: tshark waits for it and shows nothing, dissect "
            "gives the message and says what it lacks",
            _REASSEMBLY,
        ),
        _body_unfinished,
    ),
    (
        Reason(
            "after_loss",
            "embedded",
            "bytes before it are lost: tshark takes what follows for the rest of an unfinished "
            "message, dissect finds the next start line",
            _REASSEMBLY,
        ),
        _after_loss,
    ),
    (
        Reason(
            "head_unfinished",
            "embedded",
            "the header section does not end: dissect gives the message as far as it goes",
            _REASSEMBLY,
        ),
        _head_unfinished,
    ),
    (
        Reason(
            "until_close_in_tls",
            "embedded",
            "a body that ends with the connection: tshark shows it over TCP, not over TLS",
            _REASSEMBLY,
        ),
        _until_close,
    ),
    (
        Reason(
            "header_fragment",
            "embedded",
            "a header block over several frames: it is complete in the last, tshark lists what "
            "the first fragment holds by the first",
            "https://www.wireshark.org/docs/dfref/h/http2.html",
        ),
        _header_fragment,
    ),
    (
        Reason(
            "blank_in_target",
            "embedded",
            "the request target was sent with a blank in it; tshark ends it there",
            "https://www.wireshark.org/docs/dfref/h/http.html",
        ),
        _blank_in_target,
    ),
    (
        Reason(
            "half_header_line",
            "embedded",
            "the header section breaks off inside a line: tshark shows the half as a field",
            "https://www.wireshark.org/docs/dfref/h/http.html",
        ),
        _partial_line,
    ),
    (
        Reason(
            "cut_client_hello",
            "embedded",
            "a part of the client hello is lost: dissect reads what stands before the hole",
            _TLS,
        ),
        _cut_hello,
    ),
    (
        Reason(
            "taken_up_again",
            "embedded",
            "the connection was joined late or has a hole: dissect takes up its records again, "
            "tshark does not",
            _TLS,
        ),
        _row_after_loss,
    ),
    (
        Reason(
            "shut_to_dissect",
            "tshark",
            "dissect could not decrypt this connection, tshark could",
            _TLS,
        ),
        _undecrypted_here,
    ),
    (
        Reason(
            "shut_to_tshark",
            "embedded",
            "tshark could not decrypt this connection, dissect could",
            _TLS,
        ),
        _undecrypted_there,
    ),
    (
        Reason("cipher", "tshark", "dissect does not know this cipher suite, tshark does", _TLS),
        _cipher,
    ),
)


def explain(comparison: Comparison, embedded: Reading, tshark: Reading) -> None:
    """Give each difference that a rule fits its reason."""
    rows = TlsRows.of(embedded, tshark)
    for item in comparison.differences:
        for reason, fits in RULES:
            if fits(item, rows):
                give(item, reason)
                break


def give(item: Difference, reason: Reason) -> None:
    """Explain a difference."""
    item.reason, item.right = reason.code, reason.right
    item.note, item.link = reason.text, reason.link

"""DNS messages; the compressed names are the example of RFC 1035 §4.1.4."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissect.errors import ProtocolError
from dissect.model import DnsMessage
from dissect.protocols.dns import DnsParser, read_name

from .drive import UDP, C, Found, Part, S, drive, kinds, layer, same_however_cut


def name(text: str) -> bytes:
    labels = text.rstrip(".").split(".") if text.strip(".") else []
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def query(host: str, kind: int, ident: int = 7) -> bytes:
    return struct.pack("!6H", ident, 0x0100, 1, 0, 0, 0) + name(host) + struct.pack("!HH", kind, 1)


def answer(host: str, kind: int, *records: tuple[int, bytes], rcode: int = 0) -> bytes:
    head = struct.pack("!6H", 7, 0x8180 | rcode, 1, len(records), 0, 0)
    out = head + name(host) + struct.pack("!HH", kind, 1)
    for record_kind, data in records:
        out += b"\xc0\x0c" + struct.pack("!HHIH", record_kind, 1, 60, len(data)) + data
    return out


def dns(found: Found) -> list[DnsMessage]:
    return [item for item in found if isinstance(item, DnsMessage)]


def udp() -> DnsParser:
    return DnsParser(layer(connection=UDP))


def test_rfc_1035_compression() -> None:
    data = bytearray(20) + b"\x01F\x03ISI\x04ARPA\0" + bytearray(8) + b"\x03FOO\xc0\x14"
    data += bytearray(18) + b"\xc0\x1a" + bytearray(26) + b"\0"
    assert read_name(bytes(data), 20) == ("F.ISI.ARPA", 32)
    assert read_name(bytes(data), 40) == ("FOO.F.ISI.ARPA", 46)
    assert read_name(bytes(data), 64) == ("ARPA", 66)
    assert read_name(bytes(data), 92) == (".", 93)


@pytest.mark.parametrize(
    "data",
    [
        b"\xc0\x00",  # points at itself
        b"\x01a\xc0\x00",  # a loop that grows
        b"\xc0\x02\xc0\x00",  # two that point at each other
        b"\x05ab",  # cut in a label
        b"\x01a",  # no end
        b"\xc0",  # half a pointer
        b"\x80a\0",  # reserved label type
        (b"\x3f" + b"a" * 63) * 5 + b"\0",  # over 255 bytes
        b"",
    ],
)
def test_bad_names(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_name(data, 0)


def test_hostile_labels_are_escaped() -> None:
    assert read_name(b'\x05a.b\n"\x03\xffok\0', 0) == ("a\\046b\\010\\034.\\255ok", 11)


def test_query_and_addresses() -> None:
    host = "lyncdiscover.contoso.example"
    records = [
        (5, name("webdir.online.example")),
        (1, bytes([20, 190, 1, 1])),
        (28, bytes.fromhex("20010db8000000000000000000000001")),
    ]
    found = drive(udp(), [(C, query(host, 1)), (S, answer(host, 1, *records))])
    asked, answered = dns(found)
    assert (asked.is_response, asked.ident, asked.questions) == (False, 7, ((host, "A"),))
    assert (answered.is_response, answered.rcode) == (True, "NOERROR")
    assert answered.answers == (
        (host, "CNAME", "webdir.online.example"),
        (host, "A", "20.190.1.1"),
        (host, "AAAA", "2001:db8::1"),
    )
    assert (asked.place.direction, answered.place.direction) == (C, S)


def test_other_records() -> None:
    host = "_sip._tls.contoso.example"
    https = b"\0\1" + b"\0" + b"\0\1\0\3\x02h2" + b"\0\3\0\2\x01\xbb" + b"\0\4\0\4\x01\x02\x03\x04"
    records = [
        (33, b"\0\x0a\0\x05\x01\xbb" + name("sip.contoso.example")),
        (12, b"\xc0\x0c"),
        (15, b"\0\x14" + name("mx.example")),
        (16, b"\x05v=spf\x01!"),
        (65, https),
        (999, b"abc"),
    ]
    (message,) = dns(drive(udp(), [(S, answer(host, 33, *records))]))
    assert [data for _, _, data in message.answers] == [
        "10 5 443 sip.contoso.example",
        host,
        "20 mx.example",
        '"v=spf" "!"',
        "1 . alpn=h2 port=443 ipv4hint=1.2.3.4",
        "3 bytes",
    ]
    assert [kind for _, kind, _ in message.answers][-2:] == ["HTTPS", "TYPE999"]


@pytest.mark.parametrize(
    ("code", "word"),
    [(0, "NOERROR"), (2, "SERVFAIL"), (3, "NXDOMAIN"), (5, "REFUSED"), (15, "RCODE15")],
)
def test_rcodes_in_words(code: int, word: str) -> None:
    (message,) = dns(drive(udp(), [(S, answer("lyncdiscover.example", 1, rcode=code))]))
    assert message.rcode == word


def test_cut_answers_are_given_as_far_as_they_go() -> None:
    whole = answer("a.example", 1, (1, b"\1\2\3\4"), (1, b"\5\6\7\x08"))
    found = drive(udp(), [(S, whole[:-1])])
    assert dns(found)[0].answers == (("a.example", "A", "1.2.3.4"),)
    assert kinds(found) == ["dns.incomplete"]


def test_other_datagrams_on_port_53_are_anomalies() -> None:
    found = drive(udp(), [(C, b"hello"), (C, b"\xff" * 40), (C, b"\0" * 11)])
    assert dns(found) == []
    assert kinds(found) == ["dns.short", "dns.header", "dns.short"]


def test_tcp_is_length_prefixed() -> None:
    def framed(data: bytes) -> bytes:
        return len(data).to_bytes(2, "big") + data

    parts: list[Part] = [
        (C, framed(query("a.example", 1)) + framed(query("b.example", 28))),
        (S, framed(answer("a.example", 1, (1, b"\1\2\3\4")))),
    ]
    found = same_however_cut(lambda: DnsParser(layer()), parts)
    assert [item.questions[0] for item in dns(found)] == [
        ("a.example", "A"),
        ("b.example", "AAAA"),
        ("a.example", "A"),
    ]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_damage_raises_only_protocol_errors(data: st.DataObject) -> None:
    whole = bytearray(answer("a.b.example", 65, (65, b"\0\1\0\0\1\0\3\2h2"), (33, b"\0" * 7)))
    for _ in range(data.draw(st.integers(0, 5))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    assert all(kind.startswith("dns.") for kind in kinds(drive(udp(), [(S, cut)])))

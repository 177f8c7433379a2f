"""SIP as an observer reads it; expectations from RFC 3261, RFC 4475, RFC 5626, [MS-SIPAE]."""

from __future__ import annotations

import base64
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissect.model import SipMessage
from dissect.protocols.sip import SipDatagrams, SipParser

from .drive import UDP, C, Found, Part, S, bare, drive, hole, kinds, layer, same_however_cut


def sip() -> SipParser:
    return SipParser(layer(encrypted=True))


def udp() -> SipDatagrams:
    return SipDatagrams(layer(connection=UDP))


def sips(found: Found) -> list[SipMessage]:
    return [item for item in found if isinstance(item, SipMessage)]


def message(first: str, *headers: str, body: bytes = b"", length: bool = True) -> bytes:
    lines = [first, *headers]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


REGISTER = message(
    "REGISTER sip:example.com SIP/2.0",
    "Via: SIP/2.0/TLS 10.0.0.1:50000;branch=z9hG4bK1",
    "From: <sip:anna@example.com>;tag=f1;epid=ab12",
    "To: <sip:anna@example.com>",
    "Call-ID: call-1",
    "CSeq: 1 REGISTER",
)
UNAUTHORIZED = message(
    "SIP/2.0 401 Unauthorized",
    "Via: SIP/2.0/TLS 10.0.0.1:50000;branch=z9hG4bK1;ms-received-port=50000",
    "From: <sip:anna@example.com>;tag=f1;epid=ab12",
    "To: <sip:anna@example.com>;tag=t1",
    "Call-ID: call-1",
    "CSeq: 1 REGISTER",
    'WWW-Authenticate: NTLM realm="SIP Communications Service", version=4',
    'WWW-Authenticate: Kerberos realm="SIP Communications Service", version=4',
    'WWW-Authenticate: TLS-DSK realm="SIP Communications Service", sts-uri="https://p/CertProv"',
)
OPTIONS = message("OPTIONS sip:a@b SIP/2.0", "Call-ID: o", "CSeq: 9 OPTIONS", body=b"v=0\r\n\r\nx")


def test_request_and_response() -> None:
    """Trouble 44."""
    found = same_however_cut(sip, [(C, REGISTER), (S, UNAUTHORIZED)])
    request, response = sips(found)
    assert (request.kind, request.method, request.uri) == (
        "request",
        "REGISTER",
        b"sip:example.com",
    )
    assert (response.kind, response.method, response.status, response.reason) == (
        "response",
        "REGISTER",
        401,
        "Unauthorized",
    )
    schemes = [value.split()[0] for value in response.header_all("www-authenticate")]
    assert schemes == ["NTLM", "Kerberos", "TLS-DSK"]
    assert request.transport == "tls"
    assert kinds(found) == []


def test_three_messages_in_one_record_and_one_over_many() -> None:
    """Troubles 39 and 40: irontec/sngrep#466, sipcapture/heplify#313."""
    found = same_however_cut(sip, [(C, REGISTER + OPTIONS + OPTIONS.replace(b"9 OPT", b"10 OPT"))])
    assert [item.method for item in sips(found)] == ["REGISTER", "OPTIONS", "OPTIONS"]
    assert [item.body.data for item in sips(found)] == [b"", b"v=0\r\n\r\nx", b"v=0\r\n\r\nx"]
    large = message("INVITE sip:a@b SIP/2.0", "CSeq: 1 INVITE", body=b"m" * 6000)
    pieces: list[Part] = [(C, large[at : at + 1500]) for at in range(0, len(large), 1500)]
    found = drive(sip(), pieces)
    (invite,) = sips(found)
    assert invite.body.wire_size == 6000
    assert (invite.place.span.first_frame, invite.place.span.last_frame) == (1, len(pieces))


def test_keep_alives_between_and_glued() -> None:
    """Trouble 41: irontec/sngrep#106: ping CRLFCRLF, pong CRLF, also before a start line."""
    found = same_however_cut(
        sip,
        [
            (C, b"\r\n\r\n"),
            (S, b"\r\n"),
            (C, b"\r\n\r\n" + REGISTER + b"\r\n\r\n"),
            (C, b"\r\n\r\n" + OPTIONS),
        ],
    )
    assert [item.method for item in sips(found)] == ["REGISTER", "OPTIONS"]
    assert kinds(found) == []


def test_compact_odd_and_folded_headers() -> None:
    """As in RFC 4475 §3.1.1.1: blanks around colons, folding, compact names, any case."""
    text = (
        b"INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0\r\n"
        b"TO :\r\n sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n\r\n"
        b'from   : "J Rosenberg"\r\n  <sip:jdrosen@example.com>\r\n  ;\r\n  tag = 98asjd8\r\n'
        b"MaX-fOrWaRdS: 0068\r\n"
        b"i : wsinv.ndaksdj@192.0.2.1\r\n"
        b"l :   4\r\n"
        b"cseq: 0009\r\n  INVITE\r\n"
        b"v:  SIP  / 2.0\r\n  /UDP\r\n    192.0.2.2;branch=390skdjuw\r\n"
        b"v: SIP/2.0/TCP spindle.example.com;\r\n  branch  =   z9hG4bK9ikj8\r\n"
        b"\r\nbody"
    )
    found = same_however_cut(sip, [(C, text)])
    (invite,) = sips(found)
    assert invite.header("Call-ID") == "wsinv.ndaksdj@192.0.2.1"
    assert invite.header("cseq") == "0009 INVITE"
    assert invite.header("to") == "sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n"
    assert len(list(invite.header_all("via"))) == 2
    assert invite.body.data == b"body"
    assert kinds(found) == []


@pytest.mark.parametrize("method", ["BENOTIFY", "SERVICE", "NEGOTIATE", "INFO", "x-Own"])
def test_other_methods(method: str) -> None:
    found = drive(sip(), [(C, message(f"{method} sip:a@b SIP/2.0", f"CSeq: 1 {method}"))])
    assert [item.method for item in sips(found)] == [method]


def test_no_content_length_over_a_stream_is_zero() -> None:
    """Trouble 42: pjsip/pjproject#3960."""
    bare_register = REGISTER.replace(b"Content-Length: 0\r\n", b"")
    found = same_however_cut(sip, [(C, bare_register + OPTIONS)])
    assert [item.method for item in sips(found)] == ["REGISTER", "OPTIONS"]
    assert kinds(found) == ["sip.no_content_length"]


def test_framer_and_parser_agree_on_lf_and_two_lengths() -> None:
    """Trouble 43: siphon-project/siphon-sip#237: a bare LF ends a line for both."""
    text = (
        b"OPTIONS sip:a@b SIP/2.0\r\nX-Pad: a\nContent-Length: 4\r\nContent-Length: 0\r\n\r\nAAAA"
    )
    found = same_however_cut(sip, [(C, text + REGISTER)])
    assert [item.body.data for item in sips(found)] == [b"AAAA", b""]
    assert kinds(found) == ["sip.content_length"]
    lf_only = REGISTER.replace(b"\r\n", b"\n")
    assert [item.method for item in sips(drive(sip(), [(C, lf_only + REGISTER)]))] == [
        "REGISTER"
    ] * 2


@pytest.mark.parametrize("value", ["bad", "-5", "99999999999", "4 4", ""])
def test_invalid_content_length_finds_the_next_message(value: str) -> None:
    anomaly = REGISTER.replace(b"Content-Length: 0", f"Content-Length: {value}".encode())
    found = same_however_cut(sip, [(C, anomaly + OPTIONS)])
    assert [item.method for item in sips(found)] == ["REGISTER", "OPTIONS"]
    assert "sip.content_length" in kinds(found)


def test_junk_before_a_message_and_half_a_message_at_the_end() -> None:
    """Trouble 45: ByteHeathen/libsip#22: a cut message is given as one that is not whole."""
    cut = OPTIONS[: OPTIONS.index(b"CSeq") + 2]
    found = drive(sip(), [(C, b"\x01\x02junk\r\n" + REGISTER + cut)])
    assert [item.method for item in sips(found)] == ["REGISTER", "OPTIONS"]
    whole, half = sips(found)
    problem = f"the message breaks off after {len(cut)} bytes of its header section (the end)"
    assert (whole.body.problem, half.body.problem) == (None, problem)
    # "CS" is neither a field nor a body: only whole lines count.
    assert [bytes(name) for name, _ in half.headers] == [b"Call-ID"]
    assert half.body.data == b""
    assert kinds(found) == ["sip.junk", "sip.incomplete"]
    assert "OPTIONS request breaks off" in repr(found)
    found = drive(sip(), [(C, OPTIONS[:-3])])
    assert [item.body.problem for item in sips(found)] == ["3 bytes of it are missing"]
    assert kinds(found) == ["sip.incomplete"]


def test_half_a_start_line_is_no_message() -> None:
    found = drive(sip(), [(C, REGISTER + OPTIONS[:20])])
    assert [item.method for item in sips(found)] == ["REGISTER"]
    assert kinds(found) == ["sip.incomplete"]


@pytest.mark.parametrize("cut", range(1, len(REGISTER)))
def test_every_end_of_capture(cut: int) -> None:
    """Trouble 45: whole, or marked as incomplete, or nothing with an anomaly; none is made up."""
    found = drive(sip(), [(C, REGISTER[:cut])])
    assert all(item.body.problem for item in sips(found))
    assert kinds(found) == ["sip.incomplete"]


def test_a_datagram_without_the_end_of_its_header_section() -> None:
    (item,) = sips(drive(udp(), [(C, REGISTER[:-4])]))
    assert item.body.problem == "the header section has no end"


def test_retransmissions_are_marked() -> None:
    ringing = UNAUTHORIZED.replace(b"401 Unauthorized", b"180 Ringing")
    forked = ringing.replace(b"tag=t1", b"tag=t2")
    parts: list[Part] = [(C, REGISTER), (C, REGISTER), (S, ringing), (S, ringing), (S, forked)]
    found = drive(udp(), parts)
    assert [item.retransmission for item in sips(found)] == [False, True, False, True, False]
    second = REGISTER.replace(b"CSeq: 1", b"CSeq: 2")
    assert [item.retransmission for item in sips(drive(sip(), [(C, REGISTER + second)]))] == [
        False,
        False,
    ]


# ---------------------------------------------------------------- TLS-DSK

# The client hello of the reference flow's phone log (a TLS 1.0 record).
HELLO = (
    "FgMBAEQBAABAAwGS0Pl0EBC6TOz0gpjhtvXFtSAqobE5DDpeNvhd6Ls3MQAADgA5ADUAMwAvABYACgD/"
    "AQAACQAjAAAADwABAQ=="
)


@pytest.mark.parametrize(
    "header", ["Authorization", "Proxy-Authorization", "WWW-Authenticate", "Proxy-Authenticate"]
)
def test_tls_dsk_messages_are_named(header: str) -> None:
    pytest.importorskip("dissect.protocols.tls.dsk")
    value = f'{header}: TLS-DSK qop="auth", realm="x", gssapi-data="{HELLO}", version=4'
    found = drive(sip(), [(C, message("REGISTER sip:e SIP/2.0", "CSeq: 2 REGISTER", value))])
    assert sips(found)[0].tls_dsk == ("client_hello",)
    assert kinds(found) == []


@pytest.mark.parametrize("data", ["###", base64.b64encode(b"no TLS at all").decode()])
def test_damaged_tls_dsk_is_an_anomaly_without_its_data(data: str) -> None:
    pytest.importorskip("dissect.protocols.tls.dsk")
    value = f'Authorization: TLS-DSK gssapi-data="{data}"'
    found = drive(sip(), [(C, message("REGISTER sip:e SIP/2.0", value))])
    assert sips(found)[0].tls_dsk == ()
    assert kinds(found) == ["sip.tls_dsk"]
    assert data not in repr(found)


def test_other_schemes_are_not_tls_dsk() -> None:
    value = 'Authorization: NTLM gssapi-data="TlRMTVNTUAAB"'
    found = drive(sip(), [(C, message("REGISTER sip:e SIP/2.0", value))])
    assert sips(found)[0].tls_dsk == ()
    assert kinds(found) == []


# ---------------------------------------------------------------- datagrams


def test_datagrams() -> None:
    parts: list[Part] = [
        (C, b"\0\0\0\0"),
        (C, b"\r\n\r\n"),
        (C, OPTIONS),
        (S, OPTIONS.replace(b"Content-Length: 8\r\n", b"")),
        (C, OPTIONS + b"trailing"),
        (C, OPTIONS[:-2]),
        (C, b"\xff\xffjunk" + REGISTER),
        (C, b"no SIP here"),
    ]
    found = drive(udp(), parts)
    bodies = [item.body.data for item in sips(found)]
    assert bodies == [b"v=0\r\n\r\nx", b"v=0\r\n\r\nx", b"v=0\r\n\r\nx", b"v=0\r\n\r", b""]
    assert kinds(found) == ["sip.trailing", "sip.incomplete", "sip.junk"]
    assert {item.transport for item in sips(found)} == {"udp"}


# ---------------------------------------------------------------- gaps and hostile bytes


def test_gap_in_a_body_and_between_messages() -> None:
    found = drive(sip(), [(C, OPTIONS[:-6]), (C, 4), (C, OPTIONS[-2:] + REGISTER)])
    assert [item.method for item in sips(found)] == ["OPTIONS", "REGISTER"]
    assert "4 bytes were not captured" in (sips(found)[0].body.problem or "")
    found = drive(sip(), [(C, REGISTER[:30]), (C, 500), (C, b"tail of another\r\n\r\n" + OPTIONS)])
    assert [item.method for item in sips(found)] == ["OPTIONS"]


def test_every_hole_leaves_the_other_messages_alone() -> None:
    parts: list[Part] = [(C, REGISTER + OPTIONS + REGISTER), (S, UNAUTHORIZED)]
    size = sum(len(content) for _, content in parts if isinstance(content, bytes))
    for start in range(0, size, 3):
        for length in (1, 11, 40):
            found = drive(sip(), hole(parts, start, length))
            whole = [item for item in sips(found) if not item.body.problem]
            assert len(whole) >= 2, (start, length)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_messages_raise_nothing(data: st.DataObject) -> None:
    parts: list[Part] = []
    for direction, content in ((C, REGISTER + OPTIONS), (S, UNAUTHORIZED), (C, OPTIONS)):
        damaged = bytearray(content)
        for _ in range(data.draw(st.integers(0, 4))):
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
        parts.append((direction, bytes(damaged)))
    drive(sip(), parts)
    drive(udp(), parts)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=80), max_size=8))
def test_random_bytes_raise_nothing(chunks: list[bytes]) -> None:
    drive(sip(), [(C, chunk) for chunk in chunks])
    drive(udp(), [(C, chunk) for chunk in chunks])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, len(REGISTER + OPTIONS) - 1), max_size=6))
def test_any_segmentation_gives_the_same(cuts: list[int]) -> None:
    text = REGISTER + OPTIONS
    edges = [0, *sorted(set(cuts)), len(text)]
    parts: list[Part] = [(C, text[a:b]) for a, b in pairwise(edges)]
    assert bare(drive(sip(), parts)) == bare(drive(sip(), [(C, text)]))

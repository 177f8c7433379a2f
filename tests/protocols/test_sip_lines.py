"""Start lines of SIP, by RFC 3261 §7.1 and §7.2 (grammar in §25.1)."""

from __future__ import annotations

import pytest

from dissect.protocols.sip_lines import StartLine, describe, find_start, start_line


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b"REGISTER sip:a.test SIP/2.0", StartLine("REGISTER", b"sip:a.test")),
        (b"invite sip:b@a.test SIP/2.0 ", StartLine("invite", b"sip:b@a.test")),
        (b"X-Y.z sip:a SIP/2.0", StartLine("X-Y.z", b"sip:a")),
        (b"INVITE sip:a b SIP/2.0", StartLine("INVITE", b"sip:a b")),
        (b"INVITE\tsip:a\tSIP/2.0", StartLine("INVITE", b"sip:a")),
        (b"INVITE  SIP/2.0", StartLine("INVITE", b"")),
        (b"A" * 40 + b" sip:a SIP/2.0", StartLine("A" * 40, b"sip:a")),
        (b"A" * 41 + b" sip:a SIP/2.0", None),
        (b"INVITE sip:a SIP/1.0", None),
        (b"INVITE sip:a SIP/2.00", None),
        (b"INVITE sip:a HTTP/1.1", None),
        (b"INV{TE sip:a SIP/2.0", None),
        (b"INVITE", None),
        (b"", None),
        (b"SIP/2.0 200 OK", StartLine(status=200, reason="OK")),
        (b"SIP/2.0 401", StartLine(status=401, reason="")),
        (b"SIP/2.0  180  Ringing", StartLine(status=180, reason="Ringing")),
        (b"SIP/2.0 100 Vers\xc3\xbcch", StartLine(status=100, reason="Versüch")),
        (b"SIP/2.0 100 \xff", StartLine(status=100, reason="\ufffd")),
        (b"SIP/2.0 999 x", StartLine(status=999, reason="x")),
        (b"SIP/2.0 099 x", None),
        (b"SIP/2.0 20 x", None),
        (b"SIP/2.0 2000 x", None),
        (b"SIP/3.0 200 OK", None),
    ],
)
def test_start_lines(line: bytes, found: StartLine | None) -> None:
    assert start_line(line) == found


@pytest.mark.parametrize(
    ("data", "at"),
    [
        (b"junk INVITE sip:a SIP/2.0\r\n", 5),
        (b"INVITE sip:a SIP/2.0\n", 0),
        (b"xxSIP/2.0 200 OK", 2),
        (b"SIP/2.0 699\r", 0),
        (b"SIP/2.0 700 x", None),
        (b"SIP/2.0 200", None),
        (b"INVITE sip:a SIP/2.0", None),  # its line may go on
        (b"AB sip:a SIP/2.0\r\n", None),  # too short for a method in the middle of anything
        (b"ACK tel:1 SIP/2.0\r\n", 0),
        (b"INVITE nothing SIP/2.0\r\n", None),
        (b"GET / HTTP/1.1\r\n", None),
        (b"", None),
    ],
)
def test_where_a_message_may_begin(data: bytes, at: int | None) -> None:
    found = find_start(data)
    assert (found.start() if found else None) == at


def test_what_a_message_is_called() -> None:
    assert describe(None) == "a SIP message"
    assert describe(StartLine("BYE", b"sip:a")) == "a SIP BYE request"
    assert describe(StartLine("X-1", b"sip:a")) == "a SIP request"  # no text of the wire
    assert describe(StartLine(status=404, reason="No")) == "a SIP response 404"

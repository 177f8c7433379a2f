"""The telephony's small parts against what their documents say."""

from __future__ import annotations

import pytest
from signlab.dhcp import suboptions
from signlab.voice.edge import unescaped
from signlab.voice.messages import SDP_KEY, parse_message
from signlab.voice.websocket import digest


def test_digest_of_the_rfc() -> None:
    # RFC 2617 §3.5
    challenge = {"realm": "testrealm@host.com", "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093"}
    values = digest("Mufasa", "Circle Of Life", "GET", "/dir/index.html", challenge, own="0a4f113b")
    assert values["response"] == "6629fae49393a05397450978507c4ef1"


def test_suboptions_of_lync() -> None:
    # Option 43 in the order of Microsoft's DHCPUtil, then the end (RFC 2132 §8.4).
    text = "010c4d532d55432d436c69656e74020568747470730403343433ff00"
    assert suboptions(text) == {1: "MS-UC-Client", 2: "https", 4: "443"}


def test_control_characters_of_rsyslog() -> None:
    # rsyslog writes a control character as # and its three octal digits.
    assert unescaped("a#015#012b#011c \u2713") == "a\r\nb\tc \u2713".encode()


def test_half_a_message_is_none() -> None:
    text = b"SIP/2.0 200 OK\r\nCSeq: 1 REGISTER\r\nContent-Length: 5\r\n\r\nabc"
    with pytest.raises(ValueError, match="whole"):
        parse_message(text)
    assert parse_message(text + b"de").body == b"abcde"


def test_media_keys() -> None:
    # RFC 4568 §9.1: one with lifetime and MKI, one without
    keys = [
        b"PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR",
        b"NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj",
    ]
    lines = (
        b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:%b|2^20|1:32\r\n"
        b"a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:%b\r\n"
    )
    assert SDP_KEY.findall(lines % tuple(keys)) == keys

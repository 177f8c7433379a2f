"""What is shown of SIP fields, session descriptions, DHCP options and DNS texts."""

from __future__ import annotations

import pytest

from dissect.redaction.policy import Policy
from tests.redaction.test_policy import WORD, body

UUID = "f81d4fae-7dec-41d0-a765-00a0c91e6bf6"


@pytest.mark.parametrize(
    ("name", "value", "hidden"),
    [
        ("Route", f"<sip:{WORD}@p.test;lr>", True),
        ("Route", "<sip:orig@p.test;lr>", False),
        ("Path", f"<sip:{WORD}@p.test;lr;ob>", True),
        ("Contact", f"<sip:{WORD}@h.test;gr>", True),
        ("Contact", f'<sip:v@h.test>;temp-gruu="sip:{WORD}@h.test"', True),
        ("Contact", f'<sip:v@h.test>;+sip.instance="<urn:uuid:{UUID}>"', False),
        ("Contact", f'<sip:v@h.test>;+sip.instance="<urn:uuid:{WORD}>"', True),
        ("Contact", f"<sip:v@h.test;pn-provider=fcm;pn-param={WORD}>", True),
        ("Session-ID", "ab30317f1a784dc48ff824d0d3715d86;remote=" + "0" * 32, False),
        ("Session-ID", f"ab30317f1a784dc48ff824d0d3715d86;remote={WORD}", True),
        ("Session-ID", WORD.encode().hex().ljust(32, "6"), True),
        ("Replaces", f"{WORD};to-tag=a1;from-tag=b2", True),
        ("Geolocation", f"<https://ls.test/{WORD}>", True),
        ("Subject", WORD, True),
        ("SIP-ETag", WORD, True),
    ],
)
def test_fields_of_sip(name: str, value: str, hidden: bool) -> None:
    shown = str(Policy().header(name, value, sip_message=True))
    assert (shown != value) == hidden
    assert WORD not in shown


@pytest.mark.parametrize(
    ("line", "hidden"),
    [
        (f"a=fmtp:96 zeta={WORD}", True),
        ("a=fmtp:96 profile-level-id=42e01f;packetization-mode=1", False),
        ("a=fmtp:101 0-16", False),
        (f"a=candidate:1 1 UDP 2130706431 192.0.2.1 8998 typ host ufrag {WORD}", True),
        (f"a=candidate:dXNlcg 1 {WORD} UDP 0.830 192.0.2.1 50006", True),
        (f"a=candidate:dXNlcg 1 {WORD}.example.com UDP 0.830 192.0.2.1 50006", True),
        ("a=candidate:1 1 UDP 2130706431 192.0.2.1 8998 typ srflx raddr 10.0.1.1 rport 9", False),
        (f"a=acap:1 crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{WORD}", True),
        (f"a=path:msrp://192.0.2.1:7654/{WORD};tcp", True),
        (f"a=ssrc:1 cname:{WORD}", True),
        ("a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level", False),
        (f"s={WORD}", True),
        (f"a={WORD}", True),
    ],
)
def test_lines_of_descriptions(line: str, hidden: bool) -> None:
    shown = body(line + "\r\n", "application/sdp").rstrip("\n")
    assert (shown != line) == hidden
    assert WORD not in shown


@pytest.mark.parametrize(
    ("place", "value", "hidden"),
    [
        ("160", f"https://u:a/{WORD}@h.test/cfg", True),
        ("160", "https://h.test/%71%75%76%7a/a.cfg", True),
        ("67", "/cfg/{mac}.cfg", False),
        ("67", "/cfg/" + "7" * 40 + "/a.cfg", True),
        ("66", f"{WORD} tftp jexwyk", True),
        ("150", "192.0.2.9", False),
    ],
)
def test_what_phones_are_sent_to(place: str, value: str, hidden: bool) -> None:
    assert (str(Policy().option(place, value)) != value) == hidden


def test_a_text_of_base64_is_no_name() -> None:
    assert "cXV2em9qYmlyaWpleHd5aw" not in str(Policy().answer("TXT", '"cXV2em9qYmlyaWpleHd5aw=="'))

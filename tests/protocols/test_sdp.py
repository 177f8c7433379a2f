"""SDP summaries; the descriptions are those of RFC 8866 §5, RFC 4568 §6.1 and RFC 3264 §10."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dissect.protocols.sdp import MAX_MEDIA, descriptions, parse

RFC_8866 = """v=0
o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1
s=Call to John Smith
c=IN IP4 198.51.100.1
t=0 0
m=audio 49170 RTP/AVP 0
m=audio 49180 RTP/AVP 0
m=video 51372 RTP/AVP 99
c=IN IP6 2001:db8::2
a=rtpmap:99 h263-1998/90000
"""
RFC_4568 = """v=0
s=SDP Seminar
c=IN IP4 161.44.17.12/127
t=2873397496 2873404696
m=video 51372 RTP/SAVP 31
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:32
m=application 32416 udp wb
a=orient:portrait
"""


def test_media_codecs_and_addresses() -> None:
    found = parse(RFC_8866)
    assert found.name == "Call to John Smith"
    assert [str(media) for media in found.media] == [
        "audio 198.51.100.1:49170 RTP/AVP PCMU/8000 sendrecv",
        "audio 198.51.100.1:49180 RTP/AVP PCMU/8000 sendrecv",
        "video 2001:db8::2:51372 RTP/AVP h263-1998/90000 sendrecv",
    ]


def test_keys_are_reported_and_never_shown() -> None:
    found = parse(RFC_4568.replace("\n", "\r\n"))
    assert [str(media) for media in found.media] == [
        "video 161.44.17.12:51372 RTP/SAVP H261/90000 sendrecv SRTP AES_CM_128_HMAC_SHA1_80",
        "application 161.44.17.12:32416 udp wb sendrecv",
    ]
    assert "inline" not in repr(found)


def test_rejected_and_held_media() -> None:
    """RFC 3264 §6 and §8.4: port 0 rejects, a session's direction is its media's default."""
    found = parse(
        "v=0\nc=IN IP4 10.0.0.1\na=sendonly\n"
        "m=audio 0 RTP/AVP 8\nm=audio 4000 RTP/AVP 8\na=recvonly\n"
    )
    assert [(media.port, media.direction) for media in found.media] == [
        (0, "sendonly"),
        (4000, "recvonly"),
    ]
    assert "rejected" in str(found.media[0])


def test_parts_of_a_multipart_body() -> None:
    """Lync offers two descriptions of one session (RFC 5621, multipart/alternative)."""
    body = (
        "--x\r\nContent-Type: application/sdp\r\nContent-Disposition: session; handling=optional"
        f"\r\n\r\n{RFC_8866}\r\n--x\r\nContent-Type: text/plain\r\n\r\nm=audio 1 RTP/AVP 0\r\n"
        f"--x\r\ncontent-type:application/sdp\r\n\r\n{RFC_4568}\r\n--x--\r\n"
    )  # fmt: skip
    found = descriptions('multipart/alternative;boundary="x"', body)
    assert [len(item.media) for item in found] == [3, 2]
    assert descriptions("text/plain", RFC_8866) == []
    assert descriptions(None, RFC_8866) == []


def test_number_of_media_is_bounded() -> None:
    assert len(parse("m=audio 1 RTP/AVP 0\n" * 1000).media) == MAX_MEDIA


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="vcmas=:/ 019RTP\n\rudioIN4x", max_size=200))
def test_any_text_raises_nothing(text: str) -> None:
    parse(text)
    descriptions("multipart/mixed;boundary=a", text)

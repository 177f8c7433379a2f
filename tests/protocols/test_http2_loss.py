"""HTTP/2 where frames are lost or their tables change: what is whole, and what may be known.

Expectations from RFC 9113 §4.3.1, §6.5 and RFC 7541 §4.2; header blocks are hpack's encoder's.
"""

from __future__ import annotations

import pytest
from hpack import Encoder

from dissect.protocols.http2_frames import DEFAULT_FRAME_SIZE
from dissect.protocols.http2_headers import MAX_HEADER_BLOCK, MAX_TABLE, HeaderBlocks

from .drive import C, Part, S, drive, kinds
from .test_http2 import (
    CONTINUATION,
    DATA,
    END_STREAM,
    GET,
    HEADERS,
    OK,
    POST,
    SERVER_START,
    START,
    frame,
    http2,
    requests,
    responses,
    setting,
)

TABLE_SIZE, FRAME_SIZE = 1, 5


# ------------------------------------------------------------------ bodies when framing is lost

CUTS: dict[str, list[Part]] = {
    "a hole over frames": [(S, 5000)],
    "bytes that are no frame": [(S, b"\xff" * 40)],
    "a hole of unknown size": [(S, 0)],
}


@pytest.mark.parametrize("cut", CUTS)
def test_bodies_under_way_are_not_told_as_whole(cut: str) -> None:
    """Any of the lost frames may have held more of any body that had not ended."""
    client, server = Encoder(), Encoder()
    asked = b"".join(frame(HEADERS, 5, n, client.encode(GET)) for n in (1, 3, 5))
    answered = b"".join(frame(HEADERS, 4, n, server.encode(OK)) for n in (1, 3, 5))
    begun = frame(DATA, 0, 1, b"one") + frame(DATA, 0, 3, b"three")
    whole = frame(DATA, END_STREAM, 5, b"five")
    rest = frame(DATA, END_STREAM, 1, b"end") + frame(DATA, END_STREAM, 3, b"end")
    parts: list[Part] = [(C, START + asked), (S, SERVER_START + answered + begun + whole)]
    found = drive(http2(), [*parts, *CUTS[cut], (S, rest)])
    bodies = {item.h2_stream: item.body for item in responses(found)}
    assert {number: bytes(body.data)[:3] for number, body in bodies.items()} == {
        1: b"one",
        3: b"thr",
        5: b"fiv",
    }
    assert bodies[5].problem is None
    for number in (1, 3):
        assert "not captured" in (bodies[number].problem or ""), number
    assert all(item.body.problem is None for item in requests(found))


def test_a_loss_of_one_direction_leaves_the_bodies_of_the_other_whole() -> None:
    client, server = Encoder(), Encoder()
    posted = frame(HEADERS, 4, 1, client.encode(POST)) + frame(DATA, 0, 1, b"grant=")
    parts: list[Part] = [
        (C, START + posted),
        (S, SERVER_START),
        (S, 5000),
        (C, frame(DATA, END_STREAM, 1, b"code")),
        (S, frame(HEADERS, 4, 1, server.encode(OK)) + frame(DATA, END_STREAM, 1, b"x")),
    ]
    found = drive(http2(), parts)
    (request,), (response,) = requests(found), responses(found)
    assert (request.body.text, request.body.problem) == ("grant=code", None)
    assert response.body.text == "x"
    assert response.body.problem is None  # it began behind the loss


@pytest.mark.parametrize("lost", [1, 9, 10])
def test_a_hole_within_one_frame_of_data_hurts_one_body(lost: int) -> None:
    client, server = Encoder(), Encoder()
    asked = b"".join(frame(HEADERS, 5, n, client.encode(GET)) for n in (1, 3))
    answered = b"".join(frame(HEADERS, 4, n, server.encode(OK)) for n in (1, 3))
    body = frame(DATA, END_STREAM, 1, b"0123456789")
    parts: list[Part] = [
        (C, START + asked),
        (S, SERVER_START + answered + frame(DATA, 0, 3, b"three") + body[:9]),
        (S, lost),
    ]
    if rest := body[9 + lost :]:
        parts.append((S, rest))
    found = drive(http2(), [*parts, (S, frame(DATA, END_STREAM, 3, b""))])
    bodies = {item.h2_stream: item.body for item in responses(found)}
    assert f"{lost} byte" in (bodies[1].problem or "")
    assert bodies[1].wire_size == 10 - lost
    assert (bodies[3].text, bodies[3].problem) == ("three", None)


def test_a_hole_of_one_byte_more_than_the_frame_loses_the_framing() -> None:
    server = Encoder()
    body = frame(DATA, END_STREAM, 1, b"0123456789")
    parts: list[Part] = [
        (C, START + frame(HEADERS, 5, 1, Encoder().encode(GET))),
        (S, SERVER_START + frame(HEADERS, 4, 1, server.encode(OK)) + body[:9]),
        (S, 11),
        (S, frame(DATA, END_STREAM, 1, b"0123456789")[10:]),
    ]
    (response,) = responses(drive(http2(), parts))
    assert "not captured" in (response.body.problem or "")
    assert response.body.data == b""


def test_a_hole_of_unknown_size_within_a_frame_loses_the_framing() -> None:
    """What follows may be anything, so the next frame is looked for where a chunk begins."""
    client, server = Encoder(), Encoder()
    asked = b"".join(frame(HEADERS, 5, n, client.encode(GET)) for n in (1, 3))
    begun = frame(HEADERS, 4, 1, server.encode(OK)) + frame(DATA, END_STREAM, 1, b"x" * 5000)[:12]
    parts: list[Part] = [
        (C, START + asked),
        (S, SERVER_START + begun),
        (S, 0),
        (S, frame(HEADERS, 5, 3, server.encode([(":status", "404")]))),
    ]
    found = {item.h2_stream: item for item in responses(drive(http2(), parts))}
    assert (found[3].status, found[1].body.data) == (404, b"xxx")
    assert "not captured" in (found[1].body.problem or "")


# ------------------------------------------------------------------ table sizes


def big(number: int, size: int = 5000) -> list[tuple[str, str]]:
    return [*GET, ("x-big", str(number) * size)]


def test_a_smaller_table_binds_once_it_is_acknowledged() -> None:
    """RFC 9113 §6.5.3: the client goes on with the old size until it has processed the SETTINGS,
    and says so by an ACK; what it refers to before is still in its table."""
    client = Encoder()
    client.header_table_size = 65536
    before = [client.encode(big(1)), client.encode(big(1))]
    assert len(before[1]) < 20  # the second is made of references
    client.header_table_size = 1024
    after = [client.encode(GET), client.encode(GET)]
    parts: list[Part] = [
        (S, setting(TABLE_SIZE, 65536)),
        (C, START + frame(HEADERS, 5, 1, before[0])),
        (S, setting(TABLE_SIZE, 1024)),
        (C, frame(HEADERS, 5, 3, before[1])),
        (C, frame(4, 1, 0) + frame(HEADERS, 5, 5, after[0]) + frame(HEADERS, 5, 7, after[1])),
    ]
    found = drive(http2(), parts)
    assert kinds(found) == []
    values = {item.h2_stream: item.headers.get("x-big") for item in requests(found)}
    assert values == {1: "1" * 5000, 3: "1" * 5000, 5: None, 7: None}
    assert {item.host for item in requests(found)} == {"login.example"}


@pytest.mark.parametrize("size", [0, 1, 4095])
def test_a_table_smaller_than_the_default_binds_late_too(size: int) -> None:
    client = Encoder()
    blocks = [client.encode(GET), client.encode(GET)]
    parts: list[Part] = [
        (C, START + frame(HEADERS, 5, 1, blocks[0])),
        (S, setting(TABLE_SIZE, size)),
        (C, frame(HEADERS, 5, 3, blocks[1])),
    ]
    found = drive(http2(), parts)
    assert kinds(found) == []
    assert [item.path for item in requests(found)] == ["/common/oauth2"] * 2


def test_what_a_side_announces_binds_the_other() -> None:
    """RFC 7541 §4.2: a size above what the peer allows is an error; one's own SETTINGS allow the
    peer, not oneself."""
    client = Encoder()
    client.header_table_size = 65536
    block = client.encode(big(1))
    own = drive(http2(), [(C, START + setting(TABLE_SIZE, 65536) + frame(HEADERS, 5, 1, block))])
    assert kinds(own) == ["http2.header_block"]
    peers = drive(
        http2(), [(S, setting(TABLE_SIZE, 65536)), (C, START + frame(HEADERS, 5, 1, block))]
    )
    assert kinds(peers) == []


@pytest.mark.parametrize(("size", "fine"), [(4096, True), (4097, False)])
def test_the_size_before_any_settings(size: int, fine: bool) -> None:
    """RFC 9113 §6.5.2: the initial value is 4096 octets."""
    client = Encoder()
    client.header_table_size = 100
    client.header_table_size = size  # both updates are written before the next block
    found = drive(http2(), [(C, START + frame(HEADERS, 5, 1, client.encode(GET)))])
    assert (kinds(found) == []) == fine


def test_a_table_is_bounded_whatever_settings_allow() -> None:
    """SETTINGS may allow 4 GB; a side that really uses more than the bound is not followed."""
    for size, fine in ((MAX_TABLE, True), (MAX_TABLE + 1, False)):
        blocks = HeaderBlocks(complete=True)
        blocks.allow((1 << 32) - 1)
        client = Encoder()
        client.header_table_size = size
        fields, problem = blocks.decode(client.encode(GET))
        assert (problem is None) == fine
        assert bool(fields) == fine


def test_an_entry_that_was_never_added_is_reported_where_the_beginning_is_known() -> None:
    """RFC 7541 §2.3.3: an index beyond both tables is an error; of a connection whose beginning
    was not captured it is only unknown."""
    entry = b"\xbe"  # index 62, the first of the dynamic table
    for complete in (True, False):
        blocks = HeaderBlocks(complete=complete)
        fields, problem = blocks.decode(b"\x82" + entry)
        assert fields[0] == (b":method", b"GET")
        assert fields[1][0] not in (b"", b":method")
        assert (problem is not None) == complete
    # Index 0 is an error in either case.
    assert HeaderBlocks(complete=False).decode(b"\x80")[1] is not None


# ------------------------------------------------------------------ sizes of frames and blocks


@pytest.mark.parametrize("more", [0, 1])
def test_frames_up_to_the_announced_size(more: int) -> None:
    """RFC 9113 §4.2: 16384 bytes unless the peer's SETTINGS_MAX_FRAME_SIZE allows more."""
    ask = START + frame(HEADERS, 4, 1, Encoder().encode(POST))
    body = frame(DATA, END_STREAM, 1, bytes(DEFAULT_FRAME_SIZE + more))
    found = drive(http2(), [(C, ask + body)])
    assert (kinds(found) == []) == (not more)
    allowed = drive(http2(), [(S, setting(FRAME_SIZE, DEFAULT_FRAME_SIZE + 1)), (C, ask + body)])
    assert kinds(allowed) == []
    # A smaller value than before binds late, too.
    smaller = [(S, setting(FRAME_SIZE, DEFAULT_FRAME_SIZE + 1)), (S, setting(FRAME_SIZE, 16384))]
    assert kinds(drive(http2(), [*smaller, (C, ask + body)])) == []


@pytest.mark.parametrize("more", [0, 1])
@pytest.mark.parametrize("continued", [False, True])
def test_the_largest_header_block(more: int, continued: bool) -> None:
    block = Encoder().encode(GET)
    # Literal fields without indexing (RFC 7541 §6.2.2), to the byte.
    room = MAX_HEADER_BLOCK + more - len(block)
    pad = b""
    while room - len(pad) > 100:
        pad += b"\0\1x\x5fy" + b"y" * 94
    left = room - len(pad)
    pad += b"\0\1x" + bytes([left - 4]) + b"y" * (left - 4)
    block += pad
    assert len(block) == MAX_HEADER_BLOCK + more
    if continued:
        first, rest = block[:16000], block[16000:]
        frames = frame(HEADERS, 1, 1, first)
        while rest:
            part, rest = rest[:16000], rest[16000:]
            frames += frame(CONTINUATION, 0 if rest else 4, 1, part)
    else:
        frames = frame(HEADERS, 5, 1, block)
    allow = setting(FRAME_SIZE, 1 << 20)
    found = drive(http2(), [(S, allow), (C, START + frames)])
    assert ("http2.header_block" in kinds(found)) == bool(more)
    assert bool(requests(found)) == (not more)

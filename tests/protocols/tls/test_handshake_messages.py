"""Handshake messages out of records, the session hash, and how long answers took."""

from __future__ import annotations

import hashlib

import pytest

from dissect.errors import ProtocolError
from dissect.model import Span
from dissect.protocols.tls.handshake_messages import (
    MAX_MESSAGE,
    MAX_TRANSCRIPT,
    MessageReader,
    Transcript,
)
from dissect.protocols.tls.timing import MAX_TRIPS, RoundTrips

CLIENT_HELLO, SERVER_HELLO_DONE, FINISHED = 1, 14, 20  # RFC 5246 §7.4
TLS10, TLS12 = 0x0301, 0x0303


def message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


FLIGHT = [(CLIENT_HELLO, b"hello"), (SERVER_HELLO_DONE, b""), (FINISHED, bytes(12))]


def taken(reader: MessageReader) -> list[tuple[int, bytes]]:
    return list(iter(reader.take, None))


@pytest.mark.parametrize("size", [1, 3, 4, 5, 7, 1000])
def test_messages_whatever_the_records(size: int) -> None:
    """RFC 5246 §6.2.1: a message may span records, and a record hold several."""
    data = b"".join(message(*item) for item in FLIGHT)
    reader, found = MessageReader(), []
    for at in range(0, len(data), size):
        reader.feed(memoryview(data)[at : at + size])
        found += taken(reader)
    assert found == FLIGHT
    assert reader.begun == b""


def test_what_is_begun_can_be_forgotten() -> None:
    reader = MessageReader()
    reader.feed(message(CLIENT_HELLO, b"hello")[:-1])
    assert reader.take() is None
    assert reader.begun == message(CLIENT_HELLO, b"hello")[:-1]
    reader.clear()
    reader.feed(message(SERVER_HELLO_DONE, b""))
    assert taken(reader) == [(SERVER_HELLO_DONE, b"")]


def test_a_message_of_an_unknown_type_drops_what_follows_in_it() -> None:
    reader = MessageReader()
    reader.feed(message(99, b"x"))
    with pytest.raises(ProtocolError):
        reader.take()
    assert reader.take() is None


@pytest.mark.parametrize("size", [5, 1000])
def test_one_that_is_too_large_is_passed_over_and_the_next_is_read(size: int) -> None:
    large = message(CLIENT_HELLO, bytes(MAX_MESSAGE + 1)) + message(FINISHED, b"end")
    reader, refused, found = MessageReader(), 0, []
    held = 0
    step = max(size, len(large) // 997)
    for at in range(0, len(large), step):
        reader.feed(large[at : at + step])
        held = max(held, len(reader.begun))
        try:
            found += taken(reader)
        except ProtocolError:
            refused += 1
            found += taken(reader)
    assert (refused, found) == (1, [(FINISHED, b"end")])
    assert held <= 2 * step + 4  # it is not kept


def test_the_session_hash() -> None:
    """RFC 7627 §3: the hash of all handshake messages, headers included, up to the key exchange;
    before TLS 1.2 MD5 and SHA-1 one after the other."""
    sent = b"".join(message(*item) for item in FLIGHT)
    transcript = Transcript()
    for item in FLIGHT:
        transcript.add(*item)
    assert transcript.digest(TLS12, "sha256") is None  # not until the key exchange
    transcript.seal()
    transcript.add(FINISHED, b"later")
    assert transcript.digest(TLS12, "sha256") == hashlib.sha256(sent).digest()
    assert transcript.digest(TLS12, "sha384") == hashlib.sha384(sent).digest()
    both = hashlib.md5(sent).digest() + hashlib.sha1(sent).digest()
    assert transcript.digest(TLS10, "sha256") == both


def test_a_transcript_that_is_not_whole_has_no_hash() -> None:
    transcript = Transcript()
    transcript.add(CLIENT_HELLO, bytes(MAX_TRANSCRIPT))
    transcript.add(FINISHED, b"x")
    transcript.seal()
    assert transcript.digest(TLS12, "sha256") is None


def at(ns: int) -> Span:
    return Span(1, ns, 1, ns)


def test_round_trips_are_of_flights() -> None:
    """From the last record of the client's flight to the first of the server's answer."""
    trips = RoundTrips()
    for role, ns in ((1, 5), (0, 10), (0, 20), (1, 50), (1, 60), (0, 70), (1, 71)):
        trips.note(role, at(ns))
    assert trips.found_ns == [30, 1]
    trips.note(0, at(90))
    trips.note(1, at(80))  # captured in the wrong order
    assert trips.found_ns == [30, 1]
    trips.stop()
    trips.note(0, at(100))
    trips.note(1, at(200))
    assert trips.found_ns == [30, 1]


def test_round_trips_are_bounded() -> None:
    trips = RoundTrips()
    for n in range(2 * MAX_TRIPS):
        trips.note(0, at(10 * n))
        trips.note(1, at(10 * n + 3))
    assert trips.found_ns == [3] * MAX_TRIPS

"""Records that are lost or damaged: what opens again behind them, and what is reported of it.

Troubles 22, 28 and 36: a bad tag amid good ones is damage of the capture, not a wrong
secret, and the key stream of RC4 is found again behind a loss.
"""

from __future__ import annotations

import random
import ssl
import tempfile
from functools import cache
from pathlib import Path

import pytest

from dissect.protocols.tls.mac_ciphers import MAX_KEY_STREAM, Mac, StreamOpener
from dissect.protocols.tls.secret_store import SecretStore

from ..drive import C, Part, S, hole
from .gnutls_peers import needs_gnutls, priority, talk
from .peers import Peers, Recorded, Seen, look, store_of

LINES = b"".join(b"line %d %s\n" % (number, b"z" * (number * 37 % 2000)) for number in range(120))
MAC = 20  # bytes that SHA-1 adds to a record
TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@cache
def rc4() -> Recorded:
    """GnuTLS's tools talk 110 KB each way in some thirty records."""
    folder = Path(tempfile.mkdtemp(prefix="tls-rc4-"))
    allowed = priority("TLS 1.2", "ECDHE-RSA", "ARCFOUR-128", "SHA1")
    return talk(folder, allowed, text=LINES)


def spans(parts: list[Part], direction: int) -> list[tuple[int, int, int]]:
    """(type, start, end) of the records of one direction."""
    stream = b"".join(flight for way, flight in parts if way == direction)  # type: ignore[misc]
    found, at = [], 0
    while at < len(stream):
        end = at + 5 + int.from_bytes(stream[at + 3 : at + 5])
        found.append((stream[at], at, end))
        at = end
    return found


def without(parts: list[Part], direction: int, start: int, end: int) -> list[Part]:
    """The parts with the bytes `start` to `end` of one direction lost."""
    out: list[Part] = []
    at = 0
    for way, flight in parts:
        if way != direction:
            out.append((way, flight))
            continue
        assert isinstance(flight, bytes)
        low, high = max(0, min(start - at, len(flight))), max(0, min(end - at, len(flight)))
        out += [(way, flight[:low])] * (low > 0) + [(way, high - low)] * (high > low)
        out += [(way, flight[high:])] * (high < len(flight))
        at += len(flight)
    return out


def flipped(parts: list[Part], direction: int, where: int) -> list[Part]:
    """The parts with a bit of one byte of one direction turned."""
    out: list[Part] = []
    at = 0
    for way, flight in parts:
        assert isinstance(flight, bytes)
        if way == direction:
            if at <= where < at + len(flight):
                changed = bytearray(flight)
                changed[where - at] ^= 4
                flight = bytes(changed)
            at += len(flight)
        out.append((way, flight))
    return out


# ------------------------------------------------------------------ RC4


@needs_gnutls
@pytest.mark.parametrize("direction", [C, S])
@pytest.mark.parametrize(
    ("first", "count", "from_within"), [(8, 1, 0), (8, 1, 3), (9, 4, 2000), (7, 12, 4), (12, 3, 5)]
)
def test_key_stream_of_rc4_is_found_again(
    direction: int, first: int, count: int, from_within: int
) -> None:
    """Whole records, and holes that begin in a header or in the midst of a record."""
    recorded = rc4()
    assert look(recorded.parts, store_of(recorded.keys)).got == recorded.sent
    found = spans(recorded.parts, direction)
    data = [span for span in found if span[0] == 23]
    start, end = data[first][1] + from_within, data[first + count][1] + 3
    seen = look(without(recorded.parts, direction, start, end), store_of(recorded.keys))
    sizes = [end - start - 5 - MAC for _, start, end in data]
    assert sum(sizes) == len(LINES)
    kept = LINES[: sum(sizes[:first])] + LINES[sum(sizes[: first + count + 1]) :]
    assert seen.got[direction] == kept
    assert seen.got[direction ^ 1] == LINES
    assert (seen.row.decrypted, seen.row.reason) == ("partial", "lost_segment")


@needs_gnutls
def test_rc4_after_losses_of_any_size_and_place() -> None:
    recorded = rc4()
    total = sum(len(flight) for _, flight in recorded.parts if isinstance(flight, bytes))
    choose = random.Random(5)
    for _ in range(40):
        start, length = choose.randrange(total), choose.choice((1, 4, 37, 900, 5000, 30000))
        seen = look(hole(recorded.parts, start, length), store_of(recorded.keys))
        for got in seen.got:
            same = next(
                (at for at, pair in enumerate(zip(got, LINES, strict=False)) if len(set(pair)) > 1),
                len(got),
            )
            assert LINES.endswith(got[same:])
        if seen.got != recorded.sent:
            assert seen.row.reason == "lost_segment"


@needs_gnutls
def test_change_to_rc4_lost() -> None:
    """With the change of cipher the Finished was lost, whose size is known."""
    recorded = rc4()
    (change,) = [span for span in spans(recorded.parts, S) if span[0] == 20]
    finished = next(span for span in spans(recorded.parts, S) if span[1] == change[2])
    for end in (change[2], finished[2]):
        seen = look(without(recorded.parts, S, change[1], end), store_of(recorded.keys))
        assert seen.got == recorded.sent


@needs_gnutls
def test_damage_does_not_stop_rc4() -> None:
    recorded = rc4()
    data = [span for span in spans(recorded.parts, S) if span[0] == 23]
    seen = look(flipped(recorded.parts, S, data[3][1] + 700), store_of(recorded.keys))
    assert seen.got == (LINES, LINES[: 3 * 4095] + LINES[4 * 4095 :])
    assert (seen.row.decrypted, seen.row.reason) == ("partial", "damaged_record")
    assert seen.kinds == ["tls.bad_tag"]


def test_key_stream_is_bounded() -> None:
    opener = StreamOpener(bytes(16), Mac("sha1", bytes(20), ssl3=False))
    opener.restart(b"", MAX_KEY_STREAM + 1)
    assert not opener.locate(b"\x17\x03\x03\x00\x40", bytes(64), 4096)


# ------------------------------------------------------------------ NULL ciphers


def test_null_cipher_without_a_secret_goes_on_behind_a_loss() -> None:
    session, _ = Peers(TLS12, "ECDHE-ECDSA-NULL-SHA").talk(
        [(C, b"one" * 300), (C, b"two" * 300), (C, b"three" * 300), (C, b"four" * 300)]
    )
    data = [span for span in spans(session.wire, C) if span[0] == 23]
    parts = without(session.wire, C, data[1][1] + 2, data[2][1] + 2)
    seen = look(parts, store_of())
    assert seen.got[C] == b"one" * 300 + b"four" * 300
    assert seen.row.reason == "lost_segment"


# ------------------------------------------------------------------ damage

SUITES = [
    (TLS13, None),
    (TLS12, "ECDHE-ECDSA-AES128-GCM-SHA256"),
    (TLS12, "ECDHE-ECDSA-CHACHA20-POLY1305"),
    (TLS12, "ECDHE-ECDSA-AES256-SHA"),
]


def damaged(seen: Seen, frame_words: str) -> None:
    assert (seen.row.decrypted, seen.row.reason) == ("partial", "damaged_record")
    assert frame_words in (seen.row.sentence or "")
    assert set(seen.kinds) == {"tls.bad_tag"}


@pytest.mark.parametrize(("version", "ciphers"), SUITES)
@pytest.mark.parametrize("direction", [C, S])
def test_first_protected_record_damaged(
    version: ssl.TLSVersion, ciphers: str | None, direction: int
) -> None:
    """Of TLS 1.2 the Finished; of TLS 1.3 what the server sends first, the client's Finished."""
    session, _ = Peers(version, ciphers).talk(((C, b"ping" * 99), (S, b"pong" * 99)))
    found = spans(session.wire, direction)
    change = next(at for at, span in enumerate(found) if span[0] == 20)
    _, start, _ = found[change + 1]
    seen = look(flipped(session.wire, direction, start + 12), store_of(session.keys))
    assert seen.got == session.plaintext
    damaged(seen, f"the first of them record {change + 2} in frame")


@pytest.mark.parametrize("count", [1, 5, 8])
def test_several_records_damaged(count: int) -> None:
    talked = [(S, b"%d " % number * 100) for number in range(20)]
    session, _ = Peers(TLS13).talk(talked)
    parts = session.wire
    data = [span for span in spans(parts, S) if span[0] == 23][-15:]
    for _, start, _ in data[:count]:
        parts = flipped(parts, S, start + 40)
    seen = look(parts, store_of(session.keys))
    damaged(seen, f"{count} of")
    assert seen.got[S].endswith(b"".join(text for _, text in talked[-6:]))


def test_all_records_damaged_from_one_on() -> None:
    session, _ = Peers(TLS13).talk([(S, b"%d " % number * 100) for number in range(30)])
    parts = session.wire
    for _, start, _ in [span for span in spans(parts, S) if span[0] == 23][-20:]:
        parts = flipped(parts, S, start + 40)
    seen = look(parts, store_of(session.keys))
    damaged(seen, "the secret is right")
    assert seen.kinds.count("tls.bad_tag") == 9


def test_a_wrong_secret_is_still_one() -> None:
    session, _ = Peers(TLS12, SUITES[1][1]).talk()
    other, _ = Peers(TLS12, SUITES[1][1]).talk()
    label, random_of, _ = session.keys.split()[-3:]
    keys = f"{label} {random_of} {other.keys.split()[-1]}"
    seen = look(session.wire, store_of(keys))
    assert (seen.row.decrypted, seen.row.reason) == ("none", "wrong_secret")
    assert seen.kinds == []


# ------------------------------------------------------------------ found and lost again


def shuffled(seed: int) -> list[Part]:
    """A server's stream that no key opens: records, text between them, headers that lie."""
    pick = random.Random(seed)
    stream = b"\x17\x03\x03\x00\x05hello"
    for _ in range(pick.randrange(10, 60)):
        body = pick.randbytes(pick.choice((1, 30, 300)))
        whole = b"\x17\x03\x03" + len(body).to_bytes(2) + body
        lie = b"\x17\x03\x03" + pick.choice((5, 2000, 5000)).to_bytes(2)
        stream += pick.choice((whole, whole * 2, whole * 3, lie, b"GET / and no record"))
    parts: list[Part] = []
    at = 0
    while at < len(stream):
        size = pick.choice((1, 20, 100, 100, 300))
        lost = pick.random() < 0.01
        piece = stream[at : at + size]
        parts.append((S, len(piece) if lost else piece))
        at += size
    return parts


@pytest.mark.parametrize("start", range(0, 1000, 100))
def test_records_found_and_lost_again_are_looked_for_anew(start: int) -> None:
    """Each time the search has found a record, and what follows it, in bytes that are already
    there, is none again. It was an error in one stream of twenty such."""
    for seed in range(start, start + 100):
        row = look(shuffled(seed), SecretStore()).row
        assert row.decrypted == "none", seed


def test_record_numbers_are_tried_to_a_bound_of_the_capture() -> None:
    """What a loss swallowed whole is found again by trying; the trials of all connections
    together are bounded, and each byte of TLS adds some."""
    session, _ = Peers(TLS13).talk([(C, b"GET / " * 400)] * 8)
    at = [span for span in spans(session.wire, C) if span[0] == 23]
    lost = without(session.wire, C, at[2][1] + 7, at[4][1] + 2)
    seen = look(lost, store_of(session.keys))
    assert len(seen.got[C]) >= 3 * 2400
    store = store_of(session.keys)
    size = sum(len(flight) for way, flight in lost if way == C and isinstance(flight, bytes))
    store.trials = -size
    seen = look(lost, store)
    assert len(seen.got[C]) < 3 * 2400
    assert seen.row.reason == "lost_segment"
    assert "tries in this capture no more are made" in (seen.row.sentence or "")

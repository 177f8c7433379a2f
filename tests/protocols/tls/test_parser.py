"""The parser against cut, lost and damaged bytes of real connections."""

from __future__ import annotations

import gc
import random
import ssl
import weakref
from functools import cache
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissect.errors import ProtocolError
from dissect.model import Output, Span
from dissect.protocols.base import Layer
from dissect.protocols.tls.direction_state import MAX_TRIALS
from dissect.protocols.tls.parser import TlsParser
from dissect.protocols.tls.protection import Tls13Opener
from dissect.protocols.tls.secret_store import SecretStore

from ..drive import CONNECTION, C, Part, S, bytewise, drive, hole
from .peers import Peers, Recorder, Seen, Session, look, store_of

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
CHUNK = 1000  # about a segment
# Requests and answers of which each byte tells where it stood.
TALK = tuple(
    (direction, b"".join(b"%d:%d:%d;" % (number, direction, at) for at in range(900)))
    for number in range(3)
    for direction in (C, S)
)


@cache
def recorded(version: ssl.TLSVersion, ciphers: str | None = None) -> Session:
    kind = "rsa" if version is ssl.TLSVersion.TLSv1 else "ec"
    return Peers(version, ciphers, kind).talk(TALK)[0]


SUITES = [
    (TLS13, None),
    (TLS12, "ECDHE-ECDSA-AES128-GCM-SHA256"),
    (TLS12, "ECDHE-ECDSA-CHACHA20-POLY1305"),
    (TLS12, "ECDHE-ECDSA-AES256-SHA"),
    (ssl.TLSVersion.TLSv1, "ECDHE-RSA-AES256-SHA"),
]
old_versions = pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")


def pieces(wire: list[Part], size: int) -> list[Part]:
    out: list[Part] = []
    for direction, content in wire:
        assert isinstance(content, bytes)
        out += [(direction, content[at : at + size]) for at in range(0, len(content), size)]
    return out


def without(parts: list[Part], number: int) -> list[Part]:
    """The parts with one of them lost."""
    direction, content = parts[number]
    assert isinstance(content, bytes)
    return [*parts[:number], (direction, len(content)), *parts[number + 1 :]]


def first_data(parts: list[Part], direction: int) -> int:
    """The first part of a direction behind both sides' handshakes."""
    sent = 0
    for number, (sender, content) in enumerate(parts):
        assert isinstance(content, bytes)
        if sender == direction:
            sent += len(content)
        if sent > 4000:
            return number
    raise AssertionError("the recorded session is too short")


def is_in_order(part: bytes, whole: bytes) -> bool:
    """Whether `part` is `whole` with stretches left out."""
    at = 0
    for token in part.split(b";"):
        at = whole.find(token, at)
        if at < 0:
            return False
    return True


# ------------------------------------------------------------------ cut anywhere


@old_versions
@pytest.mark.parametrize(("version", "ciphers"), SUITES)
def test_byte_by_byte(version: ssl.TLSVersion, ciphers: str | None) -> None:
    session = recorded(version, ciphers)
    whole = look(session.wire, store_of(session.keys))
    seen = look(bytewise(session.wire), store_of(session.keys))
    assert seen.got == whole.got == session.plaintext
    assert seen.row.decrypted == "full"


@given(st.lists(st.integers(1, 4000), min_size=1, max_size=60), st.sampled_from(SUITES[:4]))
@settings(max_examples=40, deadline=None)
def test_cut_at_random(sizes: list[int], suite: tuple[ssl.TLSVersion, str | None]) -> None:
    session = recorded(*suite)
    parts: list[Part] = []
    for direction, content in session.wire:
        assert isinstance(content, bytes)
        at = 0
        for size in sizes:
            if content[at : at + size]:
                parts.append((direction, content[at : at + size]))
            at += size
        if content[at:]:
            parts.append((direction, content[at:]))
    assert look(parts, store_of(session.keys)).got == session.plaintext


def rerecorded(flight: bytes, size: int) -> bytes:
    """The same handshake messages in records of `size` bytes; the rest as it was."""
    out, messages, header = b"", b"", b""

    def flush() -> None:
        nonlocal out, messages
        for at in range(0, len(messages), size):
            piece = messages[at : at + size]
            out += header[:3] + len(piece).to_bytes(2) + piece
        messages = b""

    at, clear = 0, True
    while at < len(flight):
        end = at + 5 + int.from_bytes(flight[at + 3 : at + 5])
        if flight[at] == 22 and clear:
            header = flight[at : at + 5]
            messages += flight[at + 5 : end]
        else:
            flush()
            clear = False
            out += flight[at:end]
        at = end
    flush()
    return out


@pytest.mark.parametrize("size", range(1, 65))
def test_handshake_messages_in_records_of_any_size(size: int) -> None:
    """Behind its ChangeCipherSpec a flight is protected and must stay as it is."""
    session = recorded(TLS12, "ECDHE-ECDSA-AES128-GCM-SHA256")
    wire = [
        (direction, rerecorded(content, size)) if number < 4 and b"\x14\x03" not in content[:1]
        else (direction, content)
        for number, (direction, content) in enumerate(session.wire)
        if isinstance(content, bytes)
    ]  # fmt: skip
    assert sum(len(content) for _, content in wire) > sum(len(c) for _, c in session.wire)  # type: ignore[arg-type]
    seen = look(wire, store_of(session.keys))
    assert seen.got == session.plaintext
    assert (seen.row.decrypted, seen.kinds) == ("full", [])
    assert seen.row.certificates


def test_spans_of_records() -> None:
    session = recorded(TLS13)
    parts = pieces(session.wire, 100)
    seen = look(parts, store_of(session.keys))
    (child,) = seen.children
    for span in child.spans:
        assert span.first_frame < span.last_frame  # no record fits into one piece
        assert (span.first_ns, span.last_ns) == (span.first_frame * 1000, span.last_frame * 1000)
    # The last byte of each answer came with the last piece of its flight.
    last_of_flight = [
        number + 1 for number in range(len(parts) - 1) if parts[number][0] != parts[number + 1][0]
    ]
    ends = [span.last_frame for span in child.spans]
    assert ends == [frame for frame in last_of_flight if frame >= ends[0]][: len(ends)]


# ------------------------------------------------------------------ order of capture


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_answers_captured_before_their_questions(version: ssl.TLSVersion) -> None:
    """Mirror ports swap frames of the two directions."""
    session = recorded(version)
    for number in range(5):
        wire = list(session.wire)
        wire[number], wire[number + 1] = wire[number + 1], wire[number]
        seen = look(wire, store_of(session.keys))
        assert seen.row.decrypted == "full", f"flights {number} and {number + 1} swapped"
        assert seen.got == session.plaintext


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_one_direction_after_the_other(version: ssl.TLSVersion) -> None:
    session = recorded(version)
    for order in ((0, 1), (1, 0)):
        wire = [part for sender in order for part in session.wire if part[0] == sender]
        seen = look(wire, store_of(session.keys))
        assert seen.got == session.plaintext
        assert seen.row.decrypted == "full"


# ------------------------------------------------------------------ lost bytes


def lost_in_data(seen: Seen, session: Session, direction: int) -> None:
    sent = session.plaintext
    assert seen.got[direction ^ 1] == sent[direction ^ 1]
    part = seen.got[direction]
    assert 0 < len(part) < len(sent[direction])
    assert is_in_order(part, sent[direction])
    assert part.endswith(sent[direction][-500:]), "what came behind the loss was taken up again"
    assert ("gap", direction, 0) in seen.children[0].calls
    assert (seen.row.decrypted, seen.row.reason) == ("partial", "lost_segment")


@old_versions
@pytest.mark.parametrize(("version", "ciphers"), SUITES)
@pytest.mark.parametrize("direction", [C, S])
def test_a_lost_segment_costs_only_its_records(
    version: ssl.TLSVersion, ciphers: str | None, direction: int
) -> None:
    session = recorded(version, ciphers)
    parts = pieces(session.wire, CHUNK)
    lost_in_data(look(without(parts, first_data(parts, direction)), store_of(session.keys)),
                 session, direction)  # fmt: skip


@old_versions
@pytest.mark.parametrize(("version", "ciphers"), SUITES)
def test_lost_headers(version: ssl.TLSVersion, ciphers: str | None) -> None:
    """How long the record was is unknown, so the next one is searched for; where records
    chain, its IV is in the bytes before it."""
    session = recorded(version, ciphers)
    first, second, third = (
        at
        for at, (sender, flight) in enumerate(session.wire)
        if sender == S and isinstance(flight, bytes) and len(flight) > 6000
    )
    flight = session.wire[second][1]
    assert isinstance(flight, bytes)
    parts: list[Part] = [*session.wire[:second], (S, 200), (S, flight[200:])]
    seen = look([*parts, *session.wire[second + 1 :]], store_of(session.keys))
    sent = session.plaintext[S]
    size = len(sent) // 3
    assert first < second < third
    assert seen.got == (session.plaintext[C], sent[:size] + sent[2 * size :])


@pytest.mark.parametrize(("version", "ciphers"), SUITES[:4])
def test_losses_of_any_size_and_place(version: ssl.TLSVersion, ciphers: str | None) -> None:
    """Also whole records, headers, and records' ends: never bytes that weren't sent."""
    session = recorded(version, ciphers)
    total = sum(len(content) for _, content in session.wire if isinstance(content, bytes))
    choose = random.Random(7)
    for _ in range(60):
        start, length = choose.randrange(total), choose.choice((1, 4, 37, 900, 5000, 30000))
        seen = look(hole(session.wire, start, length), store_of(session.keys))
        for direction in (C, S):
            assert is_in_order(seen.got[direction], session.plaintext[direction])
        if seen.got != session.plaintext:
            assert seen.row.decrypted != "full"
            assert seen.row.reason is not None


def test_server_flight_of_tls13_lost() -> None:
    """The change to the application key was in the lost records: it is found by trial."""
    session = recorded(TLS13)
    flight = session.wire[1][1]
    assert isinstance(flight, bytes)
    hello = 5 + int.from_bytes(flight[3:5])
    for start in (hello + 6, hello + 20, len(flight) - 60):
        parts: list[Part] = [
            session.wire[0],
            (S, flight[:start]),
            (S, len(flight) - start),
            *session.wire[2:],
        ]
        seen = look(parts, store_of(session.keys))
        assert seen.got == session.plaintext
        assert (seen.row.decrypted, seen.row.reason) == ("partial", "lost_segment")


def test_change_of_cipher_of_tls12_lost() -> None:
    session = recorded(TLS12)
    change = b"\x14\x03\x03\x00\x01\x01"
    number = next(
        at
        for at, (sender, flight) in enumerate(session.wire)
        if sender == C and at and isinstance(flight, bytes) and change in flight
    )
    flight = session.wire[number][1]
    assert isinstance(flight, bytes)
    start = flight.index(change)
    parts: list[Part] = [*session.wire[:number], (C, flight[:start])]
    parts += [(C, len(flight) - start), *session.wire[number + 1 :]]
    assert look(parts, store_of(session.keys)).got == session.plaintext


def test_client_hello_cut_behind_its_random() -> None:
    session = recorded(TLS12)
    hello = session.wire[0][1]
    assert isinstance(hello, bytes)
    for kept in (43, 60, 120, len(hello) - 1):
        parts: list[Part] = [(C, hello[:kept]), (C, len(hello) - kept), *session.wire[1:]]
        seen = look(parts, store_of(session.keys))
        assert seen.got == session.plaintext, f"{kept} bytes of the hello captured"


# ------------------------------------------------------------------ damaged bytes


@old_versions
@pytest.mark.parametrize(("version", "ciphers"), SUITES)
@pytest.mark.parametrize("answer", [0, -1])
def test_a_flipped_bit_is_never_shown(
    version: ssl.TLSVersion, ciphers: str | None, answer: int
) -> None:
    """Its record is left out; those behind it are opened."""
    session = recorded(version, ciphers)
    answers = [
        at
        for at, (sender, flight) in enumerate(session.wire)
        if sender == S and isinstance(flight, bytes) and len(flight) > 6000
    ]
    number = answers[answer]
    flight = bytearray(session.wire[number][1])  # type: ignore[arg-type]
    flight[-30] ^= 1
    parts = [*session.wire[:number], (S, bytes(flight)), *session.wire[number + 1 :]]
    seen = look(parts, store_of(session.keys))
    assert seen.got[C] == session.plaintext[C]
    size = len(session.plaintext[S]) // 3
    kept = session.plaintext[S][size:] if answer == 0 else session.plaintext[S][: 2 * size]
    # Old versions split a record in two: the first byte alone (against a known attack).
    assert seen.got[S].removeprefix(session.plaintext[S][:1]) in (kept, kept[1:])
    assert (seen.row.decrypted, seen.row.reason) == ("partial", "damaged_record")
    assert "tls.bad_tag" in seen.kinds


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_hostile_bytes_raise_nothing(data: st.DataObject) -> None:
    """Damage anywhere: at worst anomalies and an unopened row, never other plaintext."""
    session = recorded(*data.draw(st.sampled_from(SUITES[:4])))
    wire = [(direction, bytearray(content)) for direction, content in session.wire]  # type: ignore[arg-type]
    for _ in range(data.draw(st.integers(1, 6))):
        _, content = wire[data.draw(st.integers(0, min(6, len(wire) - 1)))]
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    seen = look(
        [(direction, bytes(content)) for direction, content in wire], store_of(session.keys)
    )
    for direction in (C, S):
        assert is_in_order(seen.got[direction], session.plaintext[direction])


@given(st.lists(st.tuples(st.sampled_from([C, S]), st.binary(max_size=200)), max_size=20))
@settings(max_examples=60, deadline=None)
def test_noise_raises_nothing(noise: list[Part]) -> None:
    session = recorded(TLS13)
    look([*noise, *session.wire], store_of(session.keys))
    look([session.wire[0], *noise], store_of(session.keys))


def test_a_child_that_breaks_is_dropped() -> None:
    class Breaking(Recorder):
        def data(self, direction: int, view: bytes | memoryview, span: Span) -> Output:  # type: ignore[override]
            raise ProtocolError("http.broken", "no HTTP")

    session = recorded(TLS13)
    parser = TlsParser(Layer(CONNECTION, Breaking), store_of(session.keys))
    found = drive(parser, session.wire)
    kinds = [item.kind for item in found if hasattr(item, "kind")]
    assert kinds == ["http.broken"]
    assert found[-1].decrypted == "full"  # type: ignore[union-attr]


def test_what_has_ended_is_freed_at_once() -> None:
    """Keys, hellos and messages don't wait until the garbage collector looks for cycles."""

    def messages() -> int:
        return sum(isinstance(item, BytesIO) for item in gc.get_objects())

    session = recorded(TLS13)
    gc.disable()
    try:
        before = messages()
        parser = TlsParser(Layer(CONNECTION, Recorder), store_of(session.keys))
        drive(parser, session.wire)
        held = [weakref.ref(vars(parser)["_talk"]), *map(weakref.ref, vars(parser)["_states"])]
        del parser
        assert [ref() for ref in held] == [None] * 3
        assert messages() == before
    finally:
        gc.enable()


def test_nothing_shows_a_secret() -> None:
    session = recorded(TLS13)
    store = store_of(session.keys)
    seen = look(session.wire, store)
    values = {word for line in session.keys.splitlines() for word in line.split()[2:]}
    parser = TlsParser(Layer(CONNECTION, Recorder), store)
    list(parser.data(C, session.wire[0][1], Span(1, 1, 1, 1)))  # type: ignore[arg-type]
    shown = repr(store) + repr(parser) + repr(vars(parser)) + repr(vars(store)) + repr(seen.row)
    state = vars(parser)["_states"][0]
    shown += repr(vars(state)) + repr(vars(vars(parser)["_talk"]))
    assert not any(bytes.fromhex(value).hex() in shown for value in values if len(value) == 96)
    assert repr(SecretStore()) == "<SecretStore 0 secrets from 0 key logs>"


# ------------------------------------------------------------------ joined late


def joined_late(session: Session, flights: int, cut: int = 0) -> list[Part]:
    """The session without its first flights, and without the first bytes of the next two."""
    rest = session.wire[flights:]
    out: list[Part] = []
    for number, (direction, content) in enumerate(rest):
        assert isinstance(content, bytes)
        out.append((direction, content[cut:] if number < 2 else content))
    return out


@pytest.mark.parametrize("cut", [0, 100])
def test_tls13_without_its_beginning(cut: int) -> None:
    """Unused secrets are tried: a tag proves which one it is, and the record's number."""
    session = recorded(TLS13)
    other = Peers(TLS13).talk()[0]
    seen = look(joined_late(session, 6, cut), store_of(other.keys + session.keys))
    for direction in (C, S):
        part = seen.got[direction]
        assert 1000 < len(part) < len(session.plaintext[direction])
        assert session.plaintext[direction].endswith(part)
    assert (seen.row.version, seen.row.secret_source) == ("TLS 1.3", "log 1")
    assert seen.row.cipher_suite == "TLS_AES_256_GCM_SHA384"


def test_beginning_missing_and_no_secret_fits() -> None:
    other = Peers(TLS13).talk()[0]
    for version in (TLS12, TLS13):
        store = store_of(other.keys)
        before = store.guesses
        seen = look(joined_late(recorded(version), 6), store)
        assert seen.got == (b"", b"")
        assert (seen.row.decrypted, seen.row.reason) == ("none", "no_client_hello")
        # The close_notify of TLS 1.3 can't be determined from data.
        assert len(seen.row.record_sizes) == (4 if version is TLS12 else 6)
        assert store.guesses > before - 20_000


def test_guesses_are_bounded_for_the_whole_capture() -> None:
    store = store_of(Peers(TLS13).talk()[0].keys)
    for _ in range(200):
        look(joined_late(recorded(TLS12), 6), store)
    assert store.guesses < 0
    session = Peers(TLS13).talk()[0]
    store.add_key_log(session.keys.encode(), "more")
    assert look(session.wire, store).row.decrypted == "full"


def test_trials_after_a_loss_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many small records behind a loss that no key opens: the direction is given up."""
    session = recorded(TLS13)
    small = b"\x17\x03\x03\x00\x20" + bytes(32)
    parts: list[Part] = [*session.wire[:4], (S, 1_000_000)]
    parts += [(S, small * 100) for _ in range(60)]
    trials = 0
    open_at = Tls13Opener.open_at

    def counted(self: Tls13Opener, *arguments: object) -> object:
        nonlocal trials
        trials += 1
        return open_at(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Tls13Opener, "open_at", counted)
    seen = look(parts, store_of(session.keys))
    assert MAX_TRIALS / 2 < trials < 2 * MAX_TRIALS
    assert (seen.row.decrypted, seen.row.reason) == ("partial", "lost_segment")
    assert len(seen.row.record_sizes) > 1000  # still listed, from the headers

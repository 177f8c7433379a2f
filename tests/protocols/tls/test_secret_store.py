"""Key logs as programs and editors write them (RFC 9850)."""

from __future__ import annotations

import random
import ssl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissect.protocols.tls.secret_store import (
    CLIENT_RANDOM,
    MAX_ALTERNATIVES,
    SERVER_TRAFFIC,
    SESSION,
    SecretStore,
    TlsSession,
)

from .peers import Peers, look, store_of

RANDOM = "0a" * 32
OTHER = "1b" * 32
MASTER = "c2" * 48
LINE = f"CLIENT_RANDOM {RANDOM} {MASTER}"


def masters(store: SecretStore, random: str = RANDOM) -> list[str]:
    return [one.secret.hex() for one in store.lookup(CLIENT_RANDOM, bytes.fromhex(random))]


def added(text: bytes) -> tuple[SecretStore, list[str]]:
    store = SecretStore()
    return store, store.add_key_log(text, "a.keys")


SPELLINGS = {
    "LF": f"{LINE}\n",
    "CRLF": f"{LINE}\r\n",
    "CR": f"# first\r{LINE}\r",
    "no line end": LINE,
    "upper case": f"CLIENT_RANDOM {RANDOM.upper()} {MASTER.upper()}\n",
    "blank lines and comments": f"\n\n# Schlüssel für das Gerät\n{LINE}\n\n",
    "byte order mark": f"\ufeff{LINE}\n",
    "NUL padding": f"{LINE}\n\0\0\0\0",
    "tabs and spaces": f"  CLIENT_RANDOM\t{RANDOM}  {MASTER} \n",
    "unknown label": f"NEXT_SECRET {RANDOM} {MASTER}\n{LINE}\n",
}


@pytest.mark.parametrize("text", SPELLINGS.values(), ids=SPELLINGS)
def test_spellings(text: str) -> None:
    store, problems = added(text.encode())
    assert problems == []
    assert masters(store) == [MASTER]
    assert (store.count, store.randoms, store.origins) == (1, 1, ["a.keys"])


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16(encoding: str) -> None:
    """What a shell's `>` writes on some systems."""
    store, problems = added(f"\ufeff{LINE}\r\n".encode(encoding))
    assert (masters(store), problems) == ([MASTER], [])


@pytest.mark.parametrize("label", ["CLIENT_RANDOM", "EXPORTER_SECRET", "EARLY_EXPORTER_SECRET"])
def test_glued_lines(label: str) -> None:
    """Labels begin with letters that are hex digits too."""
    store, problems = added(f"{LINE}{label} {OTHER} {MASTER}\n".encode())
    assert masters(store) == [MASTER]
    assert store.labels_for(bytes.fromhex(OTHER)) == {label}
    assert problems == ["line 1: 2 secrets stand on one line, a line end is missing"]


BROKEN = {
    LINE[:-10]: "86 hex digits, not 96",
    LINE[:40]: "cut short",
    LINE + " 00": "more than three fields",
    f"CLIENT_RANDOM {RANDOM[:-2]} {MASTER}": "client random of CLIENT_RANDOM has 62 hex digits",
    f"CLIENT_RANDOM {RANDOM} {MASTER[:-1]}g": "not hexadecimal",
    f"client_random {RANDOM} {MASTER}": "no line of a key log",
    f"{MASTER}": "no line of a key log",
    f"SERVER_TRAFFIC_SECRET_0 {RANDOM} {'00' * 33}": "66 hex digits, not 64 or 96 or 128",
}


@pytest.mark.parametrize(("line", "problem"), BROKEN.items())
def test_broken_lines_are_counted_and_say_nothing(line: str, problem: str) -> None:
    other = f"CLIENT_RANDOM {OTHER} {MASTER}"
    store, (reported,) = added(f"{other}\n\n{line}\n".encode())
    assert store.count == 1
    assert reported.startswith("line 3: ")
    assert problem in reported
    assert not any(word in reported for word in (RANDOM[:16], MASTER[:16]))


def test_conflicting_lines_are_all_kept() -> None:
    store, problems = added(f"{LINE}\n{LINE}\n{LINE[:-2]}ff\n".encode())
    assert problems == []
    assert masters(store) == [MASTER, MASTER[:-2] + "ff"]
    text = "".join(f"{LINE[:-2]}{number:02x}\n" for number in range(MAX_ALTERNATIVES + 1))
    assert len(added(text.encode())[1]) == 1


def test_origins() -> None:
    store = SecretStore()
    store.add_key_log(LINE.encode(), "phone.keys")
    store.add_key_log(f"CLIENT_RANDOM {OTHER} {MASTER}".encode(), "phone.pcapng DSB 1")
    found = store.lookup(CLIENT_RANDOM, bytes.fromhex(OTHER))
    assert [one.origin for one in found] == ["phone.pcapng DSB 1"]
    assert store.origins == ["phone.keys", "phone.pcapng DSB 1"]


def test_a_line_split_over_two_logs_is_not_joined() -> None:
    store = SecretStore()
    assert store.add_key_log(LINE[:100].encode(), "DSB 1")
    assert store.add_key_log(LINE[100:].encode(), "DSB 2")
    assert store.count == 0


def test_sessions() -> None:
    store, problems = added(f"RSA Session-ID:0102 Master-Key:{MASTER.upper()}\n".encode())
    assert problems == []
    found = store.session(b"\1\2")
    assert found is not None
    assert found.master.hex() == MASTER
    assert store.lookup(SESSION, b"\1\2")
    store.remember_session(b"ticket", TlsSession(b"m", "a", 3))
    known = store.session(b"ticket")
    assert known is not None
    assert known.stream == 3
    assert store.session(b"") is None


def test_claims() -> None:
    store = store_of(f"{LINE}\nSERVER_TRAFFIC_SECRET_0 {OTHER} {'00' * 32}\n")
    assert [random for random, _ in store.unclaimed(SERVER_TRAFFIC)] == [bytes.fromhex(OTHER)]
    store.claim(bytes.fromhex(RANDOM), "login.test")
    store.claim(b"unknown", "other.test")
    assert (store.claimed, store.claimed_names) == (1, ("login.test",))


def test_order_of_lines_does_not_matter() -> None:
    peers = Peers(ssl.TLSVersion.TLSv1_3)
    sessions = [peers.talk(((0, b"%d" % number),))[0] for number in range(3)]
    lines = sessions[-1].keys.splitlines()
    choose = random.Random(5)
    for _ in range(20):
        choose.shuffle(lines)
        store = store_of("\n".join(lines))
        for session in sessions:
            assert look(session.wire, store).got == session.plaintext


@given(st.binary(max_size=300), st.integers(0, 400))
@settings(max_examples=100, deadline=None)
def test_anything_is_read(noise: bytes, at: int) -> None:
    text = f"{LINE}\nCLIENT_RANDOM {OTHER} {MASTER}\n".encode()
    store, problems = added(text[:at] + noise + text[at:])
    assert not any(MASTER[:16] in problem for problem in problems)
    assert MASTER not in repr(store)


@pytest.mark.parametrize("digits", [1, 7, 63])
def test_a_session_id_of_half_a_byte_is_reported(digits: int) -> None:
    line = f"RSA Session-ID:{'a' * digits} Master-Key:{MASTER}"
    store, problems = added(f"{line}\n{LINE}\n".encode())
    assert problems == ["line 1: the line of RSA is not hexadecimal"]
    assert masters(store)


@pytest.mark.parametrize("label", ["CLIENT_RANDOM", "EXPORTER_SECRET", "X", "RSA_"])
@pytest.mark.parametrize("size", [6, 16, 32])
def test_a_secret_glued_to_its_label_is_not_quoted(label: str, size: int) -> None:
    secret = ("3D9F" * 16)[:size]
    _, problems = added(f"{label}{secret} {RANDOM} x\n".encode())
    assert len(problems) == 1
    assert secret not in problems[0]
    _, problems = added(f"SERVER_TRAFIC_SECRET_0 {RANDOM} x\n".encode())
    assert problems == ["line 1: the label SERVER_TRAFIC_SECRET_0 is unknown"]

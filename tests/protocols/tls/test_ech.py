"""Encrypted Client Hello: what an observer sees is the outer hello.

The peers here don't speak it. TLS 1.3 derives no record key from what the observer sees,
so a real connection whose hello was exchanged for another one is what ECH looks like: the
secrets are logged for a client random that is not on the wire.
"""

from __future__ import annotations

import ssl

import pytest

from dissect.model import Direction
from dissect.protocols.tls.secret_store import SecretStore

from ..drive import C, Part, S
from .peers import SERVER_NAME, Peers, Session, look, store_of

TALK: tuple[tuple[Direction, bytes], ...] = (
    (C, b"GET / HTTP/1.1\r\n\r\n"),
    (S, b"x" * 40_000),
    (C, b"y"),
)


def outer(session: Session, kind: int = 0) -> list[Part]:
    """The session behind an outer hello (`kind` 0) or an inner one (1)."""
    (direction, flight), *rest = session.wire
    assert direction == C
    assert isinstance(flight, bytes)
    size = int.from_bytes(flight[3:5])
    hello, behind = bytearray(flight[9 : 5 + size]), flight[5 + size :]
    hello[2:34] = bytes(range(32))
    extension = b"\xfe\x0d\x00\x05" + bytes((kind,)) + b"\0\1\0\1"
    at = 35 + hello[34]
    at += 2 + int.from_bytes(hello[at : at + 2])
    at += 1 + hello[at]
    hello[at : at + 2] = (int.from_bytes(hello[at : at + 2]) + len(extension)).to_bytes(2)
    hello += extension
    message = b"\1" + len(hello).to_bytes(3) + bytes(hello)
    record = flight[:3] + len(message).to_bytes(2) + message
    return [(C, record + behind), *rest]


@pytest.fixture
def session() -> Session:
    return Peers(ssl.TLSVersion.TLSv1_3).talk(TALK)[0]


def test_outer_hello_is_named(session: Session) -> None:
    row = look(outer(session), SecretStore()).row
    assert (row.ech, row.server_name) == (True, SERVER_NAME)
    assert (row.decrypted, row.reason) == ("none", "no_secret_for_random")
    assert not look(session.wire, SecretStore()).row.ech
    assert not look(outer(session, 1), SecretStore()).row.ech


def test_secrets_of_the_inner_hello_are_found(session: Session) -> None:
    others = [Peers(ssl.TLSVersion.TLSv1_3).talk(TALK)[0].keys for _ in range(3)]
    seen = look(outer(session), store_of("\n".join([*others[:2], session.keys, others[2]])))
    assert seen.got == session.plaintext
    assert (seen.row.decrypted, seen.row.reason, seen.row.ech) == ("full", None, True)
    assert len(seen.row.certificates) == 1


def test_secrets_of_others_are_no_wrong_secrets(session: Session) -> None:
    """Browsers pretend to do ECH with every server: their logs must not look wrong."""
    others = Peers(ssl.TLSVersion.TLSv1_3).talk(TALK)[0]
    store = store_of(others.keys)
    row = look(outer(session), store).row
    assert (row.decrypted, row.reason) == ("none", "no_secret_for_random")
    assert look(others.wire, store).row.decrypted == "full"


def test_without_ech_nothing_is_guessed(session: Session) -> None:
    row = look(outer(session, 1), store_of(session.keys)).row
    assert (row.decrypted, row.reason) == ("none", "no_secret_for_random")

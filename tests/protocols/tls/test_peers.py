"""Connections of real peers, recorded here: the plaintext is what the peers sent."""

from __future__ import annotations

import ssl

import pytest

from dissect.protocols.tls.secret_store import SecretStore

from .peers import NOT_AFTER, NOT_BEFORE, SERVER_NAME, Peers, look, store_of

BIG = bytes(range(256)) * 256  # 64 KiB: several records
TALK = ((0, b"GET / HTTP/1.1\r\n\r\n"), (1, BIG), (0, b"x"), (1, b""), (1, b"bye"))
TALK = tuple(one for one in TALK if one[1])

TLS12 = {
    "ec": [
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-ECDSA-AES256-CCM",
        "ECDHE-ECDSA-AES128-CCM8",
        "ECDHE-ECDSA-AES256-SHA384",
        "ECDHE-ECDSA-AES128-SHA256",
        "ECDHE-ECDSA-AES256-SHA",
        "ECDHE-ECDSA-CAMELLIA256-SHA384",
    ],
    "rsa": [
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES128-SHA",
        "AES256-GCM-SHA384",
        "AES128-CCM8",
        "AES256-SHA256",
        "AES128-SHA",
        "NULL-SHA256",
    ],
}
PAIRS = [(kind, cipher) for kind, ciphers in TLS12.items() for cipher in ciphers]


@pytest.mark.parametrize(("kind", "cipher"), PAIRS)
def test_tls12_suites(kind: str, cipher: str) -> None:
    session, _ = Peers(ssl.TLSVersion.TLSv1_2, cipher, kind).talk(TALK)
    seen = look(session.wire, store_of(session.keys))
    assert seen.got == session.plaintext
    assert (seen.row.decrypted, seen.row.reason, seen.row.version) == ("full", None, "TLS 1.2")
    assert seen.kinds == []


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.parametrize("cipher", ["ECDHE-RSA-AES256-SHA", "AES128-SHA"])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions(version: ssl.TLSVersion, cipher: str) -> None:
    session, _ = Peers(version, cipher, "rsa").talk(TALK)
    seen = look(session.wire, store_of(session.keys))
    assert seen.got == session.plaintext
    assert seen.row.decrypted == "full"


def test_tls13_says_what_was_agreed() -> None:
    session, _ = Peers(alpn=("h2", "http/1.1"), client_certificate=True).talk(TALK)
    seen = look(session.wire, store_of(session.keys))
    assert seen.got == session.plaintext
    row = seen.row
    assert (row.version, row.cipher_suite) == ("TLS 1.3", "TLS_AES_256_GCM_SHA384")
    assert (row.server_name, row.alpn, row.resumed) == (SERVER_NAME, "h2", False)
    assert (row.decrypted, row.secret_source) == ("full", "log 1")
    assert row.bytes_decrypted == sum(map(len, session.plaintext))
    for chain in (row.certificates, row.client_certificates):
        (one,) = chain
        assert (one.subject, one.issuer) == (f"CN={SERVER_NAME}, O=Lab",) * 2
        assert (one.names, one.key) == ((SERVER_NAME,), "EC secp256r1")
        assert one.not_before_ns == int(NOT_BEFORE.timestamp()) * 10**9
        assert one.not_after_ns == int(NOT_AFTER.timestamp()) * 10**9
    (child,) = seen.children
    assert child.layer.encrypted
    assert (child.layer.server_name, child.layer.alpn, child.layer.depth) == (SERVER_NAME, "h2", 1)
    assert [alert.description for alert in row.alerts] == ["close_notify", "close_notify"]
    assert child.calls[-2:] == [("end", 0, 0), ("end", 1, 0)]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_resumption(version: ssl.TLSVersion) -> None:
    peers = Peers(version)
    first, ticket = peers.talk()
    second, _ = peers.talk(session=ticket)
    store = store_of(second.keys)
    assert not look(first.wire, store).row.resumed
    seen = look(second.wire, store)
    assert seen.got == second.plaintext
    assert seen.row.resumed
    assert (seen.row.certificates, seen.row.decrypted) == ((), "full")


@pytest.mark.parametrize("tickets", [True, False])
def test_tls12_resumed_session_needs_the_secret_of_the_first_only(tickets: bool) -> None:
    peers = Peers(ssl.TLSVersion.TLSv1_2)
    if not tickets:  # session ids
        peers.server.options |= ssl.OP_NO_TICKET
    first, ticket = peers.talk()
    second, _ = peers.talk(session=ticket)
    store = store_of(first.keys)
    assert look(first.wire, store).row.decrypted == "full"
    seen = look(second.wire, store)
    assert (seen.row.resumed, seen.row.decrypted) == (True, "full")
    assert seen.got == second.plaintext
    alone = look(second.wire, store_of(first.keys))
    assert (alone.row.decrypted, alone.row.reason) == ("none", "resumed_without_secret")


def test_five_connections_of_one_key_log() -> None:
    """A reader that keeps only the last connection's keys would open one of them."""
    peers = Peers(ssl.TLSVersion.TLSv1_2)
    sessions = [peers.talk(((0, b"%d" % number),))[0] for number in range(5)]
    store = store_of(sessions[-1].keys)
    for session in sessions:
        assert look(session.wire, store).got == session.plaintext


def test_no_key_log_shows_traffic_patterns() -> None:
    session, _ = Peers(ssl.TLSVersion.TLSv1_2).talk(((0, b"a" * 100), (1, b"b" * 300)))
    seen = look(session.wire, SecretStore())
    row = seen.row
    assert seen.children == []
    assert (row.decrypted, row.reason) == ("none", "no_secret_for_random")
    assert "no key log was given" in (row.sentence or "")
    assert (row.server_name, row.alpn) == (SERVER_NAME, "http/1.1")
    assert [one.subject for one in row.certificates] == [f"CN={SERVER_NAME}, O=Lab"]
    # GCM adds eight bytes of nonce and sixteen of tag.
    assert [(one.direction, one.length) for one in row.record_sizes] == [(0, 124), (1, 324)]

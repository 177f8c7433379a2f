"""Which fatal alert is a failed handshake, and which ends a connection that had worked.

The peers are OpenSSL's; what each sent and when is known from them.
"""

from __future__ import annotations

import contextlib
import ssl

import pytest

from dissect.protocols.tls.secret_store import SecretStore

from ..drive import C, Part, S
from .peers import SERVER_NAME, Peers, look, store_of

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
DIRECTIONS = {"client": C, "server": S}
FATAL_CLEAR = b"\x15\3\3\0\2\2\x28"  # handshake_failure


def broken_off(version: ssl.TLSVersion, talked: tuple[str, ...], by: str) -> tuple[list[Part], str]:
    """A connection in which `talked` send data, and then `by` gets a record that the network has
    damaged behind the capture: it sends a fatal alert, and the capture shows only that."""
    peers = Peers(version)
    inboxes, outboxes = (ssl.MemoryBIO(), ssl.MemoryBIO()), (ssl.MemoryBIO(), ssl.MemoryBIO())
    ends = (
        peers.client.wrap_bio(inboxes[0], outboxes[0], server_hostname=SERVER_NAME),
        peers.server.wrap_bio(inboxes[1], outboxes[1], server_side=True),
    )
    wire: list[Part] = []

    def carry() -> None:
        for direction in (C, S):
            if flight := outboxes[direction].read():
                wire.append((direction, flight))
                inboxes[direction ^ 1].write(flight)

    for _ in range(4):
        for direction in (C, S):
            with contextlib.suppress(ssl.SSLWantReadError):
                ends[direction].do_handshake()
            carry()
    for name in talked:
        direction = DIRECTIONS[name]
        ends[direction].write(b"hello from the " + name.encode())
        carry()
        assert ends[direction ^ 1].read(100) == b"hello from the " + name.encode()
    target = DIRECTIONS[by]
    inboxes[target].write(b"\x17\3\3\0\x40" + bytes(64))
    with pytest.raises(ssl.SSLError):
        ends[target].read(100)
    carry()
    return wire, peers.keylog.read_text()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("talked", [("client",), ("server",), ("client", "server")])
@pytest.mark.parametrize("by", DIRECTIONS)
def test_a_fatal_alert_after_data_is_no_failed_handshake(
    version: ssl.TLSVersion, talked: tuple[str, ...], by: str
) -> None:
    """RFC 8446 §6.2: it ends the connection. Data had flowed, so the handshake had not failed."""
    wire, keys = broken_off(version, talked, by)
    row = look(wire, store_of(keys)).row
    assert [(one.level, one.description, one.direction) for one in row.alerts] == [
        ("fatal", "bad_record_mac", DIRECTIONS[by])
    ]
    assert (row.decrypted, row.reason, row.sentence) == ("full", None, None)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("by", DIRECTIONS)
def test_a_fatal_alert_before_any_data_is_one(version: ssl.TLSVersion, by: str) -> None:
    wire, keys = broken_off(version, (), by)
    row = look(wire, store_of(keys)).row
    assert row.reason == "handshake_failed"
    assert f"the {by} broke off the handshake with the alert bad_record_mac" in (row.sentence or "")
    assert f"(frame {len(wire)})" in (row.sentence or "")


@pytest.mark.parametrize("version", VERSIONS)
def test_close_notify_is_no_failure(version: ssl.TLSVersion) -> None:
    for exchanges in ((), ((C, b"ping"),)):
        session, _ = Peers(version).talk(exchanges)
        row = look(session.wire, store_of(session.keys)).row
        assert {one.level for one in row.alerts} == {"warning"}
        assert (row.decrypted, row.reason) == ("full", None)


def test_of_several_alerts_the_first_that_is_fatal_is_reported() -> None:
    session, _ = Peers(ssl.TLSVersion.TLSv1_2, trust=False).talk()
    (alert,) = look(session.wire, SecretStore()).row.alerts
    more: list[Part] = [*session.wire, (S, FATAL_CLEAR)]
    row = look(more, SecretStore()).row
    assert len(row.alerts) == 2
    assert f"the alert {alert.description} (frame {alert.frame})" in (row.sentence or "")


def test_an_alert_in_clear_after_data_that_can_not_be_read() -> None:
    """Without keys: both had sent application data, so whatever an alert in clear is (a box on
    the way may write one), the handshake was not broken off by it."""
    session, _ = Peers(ssl.TLSVersion.TLSv1_2).talk(close=False)
    row = look([*session.wire, (S, FATAL_CLEAR)], SecretStore()).row
    assert (row.decrypted, row.reason) == ("none", "no_secret_for_random")
    assert [one.level for one in row.alerts] == ["fatal"]

"""TLS-DSK: a TLS handshake in the header fields of SIP makes a row of its own."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from dissect.engines import CaptureInput, embedded
from dissect.model import Anomaly, SipMessage, TlsConnection
from dissect.pipeline import RunOptions, Session
from dissect.protocols.base import Layer
from dissect.protocols.sip import SipDatagrams, SipParser
from dissect.protocols.sip_dsk import logged_blobs
from dissect.protocols.sniff import Ignore, opener
from dissect.protocols.tls.dsk import MAX_HANDSHAKES
from dissect.protocols.tls.secret_store import SecretStore
from dissect.tables import table

from ..drive import CONNECTION, UDP, C, Found, Part, S, drive
from .peers import SERVER_NAME, Peers, store_of
from .test_handshake import DSK_CLIENT

LAB = Path(__file__).parents[3] / "captures"


def register(blob: bytes, number: int = 1, call: str = "a") -> Part:
    head = (
        f"REGISTER sip:example.test SIP/2.0\r\nVia: SIP/2.0/TLS h;branch=z9hG4bK{call}{number}\r\n"
        f"Call-ID: {call}\r\nCSeq: {number} REGISTER\r\nContent-Length: 0\r\n"
        'Authorization: TLS-DSK qop="auth", realm="r", targetname="t", '
        f'gssapi-data="{base64.b64encode(blob).decode()}", version=4\r\n\r\n'
    )
    return C, head.encode()


def challenge(blob: bytes, number: int = 1, call: str = "a") -> Part:
    head = (
        f"SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/TLS h;branch=z9hG4bK{call}{number}\r\n"
        f"Call-ID: {call}\r\nCSeq: {number} REGISTER\r\nContent-Length: 0\r\n"
        'WWW-Authenticate: TLS-DSK opaque="o", realm="r", targetname="t", version=4, '
        f'gssapi-data="{base64.b64encode(blob).decode()}"\r\n\r\n'
    )
    return S, head.encode()


def carried(wire: Sequence[Part], call: str = "a", first: int = 1) -> list[Part]:
    """The flights of a handshake, each in a SIP message."""
    parts: list[Part] = []
    for number, (direction, flight) in enumerate(wire):
        assert isinstance(flight, bytes)
        parts.append((challenge if direction else register)(flight, first + number // 2, call))
    return parts


def rows(found: Found) -> list[TlsConnection]:
    return [item for item in found if isinstance(item, TlsConnection)]


def read(parts: Sequence[Part], secrets: SecretStore | None = None) -> Found:
    return drive(SipParser(Layer(CONNECTION, lambda _: Ignore()), secrets), parts)


def handshake(version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2, **options: object) -> Peers:
    return Peers(version, kind="rsa", alpn=(), client_certificate=True, **options)  # type: ignore[arg-type]


def test_the_sample_of_a_phones_log() -> None:
    (row,) = rows(read([register(DSK_CLIENT)]))
    assert (row.inside, row.reason, row.server_name) == ("sip", "no_server_hello", None)
    # What tshark shows of the same bytes on a TCP connection; TLS 1.0 is in the JA4 too.
    assert row.ja3 == "18724aef7a449d726d4c05a57bf352a6"
    assert (row.ja4 or "").startswith("t10i0702")


def test_a_whole_handshake() -> None:
    session, _ = handshake().talk((), close=False)
    found = read(carried(session.wire))
    (row,) = rows(found)
    assert (row.inside, row.version, row.server_name) == ("sip", "TLS 1.2", SERVER_NAME)
    assert (row.decrypted, row.reason) == ("none", None)
    assert "in clear but for its Finished" in (row.sentence or "")
    subjects = [[item.subject for item in chain] for chain in (row.certificates,
                row.client_certificates)]  # fmt: skip
    assert subjects == [[f"CN={SERVER_NAME}, O=Lab"]] * 2
    assert len(row.round_trips_ns) == 2
    assert row.place.encrypted is False
    messages = [item for item in found if isinstance(item, SipMessage)]
    assert (row.place.span.first_frame, row.place.span.last_frame) == (1, len(messages))
    assert not [item for item in found if isinstance(item, Anomaly)]


def test_with_its_secrets() -> None:
    session, _ = handshake().talk((), close=False)
    (row,) = rows(read(carried(session.wire), store_of(session.keys)))
    assert (row.decrypted, row.reason, row.secret_source) == ("full", None, "log 1")


def test_a_repeated_message_adds_nothing() -> None:
    session, _ = handshake().talk((), close=False)
    parts = carried(session.wire)
    twice = [part for part in parts for _ in range(2)]
    once, again = rows(read(parts)), rows(read(twice))
    assert [replace(row, place=once[0].place, round_trips_ns=()) for row in again] == [
        replace(once[0], round_trips_ns=())
    ]
    datagrams = drive(SipDatagrams(Layer(UDP, lambda _: Ignore())), twice)
    assert [row.version for row in rows(datagrams)] == ["TLS 1.2"]


def test_each_handshake_has_a_row() -> None:
    """Two registrations at once, and one that begins anew in the same dialog."""
    first, second = (carried(handshake().talk((), close=False)[0].wire, call) for call in "ab")
    mixed = [part for pair in zip(first, second, strict=True) for part in pair]
    assert len(rows(read(mixed))) == 2
    again = carried(handshake().talk((), close=False)[0].wire, first=10)
    assert len(rows(read([*first, *again]))) == 2


def test_an_alert_in_it_is_a_failure() -> None:
    session, _ = handshake(trust=False).talk(())
    (row,) = rows(read(carried(session.wire)))
    assert (row.inside, row.reason) == ("sip", "handshake_failed")
    assert [alert.description for alert in row.alerts] == ["unknown_ca"]


def test_open_handshakes_are_bounded() -> None:
    parts = [register(DSK_CLIENT, call=f"c{number}") for number in range(MAX_HANDSHAKES + 3)]
    parser = SipParser(Layer(CONNECTION, lambda _: Ignore()))
    assert len(rows(drive(parser, parts, end=False))) == 3


def test_inside_tls_it_is_found_with_the_rest() -> None:
    """SIP in TLS, TLS-DSK in SIP: two rows, the inner one marked as decrypted."""
    inner, _ = handshake().talk((), close=False)
    talk = [(direction, text) for direction, text in carried(inner.wire) if isinstance(text, bytes)]
    outer, _ = Peers(ssl.TLSVersion.TLSv1_3, alpn=("sip",)).talk(talk)
    open_child = opener(store_of(outer.keys))
    found = rows(drive(open_child(Layer(CONNECTION, open_child)), outer.wire))
    assert [(row.inside, row.place.encrypted) for row in found] == [("sip", True), (None, False)]


@pytest.mark.parametrize("scenario", ["web-signin", "web-signin-tls13"])
def test_lab_phone(scenario: str) -> None:
    """The phone of the lab shows the certificate that it got, the front end its own."""
    folder = LAB / scenario
    log = str(folder / "phone.keys")
    messages = embedded.read([CaptureInput(str(folder / "phone.pcapng"), (log,))]).messages
    found = [item for item in messages if isinstance(item, TlsConnection) and item.inside]
    assert found
    for row in found:
        assert (row.inside, row.reason, row.place.encrypted) == ("sip", None, True)
        assert "infra.lync.com" in row.certificates[0].subject
        assert "@" in row.client_certificates[0].subject


def test_phone_log() -> None:
    """The log of the phone has the same handshake as its capture, as far as lines go."""
    folder = LAB / "web-signin"
    options = RunOptions((str(folder / "phone.pcapng"),), phone_logs=(str(folder / "phone.log"),))
    run = Session(options)
    (logged,) = run.log_handshakes
    (seen,) = [item for item in run.messages if isinstance(item, TlsConnection) and item.inside]
    assert (logged.inside, logged.reason, logged.round_trips_ns) == ("sip", None, ())
    for name in ("version", "cipher_suite", "ja3", "ja3s", "ja4", "resumed"):
        assert getattr(logged, name) == getattr(seen, name)
    names = [row["capture"] for row in table("tls").rows(run) if row["inside"]]
    assert names == [str(folder / "phone.pcapng"), str(folder / "phone.log")]


def test_blobs_cut_by_a_log() -> None:
    whole, _ = handshake().talk((), close=False)
    blobs = [blob for _, blob in whole.wire if isinstance(blob, bytes)]
    text = base64.b64encode(blobs[1])[:-3]
    value = b'TLS-DSK opaque="1", gssapi-data="' + text
    assert list(logged_blobs([(b"WWW-Authenticate", value)])) == [
        (base64.b64decode(text[: len(text) // 4 * 4]), True)
    ]
    assert list(logged_blobs([(b"WWW-Authenticate", value + b'!"')])) == []
    assert list(logged_blobs([(b"Via", value), (b"Authorization", b"NTLM")])) == []

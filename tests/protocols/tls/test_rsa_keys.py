"""Servers' private keys: how they may be stored, and what they open."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)

from dissect.engines import CaptureInput, embedded, tshark
from dissect.errors import UsageError
from dissect.model import Opaque, TlsConnection
from dissect.protocols.tls.rsa_keys import load_rsa_key, needs_password
from dissect.protocols.tls.secret_store import SecretStore

from .peers import Peers, Session, certificate, look, store_of

TLS12 = ssl.TLSVersion.TLSv1_2


def private_key(kind: str = "rsa") -> RSAPrivateKey:
    return load_pem_private_key(certificate(kind)[1].read_bytes(), None)  # type: ignore[return-value]


def stored(form: str) -> tuple[bytes, bytes | None]:
    key, secret = private_key(), b"pass word"
    plain, locked = NoEncryption(), BestAvailableEncryption(secret)
    forms = {
        "PKCS#8": lambda: key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, plain),
        "PKCS#1": lambda: key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, plain),
        "DER": lambda: key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, plain),
        "PKCS#8 locked": lambda: key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked),
        "PKCS#12": lambda: pkcs12.serialize_key_and_certificates(b"n", key, None, None, plain),
        "PKCS#12 locked": lambda: pkcs12.serialize_key_and_certificates(
            b"n", key, None, None, locked
        ),
    }
    return forms[form](), secret if "locked" in form else None


@pytest.mark.parametrize(
    "form", ["PKCS#8", "PKCS#1", "DER", "PKCS#8 locked", "PKCS#12", "PKCS#12 locked"]
)
def test_forms(form: str) -> None:
    data, password = stored(form)
    key = load_rsa_key(data, "server.key", password)
    assert key.modulus == private_key().public_key().public_numbers().n
    assert str(key.modulus) not in repr(key)
    if password:
        for wrong in (None, b"other"):
            with pytest.raises(UsageError, match=r"^server\.key: .*password"):
                load_rsa_key(data, "server.key", wrong)


@pytest.mark.parametrize("data", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n", b"0\x82\x01"])
def test_no_key(data: bytes) -> None:
    with pytest.raises(UsageError, match=r"^some\.key: "):
        load_rsa_key(data, "some.key")


def test_a_key_of_another_kind() -> None:
    with pytest.raises(UsageError, match="no RSA key"):
        load_rsa_key(certificate("ec")[1].read_bytes(), "ec.pem")


def rsa_session() -> Session:
    """RSA key exchange; OpenSSL's peers agree on an extended master secret (RFC 7627)."""
    session, _ = Peers(TLS12, "AES128-SHA", "rsa").talk(((0, b"question"), (1, b"answer")))
    server_hello = session.wire[1][1]
    assert isinstance(server_hello, bytes)
    assert b"\x00\x17\x00\x00" in server_hello[:120]
    return session


def test_private_key_opens_rsa_key_exchange() -> None:
    session = rsa_session()
    store = SecretStore()
    store.add_rsa_key(certificate("rsa")[1].read_bytes(), "server.pem")
    seen = look(session.wire, store)
    assert seen.got == session.plaintext
    assert (seen.row.decrypted, seen.row.secret_source) == ("full", "server.pem")


def encrypted_premaster(session: Session) -> bytes:
    flight = session.wire[2][1]
    assert isinstance(flight, bytes)
    assert flight[5] == 16  # ClientKeyExchange
    return flight[11 : 11 + 256]


def test_premaster_secrets_in_key_logs() -> None:
    session = rsa_session()
    encrypted = encrypted_premaster(session)
    premaster = private_key().decrypt(encrypted, PKCS1v15()).hex()
    random = session.wire[0][1][11:43].hex()  # type: ignore[index]
    for line in (
        f"PMS_CLIENT_RANDOM {random} {premaster}",
        f"RSA {encrypted[:8].hex()} {premaster}",
    ):
        seen = look(session.wire, store_of(line))
        assert seen.got == session.plaintext
        assert seen.row.secret_source == "log 1"


def test_real_capture_needs_its_own_key(shared_captures: Path) -> None:
    key = load_rsa_key((shared_captures / "tls/wireshark-rsasnakeoil2.key").read_bytes(), "k")
    assert key.premaster(b"short") is None


@pytest.mark.parametrize("form", ["PKCS#8 locked", "PKCS#12 locked"])
def test_one_of_several_passwords_opens_a_key(form: str) -> None:
    data, password = stored(form)
    assert password is not None
    store = SecretStore()
    store.add_rsa_key(data, "server.key", (b"wrong", password))
    (key,) = store.rsa_keys
    assert key.modulus == private_key().public_key().public_numbers().n
    with pytest.raises(UsageError, match="none of the passwords") as caught:
        store.add_rsa_key(data, "server.key", (b"wrong", b"worse"))
    assert "worse" not in str(caught.value)
    store.add_rsa_key(stored("DER")[0], "other.key", (b"not needed",))


def test_which_files_need_a_password() -> None:
    for form in ("PKCS#8 locked", "PKCS#12 locked"):
        assert needs_password(stored(form)[0])
    for form in ("PKCS#8", "PKCS#1", "DER"):
        assert not needs_password(stored(form)[0])
    assert not needs_password(b"no key")
    assert not needs_password(b"-----BEGIN nothing-----")


def test_option_of_the_commands(shared_captures: Path, tmp_path: Path) -> None:
    """A locked key and a file of passwords; the password is in no output."""
    capture = shared_captures / "tls/wireshark-rsasnakeoil2.pcap"
    plain = load_pem_private_key(capture.with_suffix(".key").read_bytes(), None)
    locked, words = tmp_path / "locked.pem", tmp_path / "passwords"
    locked.write_bytes(
        plain.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"of the key")
        )
    )
    words.write_text("another\nof the key\n")

    def tls(*options: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "dissect", "tls", str(capture), "--format", "json", *options],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    code, text = tls("--rsa-key", str(locked), "--rsa-password", str(words))
    assert code == 0
    assert [json.loads(line)["decrypted"] for line in text.splitlines()] == ["full", "full"]
    assert "of the key" not in text
    code, text = tls("--rsa-key", str(locked))
    assert (code, "--rsa-password" in text) == (2, True)
    code, text = tls("--rsa-key", str(locked), "--rsa-password", str(tmp_path / "absent"))
    assert (code, "absent" in text) == (2, True)


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_locked_keys_reach_tshark(shared_captures: Path, tmp_path: Path) -> None:
    """tshark takes a password for PKCS#12 only, so it gets the key without one."""
    pytest.importorskip("pyshark")
    capture = shared_captures / "tls/wireshark-rsasnakeoil2.pcap"
    plain = load_pem_private_key(capture.with_suffix(".key").read_bytes(), None)
    locked, other = tmp_path / "locked.pem", tmp_path / "other.pem"
    locked.write_bytes(
        plain.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word"))
    )
    other.write_bytes(certificate("rsa")[1].read_bytes())
    item = CaptureInput(str(capture), rsa_keys=(str(locked),), rsa_passwords=(Opaque(b"word"),))
    for engine in (embedded, tshark):
        messages = engine.read([item]).messages
        rows = [message for message in messages if isinstance(message, TlsConnection)]
        assert [row.decrypted for row in rows] == ["full", "full"], engine.__name__
        assert rows[0].secret_source == str(locked)
        wrong = engine.read([replace(item, rsa_keys=(str(other),))]).messages
        rows = [message for message in wrong if isinstance(message, TlsConnection)]
        assert rows[0].reason == "rsa_key_wrong", engine.__name__

"""GnuTLS's gnutls-serv and gnutls-cli over loopback, with the relay between.

The server echoes, so both sides' plaintext is what was typed. A suite is chosen by a
priority string that allows nothing else.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from .openssl_peers import PATIENCE, Relay
from .peers import SERVER_NAME, Recorded, Unsupported, certificate

here = shutil.which("gnutls-serv") is not None and shutil.which("gnutls-cli") is not None
needs_gnutls = pytest.mark.skipif(not here, reason="gnutls-bin is not installed")

TEXT = b"first line\nsecond line, rather longer " + b"y" * 3000 + b"\n"
_VERSIONS = {"TLS 1.0": "VERS-TLS1.0", "TLS 1.1": "VERS-TLS1.1", "TLS 1.2": "VERS-TLS1.2",
             "TLS 1.3": "VERS-TLS1.3"}  # fmt: skip
_AEAD = ("AES-128-GCM", "AES-256-GCM", "AES-128-CCM", "AES-256-CCM", "AES-128-CCM-8",
         "AES-256-CCM-8", "CAMELLIA-128-GCM", "CAMELLIA-256-GCM", "CHACHA20-POLY1305")  # fmt: skip
# (cipher, MAC) of the suites up to TLS 1.2 that GnuTLS 3.7 has
_MACS = (
    *(("3DES-CBC", mac) for mac in ("SHA1",)),
    *(("ARCFOUR-128", mac) for mac in ("MD5", "SHA1")),
    *(("NULL", mac) for mac in ("MD5", "SHA1", "SHA256")),
    *((f"AES-{size}-CBC", mac) for size in (128, 256) for mac in ("SHA1", "SHA256", "SHA384")),
    *((f"CAMELLIA-{size}-CBC", mac) for size in (128, 256) for mac in ("SHA1", "SHA256", "SHA384")),
)
_EXCHANGES = ("RSA", "DHE-RSA", "ECDHE-RSA", "ECDHE-ECDSA")


def priority(version: str, exchange: str, cipher: str, mac: str, groups: str = "GROUP-ALL",
             extra: str = "") -> str:  # fmt: skip
    return (
        f"NONE:+{_VERSIONS[version]}:+{exchange}:+{cipher}:+{mac}:+SIGN-ALL:+{groups}"
        f":+COMP-NULL{extra}"
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def _wait(port: int, serving: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if serving.poll() is not None:
                raise Unsupported("gnutls-serv refuses its options") from None
            assert time.monotonic() < until, "gnutls-serv does not listen"
            time.sleep(0.01)
        else:
            return


def talk(
    folder: Path,
    allowed: str,
    *,
    kind: str = "rsa",
    server: Sequence[str] = (),
    client: Sequence[str] = (),
    server_allowed: str | None = None,
    connections: int = 1,
    text: bytes = TEXT,
    sent: bytes | None = None,
) -> Recorded:
    """The last of `connections` that one gnutls-cli makes; `sent` differs from what is typed
    where that holds commands."""
    _, pem = certificate(kind)
    port, keys = free_port(), folder / "gnutls.keys"
    serving = subprocess.Popen(
        ["gnutls-serv", "--quiet", "--echo", "--port", str(port), "--x509certfile", str(pem),
         "--x509keyfile", str(pem), "--priority", server_allowed or allowed, *server],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    relay = None
    try:
        _wait(port, serving)
        relay = Relay(port)
        done = subprocess.run(
            ["gnutls-cli", "--insecure", "--sni-hostname", SERVER_NAME, "--port", str(relay.port),
             "--priority", allowed, *client, "127.0.0.1"],
            input=text, env={**os.environ, "SSLKEYLOGFILE": str(keys)}, capture_output=True,
            timeout=PATIENCE, check=False,
        )  # fmt: skip
        recordings = relay.recordings
    finally:
        if relay is not None:
            relay.close()
        serving.kill()
        serving.wait()
    if done.returncode or not keys.exists() or len(recordings) < connections:
        raise Unsupported(done.stderr.decode(errors="replace")[-200:])
    plain = text if sent is None else sent
    return Recorded(recordings[-1], keys.read_bytes(), (plain, plain), earlier=recordings[:-1])


def tries() -> Iterator[tuple[str, str, str, Callable[[Path], Recorded]]]:
    """(version, suite, feature, how to record it)"""
    if not here:
        return
    for version in ("TLS 1.0", "TLS 1.1", "TLS 1.2"):
        suites = [(cipher, mac) for cipher, mac in _MACS
                  if version == "TLS 1.2" or mac in ("MD5", "SHA1")]  # fmt: skip
        if version == "TLS 1.2":
            suites += [(cipher, "AEAD") for cipher in _AEAD]
        for exchange in _EXCHANGES:
            for cipher, mac in suites:
                name = f"{exchange} {cipher} {mac}"
                yield version, name, "plain", _plain(version, exchange, cipher, mac)
    for exchange, cipher, mac in (
        ("ECDHE-RSA", "AES-128-CBC", "SHA256"),
        ("DHE-RSA", "3DES-CBC", "SHA1"),
        ("RSA", "ARCFOUR-128", "SHA1"),
        ("ECDHE-RSA", "AES-256-GCM", "AEAD"),
        ("ECDHE-RSA", "CHACHA20-POLY1305", "AEAD"),
        ("RSA", "AES-128-CCM", "AEAD"),
    ):
        name = f"{exchange} {cipher} {mac}"
        for feature, record in _features12(exchange, cipher, mac):
            yield "TLS 1.2", name, feature, record
    for cipher in ("AES-128-GCM", "AES-256-GCM", "CHACHA20-POLY1305", "AES-128-CCM",
                   "AES-128-CCM-8"):  # fmt: skip
        for feature, record in _features13(cipher):
            yield "TLS 1.3", cipher, feature, record


def _plain(version: str, exchange: str, cipher: str, mac: str) -> Callable[[Path], Recorded]:
    kind = "ec" if exchange.endswith("ECDSA") else "rsa"
    return lambda folder: talk(folder, priority(version, exchange, cipher, mac), kind=kind)


def _features12(
    exchange: str, cipher: str, mac: str
) -> Iterator[tuple[str, Callable[[Path], Recorded]]]:
    allowed = priority("TLS 1.2", exchange, cipher, mac)
    pem = str(certificate("rsa")[1])
    mine = ("--x509certfile", pem, "--x509keyfile", pem)
    yield "no EtM", lambda folder: talk(folder, allowed + ":%NO_ETM")
    yield "no EMS", lambda folder: talk(folder, allowed + ":%NO_SESSION_HASH")
    yield (
        "client certificate",
        lambda folder: talk(folder, allowed, server=("--require-client-cert",), client=mine),
    )
    yield (
        "resumed by ticket",
        lambda folder: talk(folder, allowed, client=("--resume",), connections=2),
    )
    yield (
        "resumed by id",
        lambda folder: talk(folder, allowed, client=("--resume", "--noticket"), connections=2),
    )
    yield "renegotiation", lambda folder: talk(folder, allowed, client=("--rehandshake",))


def _features13(cipher: str) -> Iterator[tuple[str, Callable[[Path], Recorded]]]:
    # GnuTLS wants a key exchange named, though TLS 1.3 has none.
    allowed = priority("TLS 1.3", "ECDHE-RSA", cipher, "AEAD")
    pem = str(certificate("rsa")[1])
    mine = ("--x509certfile", pem, "--x509keyfile", pem)
    yield "plain", lambda folder: talk(folder, allowed)
    yield (
        "client certificate",
        lambda folder: talk(folder, allowed, server=("--require-client-cert",), client=mine),
    )
    yield (
        "HelloRetryRequest",
        lambda folder: talk(
            folder,
            priority("TLS 1.3", "ECDHE-RSA", cipher, "AEAD", "GROUP-X25519:+GROUP-SECP384R1"),
            client=("--single-key-share",),
            server_allowed=priority("TLS 1.3", "ECDHE-RSA", cipher, "AEAD", "GROUP-SECP384R1"),
        ),
    )
    yield (
        "resumed by ticket",
        lambda folder: talk(
            folder, allowed, client=("--resume", "--waitresumption"), connections=2
        ),
    )
    yield (
        "KeyUpdate",
        lambda folder: talk(
            folder,
            allowed,
            client=("--inline-commands",),
            text=b"before\n^rekey^\nafter\n",
            sent=b"before\nafter\n",
        ),
    )

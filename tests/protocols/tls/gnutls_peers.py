"""GnuTLS's gnutls-serv and gnutls-cli over loopback, with the relay between.

The server echoes, so both sides' plaintext is what was typed. A suite is chosen by a
priority string that allows nothing else.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from .openssl_peers import PATIENCE, Relay
from .peers import SERVER_NAME, Recorded, Unsupported, certificate

here = shutil.which("gnutls-serv") is not None and shutil.which("gnutls-cli") is not None
needs_gnutls = pytest.mark.skipif(not here, reason="gnutls-bin is not installed")

EARLY = b"sent before the handshake " * 30 + b"\n"
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
    early: bytes = b"",
    says: Sequence[str] = (),
    silent: Sequence[str] = (),
) -> Recorded:
    """The last of `connections` that one gnutls-cli makes; `sent` differs from what is typed
    where that holds commands. `says` are lines of the peers' output, `silent` such that must
    not be there."""
    _, pem = certificate(kind)
    port, keys, reported = free_port(), folder / "gnutls.keys", folder / "gnutls-serv.out"
    with reported.open("wb") as output:
        serving = subprocess.Popen(
            ["gnutls-serv", "--echo", "--port", str(port), "--x509certfile", str(pem),
             "--x509keyfile", str(pem), "--priority", server_allowed or allowed, *server],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
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
    heard = (done.stdout + reported.read_bytes()).decode(errors="replace")
    last = heard.rpartition("- Description:")[2] if not early else heard
    return Recorded(
        recordings[-1],
        keys.read_bytes(),
        (early + plain, plain),
        earlier=recordings[:-1],
        unsaid=[
            *(line for line in says if line not in heard),
            *(f"not {line}" for line in silent if line in last),
        ],
    )


def tries() -> Iterator[tuple[str, str, str, Callable[[Path], Recorded]]]:
    """(version, suite, feature, how to record it)"""
    if not here:
        return
    for version in ("TLS 1.2", "TLS 1.0", "TLS 1.1"):
        suites = [(cipher, mac) for cipher, mac in _MACS
                  if version == "TLS 1.2" or mac in ("MD5", "SHA1")]  # fmt: skip
        if version == "TLS 1.2":
            suites += [(cipher, "AEAD") for cipher in _AEAD]
        for exchange in _EXCHANGES:
            for cipher, mac in suites:
                name = f"{exchange} {cipher} {mac}"
                for feature, record in _features12(version, exchange, cipher, mac):
                    yield version, name, feature, record
        for cipher, mac in suites:
            name = f"ANON-DH {cipher} {mac}"
            yield version, name, "plain", _plain(version, "ANON-DH", cipher, mac)
        for exchange in ("SRP", "SRP-RSA"):
            for cipher in ("3DES-CBC", "AES-128-CBC", "AES-256-CBC"):
                name = f"{exchange} {cipher} SHA1"
                yield version, name, "plain", _srp(version, exchange, cipher)
    for cipher in ("AES-128-GCM", "AES-256-GCM", "CHACHA20-POLY1305", "AES-128-CCM",
                   "AES-128-CCM-8"):  # fmt: skip
        for feature, record in _features13(cipher):
            yield "TLS 1.3", cipher, feature, record


@cache
def srp_files() -> tuple[str, str]:
    """Password file and its configuration, for the user `user` with the password `word`."""
    folder = Path(tempfile.mkdtemp(prefix="tls-srp-"))
    passwords, groups = folder / "passwords", folder / "groups"
    if shutil.which("srptool") is None:
        raise Unsupported("no srptool")
    for options in (["--create-conf", groups], ["--passwd", passwords, "--passwd-conf", groups,
                                                "--username", "user"]):  # fmt: skip
        subprocess.run(["srptool", *options], input=b"word\n", capture_output=True, check=True)
    return str(passwords), str(groups)


def _srp(version: str, exchange: str, cipher: str) -> Callable[[Path], Recorded]:
    def record(folder: Path) -> Recorded:
        passwords, groups = srp_files()
        return talk(
            folder,
            priority(version, exchange, cipher, "SHA1"),
            server=("--srppasswd", passwords, "--srppasswdconf", groups),
            client=("--srpusername", "user", "--srppasswd", "word"),
            says=(f"({exchange})",),
        )

    return record


RESUMED = "*** This is a resumed session"
CERTIFICATE_SENT = "Successfully sent 1 certificate(s) to server."


def _plain(version: str, exchange: str, cipher: str, mac: str) -> Callable[[Path], Recorded]:
    kind = "ec" if exchange.endswith("ECDSA") else "rsa"
    return lambda folder: talk(
        folder, priority(version, exchange, cipher, mac), kind=kind, silent=(RESUMED,)
    )


def _features12(
    version: str, exchange: str, cipher: str, mac: str
) -> Iterator[tuple[str, Callable[[Path], Recorded]]]:
    allowed = priority(version, exchange, cipher, mac)
    kind = "ec" if exchange.endswith("ECDSA") else "rsa"
    pem = str(certificate(kind)[1])
    mine = ("--x509certfile", pem, "--x509keyfile", pem)

    def later(allowed: str = allowed, **options: Any) -> Callable[[Path], Recorded]:
        return lambda folder: talk(folder, allowed, kind=kind, **options)

    yield "plain", _plain(version, exchange, cipher, mac)
    if cipher.endswith("CBC"):
        yield "no EtM", later(allowed + ":%NO_ETM", silent=("EtM",))
    yield "no EMS", later(allowed + ":%NO_SESSION_HASH", silent=("extended master secret",))
    asked = {"server": ("--require-client-cert",), "client": mine, "says": (CERTIFICATE_SENT,)}
    yield "client certificate", later(**asked)
    again = {"connections": 2, "says": (RESUMED,)}
    yield "resumed by ticket", later(client=("--resume",), **again)
    yield "resumed by id", later(allowed + ":%NO_TICKETS", client=("--resume",), **again)
    renewed = ("- ReHandshake was completed",)
    yield "renegotiation", later(client=("--rehandshake",), says=renewed)


def _features13(cipher: str) -> Iterator[tuple[str, Callable[[Path], Recorded]]]:
    # GnuTLS wants a key exchange named, though TLS 1.3 has none.
    allowed = priority("TLS 1.3", "ECDHE-RSA", cipher, "AEAD")
    pem = str(certificate("rsa")[1])
    mine = ("--x509certfile", pem, "--x509keyfile", pem)

    def later(allowed: str = allowed, **options: Any) -> Callable[[Path], Recorded]:
        return lambda folder: talk(folder, allowed, **options)

    def early(folder: Path, *server: str, **options: Any) -> Recorded:
        file = folder / "early"
        file.write_bytes(EARLY)
        client = ("--resume", "--waitresumption", "--earlydata", str(file))
        return talk(folder, allowed, connections=2, client=client, server=(*server, "-d", "4"),
                    **options)  # fmt: skip

    yield "plain", later(silent=(RESUMED,))
    asked = {"server": ("--require-client-cert",), "client": mine, "says": (CERTIFICATE_SENT,)}
    yield "client certificate", later(**asked)
    yield (
        "HelloRetryRequest",
        later(
            priority("TLS 1.3", "ECDHE-RSA", cipher, "AEAD", "GROUP-X25519:+GROUP-SECP384R1"),
            client=("--single-key-share",),
            server_allowed=priority("TLS 1.3", "ECDHE-RSA", cipher, "AEAD", "GROUP-SECP384R1"),
        ),
    )
    yield (
        "resumed by ticket",
        later(client=("--resume", "--waitresumption"), connections=2, says=(RESUMED,)),
    )
    yield (
        "KeyUpdate",
        later(
            client=("--inline-commands",),
            text=b"before\n^rekey^\nafter\n",
            sent=b"before\nafter\n",
            says=("- Rekey was completed",),
        ),
    )
    yield (
        "0-RTT accepted",
        lambda folder: early(
            folder,
            "--earlydata",
            "--maxearlydata",
            "16384",
            early=EARLY,
            says=(RESUMED, "early data accepted"),
        ),
    )

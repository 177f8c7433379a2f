"""Versions × suites × features between real peers: what they sent against what is read.

A `Try` records one connection and tells what the peers sent; a `Cell` is what became of
it. `python -m tests.protocols.tls.matrix OUT.md` runs all and writes the table; the tests
run the same tries one by one.
"""

from __future__ import annotations

import ssl
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path

from dissect.model import TlsConnection

from ..drive import C, Part, S
from . import chromium_peer, gnutls_peers, nginx_peer, openssl_peers
from .evidence import lacks
from .peers import Peers, Recorded, Session, Unsupported, certificate, look, store_of

ETM_OFF, EMS_OFF, TICKETS_OFF = 1 << 19, 1 << 0, int(ssl.OP_NO_TICKET)
TALK = ((C, b"GET / HTTP/1.1\r\n\r\n"), (S, bytes(range(256)) * 80), (C, b"more"), (S, b"bye"))
LINES = (b"first line", b"second line", b"third line, rather longer " + b"x" * 3000)
V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
VERSIONS = {
    "TLS 1.0": ssl.TLSVersion.TLSv1,
    "TLS 1.1": ssl.TLSVersion.TLSv1_1,
    "TLS 1.2": V12,
    "TLS 1.3": V13,
}
SUITES13 = (
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_AES_128_CCM_SHA256",
    "TLS_AES_128_CCM_8_SHA256",
)
# Suites of TLS 1.2 for the features: an AEAD with explicit nonce, one without, CBC, CCM.
SOME12 = (
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-RSA-AES128-SHA256",
    "AES256-SHA",
    "AES128-CCM8",
)


@dataclass(frozen=True)
class Try:
    peers: str
    version: str
    suite: str
    feature: str
    record: Callable[[Path], Recorded]

    @property
    def ident(self) -> str:
        return f"{self.peers} {self.version} {self.suite} {self.feature}"


@dataclass(frozen=True)
class Cell:
    """`outcome`: "equal", or why not. `suite` is what was agreed."""

    outcome: str
    version: str = ""
    suite: str = ""


def shows(feature: str, row: TlsConnection) -> bool:
    """Whether the row tells of the feature, where it has a word for it."""
    if feature.startswith("resumed"):
        return row.resumed
    if feature.startswith("0-RTT"):
        return row.early_data == feature.split()[1] and row.resumed is (feature[-8:] == "accepted")
    if feature == "client certificate":
        return len(row.client_certificates) == 1
    if feature == "HelloRetryRequest":
        return row.retried
    return not (row.resumed or row.retried or row.client_certificates)


def judge(recorded: Recorded, feature: str) -> Cell:
    """Read the connection and compare."""
    store = store_of(recorded.keys)
    for parts in recorded.earlier:
        look(parts, store)
    seen = look(recorded.parts, store)
    row = seen.row
    outcome = "equal"
    against = list(recorded.unsaid)
    wire = lacks(feature, row.version or "", row.cipher_suite or "", recorded.parts)
    if against or wire:
        outcome = f"did not happen: {'; '.join([*against, *([wire] if wire else [])])}"
    elif row.reason == "cipher_unsupported":
        outcome = f"{row.reason}: {row.cipher_suite}"
    elif recorded.whole and seen.got != recorded.sent:
        outcome = f"differs: {row.decrypted}, {row.reason}"
    elif recorded.sizes and recorded.sizes != tuple(map(len, seen.got)):
        outcome = f"of another size: {row.decrypted}, {row.reason}"
    elif not all(piece in got for piece, got in zip(recorded.sent, seen.got, strict=True)):
        outcome = f"lacks: {row.decrypted}, {row.reason}"
    elif row.decrypted != "full" or row.reason is not None or seen.kinds:
        outcome = f"equal, but {row.decrypted}, {row.reason}, {seen.kinds}"
    elif row.ech != recorded.ech:
        outcome = f"equal, but Encrypted Client Hello: {row.ech}"
    elif not shows(feature, row):
        outcome = f"equal, but the row does not tell of {feature}"
    return Cell(outcome, row.version or "", row.cipher_suite or "")


# --------------------------------------------------------------- Python's ssl


@cache
def openssl_suites() -> tuple[str, ...]:
    """What OpenSSL has up to TLS 1.2 for certificates of the two usual kinds."""
    names = named("ALL:COMPLEMENTOFALL")
    other = ("PSK", "SRP", "DSS", "ADH", "AECDH")
    return tuple(name for name in names if not any(word in name for word in other))


def named(ciphers: str) -> list[str]:
    """The suites up to TLS 1.2 that OpenSSL has for a string of its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.set_ciphers(ciphers + ":@SECLEVEL=0")
    except ssl.SSLError:  # built without them
        return []
    names = (str(one["name"]) for one in context.get_ciphers())
    return [name for name in names if not name.startswith("TLS_")]


def said(session: Session, feature: str) -> list[str]:
    """What the two ends should say of the feature and don't."""
    resumed = feature.startswith("resumed")
    asked = feature == "client certificate"
    unsaid = [] if session.reused == resumed else [f"resumed: {session.reused}"]
    if (session.client_certificate is not None) != asked:
        unsaid.append(f"client certificate: {session.client_certificate is not None}")
    return unsaid


def python_try(version: str, cipher: str | None, feature: str, flags: int = 0) -> Try:
    def record(_: Path) -> Recorded:
        peers = Peers(
            VERSIONS[version],
            cipher,
            "ec" if cipher and "ECDSA" in cipher else "rsa",
            client_certificate=feature == "client certificate",
            flags=flags,
        )
        try:
            session, ticket = peers.talk(TALK)
            if feature.startswith("resumed"):
                first, lines = session.wire, len(session.keys.splitlines())
                session = peers.talk(TALK, session=ticket)[0]
                keys = session.keys
                if "without its secret" in feature:
                    keys = "\n".join(keys.splitlines()[:lines])
                unsaid = said(session, feature)
                return Recorded(
                    session.wire, keys, session.plaintext, earlier=[first], unsaid=unsaid
                )
        except ssl.SSLError as error:
            raise Unsupported(str(error)) from None
        if not session.plaintext[0]:
            raise Unsupported("no handshake")
        unsaid = said(session, feature)
        return Recorded(session.wire, session.keys, session.plaintext, unsaid=unsaid)

    return Try("Python ssl", version, cipher or "default", feature, record)


def python_tries() -> Iterator[Try]:
    for version in ("TLS 1.0", "TLS 1.1", "TLS 1.2"):
        for cipher in openssl_suites():
            if version != "TLS 1.2" and not cipher.endswith(("SHA", "MD5")):
                continue  # born with TLS 1.2
            yield python_try(version, cipher, "plain")
            yield python_try(version, cipher, "resumed by ticket")
            yield python_try(version, cipher, "client certificate")
            yield python_try(version, cipher, "no EMS", EMS_OFF)
            if cipher.endswith(("SHA", "SHA256", "SHA384")) and not is_stream(cipher):
                yield python_try(version, cipher, "no EtM", ETM_OFF)
        for cipher in SOME12 if version == "TLS 1.2" else ("AES256-SHA",):
            yield python_try(version, cipher, "resumed by id", TICKETS_OFF)
            yield python_try(version, cipher, "resumed, without its secret")
    for feature in ("plain", "resumed by ticket", "client certificate"):
        yield python_try("TLS 1.3", None, feature)


# --------------------------------------------------------------- s_client and s_server


def is_stream(cipher: str) -> bool:
    """Whether a suite is none of CBC, by OpenSSL's names; encrypt-then-MAC is for those only."""
    return any(word in cipher for word in ("GCM", "CCM", "CHACHA", "NULL", "RC4"))


# What s_client or s_server print where a feature happened.
SAYS = {
    "plain": ("New, ",),
    "resumed by ticket": ("Reused, ",),
    "client certificate": ("Peer certificate: CN = login.lab.test", "Verification: OK"),
    "KeyUpdate": (">>> TLS 1.3, Handshake [length 0005], KeyUpdate",
                  "<<< TLS 1.3, Handshake [length 0005], KeyUpdate"),
    "renegotiation": ("RENEGOTIATING",),
    "0-RTT accepted": ("Early data was accepted",),
    "0-RTT rejected": ("Early data was rejected",),
}  # fmt: skip


def unsaid(feature: str, *outputs: str) -> list[str]:
    heard = "".join(outputs)
    found = [line for line in SAYS.get(feature, ()) if line not in heard]
    hellos = heard.count(", ClientHello")
    if feature == "renegotiation" and hellos != 3:
        found.append(f"{hellos} client hellos")
    return found


def echoed(lines: tuple[bytes, ...]) -> tuple[bytes, bytes]:
    sent = b"".join(line + b"\n" for line in lines if len(line) > 1)
    return sent, b"".join(line[::-1] + b"\n" for line in lines if len(line) > 1)


def openssl_try(
    version: str,
    cipher: str,
    feature: str,
    server: tuple[str, ...] = (),
    client: tuple[str, ...] = (),
    typed: tuple[bytes, ...] = LINES,
    kind: str = "rsa",
) -> Try:
    flag = "-" + version.lower().replace(" ", "").replace(".", "_").removesuffix("_0")
    option = "-ciphersuites" if version == "TLS 1.3" else "-cipher"
    chosen = (flag, option, cipher if version == "TLS 1.3" else f"{cipher}:@SECLEVEL=0")

    def record(folder: Path) -> Recorded:
        with openssl_peers.serve(folder, *chosen, *server, kind=kind) as running:
            earlier: list[list[Part]] = []
            options = [*client, "-msg"] if feature in ("KeyUpdate", "renegotiation") else [*client]
            if feature == "resumed by ticket":
                ticket = str(folder / "session.pem")
                first, _ = running.connect(*chosen, "-sess_out", ticket, typed=LINES)
                earlier.append(first)
                options += ["-sess_in", ticket]
            parts, printed = running.connect(*chosen, *options, typed=typed)
            keys, answer = running.keys.read_bytes(), running.process.heard()
            lines = unsaid(feature, printed, answer)
            return Recorded(parts, keys, echoed(typed), earlier=earlier, unsaid=lines)

    return Try("OpenSSL s_client", version, cipher, feature, record)


EARLY = b"GET /early HTTP/1.1\r\n\r\n" + b"e" * 5000


def early_try(cipher: str, feature: str) -> Try:
    accepted = feature == "0-RTT accepted"

    def record(folder: Path) -> Recorded:
        ticket, data = folder / "ticket.pem", folder / "early"
        data.write_bytes(EARLY)
        chosen = ("-tls1_3", "-ciphersuites", cipher)
        with openssl_peers.serve(folder, *chosen, "-early_data", "-no_anti_replay", kind="rsa",
                                 reverse=False) as first:  # fmt: skip
            first.connect(*chosen, "-sess_out", str(ticket))
            first.keys.unlink()
            if accepted:
                options = ("-sess_in", str(ticket), "-early_data", str(data))
                parts, printed = first.connect(*chosen, *options)
                first.process.wait_for(b"GET /early")
                lines = unsaid(feature, printed)
                return Recorded(parts, first.keys.read_bytes(), (EARLY, b""), unsaid=lines)
        with openssl_peers.serve(folder, *chosen, kind="rsa") as other:
            options = ("-sess_in", str(ticket), "-early_data", str(data))
            parts, printed = other.connect(*chosen, *options, typed=LINES)
            lines = unsaid(feature, printed)
            return Recorded(parts, other.keys.read_bytes(), echoed(LINES), unsaid=lines)

    return Try("OpenSSL s_client", "TLS 1.3", cipher, feature, record)


def openssl_tries() -> Iterator[Try]:
    _, pem = certificate("rsa")
    asked = (("-Verify", "1", "-CAfile", str(pem)), ("-cert", str(pem), "-key", str(pem)))
    for cipher in SUITES13:
        yield openssl_try("TLS 1.3", cipher, "plain")
        yield openssl_try("TLS 1.3", cipher, "resumed by ticket")
        yield openssl_try("TLS 1.3", cipher, "client certificate", *asked)
        keys = (b"before", b"k", b"after one", b"K", b"after both")
        yield openssl_try("TLS 1.3", cipher, "KeyUpdate", typed=keys)
        groups = (("-groups", "P-384"), ("-groups", "X25519:P-384"))
        yield openssl_try("TLS 1.3", cipher, "HelloRetryRequest", *groups)
        padded = (("-record_padding", "512"), ("-record_padding", "256"))
        yield openssl_try("TLS 1.3", cipher, "record padding", *padded)
        yield early_try(cipher, "0-RTT accepted")
        yield early_try(cipher, "0-RTT rejected")
    again = (b"before", b"R", b"after", b"R", b"at last")
    for cipher in openssl_suites():
        kind = "ec" if "ECDSA" in cipher else "rsa"
        server = ("-client_renegotiation",)
        yield openssl_try("TLS 1.2", cipher, "renegotiation", server, typed=again, kind=kind)
    for cipher in SOME12:
        small = (("-max_send_frag", "512"), ("-max_send_frag", "512"))
        yield openssl_try("TLS 1.2", cipher, "small records", *small)
    secret = ("-psk", "0123456789abcdef0123456789abcdef")
    for name in named("kPSK:kDHEPSK:kECDHEPSK:kRSAPSK"):
        yield openssl_try("TLS 1.2", name, "plain", secret, secret)
    for name in named("aNULL:!SRP"):
        yield openssl_try("TLS 1.2", name, "plain")
    for name in named("aDSS:!SRP"):
        yield openssl_try("TLS 1.2", name, "plain", kind="dsa")


# --------------------------------------------------------------- all of them


def tries() -> list[Try]:
    found = [*python_tries(), *openssl_tries()]
    modules = (("GnuTLS", gnutls_peers), ("nginx", nginx_peer), ("Chromium", chromium_peer))
    for peers, module in modules:
        for version, name, feature, record in module.tries():
            found.append(Try(peers, version, name, feature, record))
    return found


def run(one: Try) -> Cell | None:
    """None where the peers here don't do it."""
    with tempfile.TemporaryDirectory(prefix="tls-matrix-") as folder:
        try:
            recorded = one.record(Path(folder))
        except Unsupported:
            return None
        return judge(recorded, one.feature)


# --------------------------------------------------------------- the table

NOT_HERE = (
    ("RC4, DES, 3DES, IDEA, SEED and their MACs in TLS 1.2", "tls/lekensteyn-tls12_39_ciphers"),
    ("SSL 3.0, DHE-RSA-AES256-CBC-SHA", "tls/snet-ssl30_cbc"),
    ("SSL 3.0, RSA-3DES-EDE-CBC-SHA, by the server's RSA key", "tls/wireshark-rsasnakeoil2"),
    ("TLS 1.3, X25519MLKEM768", "tls/hotplace-tls13_x25519mlkem768"),
    ("ML-DSA certificates", "http2/hotplace-h2_tls13_mldsa"),
)


def table(results: list[tuple[Try, Cell | None]]) -> str:
    """The report: for each pair of peers and version, suites down and features across."""
    done = [(one, cell) for one, cell in results if cell is not None]
    equal = sum(cell.outcome == "equal" for _, cell in done)
    named = sum(cell.outcome.startswith("cipher_unsupported") for _, cell in done)
    lines = [
        "# TLS between real peers",
        "",
        "Each mark is a connection that two real peers made over loopback, recorded and read "
        "with its key log. ✓: the feature happened, as the peers' own output says or the "
        "clear part of the wire shows; the plaintext of both sides is byte for byte what the "
        "peers say they sent, all of it decrypted, nothing odd. Where a column does not say "
        "otherwise, extended master secret and (with CBC) encrypt-then-MAC were agreed; "
        "Chromium does not offer the latter. `u`: the cipher is one that the library of "
        "primitives lacks; the row names it (`cipher_unsupported`). Empty: the peers don't do "
        "it, or it was not tried. Of Chromium are known the request line, the page, and from "
        "nginx how many bytes of plaintext each side sent: these must agree.",
        "",
        f"{len(done)} connections: {equal} equal, {named} unsupported by name, "
        f"{len(done) - equal - named} otherwise. Made by `make tls-matrix`.",
    ]

    def of_peers(item: tuple[Try, Cell]) -> tuple[str, str]:
        return item[0].peers, item[0].version

    for (peers, version), group in groupby(sorted(done, key=of_peers), key=of_peers):
        cells: dict[str, dict[str, Cell]] = {}
        features: dict[str, None] = {}
        for one, cell in group:
            cells.setdefault(cell.suite or one.suite, {})[one.feature] = cell
            features[one.feature] = None
        lines += ["", f"## {peers}, {version}", "", "| suite | " + " | ".join(features) + " |"]
        lines.append("|---|" + ":-:|" * len(features))
        for name, row in sorted(cells.items()):
            marks = (_mark(row[feature]) if feature in row else "" for feature in features)
            lines.append(f"| {name} | " + " | ".join(marks) + " |")
    lines += [
        "",
        "## What no peer here offers",
        "",
        "From the shared captures, against tshark:",
        "",
    ]
    lines += [f"- {what}: `{where}`" for what, where in NOT_HERE]
    return "\n".join(lines) + "\n"


def _mark(cell: Cell) -> str:
    if cell.outcome == "equal":
        return "✓"
    return "u" if cell.outcome.startswith("cipher_unsupported") else cell.outcome


def main() -> int:
    results = [(one, run(one)) for one in tries()]
    Path(sys.argv[1]).write_text(table(results), "utf-8")
    wrong = [
        (one, cell) for one, cell in results
        if cell and cell.outcome != "equal" and not cell.outcome.startswith("cipher_unsupported")
    ]  # fmt: skip
    for one, cell in wrong:
        print(one.ident, cell)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())

"""The lines of key logs that open the exported sessions, and no others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from dissect.capture import CaptureFile, Packet, open_capture, read_key_log
from dissect.engines import CaptureInput
from dissect.model import Anomaly, Connection, Message, StreamParser
from dissect.protocols.base import Layer
from dissect.protocols.sniff import opener
from dissect.protocols.sniff_udp import open_udp
from dissect.protocols.tls import secret_store
from dissect.protocols.tls.secret_store import LoggedSecret, SecretStore
from dissect.transport import Assembler

# What decrypts; the exporters' secrets of a session open other things and are left out.
_LABELS = frozenset(
    {
        secret_store.CLIENT_RANDOM,
        secret_store.CLIENT_EARLY,
        secret_store.CLIENT_HANDSHAKE,
        secret_store.SERVER_HANDSHAKE,
        secret_store.CLIENT_TRAFFIC,
        secret_store.SERVER_TRAFFIC,
        secret_store.PREMASTER,
    }
)
_LINE = re.compile(rb"(?<![A-Z0-9_])([A-Z0-9_]++)[ \t]++([0-9A-Fa-f]{64})[ \t]++([0-9A-Fa-f]{2,}+)")


class _Recorder(SecretStore):
    """Remembers for which client randoms and sessions secrets were asked and given."""

    def __init__(self) -> None:
        super().__init__()
        self.used: set[bytes] = set()
        self.masters: dict[bytes, bytes] = {}
        self.lines: dict[bytes, str] = {}

    def decrypted(self, client_random: bytes, master: bytes) -> None:
        self.masters[client_random] = master

    def claim(self, client_random: bytes, name: str) -> None:
        super().claim(client_random, name)
        self.used.add(client_random)

    def lookup(self, label: str, key: bytes) -> tuple[LoggedSecret, ...]:
        found = super().lookup(label, key)
        if found and label == secret_store.SESSION:
            for logged in found:
                line = f"RSA Session-ID:{key.hex()} Master-Key:{logged.secret.hex()}"
                self.lines[line.encode()] = label
        elif found and label == secret_store.RSA:
            for logged in found:
                self.lines[f"RSA {key.hex()} {logged.secret.hex()}".encode()] = label
        return found


def key_log(
    item: CaptureInput,
    index: int,
    packets: Iterable[Packet],
    open_: Callable[[], CaptureFile] | None = None,
) -> bytes:
    """A key log, in NSS format, with the secrets of the sessions in `packets` of a capture.
    `open_` opens it where it is not a file of that name.

    Empty where the key logs have none. Of a session that a server's RSA key opened it is the
    master secret that goes along: the key would open every session of that server.
    """
    logs = [read_key_log(path).text for path in (*item.key_logs, *item.found_key_logs)]
    with open_() if open_ is not None else open_capture(item.name, index) as capture:
        logs += [found.text for found in capture.secrets]
    store = _Recorder()
    for text in logs:
        store.add_key_log(text, item.name)
    for path in item.rsa_keys:
        key = read_key_log(path)
        store.add_rsa_key(bytes(key.text), key.origin, item.rsa_passwords)

    def emit(output: Message | Anomaly) -> None:
        """Only what the store was asked for counts."""

    open_child = opener(store)

    def open_tcp(connection: Connection) -> StreamParser:
        return open_child(Layer(connection, open_child))

    def open_datagrams(connection: Connection) -> StreamParser:
        return open_udp(Layer(connection, open_child))

    assembler = Assembler(index, open_tcp, open_datagrams, emit)
    assembler.feed(packets)
    assembler.finish()
    lines: dict[bytes, None] = {}
    for text in logs:
        for label, random, secret in _LINE.findall(text):
            if label.decode() in _LABELS and bytes.fromhex(random.decode()) in store.used:
                lines[b" ".join((label, random.lower(), secret.lower()))] = None
    known = {line.split()[1] for line in lines}
    for decrypted, master in store.masters.items():
        if decrypted.hex().encode() not in known:
            lines[f"{secret_store.CLIENT_RANDOM} {decrypted.hex()} {master.hex()}".encode()] = None
    lines.update(dict.fromkeys(store.lines))
    return b"".join(line + b"\n" for line in lines)

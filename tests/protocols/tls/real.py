"""Real captures through reader, reassembly and the TLS parser, changed on the way if wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from dissect.capture import Packet, open_capture
from dissect.model import Anomaly, Connection, Message, StreamParser, TlsConnection
from dissect.protocols.base import Layer
from dissect.protocols.sniff import Ignore
from dissect.protocols.tls.parser import TlsParser
from dissect.protocols.tls.secret_store import SecretStore
from dissect.transport import Assembler

from .peers import Recorder


@dataclass
class Capture:
    rows: dict[int, TlsConnection] = field(default_factory=dict)
    children: dict[int, list[Recorder]] = field(default_factory=dict)
    anomalies: list[Anomaly] = field(default_factory=list)

    def plaintext(self, stream: int) -> dict[str, bytes]:
        """Sender → bytes."""
        connection = self.rows[stream].place.connection
        found = {str(connection.client): b"", str(connection.server): b""}
        for child in self.children.get(stream, ()):
            found[str(connection.client)] += child.got[0]
            found[str(connection.server)] += child.got[1]
        return found


Change = Callable[[Iterable[Packet]], Iterable[Packet]]


def read(
    path: Path,
    keylog: Path | None = None,
    *,
    store: SecretStore | None = None,
    change: Change = lambda packets: packets,
) -> Capture:
    """Every TCP stream of a capture through the TLS parser; `change` edits the packets."""
    found = Capture()
    store = SecretStore() if store is None else store
    if keylog is not None:
        assert store.add_key_log(keylog.read_bytes(), keylog.name) == []

    def open_child(layer: Layer) -> Recorder:
        child = Recorder(layer)
        found.children.setdefault(layer.connection.stream, []).append(child)
        return child

    def open_tcp(connection: Connection) -> StreamParser:
        return TlsParser(Layer(connection, open_child), store)

    def emit(item: Message | Anomaly) -> None:
        if isinstance(item, TlsConnection):
            found.rows[item.place.connection.stream] = item
        elif isinstance(item, Anomaly):
            found.anomalies.append(item)

    with open_capture(path) as capture:
        for text in capture.secrets:
            store.add_key_log(text.text, text.origin)
        assembler = Assembler(0, open_tcp, lambda _: Ignore(), emit)
        assembler.feed(change(capture.packets()))
        assembler.finish()
    return found


def key_log_of(path: Path) -> Path | None:
    keylog = path.with_suffix(".keylog")
    return keylog if keylog.exists() else None

"""What is mutated: every recorded file, and the conversations in them, decrypted ones too."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from dissect.engines import CaptureInput, embedded
from dissect.errors import DissectError
from dissect.model import Direction, Output, Span, StreamParser
from dissect.pipeline import RunOptions, bind_key_logs
from dissect.protocols import sniff
from dissect.protocols.base import Layer
from tests.fuzz import dialogue

ROOT = Path(__file__).resolve().parents[2]
CORPUS = Path(__file__).parent / "corpus"
SHARED = ROOT.parent / "shared"
FOLDERS = (ROOT / "captures", SHARED / "captures", SHARED / "cases")
CAPTURES = (".pcap", ".pcapng", ".pcap1", ".pcap2", ".pcap3", ".gz", ".zst", ".lz4")
MAX_FILE = 400_000  # bytes of a capture that is mutated; a part of larger ones is
MAX_CONVERSATION = 12_000  # bytes that are recorded of one
MAX_OF_A_KIND = 400
_RANDOM = re.compile(rb"^\w+ ([0-9a-fA-F]{64}) ", re.M)


class _Recorder:
    """A parser, and what it is given."""

    def __init__(self, inside: StreamParser, keep: Callable[[dialogue.Part], None]) -> None:
        self._inside = inside
        self._keep = keep

    def data(self, direction: Direction, view: bytes | memoryview, span: Span) -> Output:
        self._keep((direction, bytes(view)))
        return self._inside.data(direction, view, span)

    def gap(self, direction: Direction, length: int, span: Span) -> Output:
        self._keep((direction, length))
        return self._inside.gap(direction, length, span)

    def end(self, direction: Direction, span: Span) -> Output:
        return self._inside.end(direction, span)


@dataclass(slots=True)
class Material:
    """Files by kind, and conversations by protocol (`conversations` reads them all)."""

    folders: tuple[Path, ...] = FOLDERS
    talks: dict[str, list[list[dialogue.Part]]] = field(default_factory=lambda: defaultdict(list))

    def files(self, *suffixes: str) -> list[Path]:
        return [
            path
            for folder in self.folders
            for path in sorted(folder.rglob("*"))
            if path.suffix.lower() in suffixes and path.is_file() and "lab" not in path.parts
        ]

    def captures(self) -> list[Path]:
        return self.files(*CAPTURES)

    def key_logs(self) -> list[Path]:
        return self.files(".keys", ".keylog")

    def phone_logs(self) -> list[Path]:
        return self.files(".log")

    def definitions(self) -> list[Path]:
        own = sorted((ROOT / "dissect" / "flow" / "definitions").rglob("*.toml"))
        return [*own, *(path for path in self.files(".toml") if b"[[step" in path.read_bytes())]

    def conversation(self, name: str) -> list[list[dialogue.Part]]:
        if not self.talks:
            self._record()
        return self.talks.get(name, [])

    def _record(self) -> None:
        self.talks["-"] = []
        for path in self.captures():
            if path.stat().st_size > 4 * MAX_FILE:
                continue
            with _recorded(self.talks):
                try:
                    embedded.read(inputs_of(path))
                except DissectError:
                    continue
                except Exception:
                    continue

    @property
    def key_log_lines(self) -> dict[bytes, list[bytes]]:
        """Lines of all key logs by client random (lower case hex)."""
        found: dict[bytes, list[bytes]] = defaultdict(list)
        for path in self.key_logs():
            for line in path.read_bytes().splitlines():
                if match := _RANDOM.match(line):
                    found[match[1].lower()].append(line)
        return found


def inputs_of(path: Path) -> list[CaptureInput]:
    logs = [
        str(log)
        for log in sorted(path.parent.iterdir())
        if log.suffix in (".keys", ".keylog") and log.stat().st_size < 1 << 20
    ]
    return bind_key_logs(RunOptions((str(path),), key_logs=tuple(logs)))


@contextmanager
def _recorded(talks: dict[str, list[list[dialogue.Part]]]) -> Iterator[None]:
    def keeper(name: str) -> Callable[[dialogue.Part], None]:
        if len(talks[name]) >= MAX_OF_A_KIND:
            return lambda part: None
        kept: list[dialogue.Part] = []
        talks[name].append(kept)
        left = [MAX_CONVERSATION]

        def keep(part: dialogue.Part) -> None:
            size = len(part[1]) if isinstance(part[1], bytes) else 0
            if left[0] > 0 and len(kept) < dialogue.MAX_PARTS:
                left[0] -= size
                kept.append(part)

        return keep

    open_parser: Any = sniff._parser
    open_udp: Any = embedded.open_udp
    open_websocket: Any = sniff._UPGRADES["websocket"]

    def parser(name: str, layer: Layer, secrets: Any) -> StreamParser:
        return _Recorder(open_parser(name, layer, secrets), keeper(name))

    def udp(layer: Layer, readers: Any = ()) -> StreamParser:
        ports = {layer.connection.client.port, layer.connection.server.port}
        known = {53: "dns-udp", 67: "dhcp", 68: "dhcp", 123: "ntp", 443: "quic"}
        name = next((known[port] for port in ports if port in known), "sip-udp")
        return _Recorder(open_udp(layer, readers), keeper(name))

    def websocket(layer: Layer, upgrade: Any) -> StreamParser:
        return _Recorder(open_websocket(layer, upgrade), keeper("websocket"))

    with (
        patch.object(sniff, "_parser", parser),
        patch.object(embedded, "open_udp", udp),
        patch.dict(sniff._UPGRADES, websocket=websocket),
    ):
        yield

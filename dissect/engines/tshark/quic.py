"""QUIC connections out of tshark's fields: the hellos, and the version that was spoken.

tshark opens more with a key log; what both engines read are the Initials (RFC 9001 §5.2).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dissect.engines.tshark.frames import Frame, FrameTable, StreamKey
from dissect.model import Endpoint, Place, Span, TlsConnection
from dissect.protocols.quic_packets import VERSIONS
from dissect.protocols.tls.code_points import version_name
from dissect.protocols.tls.suites import suite

CLIENT_HELLO, SERVER_HELLO = "1", "2"
SENTENCE = "HTTP/3 is not read by this engine; switch QUIC off, and the requests go over TCP"


@dataclass(slots=True)
class _Quic:
    first: Frame
    last: Frame
    client: Endpoint | None = None
    quic: str | None = None
    server_name: str | None = None
    version: int | None = None
    suite: int | None = None


class QuicTable:
    """The QUIC connections of a capture, as tshark numbers them; a row each."""

    def __init__(self, table: FrameTable) -> None:
        self._table = table
        self._found: dict[tuple[StreamKey, str], _Quic] = {}

    def add(self, frame: Frame, cells: Mapping[str, list[str]]) -> None:
        """A frame with fields of QUIC."""
        numbers = cells.get("quic.connection.number")
        if not numbers:
            return
        key = (frame.key, numbers[-1])
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = _Quic(frame, frame)
        found.last = frame
        for text in cells.get("quic.version", []):
            known = VERSIONS.get(int(text, 16))
            if known is not None:
                found.quic = known.name
        types = cells.get("tls.handshake.type", [])
        if CLIENT_HELLO in types:
            found.client = frame.source
            names = cells.get("tls.handshake.extensions_server_name", [])
            found.server_name = names[-1] if names else found.server_name
        if SERVER_HELLO in types:
            versions = cells.get("tls.handshake.extensions.supported_version", [])
            suites = cells.get("tls.handshake.ciphersuite", [])
            found.version = int(versions[0], 16) if versions else None
            found.suite = int(suites[0], 16) if suites else None

    def rows(self) -> Iterator[TlsConnection]:
        for (key, _), found in self._found.items():
            if found.quic is None:
                continue  # a version of which nobody here knows more
            first, last = found.first, found.last
            yield TlsConnection(
                place=Place(
                    self._table.connection(key),
                    0,
                    Span(first.number, first.time_ns, last.number, last.time_ns),
                ),
                server_name=found.server_name,
                version=None if found.version is None else version_name(found.version),
                cipher_suite=None if found.suite is None else suite(found.suite).name,
                reason="quic_not_decrypted",
                sentence=SENTENCE,
                quic=found.quic,
            )

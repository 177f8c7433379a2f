"""TLS connections out of tshark's handshake and record fields.

tshark names no reason for what it can't decrypt. What follows from the fields that it shows
and the randoms of the key logs is reported here: whether the hellos are there, whether the
random has a secret, whether a Finished could be read (RFC 5246 §7.4.9, RFC 8446 §4.4.4).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from dissect.engines.tshark.frames import Frame, FrameTable, StreamKey
from dissect.engines.tshark.names import TLS_FIELDS
from dissect.engines.tshark.quic import QuicTable
from dissect.model import (
    Alert,
    Direction,
    Endpoint,
    Place,
    RecordSize,
    Span,
    TlsConnection,
    TlsReason,
)
from dissect.protocols.tls.certificates import read_chain
from dissect.protocols.tls.code_points import alert_level, alert_name, version_name
from dissect.protocols.tls.rsa_keys import RsaKey, matches
from dissect.protocols.tls.suites import suite

CLIENT_HELLO, SERVER_HELLO, CERTIFICATE, FINISHED = "1", "2", "11", "20"
CHANGE_CIPHER_SPEC, APPLICATION_DATA = "20", "23"
PRE_SHARED_KEY = "41"
MAX_ALERTS = 64
MAX_RECORD_SIZES = 4096  # record sizes kept of a connection that stays undecrypted


@dataclass(slots=True)
class _TlsDirection:
    """One direction of a connection."""

    records: int = 0
    hidden: int = 0  # protected records that tshark did not open
    decrypted: int = 0
    data: int = 0  # records of application data
    finished: bool = False  # its Finished could be read
    certificates: list[bytes] = field(default_factory=list)
    undecrypted: int = 0  # records that stayed hidden in handshakes before

    def settle(self) -> None:
        if self.finished:
            self.decrypted += self.hidden
        else:
            self.undecrypted += self.hidden
        self.hidden, self.finished = 0, False


@dataclass(slots=True)
class _Tls:
    first: int
    last: Frame
    client: Endpoint | None = None
    random: str = ""
    server_name: str | None = None
    alpn: str | None = None
    version: int | None = None
    suite: int | None = None
    sessions: list[str] = field(default_factory=lambda: ["", ""])
    accepted_psk: bool = False
    server_hello: bool = False
    tls13: bool = False
    full: bool = False  # a handshake with certificates or key exchange
    alerts: list[tuple[Frame, str, str]] = field(default_factory=list)
    record_sizes: list[tuple[Frame, int]] = field(default_factory=list)
    sides: dict[Endpoint, _TlsDirection] = field(default_factory=dict)

    def settle(self) -> None:
        """Before TLS 1.3 a Finished that could be read speaks for all records behind it."""
        if not self.tls13:
            for side in self.sides.values():
                side.settle()


class TlsTable:
    """The TLS connections of a capture, also those of QUIC.

    `randoms` are client randoms (hex) → key log, `keys` servers' private keys.
    """

    def __init__(
        self, table: FrameTable, randoms: Mapping[str, str], keys: Sequence[RsaKey] = ()
    ) -> None:
        self._table = table
        self._randoms = randoms
        self._keys = keys
        self._quic = QuicTable(table)
        self._found: dict[StreamKey, _Tls] = {}

    def add(self, frame: Frame, row: list[list[str]]) -> list[str]:
        """A frame with TLS fields; gives the kinds of its records."""
        cells = dict(zip(TLS_FIELDS, row, strict=False))
        kinds = cells.get("tls.record.content_type", [])
        opaque = cells.get("tls.record.opaque_type", [])
        if frame.key[0] == "udp":
            self._quic.add(frame, cells)
        if frame.key[0] != "tcp" or not (kinds or opaque or cells.get("tls.handshake.type")):
            return kinds
        found = self._found.get(frame.key)
        if found is None:
            found = self._found[frame.key] = _Tls(min(frame.segments, default=frame.number), frame)
        found.last = frame
        side = found.sides.setdefault(frame.source, _TlsDirection())
        self._handshake(found, side, frame, cells)
        shapes = _count(found, side, cells)
        room = MAX_RECORD_SIZES - len(found.record_sizes)
        found.record_sizes += [(frame, length) for length in shapes[:room]]
        levels = cells.get("tls.alert_message.level", [])
        for level, code in zip(levels, cells.get("tls.alert_message.desc", []), strict=False):
            if len(found.alerts) < MAX_ALERTS:
                found.alerts.append((frame, level, code))
        return kinds

    def _handshake(
        self, found: _Tls, side: _TlsDirection, frame: Frame, cells: dict[str, list[str]]
    ) -> None:
        types = cells.get("tls.handshake.type", [])
        if CLIENT_HELLO in types:
            if found.server_hello:
                found.settle()  # renegotiation: the keys that are known may end here
            found.client = frame.source
            found.random = _last(cells, "tls.handshake.random").replace(":", "")
            found.server_name = _last(cells, "tls.handshake.extensions_server_name") or None
            found.sessions[0] = _last(cells, "tls.handshake.session_id")
        if SERVER_HELLO in types:
            found.client = found.client or frame.target
            found.server_hello = True
            found.sessions[1] = _last(cells, "tls.handshake.session_id")
            version = _last(cells, "tls.handshake.extensions.supported_version")
            found.tls13 = bool(version)
            version = version or _last(cells, "tls.handshake.version")
            found.version = int(version, 16) if version else None
            chosen = _last(cells, "tls.handshake.ciphersuite")
            found.suite = int(chosen, 16) if chosen else None
            extensions = cells.get("tls.handshake.extension.type", [])
            found.accepted_psk |= PRE_SHARED_KEY in extensions
        if found.client is not None and frame.source != found.client:
            found.alpn = _last(cells, "tls.handshake.extensions_alpn_str") or found.alpn
        found.full |= any(kind in types for kind in (CERTIFICATE, "12", "16"))
        side.finished |= FINISHED in types
        if CERTIFICATE in types:
            side.certificates = [
                bytes.fromhex(text.replace(":", ""))
                for text in cells.get("tls.handshake.certificate", [])
                if len(text.replace(":", "")) % 2 == 0
            ]

    def names(self) -> dict[StreamKey, str]:
        """Server names by stream."""
        return {key: item.server_name for key, item in self._found.items() if item.server_name}

    def rows(self) -> Iterator[TlsConnection]:
        for key, found in self._found.items():
            yield self._row(key, found)
        yield from self._quic.rows()

    def _source(self, found: _Tls, server: _TlsDirection) -> str | None:
        """The key log or the private key by which it was decrypted."""
        log = self._randoms.get(found.random)
        if log is not None or not _is_rsa(found):
            return log
        chain = server.certificates[:1]
        return next((key.origin for key in self._keys if chain and matches(key, chain[0])), None)

    def _row(self, key: StreamKey, found: _Tls) -> TlsConnection:
        connection = self._table.connection(key)
        client = found.client or connection.client
        server = connection.server if client == connection.client else connection.client
        sides = found.sides.get(client, _TlsDirection()), found.sides.get(server, _TlsDirection())
        found.settle()
        decrypted = sum(side.decrypted for side in sides)
        hidden = sum(side.hidden + side.undecrypted for side in sides)
        state: Literal["full", "partial", "none"] = "none"
        if decrypted:
            state = "partial" if hidden else "full"
        lost, cut = self._table.lost(key)
        if state == "full" and lost:
            state = "partial"  # records in the hole were neither seen nor opened
        reason, sentence = _why(found, sides, self._randoms, decrypted, hidden)
        # tshark tells no random of a client hello in the format of SSL 2.0.
        undecrypted = reason in ("no_secret_for_random", "no_client_hello") and not decrypted
        if undecrypted and self._keys and _is_rsa(found):
            reason, sentence = "rsa_key_wrong", "none of the RSA keys given is the server's"
        if lost and reason in (None, "lost_segment") and state != "full":
            reason = "cut_by_snaplen" if cut else "lost_segment"
            sentence = f"{lost} bytes of the connection are not in the capture"
        begin = self._table.frames.get(found.first, found.last)
        return TlsConnection(
            place=Place(
                connection,
                0,
                Span(begin.number, begin.time_ns, found.last.number, found.last.time_ns),
            ),
            server_name=found.server_name,
            alpn=found.alpn,
            version=None if found.version is None else version_name(found.version),
            cipher_suite=None if found.suite is None else suite(found.suite).name,
            resumed=_resumed(found),
            decrypted=state,
            reason=reason,
            sentence=sentence,
            secret_source=self._source(found, sides[1]) if decrypted else None,
            certificates=read_chain(sides[1].certificates),
            client_certificates=read_chain(sides[0].certificates),
            alerts=tuple(
                Alert(
                    _direction(frame, connection.client),
                    alert_level(int(level)),
                    alert_name(int(code)),
                    frame.number,
                    frame.time_ns,
                )
                for frame, level, code in found.alerts
            ),
            record_sizes=()
            if state == "full"
            else tuple(
                RecordSize(
                    frame.time_ns, _direction(frame, connection.client), length, frame.number
                )
                for frame, length in found.record_sizes
            ),
        )


def _is_rsa(found: _Tls) -> bool:
    """Whether the key exchange is one that a private key opens."""
    return found.suite is not None and suite(found.suite).key_exchange.startswith("RSA")


def _last(cells: dict[str, list[str]], name: str) -> str:
    values = cells.get(name)
    return values[-1] if values else ""


def _direction(frame: Frame, client: Endpoint) -> Direction:
    return 0 if frame.source == client else 1


def _count(found: _Tls, side: _TlsDirection, cells: dict[str, list[str]]) -> list[int]:
    """Count protected records, decrypted and not; the lengths of those with application data.

    In TLS 1.3 tshark shows the inner type of a record only if it could open it; before,
    whether the Finished can be read decides for the records behind it (`_Tls.settle`).
    """
    kinds = cells.get("tls.record.content_type", [])
    opaque = cells.get("tls.record.opaque_type", [])
    types = cells.get("tls.handshake.type", [])
    lengths = [int(text) for text in cells.get("tls.record.length", [])]
    side.records += len(kinds) + len(opaque)
    if not opaque:
        data = [at for at, kind in enumerate(kinds) if kind == APPLICATION_DATA]
        side.data += len(data)
        side.hidden += len(data)
        return [lengths[at] for at in data if at < len(lengths)]
    clear = sum(kind == CHANGE_CIPHER_SPEC for kind in kinds)
    clear += sum(kind in (CLIENT_HELLO, SERVER_HELLO) for kind in types)
    decrypted = min(len(opaque), max(0, len(kinds) - clear))
    side.data += sum(kind == APPLICATION_DATA for kind in kinds)
    side.decrypted += decrypted
    side.hidden += len(opaque) - decrypted
    # What is in clear comes before what is protected.
    return lengths[len(lengths) - len(opaque) + decrypted :] if decrypted < len(opaque) else []


def _resumed(found: _Tls) -> bool:
    if found.tls13:
        return found.accepted_psk
    same = bool(found.sessions[0]) and found.sessions[0] == found.sessions[1]
    return found.server_hello and bool(found.sessions[0] or same) and same and not found.full


def _why(
    found: _Tls,
    sides: tuple[_TlsDirection, _TlsDirection],
    randoms: Mapping[str, str],
    decrypted: int,
    hidden: int,
) -> tuple[TlsReason | None, str | None]:
    if not any(side.data or side.decrypted for side in sides) or not decrypted:
        for frame, level, code in found.alerts:
            if alert_level(int(level)) == "fatal" and not (sides[0].data and sides[1].data):
                return "handshake_failed", (
                    f"the handshake was broken off with the alert {alert_name(int(code))} "
                    f"(frame {frame.number})"
                )
    if not hidden:
        return None, None
    if not (sides[0].records and sides[1].records):
        return "one_direction_only", "only one direction of the connection was captured"
    if not found.random:
        return "no_client_hello", "tshark has seen no client hello, so no secret can be found"
    if not found.server_hello:
        return "no_server_hello", "tshark has seen no server hello"
    if found.random not in randoms:
        if not randoms:
            return "no_secret_for_random", (
                "no key log was given; record one (SSLKEYLOGFILE) and pass it with -k"
            )
        return "no_secret_for_random", "the key logs have no secret for this connection"
    if not decrypted:
        return "cipher_unsupported", (
            "the key log has a secret for this connection, but tshark did not decrypt it: it "
            "does not know the cipher suite, or the secret is wrong or incomplete"
        )
    return "lost_segment", "tshark did not decrypt all records: some were not captured"

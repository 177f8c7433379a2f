"""The TLS handshake that TLS-DSK carries inside SIP ([MS-SIPAE] §3.1, §3.2).

Each `gssapi-data` holds one flight as TLS records. Its messages are named here; what is
behind the change of cipher is encrypted and named as such. The flights of one handshake
put together go through the same parser as any TLS, and make a row of their own.
"""

from __future__ import annotations

from dataclasses import replace

from dissect.model import Anomaly, Direction, Message, Span, TlsConnection
from dissect.protocols.base import Layer
from dissect.protocols.tls import code_points
from dissect.protocols.tls.parser import TlsParser
from dissect.protocols.tls.records import VERSION2_HELLO, RecordReader
from dissect.protocols.tls.secret_store import SecretStore

MAX_NAMES = 64  # names given for one blob
MAX_BLOBS = 64  # of one handshake that are remembered
MAX_HANDSHAKES = 32  # handshakes of one SIP connection that are open at a time

_BOTH: tuple[Direction, Direction] = (0, 1)
_NO_SECRET = frozenset(("no_secret_for_random", "secret_incomplete", "resumed_without_secret"))
_NOWHERE = Span(0, 0, 0, 0)


def handshake_names(blob: bytes) -> tuple[str, ...]:
    """The TLS messages in a `gssapi-data` blob, in order.

    Words of the TLS registries: "client_hello", "certificate", "server_hello_done" …, and
    "change_cipher_spec", "alert", "application_data"; after a change of cipher
    "encrypted_handshake" and "encrypted_alert". A message or record that is cut short is
    named if its type was there. Anything that isn't TLS gives no names, never an error.
    """
    reader = RecordReader()
    records = [(record.kind, record.payload or b"") for record in reader.feed(blob, _NOWHERE)]
    rest = reader.remainder()
    if len(rest) > 5 and reader.broken is None:
        records.append((rest[0], rest[5:]))  # a log that cuts lines cuts the last record
    names: list[str] = []
    handshake = bytearray()
    protected = False
    for kind, payload in records:
        if kind == code_points.CHANGE_CIPHER_SPEC:
            names.append("change_cipher_spec")
            protected = True
        elif kind == VERSION2_HELLO:
            names.append("client_hello")
        elif kind == code_points.ALERT:
            names.append("alert" if len(payload) == 2 else "encrypted_alert")
        elif kind == code_points.APPLICATION_DATA:
            names.append("application_data")
        elif kind == code_points.HANDSHAKE and protected:
            names.append("encrypted_handshake")
        elif kind == code_points.HANDSHAKE:
            handshake += payload
            protected = _take_messages(handshake, names)
    if handshake and not protected:
        names.append(code_points.HANDSHAKE_NAMES.get(handshake[0], "unknown"))
    more = len(names) - MAX_NAMES
    return (*names[:MAX_NAMES], f"{more} more") if more > 0 else tuple(names)


def _take_messages(handshake: bytearray, names: list[str]) -> bool:
    """Name the whole messages and take them off; True where they turn out encrypted."""
    while len(handshake) >= 4:
        name = code_points.HANDSHAKE_NAMES.get(handshake[0])
        if name is None:  # a blob that begins behind the change of cipher
            names.append("encrypted_handshake")
            return True
        size = int.from_bytes(handshake[1:4])
        if len(handshake) < 4 + size:
            return False
        names.append(name)
        del handshake[: 4 + size]
    return False


class _Handshake:
    def __init__(self, layer: Layer, secrets: SecretStore, span: Span) -> None:
        self.parser = TlsParser(layer, secrets)
        self.seen: set[tuple[Direction, bytes]] = set()
        self.last = span


class DskHandshakes:
    """The TLS-DSK handshakes of one SIP connection, distinguished by their Call-ID.

    A row is given when a new client hello begins the next one, and at the end.
    """

    def __init__(self, layer: Layer, secrets: SecretStore | None = None) -> None:
        self._layer = replace(layer, depth=layer.depth + 1)
        self._secrets = SecretStore() if secrets is None else secrets
        self._open: dict[str, _Handshake] = {}
        self._reported: set[str] = set()

    def add(
        self, call_id: str, direction: Direction, blob: bytes, span: Span
    ) -> list[Message | Anomaly]:
        """One `gssapi-data`; a repeated one says nothing new."""
        out: list[Message | Anomaly] = []
        handshake = self._open.get(call_id)
        if handshake is not None and (direction, blob) in handshake.seen:
            return out
        if handshake is not None and handshake_names(blob)[:1] == ("client_hello",):
            out += self._close(call_id)
            handshake = None
        if handshake is None:
            if len(self._open) >= MAX_HANDSHAKES:
                out += self._close(next(iter(self._open)))
                out += self._limit(
                    "limit.tls_dsk_handshakes",
                    f"more than {MAX_HANDSHAKES} TLS-DSK handshakes are open on a connection: "
                    "the oldest are taken for ended",
                    span,
                )
            handshake = self._open[call_id] = _Handshake(self._layer, self._secrets, span)
        if len(handshake.seen) < MAX_BLOBS:
            handshake.seen.add((direction, blob))
        else:
            out += self._limit(
                "limit.tls_dsk_blobs",
                f"a TLS-DSK handshake of more than {MAX_BLOBS} messages: a repeated one is no "
                "longer known as such",
                span,
            )
        handshake.last = span
        out += handshake.parser.data(direction, blob, span)
        return out

    def _limit(self, kind: str, sentence: str, span: Span) -> list[Message | Anomaly]:
        if kind in self._reported:
            return []
        self._reported.add(kind)
        where = self._layer.connection
        return [Anomaly(kind, sentence, where.capture, span.last_frame, where.stream)]

    def lost(self, call_id: str, direction: Direction, span: Span) -> None:
        """The end of the last blob is missing."""
        handshake = self._open.get(call_id)
        if handshake is not None:
            handshake.parser.gap(direction, 0, span)

    def finish(self) -> list[Message | Anomaly]:
        """The connection has ended, and with it all handshakes."""
        return [item for call_id in list(self._open) for item in self._close(call_id)]

    def _close(self, call_id: str) -> list[Message | Anomaly]:
        handshake = self._open.pop(call_id)
        out: list[Message | Anomaly] = []
        for direction in _BOTH:
            out += handshake.parser.end(direction, handshake.last)
        return [_inside(item) if isinstance(item, TlsConnection) else item for item in out]


def _inside(row: TlsConnection) -> TlsConnection:
    """The row of a handshake inside SIP: only its two Finished are ever protected."""
    # Its bytes are base64 in fields of SIP.
    row = replace(row, inside="sip", place=replace(row.place, ranges=None))
    if row.reason in _NO_SECRET and not row.record_sizes:
        return replace(
            row,
            reason=None,
            sentence="a TLS-DSK handshake: it is in clear but for its Finished messages, which "
            "hide nothing that anybody needs",
        )
    return row

"""QUIC (RFC 9000, 9001, 9369) as far as anyone can read it: the hellos in its Initials.

What they tell makes the row of a `TlsConnection`. Everything behind is protected with
secrets that only a key log gives; HTTP/3 is not read here, and the row says so.
"""

from __future__ import annotations

from dissect.errors import ProtocolError
from dissect.model import (
    UNKNOWN_QUIC,
    Alert,
    Anomaly,
    Direction,
    Message,
    Output,
    Ranges,
    RecordSize,
    Span,
    TlsConnection,
    TlsReason,
)
from dissect.protocols import quic_packets as wire
from dissect.protocols.base import Layer
from dissect.protocols.quic_frames import Close, Crypto, CryptoStream, frames
from dissect.protocols.tls import code_points, named_groups
from dissect.protocols.tls.connection_row import hello_fields
from dissect.protocols.tls.handshake import (
    PRE_SHARED_KEY,
    ClientHello,
    parse_client_hello,
    parse_server_hello,
)
from dissect.protocols.tls.handshake_facts import Facts
from dissect.protocols.tls.handshake_messages import MessageReader
from dissect.protocols.tls.suites import suite
from dissect.protocols.tls.timing import RoundTrips
from dissect.protocols.track import Track

MAX_RECORD_SIZES = 4096  # datagrams whose size is kept
MAX_ANOMALIES = 20  # of one pair of endpoints

_CRYPTO_ERROR = 0x0100  # and the number of the alert (RFC 9001 §4.8)

_WAYS: tuple[Direction, Direction] = (0, 1)

Results = list["Message | Anomaly"]


class QuicParser:
    """A `StreamParser` for the datagrams of two endpoints: a row for each connection."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self._connection = _Connection()
        self._anomalies = 0
        self._ended = [False, False]

    def data(self, direction: Direction, view: bytes | memoryview, span: Span) -> Output:
        out: Results = []
        found = self._connection
        try:
            at = span.offset
            for packet in wire.packets(bytes(view)):
                if packet.kind == wire.INITIAL and found.is_other(packet, direction):
                    out.append(found.row(self._layer))
                    found = self._connection = _Connection()
                found.note(packet, direction, at)
                at += len(packet.raw)
                found.packet(packet, direction, span)
        except ProtocolError as error:
            self._odd(error, span, out)
        return out

    def gap(self, direction: Direction, length: int, span: Span) -> Output:
        return ()  # a cut datagram; what was there of it came before

    def end(self, direction: Direction, span: Span) -> Output:
        before = all(self._ended)
        self._ended[direction] = True
        if before or not all(self._ended) or self._connection.first is None:
            return ()
        return (self._connection.row(self._layer),)

    def _odd(self, error: ProtocolError, span: Span, out: Results) -> None:
        self._anomalies += 1
        if self._anomalies <= MAX_ANOMALIES:
            where = self._layer.connection
            out.append(
                Anomaly(error.kind, str(error), where.capture, span.last_frame, where.stream)
            )


class _Connection:
    """One QUIC connection. Roles: 0 is the client, 1 the server."""

    def __init__(self) -> None:
        self.facts = Facts()
        self.first: Span | None = None
        self._last = Span(0, 0, 0, 0)
        self._client: Direction = 0
        self._version: wire.Version | None = None
        self._original: bytes | None = None  # the id that the keys come from
        self._first_id = b""  # the destination of the very first Initial
        self._keys: dict[int, tuple[wire.Protection, wire.Protection]] = {}
        self._streams = (CryptoStream(), CryptoStream())
        self._messages = (MessageReader(), MessageReader())
        self._trips = RoundTrips()
        self._alerts: list[Alert] = []
        self._record_sizes: list[RecordSize] = []
        self._retried = False  # by a Retry, or by a HelloRetryRequest
        self._refused: tuple[int, ...] = ()  # the versions that the server has instead
        self._answered = False
        self._understood = Track(), Track()  # by direction
        self._unsure = Track(), Track()

    def note(self, packet: wire.Packet, direction: Direction, at: int) -> None:
        """Note where a packet is: is its form certain, or does its header tell nothing that
        could be checked?"""
        sure = packet.version is not None and packet.kind != wire.RETRY
        tracks = self._understood if sure else self._unsure
        if sure or len(packet.raw) >= wire.SMALLEST_SHORT:
            tracks[direction].add(at, len(packet.raw))

    def is_other(self, packet: wire.Packet, direction: Direction) -> bool:
        """Whether an Initial begins another connection between the same endpoints.

        The server's hello was read, so this client's Initial should open with the keys of
        the connection; it opens with those of its own destination instead.
        """
        version = packet.version
        if version is None or self.facts.server is None or direction != self._client:
            return False
        if packet.destination == self._original or self._protection(version)[0].open(packet):
            return False
        return wire.initial_protection(version, packet.destination)[0].open(packet) is not None

    def packet(self, packet: wire.Packet, direction: Direction, span: Span) -> None:
        """Raises ProtocolError where the packet is not what its type promises."""
        self.first = self.first or span
        self._last = span
        if packet.kind == wire.NEGOTIATION:
            self._refused = packet.versions
            self._answered = True
        elif packet.kind == wire.RETRY:
            self._retry(packet, direction, span)
        elif packet.kind == wire.INITIAL and packet.version is not None:
            self._initial(packet, packet.version, direction, span)
        elif (
            packet.kind in (wire.ZERO_RTT, wire.SHORT)
            and len(self._record_sizes) < MAX_RECORD_SIZES
        ):
            self._record_sizes.append(
                RecordSize(span.first_ns, direction, len(packet.raw), span.first_frame)
            )
        if self._original is None or direction != self._client:
            self._answered |= packet.kind in (wire.HANDSHAKE, wire.SHORT)
        if packet.version is not None:
            self._version = packet.version  # the server may choose another (RFC 9368)

    def _retry(self, packet: wire.Packet, direction: Direction, span: Span) -> None:
        if self._retried or self._original is None or direction == self._client:
            return
        if not wire.is_retry_of(packet, self._first_id):
            raise ProtocolError("quic.retry", "a Retry that does not answer this client")
        self._retried = self._answered = True
        self._original = packet.source
        self._keys.clear()
        self._trips.note(1, span)

    def _initial(
        self, packet: wire.Packet, version: wire.Version, direction: Direction, span: Span
    ) -> None:
        if self._original is None:
            keys = wire.initial_protection(version, packet.destination)
            payload = keys[0].open(packet)
            if payload is None:
                return  # a server's, or a client's whose first one was not captured
            self._client, self._original, self._first_id = (
                direction,
                packet.destination,
                packet.destination,
            )
            self._keys[version.number] = keys
            role = 0
        else:
            role = int(direction != self._client)
            payload = self._protection(version)[role].open(packet)
            if payload is None:
                return
        self._trips.note(role, span)
        self._answered |= role == 1
        for frame in frames(payload):
            if isinstance(frame, Crypto):
                self._crypto(role, frame, span)
            else:
                self._close(frame, direction, span)

    def _protection(self, version: wire.Version) -> tuple[wire.Protection, wire.Protection]:
        if version.number not in self._keys:
            assert self._original is not None
            self._keys[version.number] = wire.initial_protection(version, self._original)
        return self._keys[version.number]

    def _crypto(self, role: int, frame: Crypto, span: Span) -> None:
        reader = self._messages[role]
        reader.feed(self._streams[role].add(frame, span))
        facts = self.facts
        while (message := reader.take()) is not None:
            kind, body = message
            if kind == code_points.CLIENT_HELLO and role == 0:
                hello = parse_client_hello(body)
                facts.client = facts.client or hello
                facts.server_name = hello.server_name or facts.server_name
            elif kind == code_points.SERVER_HELLO and role == 1:
                answer = parse_server_hello(body)
                facts.version, facts.suite = answer.version, suite(answer.suite)
                facts.group = named_groups.of_server_hello(answer)
                facts.resumed = PRE_SHARED_KEY in answer.extensions
                if answer.retry:
                    self._retried = True
                else:
                    facts.server = facts.server or answer

    def _close(self, frame: Close, direction: Direction, span: Span) -> None:
        if _CRYPTO_ERROR <= frame.code < 2 * _CRYPTO_ERROR and not self._alerts:
            name = code_points.alert_name(frame.code - _CRYPTO_ERROR)
            self._alerts.append(Alert(direction, "fatal", name, span.first_frame, span.first_ns))

    # ------------------------------------------------------------- the row

    def row(self, layer: Layer) -> TlsConnection:
        facts, first = self.facts, self.first or self._last
        reason, sentence = self._why()
        offered = _protocols(facts.client)
        understood, unsure = (
            tuple(item for way in _WAYS for item in tracks[way].ranges(way))
            for tracks in (self._understood, self._unsure)
        )
        ranges = Ranges((*understood, *unsure), body=unsure, understood=understood, verbatim=False)
        return TlsConnection(
            place=layer.place(0, first.to(self._last), ranges),
            server_name=facts.server_name,
            # The server must take one of them or close (RFC 9001 §8.1).
            alpn=offered[0] if facts.server is not None and len(offered) == 1 else None,
            version=None if facts.version is None else code_points.version_name(facts.version),
            cipher_suite=facts.suite.name if facts.suite else None,
            resumed=facts.resumed,
            reason=reason,
            sentence=sentence,
            alerts=tuple(self._alerts),
            record_sizes=tuple(self._record_sizes),
            quic=self._version.name if self._version else UNKNOWN_QUIC,
            retried=self._retried,
            round_trips_ns=tuple(self._trips.found_ns),
            **hello_fields(facts, "q"),
        )

    def _why(self) -> tuple[TlsReason, str]:
        name = f"QUIC version {self._version.name}" if self._version else "QUIC"
        for alert in self._alerts:
            sender = "client" if alert.direction == self._client else "server"
            return "handshake_failed", (
                f"the {sender} broke off the handshake with the alert {alert.description} "
                f"(frame {alert.frame})"
            )
        if self._refused:
            versions = ", ".join(
                wire.VERSIONS[number].name if number in wire.VERSIONS else f"0x{number:08X}"
                for number in self._refused[:8]
            )
            return "handshake_failed", (
                f"the server speaks other versions of QUIC than the client began with: {versions}"
            )
        if self.facts.client is not None and not self._answered:
            return "no_server_hello", (
                f"nobody answered the client's {name}: is UDP blocked? Clients then use TCP"
            )
        if self._version is None and self.facts.client is None:
            return "quic_not_decrypted", (
                "datagrams with the form of QUIC's short header: most likely QUIC that began "
                "before the capture; start the capture earlier"
            )
        lacks = "" if self.facts.client is not None else ", and its client hello was not captured"
        return "quic_not_decrypted", (
            f"{name}: HTTP/3 is not decrypted by this program{lacks}; switch QUIC off at the "
            "client or block UDP port 443, and the same requests go over TLS and TCP"
        )


def _protocols(hello: ClientHello | None) -> tuple[str, ...]:
    try:
        return hello.protocols if hello is not None else ()
    except ProtocolError:  # the rest of the hello is as good as before
        return ()

"""What is noted of a TLS connection as it goes by, for its row: alerts, sizes, anomalies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dissect.model import Alert, Anomaly, RecordSize, Span
from dissect.protocols.base import Layer
from dissect.protocols.tls import code_points
from dissect.protocols.tls.direction_state import DirectionState
from dissect.protocols.tls.inside import Results
from dissect.protocols.tls.records import Record
from dissect.protocols.tls.timing import RoundTrips

MAX_RECORD_SIZES = 4096  # record sizes kept of a connection that stays undecrypted
MAX_ALERTS = 64
MAX_ANOMALIES = 20  # of one connection


class Observations:
    """Of one connection; all bounded."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self.alerts: list[Alert] = []
        self.record_sizes: list[RecordSize] = []
        self.trips = RoundTrips()
        self.limits: dict[str, str] = {}
        self._anomalies = 0

    def alert(self, state: DirectionState, content: bytes, span: Span) -> None:
        if len(content) == 2 and len(self.alerts) == MAX_ALERTS:
            self.limits["limit.tls_alerts"] = f"alerts beyond {MAX_ALERTS} are not listed"
        elif len(content) == 2:
            self.alerts.append(
                Alert(
                    state.direction,
                    code_points.alert_level(content[0]),
                    code_points.alert_name(content[1]),
                    span.last_frame,
                    span.last_ns,
                )
            )

    def undecrypted_record(self, state: DirectionState, record: Record) -> None:
        """A record of application data that stays undecrypted."""
        state.data_undecrypted += 1
        if len(self.record_sizes) < MAX_RECORD_SIZES:
            span = record.span
            self.record_sizes.append(
                RecordSize(span.last_ns, state.direction, record.length, span.last_frame)
            )

    def anomaly(self, kind: str, sentence: str, span: Span, out: Results) -> None:
        self._anomalies += 1
        if self._anomalies <= MAX_ANOMALIES:
            connection = self._layer.connection
            out.append(
                Anomaly(kind, sentence, connection.capture, span.last_frame, connection.stream)
            )

    def bounds(self, limits: Mapping[str, str], span: Span) -> Iterator[Anomaly]:
        """The bounds that were reached, once the connection has ended."""
        connection = self._layer.connection
        for kind, sentence in {**limits, **self.limits}.items():
            yield Anomaly(kind, sentence, connection.capture, span.last_frame, connection.stream)

    def bad_tag(self, number: int, span: Span, out: Results) -> None:
        self.anomaly(
            "tls.bad_tag",
            f"record {number} of this direction fails its integrity check: left out",
            span,
            out,
        )

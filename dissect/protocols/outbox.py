"""What a parser has to say: messages and a bounded number of anomalies, in order."""

from __future__ import annotations

from dissect.model import Anomaly, Message
from dissect.protocols.base import Layer
from dissect.protocols.content import MAX_UNPACKED, UNPACKED_RATIO

MAX_ANOMALIES = 100  # of one parser; hostile bytes must not fill the report


class Outbox:
    """Collects the output of one call; a parser flushes it at the end of each verb."""

    __slots__ = ("_anomalies", "_connection", "_items", "_reported")

    def __init__(self, layer: Layer) -> None:
        self._connection = layer.connection
        self._items: list[Message | Anomaly] = []
        self._anomalies = 0
        self._reported: set[str] = set()

    def add(self, item: Message | Anomaly) -> None:
        self._items.append(item)

    def anomaly(self, kind: str, sentence: str, frame: int | None) -> None:
        """Report an anomaly; the sentence must hold no bytes of the capture but names."""
        self._anomalies += 1
        if self._anomalies > MAX_ANOMALIES:
            return
        if self._anomalies == MAX_ANOMALIES:
            kind, sentence = "anomalies.more", "further oddities of this stream are not listed"
        connection = self._connection
        self._items.append(Anomaly(kind, sentence, connection.capture, frame, connection.stream))

    def anomaly_once(self, kind: str, sentence: str, frame: int) -> None:
        """Report the first anomaly of a kind only."""
        if kind not in self._reported:
            self._reported.add(kind)
            self.anomaly(kind, sentence, frame)

    def limit(self, kind: str, sentence: str, frame: int) -> None:
        """Report that a bound was reached, once a kind, however many anomalies there were."""
        if kind not in self._reported:
            self._reported.add(kind)
            where = self._connection
            self._items.append(Anomaly(kind, sentence, where.capture, frame, where.stream))

    def unpacked(self, layer: Layer, frame: int) -> None:
        """Report, if it is so, that bodies unpack to more than the capture's allowance."""
        if layer.allowance.reached:
            layer.allowance.reached = False  # others of the capture have their own
            self.limit(
                "limit.unpacked",
                f"compressed bodies of this capture unpack to more than {MAX_UNPACKED >> 20} MB "
                f"and {UNPACKED_RATIO} times their size: they are cut",
                frame,
            )

    def flush(self) -> list[Message | Anomaly]:
        items, self._items = self._items, []
        return items

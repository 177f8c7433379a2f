"""Bounds that were reached where secrets are looked for: reported once a capture, by their kind.

Beyond each of them nothing is shown that would be hidden within; what can be lost are words.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dissect.model import Anomaly, Place


class Bounds:
    """`reached` are the bounds that messages of this run have reached, with their frames."""

    def __init__(self) -> None:
        self.reached: list[Anomaly] = []
        self._reported: set[tuple[str, int]] = set()
        self._place: Place | None = None

    @contextmanager
    def at(self, place: Place) -> Iterator[None]:
        """While a message is looked at for the first time: it is the one that is named."""
        self._place = place
        try:
            yield
        finally:
            self._place = None

    def say(self, kind: str, sentence: str) -> None:
        """Note a bound; when the same message is only shown, that was reported before."""
        if self._place is None:
            return
        where = self._place.connection
        if (kind, where.capture) not in self._reported:
            self._reported.add((kind, where.capture))
            frame = self._place.span.last_frame
            self.reached.append(Anomaly(kind, sentence, where.capture, frame, where.stream))

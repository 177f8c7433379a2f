"""The texts of a session's messages, and where they stand."""

from __future__ import annotations

from dissect.model import Place, Source
from dissect.pipeline import Session
from dissect.redaction.masked_texts import MaskedTexts as Texts


class SessionTexts(Texts):
    """Shows what a session read."""

    def __init__(self, run: Session) -> None:
        super().__init__(run.policy)
        self.run = run

    def source(self, place: Place) -> Source:
        """Where a message was, as the chart's evidence has it."""
        connection, span = place.connection, place.span
        name = self.run.names[connection.capture]
        if connection.capture >= len(self.run.options.captures):
            return Source(name, line=span.first_frame)
        return Source(
            name, span.first_frame, span.last_frame, connection.stream, connection.transport,
            encrypted=place.encrypted,
        )  # fmt: skip

"""Where a message was, as the keys that every table has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissect.model import Place
from dissect.render.words import rfc3339
from dissect.tables import Row

if TYPE_CHECKING:
    from dissect.pipeline import Session


def common(run: Session, place: Place) -> Row:
    """The keys of `tables.COMMON`."""
    return {
        "capture": run.names[place.connection.capture],
        "stream": place.connection.stream,
        "first_frame": place.span.first_frame,
        "last_frame": place.span.last_frame,
        "time": rfc3339(place.span.first_ns),
        "client": str(place.connection.client),
        "server": str(place.connection.server),
        "encrypted": place.encrypted,
    }

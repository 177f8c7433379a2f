"""Bodies that a run has let go, for those who show them: from the capture, once more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from dissect.engines.again import bodies, body_key
from dissect.model import HttpRequest, HttpResponse, Message, SipMessage
from dissect.pipeline import Session, bind_key_logs

M = TypeVar("M", bound=Message)


def with_bodies(run: Session, messages: Sequence[M]) -> list[M]:
    """The messages; each whose body was let go (its size is known, and nothing of it is here)
    has that again. Captures are read for that only if there is one.

    Raises CaptureError, UsageError as reading did, and UsageError for standard input that was
    not kept (`Options.again`).
    """
    places = [message.place for message in messages if _lacks_body(message)]
    places = [place for place in places if place.ranges is not None]
    if not places:
        return list(messages)
    found = bodies(bind_key_logs(run.options), places, run.registry.readers, run.spool)
    return [
        replace(message, body=found[body_key(message.place)])  # type: ignore[arg-type]
        if _lacks_body(message) and body_key(message.place) in found
        else message
        for message in messages
    ]


def _lacks_body(message: Message) -> bool:
    if not isinstance(message, HttpRequest | HttpResponse | SipMessage):
        return False
    return message.body.wire_size > 0 and not message.body.data

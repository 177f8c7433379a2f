"""`--body [CAPTURE:]FRAME[.N]`: the decoded body of one message, secrets masked."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from dissect.errors import UsageError

if TYPE_CHECKING:
    from dissect.model import HttpRequest, HttpResponse, SipMessage
    from dissect.pipeline import Session

    Bearer = HttpRequest | HttpResponse | SipMessage

_SELECTOR = re.compile(r"(?:(.+):)?([0-9]{1,10})(?:\.([0-9]{1,6}))?")
MAX_LISTED = 8

option = click.option(
    "--body",
    "body",
    metavar="[CAPTURE:]FRAME[.N]",
    help="Instead of the table the decoded body of the message in this frame (the Nth of "
    "several), secrets masked.",
)


@dataclass(frozen=True, slots=True)
class Selector:
    """Which message is meant; `number` counts from 1 among those of the frame."""

    capture: str | None
    frame: int
    number: int | None


def selector(text: str) -> Selector:
    """Raises click.UsageError for what is none."""
    match = _SELECTOR.fullmatch(text.strip())
    if match is None:
        raise click.UsageError(f"--body takes [CAPTURE:]FRAME[.N], not {text!r}")
    return Selector(match[1], int(match[2]), int(match[3]) if match[3] else None)


def print_body(run: Session, kind: str, wanted: Selector, format_: str) -> None:
    """Print the body of one message of `kind` ("http" or "sip"); what it is on standard error.

    Raises UsageError where no message, or more than one, is meant.
    """
    from dissect.model import HttpRequest
    from dissect.render.escape import json_text, visible
    from dissect.report.reread_bodies import with_bodies

    message = find(run, kind, wanted)
    content_type = _content_type(message)
    posted = isinstance(message, HttpRequest)
    (message,) = with_bodies(run, [message])
    parts, note = run.policy.body(message.body, content_type, posted)
    body = run.policy.show(parts) if parts is not None else None
    note = run.policy.scrub(note)
    if format_ == "json":
        row = {
            "capture": run.names[message.place.connection.capture],
            "stream": message.place.connection.stream,
            "first_frame": message.place.span.first_frame,
            "last_frame": message.place.span.last_frame,
            "message": describe(message),
            "content_type": _type_shown(run, content_type),
            "note": note,
            "body": body,
        }
        click.echo(json_text(json.dumps(row, ensure_ascii=False)))
        return
    click.echo(f"dissect: {visible(describe(message))}: {visible(note)}", err=True)
    if body is not None:
        for line in body.splitlines():
            click.echo(visible(line))


def _type_shown(run: Session, content_type: str | None) -> str | None:
    if content_type is None:
        return None
    return run.policy.show(run.policy.header("content-type", content_type, sip_message=True))


def _content_type(message: Bearer) -> str | None:
    from dissect.model import SipMessage

    if isinstance(message, SipMessage):
        return message.header("content-type")
    return message.headers.get("content-type")


def find(run: Session, kind: str, wanted: Selector) -> Bearer:
    """The message meant. One that ends in the frame goes before those that pass it; one with
    a body before those without."""
    found = [message for message in _bearers(run, kind) if _in_frame(run, message, wanted)]
    ending = [message for message in found if wanted.frame in _ends(message)]
    found = ending or found
    if not found:
        where = f"{wanted.capture}, frame" if wanted.capture else "frame"
        raise UsageError(
            f"--body: no {kind.upper()} message in {where} {wanted.frame}; "
            f"`dissect {kind}` lists their frames"
        )
    if wanted.number is not None:
        if not 1 <= wanted.number <= len(found):
            raise UsageError(f"--body: frame {wanted.frame} has {len(found)} such messages")
        return found[wanted.number - 1]
    with_body = [message for message in found if message.body.wire_size]
    if len(with_body) == 1 or len(found) == 1:
        return (with_body or found)[0]
    listed = ", ".join(
        f"{wanted.frame}.{index} {describe(message)}"
        for index, message in enumerate(found[:MAX_LISTED], 1)
    )
    more = " …" if len(found) > MAX_LISTED else ""
    raise UsageError(f"--body: which of {listed}{more}?")


def _bearers(run: Session, kind: str) -> list[Bearer]:
    from dissect.model import HttpRequest, HttpResponse, SipMessage

    types = (HttpRequest, HttpResponse) if kind == "http" else (SipMessage,)
    return [message for message in run.messages if isinstance(message, types)]


def _in_frame(run: Session, message: Bearer, wanted: Selector) -> bool:
    span, name = message.place.span, run.names[message.place.connection.capture]
    here = wanted.capture is None or name == wanted.capture or _file(name) == wanted.capture
    return here and span.first_frame <= wanted.frame <= span.last_frame


def _file(name: str) -> str:
    return re.split(r"[/\\]", name)[-1]


def _ends(message: Bearer) -> tuple[int, ...]:
    return message.place.span.last_frame, getattr(message, "head_frame", 0)


def describe(message: Bearer) -> str:
    """A message in two words: `POST login.example`, `response 200`, `INVITE`."""
    from dissect.model import HttpRequest

    if isinstance(message, HttpRequest):
        return f"{message.method} {message.host or ''}".strip()
    if message.status is None:
        return str(getattr(message, "method", "request"))
    return f"response {message.status}"

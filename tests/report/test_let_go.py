"""Bodies that a run has let go are shown all the same: they are read again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dissect.errors import UsageError
from dissect.export.scrubbed import pdus
from dissect.export.write import used_streams
from dissect.model import Body, HttpRequest, HttpResponse, Message, SipMessage
from dissect.pipeline import Options, Session
from dissect.report import har
from dissect.report.bodies import with_bodies
from dissect.report.build import build
from tests.lab import scenario


def lean(message: Message) -> Message:
    if isinstance(message, HttpRequest | HttpResponse | SipMessage) and message.body.data:
        body = Body(wire_size=message.body.wire_size, problem=message.body.problem)
        return replace(message, body=body)
    return message


def session(name: str) -> Session:
    run = Session(Options(tuple(scenario(name).captures)))
    assert run.charts
    return run


def let_go(run: Session) -> Session:
    run.messages[:] = [lean(message) for message in run.messages]
    return run


def of_har(run: Session) -> Any:
    return har.document(run)


def of_report(run: Session) -> Any:
    return build(run).messages


def of_scrub(run: Session) -> Any:
    return pdus(run, used_streams(run))


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("web-signin", of_har),
        ("web-signin", of_report),
        ("sip-call", of_report),
        ("web-signin", of_scrub),
    ],
)
def test_all_is_shown_as_with_them(name: str, made: Callable[[Session], Any]) -> None:
    wanted = made(session(name))
    run = let_go(session(name))
    assert not any(m.body.data for m in run.messages if isinstance(m, HttpResponse | SipMessage))
    assert made(run) == wanted
    assert len(str(wanted)) > 500


def test_nothing_is_read_for_what_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    run = session("web-signin")

    def never(*given: Any, **options: Any) -> Any:
        raise AssertionError("the captures were read again")

    monkeypatch.setattr("dissect.report.bodies.bodies", never)
    assert with_bodies(run, run.messages) == run.messages


def test_standard_input_that_was_not_kept_is_said() -> None:
    run = let_go(session("web-signin"))
    run.options = replace(run.options, captures=("-",) * len(run.options.captures))
    with pytest.raises(UsageError, match="not kept"):
        with_bodies(run, run.messages)

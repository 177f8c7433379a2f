"""Bodies that a run has let go are shown all the same: they are read again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dissect.cli.main import cli
from dissect.errors import UsageError
from dissect.export.scrubbed import pdus
from dissect.export.write import used_streams
from dissect.model import Body, HttpRequest, HttpResponse, Message, SipMessage
from dissect.pipeline import RunOptions, Session
from dissect.report import har
from dissect.report.build import build
from dissect.report.reread_bodies import with_bodies
from dissect.stages import keep as keeping
from tests.lab import scenario


def lean(message: Message) -> Message:
    if isinstance(message, HttpRequest | HttpResponse | SipMessage) and message.body.data:
        body = Body(wire_size=message.body.wire_size, problem=message.body.problem)
        return replace(message, body=body)
    return message


def session(name: str) -> Session:
    run = Session(RunOptions(tuple(scenario(name).captures)))
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

    monkeypatch.setattr("dissect.report.reread_bodies.bodies", never)
    assert with_bodies(run, run.messages) == run.messages


def test_standard_input_that_was_not_kept_is_reported() -> None:
    run = let_go(session("web-signin"))
    run.options = replace(run.options, captures=("-",) * len(run.options.captures))
    with pytest.raises(UsageError, match="not kept"):
        with_bodies(run, run.messages)


def test_a_page_needs_no_bodies_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Page and archive are the same, byte by byte, as of a run that keeps everything."""
    captures = scenario("web-signin").captures
    made = []
    for folder, keep in (
        (tmp_path / "let", keeping.reported),
        (tmp_path / "all", keeping.everything),
    ):
        folder.mkdir()
        monkeypatch.setattr(keeping, "reported", keep)
        outputs = [word for name in ("r.html", "r.har") for word in ("-o", str(folder / name))]
        result = CliRunner().invoke(cli, ["report", *captures, *outputs], standalone_mode=False)
        assert result.exception is None, result.exception
        made.append([(folder / name).read_bytes() for name in ("r.html", "r.har")])
    assert made[0] == made[1]
    assert b"entries" in made[0][1]


def test_what_a_report_holds() -> None:
    """Pages, for their redirects, and what is posted; no pictures, scripts, downloads."""
    held = [
        m
        for m in session("web-signin").messages
        if isinstance(m, HttpResponse) and m.body.data and keeping.reported(m) is not m
    ]
    kinds = {(m.headers.get("content-type") or "").partition(";")[0] for m in held}
    assert kinds
    assert not kinds & {"text/html", "application/json"}
    for message in held:
        kept = keeping.reported(message)
        assert isinstance(kept, HttpResponse)
        assert not kept.body.data
        assert kept.body.wire_size == message.body.wire_size

"""Verdicts in words: evidence in order, each file and stream once; what could not be seen."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from dissect.cli.main import cli
from dissect.flow.texts import main_clause
from dissect.model import Source
from dissect.pipeline import RunOptions, Session
from dissect.render import headline, render
from tests.lab import scenario

from . import charts

A, B = "a.pcapng", "b.pcapng"


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        ([Source(A, 6, 6, 4)], "frame 6 of a.pcapng (tcp.stream 4)"),
        ([Source(A, 8, 9, 4), Source(A, 6, None, 4)],
         "frames 6 and 8–9 of a.pcapng (tcp.stream 4)"),
        ([Source(A, 9, 9, 5), Source(A, 6, 7, 4)],
         "frame 9 (tcp.stream 5) and frames 6–7 (tcp.stream 4) of a.pcapng"),
        ([Source(A, 1, 1, 0), Source(B, 2, 2, 0, "udp")],
         "frame 1 of a.pcapng (tcp.stream 0); frame 2 of b.pcapng (udp.stream 0)"),
        ([Source("p.log", line=9), Source("p.log", line=4)], "lines 4 and 9 of p.log"),
        ([Source(A, n, n, 0) for n in range(1, 10)],
         "frames 1, 2, 3, 4, 5 and 4 more of a.pcapng (tcp.stream 0)"),
        ([Source(A)], "a.pcapng"),
    ],
)  # fmt: skip
def test_evidence_names_file_and_stream_once(sources: list[Source], said: str) -> None:
    assert headline.listed(sources) == said


def test_evidence_is_in_order_of_time() -> None:
    """By the arrows' times, not by frames: two files, the second of which began earlier."""
    late, early = Source(A, 1, 1, 0), Source(B, 90, 90, 3)
    assert headline.listed([late, early], {late: 20, early: 10}) == (
        "frame 90 of b.pcapng (tcp.stream 3); frame 1 of a.pcapng (tcp.stream 0)"
    )


@pytest.mark.parametrize(
    ("text", "clause"),
    [
        ("A did not accept X[ of {user}]: it showed its form", "A did not accept X[ of {user}]"),
        ("A refused B[: {meaning}][ ({text})]", "A refused B[: {meaning}]"),
        ("A gave no code: {error}[, {meaning}][ (AADSTS{code})]", "A gave no code[: {meaning}]"),
        ("A took X and asked; the old one has expired", "A took X and asked"),
        ("the call was lost", "the call was lost"),
        ("{host}:{port} closed", "{host}:{port} closed"),
    ],
)  # fmt: skip
def test_the_main_clause(text: str, clause: str) -> None:
    assert main_clause(text) == clause


@pytest.mark.parametrize("name", ["text", "markdown", "html", "mermaid", "plantuml"])
def test_what_failed_comes_before_the_step(name: str) -> None:
    item = scenario("wrong-password")
    (chart,) = Session(RunOptions(tuple(item.captures))).charts
    text = " ".join(str(render(chart, name)).replace("<br/>", " ").split())
    user = item.truth["user"]
    assert chart.headline == f"ADFS did not accept the credentials of {user}"
    assert text.index("ADFS did not accept the credentials") < text.index("step 4 of 7")


def test_without_keys_it_says_that_it_could_not_be_seen() -> None:
    """Whose connections they are, and what opens the next ones; not that it stopped there."""
    (chart,) = Session(RunOptions(tuple(scenario("no-keys").captures))).charts
    assert (chart.status, chart.stopped_at) == ("incomplete", 3)
    assert "could not be seen" in chart.headline
    assert "Browser" in chart.headline
    assert "not decrypted" in chart.headline
    for word in ("SSLKEYLOGFILE", "-k", "--phone-log"):
        assert word in chart.advice
    lines = str(render(chart, "text")).splitlines()
    assert "stopped at step" not in " ".join([*lines[:8], *lines[-2:]])


def test_the_keys_of_another_session_are_reported_as_such(tmp_path: Path) -> None:
    """The log of another recording: not "no key log"."""
    item, other = scenario("wrong-password"), scenario("web-signin")
    captures = [shutil.copy(path, tmp_path) for path in item.captures]
    keys = str(other.folder / "browser.keys")
    (chart,) = Session(RunOptions(tuple(map(str, captures)), key_logs=(keys,))).charts
    assert "could not be seen" in chart.headline
    assert "is it the log of another session?" in chart.advice
    assert "No key log" not in chart.advice


def test_keys_of_one_side_leave_the_other_unseen() -> None:
    item = scenario("web-signin")
    keys = str(item.folder / "browser.keys")
    (chart,) = Session(RunOptions(tuple(item.captures), key_logs=(keys,), auto_keys=False)).charts
    assert "VVX phone" in chart.headline
    assert "Browser" not in chart.headline
    assert "SSLKEYLOGFILE set" not in chart.advice


def test_a_log_beside_the_captures_is_mentioned_unless_it_was_given(tmp_path: Path) -> None:
    item = scenario("no-keys")
    for path in item.folder.iterdir():
        shutil.copy(path, tmp_path)
    (tmp_path / "other.log").write_text("nothing of a phone\n")
    captures = [str(tmp_path / f"{part}.pcapng") for part in ("phone", "browser")]

    def said(*more: str) -> str:
        result = CliRunner().invoke(cli, ["flow", *captures, *more], standalone_mode=False)
        return " ".join(result.stdout.split())

    assert "phone.log lies beside the captures" in said()
    assert "other.log" not in said()
    assert "lies beside" not in said("--phone-log", str(tmp_path / "phone.log"))


def test_an_expired_certificate_is_dated_for_the_reader() -> None:
    """tshark: notAfter of the certificate in frame 160 is 2026-11-05 00:55:15; the frame is of
    25 November."""
    (chart,) = Session(RunOptions(tuple(scenario("certificate-expired").captures))).charts
    assert chart.cause is not None
    assert "expired on 5 November 2026, 20 days before this capture" in chart.cause.text


def test_a_refused_connection_names_the_host() -> None:
    (chart,) = Session(RunOptions(tuple(scenario("tcp-refused").captures))).charts
    names = scenario("tcp-refused").truth["names"]["sip"]
    assert chart.cause is not None
    assert f"{names['host']} ({names['address']}:443)" in chart.cause.text
    assert names["host"] in chart.headline


def test_a_chart_without_words_has_its_step() -> None:
    bare = replace(charts.failure(), cause=None)
    assert headline.verdict(bare) == "failed at step 4 of 7: Redirect to ADFS"
    assert headline.at(bare) == ""
    assert str(render(bare, "text")).startswith("✗ FAILED at step 4 of 7: Redirect to ADFS\n")

"""Logs of phones behind a syslog: Yealink's, and a VVX's with a prefix a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from dissect.engines import log_vvx, log_yealink, phone_log
from dissect.engines.logs import LogFile
from dissect.model import Anomaly, SipMessage
from dissect.pipeline import RunOptions, Session

ASKED = ["REGISTER sip:b.test SIP/2.0", "From: <sip:7@b.test>;tag=1", "Call-ID: c1",
         "CSeq: 1 REGISTER", "Content-Length: 0", ""]  # fmt: skip
REFUSED = ["SIP/2.0 403 Forbidden", "From: <sip:7@b.test>;tag=1", "Call-ID: c1",
           "CSeq: 1 REGISTER", "Content-Length: 0", ""]  # fmt: skip


def yealink(host: str = "", level: str = "6+info", priority: str = "") -> str:
    def line(module: str, text: str) -> str:
        return f"{priority}Dec 31 23:59:59 {host}sua [77.78]: {module} <{level}> {text}"

    rows = [line("NET", "====> sending 9 bytes to 192.0.2.5:5060")]
    rows += [line("DLG", text) for text in ASKED]
    rows += [line("NET", "<==== received 9 bytes from 192.0.2.5:5060")]
    rows += [line("DLG", text) for text in REFUSED]
    return "\n".join([*rows, line("DLG", "timer stopped")]) + "\n"


def vvx(prefix: str) -> str:
    def line(text: str) -> str:
        return f"{prefix}1121112820|sip  |0|00|{text}"

    rows = [line("    " + text) for text in ASKED[:-1]]
    rows += [line(">>> End of data send to 192.0.2.5:5060"), line("<<< Data received UDP")]
    return "\n".join([*rows, *(line("    " + text) for text in REFUSED[:-1])]) + "\n"


def sip(text: str) -> list[SipMessage]:
    file = LogFile(0, "x", text)
    reader = next(item for item in phone_log.BUILT_IN if item.fits(text))
    return [item for item in reader.read([file], 2026) if isinstance(item, SipMessage)]


@pytest.mark.parametrize(
    "text",
    [yealink(), yealink("phone7 "), yealink(level="3+error "), yealink(priority="<134>"),
     vvx(""), vvx("<134>Nov 21 11:28:36 192.0.2.20 0004f2aabbcc|"), vvx("0004f2aabbcc|"),
     vvx("Nov 21 11:28:36 phone7 "), vvx("<134>2026-11-21T11:28:36Z 192.0.2.20 0004f2aabbcc|")],
)  # fmt: skip
def test_both_messages_are_whole_and_know_their_way(text: str) -> None:
    assert [(m.kind, m.status, m.place.direction) for m in sip(text)] == [
        ("request", None, 0), ("response", 403, 1),
    ]  # fmt: skip
    assert all(m.header("call-id") == "c1" for m in sip(text))


def test_other_phones_of_a_syslog_are_left_out_and_said() -> None:
    text = vvx("0004f2aabbcc|") + vvx("0004f2ddeeff|").replace("c1", "c2")
    found = list(log_vvx.read([LogFile(0, "x", text)], 2026))
    assert {m.header("call-id") for m in found if isinstance(m, SipMessage)} == {"c1"}
    assert [item.kind for item in found if isinstance(item, Anomaly)] == ["log.phones"]


def test_a_yealink_log_runs_past_new_year() -> None:
    text = yealink() + yealink().replace("Dec 31 23:59:59", "Jan  1 00:00:01")
    times = [m.place.span.first_ns for m in log_yealink.read([LogFile(0, "x", text)], 2026)
             if isinstance(m, SipMessage)]  # fmt: skip
    assert times == sorted(times)
    assert times[-1] - times[0] == 2_000_000_000


@pytest.mark.parametrize("text", [yealink(), vvx("")])
def test_local_times_have_no_zone(text: str, tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text(text)
    session = Session(RunOptions((), phone_logs=(str(log),)))
    assert all(arrow.source.local for chart in session.charts
               for step in chart.steps for arrow in step.arrows)  # fmt: skip

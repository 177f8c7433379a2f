"""The phone's log: the sample of the reference, and its clock."""

from __future__ import annotations

import calendar
from pathlib import Path

import pytest

from dissect.engines import phone_log
from dissect.errors import UsageError
from dissect.model import LogEntry, SipMessage
from dissect.pipeline import RunOptions, Session
from dissect.signin import vvx_log

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference"


@pytest.fixture
def sample(tmp_path: Path) -> str:
    """The log of the article: lines with a prefix, and what continues them."""
    pages = sorted(REFERENCE.glob("000_*.txt"))
    if not pages:
        pytest.skip("the reference article (../shared/reference) is not here")
    lines = pages[0].read_text("utf-8").splitlines()
    prefixed = [i for i, line in enumerate(lines) if "|" in line and line[:10].isdigit()]
    path = tmp_path / "phone.log"
    path.write_text("\n".join(lines[prefixed[0] : prefixed[-1] + 1]), "utf-8")
    return str(path)


def test_messages_of_the_sample(sample: str) -> None:
    messages = phone_log.read(sample, 0, 2017)
    register, challenge = [m for m in messages if isinstance(m, SipMessage)]
    assert (register.kind, register.method, register.place.direction) == ("request", "REGISTER", 0)
    assert register.header("call-id") == "7fae79d87a29829ae54a8b3071ae4b0d"
    assert (register.header("cseq") or "").strip() == "2 REGISTER"
    # The sample's 401 is cut within its third header line: it has no CSeq.
    assert challenge.status == 401
    entries = [m for m in messages if isinstance(m, LogEntry)]
    first = entries[0].place.span
    assert first.first_ns == calendar.timegm((2017, 2, 22, 13, 19, 59)) * 10**9
    assert first.first_frame == 1


def test_events_of_the_sample(sample: str) -> None:
    run = Session(RunOptions((), phone_logs=(sample,)))
    names = [event.name for event in run.events]
    for name in ("phone.signin.started", "pairing.config.received", "oauth.device_code.issued",
                 "oauth.token.issued", "certprov.issued", "sip.register.sent"):  # fmt: skip
        assert names.count(name) == 1, name
    code = next(e for e in run.events if e.name == "oauth.device_code.issued")
    assert (code.facts["expires_in"], code.facts["interval"]) == (900, 5)
    assert "HPMVGCDTX" not in run.book.show(code.facts["user_code"])


def test_the_samples_clock_is_110_s_behind_in_utc_8(sample: str) -> None:
    run = Session(RunOptions((), phone_logs=(sample,)))
    assert run.events
    (reported,) = run.diagnostics
    assert "UTC+8 and 110 s behind" in reported


@pytest.mark.parametrize(
    ("offset_s", "words"),
    [(-28800 + 110, "in UTC+8 and 110 s behind"), (18000 - 20, "in UTC-5 and 20 s ahead"),
     (-19800, "in UTC+5:30 and right to the second"), (0, "in UTC+0 and right to the second"),
     (86400 - 28800 + 111, "in UTC+8 and 1 day and 111 s behind"),
     (-3 * 86400 + 18000, "in UTC-5 and 3 days ahead")],
)  # fmt: skip
def test_clock_words(offset_s: int, words: str) -> None:
    assert vvx_log.clock_words(offset_s * 10**9) == words


def test_a_log_over_new_year(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text("1231235959|app1 |2|00|one\n0101000001|app1 |2|00|two\n")
    one, two = phone_log.read(str(path), 0, 2025)
    assert two.place.span.first_ns - one.place.span.first_ns == 2 * 10**9


def test_bytes_that_are_no_log(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(bytes(range(256)) * 40)
    with pytest.raises(UsageError, match="no entries"):
        phone_log.read(str(path), 0, 2025)


def test_a_time_that_is_none_starts_no_entry(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text("1131235959|app1 |2|00|no such month\n0101000001|app1 |2|00|good\n")
    with_month_13 = phone_log.read(str(path), 0, 2025)
    assert len(with_month_13) <= 2

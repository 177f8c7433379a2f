"""The ladder: widths as rich counts them, the verdict first, hostile text inert."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

import pytest
from rich.cells import cell_len

from dissect.model import Actor, SequenceChart, Source, Step
from dissect.render import render

from . import charts

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def ladder(chart: SequenceChart | list[SequenceChart], **options: object) -> str:
    text = render(chart, "text", **options)
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize("name", charts.ALL)
@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 160])
@pytest.mark.parametrize("plain", [False, True])
def test_no_line_is_wider_than_asked(name: str, width: int, plain: bool) -> None:
    text = ladder(charts.ALL[name](), width=width, ascii=plain)
    widest = max(text.splitlines(), key=cell_len)
    assert cell_len(widest) <= max(width, 40), widest
    assert text.isascii() or not plain


@pytest.mark.parametrize("name", charts.ALL)
def test_colour_changes_nothing_but_colour(name: str) -> None:
    chart = charts.ALL[name]()
    plain, painted = ladder(chart), ladder(chart, color=True)
    assert "\x1b" not in plain
    stripped = "\n".join(line.rstrip() for line in ANSI.sub("", painted).split("\n"))
    assert stripped == plain
    assert painted == ladder(chart, color=True)


def test_hostile_text_is_inert() -> None:
    for line in ladder(charts.hostile()).split("\n"):
        acting = [c for c in line if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
        assert not acting


SMALL = SequenceChart(
    "small", "Small", "failed", 2, charts.failure().cause,
    (Actor("a", "Client", None, ("10.0.0.1",)), Actor("b", "Server", "b.example", ())),
    (
        Step(1, "Ask", "done", (
            charts.arrow(0, "a", "b", "GET /", 1, 2), charts.arrow(12, "b", "a", "200", 3),
        )),
        Step(2, "Login", "failed", (
            charts.arrow(12.5, "a", "b", "guess", status="inferred"),
            charts.arrow(13, "b", "a", "401", 5, status="failed"),
            charts.arrow(14, "b", "b", "locks", 6),
        )),
    ),
    captures=(charts.PHONE,),
)  # fmt: skip


def test_drawn_line_by_line() -> None:
    """Typed by hand: how a ladder looks."""
    text = ladder(replace(SMALL, cause=None), width=60)
    assert text == (
        "✗ FAILED at step 2 of 2: Login\n"
        "  Small\n"
        "\n"
        "  a  Client  10.0.0.1\n"
        "  b  Server  b.example\n"
        "\n"
        "  frames of phone.pcapng\n"
        "  0:00.000 is 2017-02-22T05:19:59.250000000Z\n"
        "\n"
        "      time  frames     a      b\n"
        " 1 ✓ done ── Ask ────────────────── at 0:00.000, for 12 s ──\n"
        "  0:00.000  1–2        │─────>│     GET /\n"
        "     +12 s             ┊      ┊\n"
        "  0:12.000  3          │<─────│     200\n"
        " 2 ✗ FAILED ── Login ───────────── at 0:12.500, for 1.5 s ──\n"
        "  0:12.500             │╌╌╌╌╌>│     ≈ guess\n"
        "  0:13.000  5          │<━━━━━│     ✗ 401\n"
        "  0:14.000  6          │      ●     locks\n"
        "\n"
        "✗ FAILED at step 2 of 2: Login: Small\n"
    )


def test_ascii_drawing() -> None:
    text = ladder(replace(SMALL, cause=None), width=60, ascii=True)
    assert "|----->|     GET /" in text
    assert "|.....>|     ~ guess" in text
    assert "|<=====|     X 401" in text


def test_verdict_first_then_cause_remedy_evidence() -> None:
    lines = ladder(charts.failure()).splitlines()
    assert lines[0].startswith("✗ FAILED: ADFS did not accept the user name or password")
    assert "  at step 4 of 7: Redirect to ADFS" in lines[:4]
    head = "\n".join(lines[:12])
    assert "[adfs.credentials_rejected]" in head
    assert "Check the account in Active Directory" in head
    assert "frames 281–287 of browser.pcapng (tcp.stream 12)" in head
    assert "client-request-id 5b1f0c52" in head


def test_cause_stands_beside_the_failed_arrow() -> None:
    lines = ladder(charts.failure()).splitlines()
    at = next(i for i, line in enumerate(lines) if "━" in line)
    assert "✗ 200 sign-in form again" in lines[at]
    beside = " ".join(line.split("│")[-1].strip() for line in lines[at + 1 : at + 7])
    assert "ADFS did not accept the user name or password" in beside


def test_cause_without_failed_arrow_stands_on_the_band() -> None:
    lines = ladder(charts.hidden()).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith(" 2 ? hidden"))
    assert "[tls.no_keys]" in lines[at + 2]


def test_culprit_is_the_arrow_of_the_evidence() -> None:
    """Two failed arrows in the step: the cause belongs to the one it names."""
    step = SMALL.steps[1]
    first, second = (
        charts.arrow(at, "b", "a", "401", n, status="failed") for at, n in ((13, 5), (14, 9))
    )
    cause = replace(charts.failure().cause or pytest.fail("no cause"), evidence=(first.source,))
    chart = replace(
        SMALL, cause=cause, steps=(SMALL.steps[0], replace(step, arrows=(first, second)))
    )
    lines = [line for line in ladder(chart).splitlines() if "│" in line]
    at = next(i for i, line in enumerate(lines) if "  5 " in line)
    assert "ADFS did not" in lines[at + 1]
    other = replace(chart, cause=replace(cause, evidence=(Source("x", 1),)))
    lines = [line for line in ladder(other).splitlines() if "│" in line]
    assert (
        "ADFS did not" in lines[-1 - next(i for i, x in enumerate(lines[::-1]) if "  9 " in x) + 1]
    )


def test_steps_say_why() -> None:
    text = ladder(charts.hidden())
    assert text.count("The browser is not in this capture.") == 4
    assert "no key log holds a secret for the client random" in text
    assert "╌" in text


def test_a_failed_step_does_not_say_its_cause_twice() -> None:
    chart = charts.failure()
    assert chart.cause
    steps = list(chart.steps)
    steps[3] = replace(steps[3], explanation=chart.cause.text)
    assert ladder(replace(chart, steps=tuple(steps))) == ladder(chart)
    steps[3] = replace(steps[3], explanation="Something else.")
    assert "     Something else.\n" in ladder(replace(chart, steps=tuple(steps)))


def test_polls_are_folded() -> None:
    text = re.sub(r"\s*\n[ │]*", " ", ladder(charts.success(), width=140))
    assert "(polled 24×, every 5 s over 1 m 55 s)" in text


def test_diagnostics_at_the_end_once() -> None:
    chart = charts.failure()
    text = ladder([chart], diagnostics=(*chart.diagnostics, "browser.pcapng is cut short"))
    assert text.count(chart.diagnostics[0][1:]) == 1
    notes, verdict = text.rstrip().rsplit("\n\n", 1)
    assert notes.endswith("browser.pcapng is cut short")
    assert verdict.startswith("✗ FAILED at step 4 of 7: ADFS did not accept")


def test_several_flows() -> None:
    text = ladder([charts.success(), charts.failure()])
    assert "\n1 of 2\n" in text
    assert "\n2 of 2\n" in text


def test_no_flow() -> None:
    assert ladder([]) == "No sign-in was found.\n"

"""Every lab scenario: what its actors staged, what dissect tells, and whether tshark finds in the
frames that are named as evidence what was staged.

`python -m tests.scenarios reports/scenarios.md` writes the table.
"""

from __future__ import annotations

import sys
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dissect.model import SequenceChart, Source
from dissect.pipeline import RunOptions, Session
from tests import lab
from tests.lab import ALL, CAPTURES, Scenario, scenario

Verdict = tuple[str, str, int | None, str | None]  # flow, status, where it stopped, cause
LETTERS = {"done": "✓", "failed": "✗", "inferred": "≈", "hidden": "?", "missing": "–"}
HEAD = """# Scenarios

Made by `make scenarios` from the recordings in `captures/`. *Staged* is what the lab's actors
wrote down; *told* is dissect's verdict on the captures with their key logs, without the phone's
log. *Evidence* are the frames of its cause, *tshark* the frame in them that it finds by the
filter of the scenario's own file (`captures/lab/scenarios/`); "beside it": in another frame of
the steps that failed. Steps: ✓ done, ✗ failed, ≈ inferred, ? hidden, – missing.

| scenario | staged | told | evidence | tshark | steps | without keys |
|---|---|---|---|---|---|---|
"""


@cache
def charts(name: str, with_log: bool = False, keys: bool = True) -> tuple[SequenceChart, ...]:
    """What dissect finds in a scenario's captures."""
    item = scenario(name)
    logs = item.phone_logs if with_log else ()
    return tuple(Session(RunOptions(tuple(item.captures), phone_logs=logs, auto_keys=keys)).charts)


def said(chart: SequenceChart) -> Verdict:
    return chart.flow, chart.status, chart.stopped_at, chart.cause.code if chart.cause else None


def staged(item: Scenario) -> list[Verdict]:
    """The verdicts of the truth file; older ones name no flow and mean the reference flow."""
    verdicts = item.truth.get("verdicts") or [item.truth["verdict"]]
    return [
        (v.get("flow", "vvx-web-signin"), v["status"], v["stopped_at"], v["code"]) for v in verdicts
    ]


def agrees(reported: Verdict, truth: Verdict) -> bool:
    """Equal; a flow that the lab has no step number for is compared without it."""
    if truth[1] == "failed" and truth[2] is None:
        return (reported[0], reported[1], reported[3]) == (truth[0], truth[1], truth[3])
    return reported == truth


@dataclass(frozen=True, slots=True)
class Proof:
    """The frames of a cause, and those of them in which tshark finds what was staged (None:
    the scenario's file has no filter for that capture); `near` are those in other frames of
    the steps that failed, where what was staged is another sign of the same failure."""

    capture: str
    first_frame: int
    last_frame: int
    found: tuple[int, ...] | None
    near: tuple[int, ...] = ()


def proof(item: Scenario, chart: SequenceChart) -> Proof | None:
    """Of the first source of a chart's cause, if it has one. Needs tshark."""
    if chart.cause is None or not chart.cause.evidence:
        return None
    source = chart.cause.evidence[0]
    assert source.first_frame is not None
    assert source.last_frame is not None
    part = Path(source.capture).stem
    path = CAPTURES / "lab" / "scenarios" / f"{item.name}.toml"
    query = tomllib.loads(path.read_text("utf-8")).get("evidence", {}).get(part)
    found: tuple[int, ...] | None = None
    near: tuple[int, ...] = ()
    if query:
        rows = lab.tshark_fields(
            source.capture, ("frame.number",), query, lab.keys_beside(source.capture)
        )
        numbers = [int(row["frame.number"][0]) for row in rows]
        found = tuple(n for n in numbers if source.first_frame <= n <= source.last_frame)
        near = tuple(n for n in numbers if n not in found and n in _failed_frames(chart, source))
    return Proof(part, source.first_frame, source.last_frame, found, near)


def _failed_frames(chart: SequenceChart, source: Source) -> set[int]:
    return {
        frame
        for step in chart.steps
        if step.status == "failed"
        for arrow in step.arrows
        if arrow.source.capture == source.capture
        for frame in range(arrow.source.first_frame or 0, (arrow.source.last_frame or 0) + 1)
    }


def _verdict(verdict: Verdict) -> str:
    flow, status, stopped, code = verdict
    where = f" at {stopped}" if stopped is not None else ""
    cause = f", `{code}`" if code else ""
    return f"{flow}: {status}{where}{cause}"


def _found(proof: Proof) -> str:
    if proof.found is None:
        return "no filter"
    frames = ", ".join(map(str, proof.found))
    return frames or f"{', '.join(map(str, proof.near))} (beside it)"


def _steps(chart: SequenceChart) -> str:
    return "".join(LETTERS[step.status] for step in chart.steps)


def row(name: str) -> str:
    """A line of the table."""
    item = scenario(name)
    reported = charts(name)
    truth = staged(item)
    left = [t for t in truth if not any(agrees(said(chart), t) for chart in reported)]
    differs = bool(left) or len(reported) != len(truth)
    mark = "**differs** " if differs else ""
    if differs and not item.has_keys and not any(c.status == "complete" for c in reported):
        mark = "less, for want of keys: "
    proofs = [found for chart in reported if (found := proof(item, chart)) is not None]
    frames = [
        f"{p.capture} {p.first_frame}"
        + (f"–{p.last_frame}" if p.last_frame > p.first_frame else "")
        for p in proofs
    ]
    found = [_found(p) for p in proofs]
    undecrypted = [f"{chart.status} {_steps(chart)}" for chart in charts(name, keys=False)]
    cells = [
        f"`{name}`",
        "<br>".join(map(_verdict, truth)),
        mark + "<br>".join(_verdict(said(chart)) for chart in reported),
        "<br>".join(frames),
        "<br>".join(found),
        "<br>".join(map(_steps, reported)),
        "<br>".join(undecrypted),
    ]
    return "| " + " | ".join(cells) + " |\n"


def main() -> int:
    lab.need_tshark()
    target = Path(sys.argv[1])
    rows = [row(name) for name in ALL]
    differ = sum("**differs**" in line for line in rows)
    less = sum("for want of keys" in line for line in rows)
    sentence = (
        f"\n{len(rows)} scenarios: {len(rows) - differ - less} told as staged, {less} with less "
        f"certainty, {differ} otherwise.\n"
    )
    target.write_text(HEAD + "".join(rows) + sentence, "utf-8", newline="\n")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())

"""Two flow documents (`dissect flow --format json`) compared on what they mean.

Steps, statuses, causes, order and labels of arrows must agree. What differs from one
recording to the next does not count: addresses, ports, GUIDs and host-independent ids are
mapped to the order of their first sight, times are compared from the flow's first arrow,
within a tolerance. Frames and file names are not compared.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Literal

from msgspec import Struct, ValidationError, convert

Flow = Mapping[str, Any]
_VARIES = re.compile(
    r"(?P<guid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"|(?P<v4>\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b)"
    r"|(?P<v6>\[[0-9a-fA-F:]+\](?::\d{1,5})?)"
)
DEFAULT_TOLERANCE_S = 5.0
MAX_ALIGNED = 200
"""Arrows of a step, but for equal ones at both ends, that are aligned: `difflib` takes up to the
cube of their number. More are compared one by one in their order, which is reported."""

_TOO_MANY = f"more than {MAX_ALIGNED} arrows that differ: compared one by one, in their order"
Opcode = tuple[str, int, int, int, int]


MAX_DOCUMENT = 64 << 20  # bytes of a document in JSON


class _Arrow(Struct, rename={"sender": "from", "receiver": "to"}):
    time: str
    sender: str
    receiver: str
    label: str
    status: str


class _Step(Struct):
    number: int
    title: str
    status: str
    arrows: list[_Arrow]
    explanation: str | None = None


class _Cause(Struct):
    code: str
    text: str
    remedy: str


class _Flow(Struct):
    flow: str
    status: str
    steps: list[_Step]
    stopped_at: int | None = None
    cause: _Cause | None = None


class _Document(Struct):
    """What is read of a document; what else stands in it is passed over."""

    schema: Literal[1]
    flows: list[_Flow]


def document(text: str) -> dict[str, Any]:
    """A document of `dissect flow --format json`. Raises ValueError where it is none."""
    try:
        found: dict[str, Any] = json.loads(text)
    except RecursionError:
        raise ValueError("its values are nested too deeply") from None
    except ValueError:
        raise ValueError("not JSON") from None
    checked(found)
    return found


def checked(found: object) -> None:
    """Raises ValueError where a value is no document of `dissect flow --format json`."""
    try:
        convert(found, _Document)
    except ValidationError as error:  # names a place and a type, no value
        raise ValueError(
            f"not a document of `dissect flow --format json`, schema 1: {error}"
        ) from None


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference: where (flow, step, arrow), what was expected, what was found."""

    where: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.where}: expected {self.expected}, found {self.found}"


def compare(
    expected: Mapping[str, Any], found: Mapping[str, Any], tolerance_s: float = DEFAULT_TOLERANCE_S
) -> list[Difference]:
    """The differences of two documents; empty where they mean the same.

    Raises ValueError for a document that is none of `dissect flow --format json`.
    """
    for item in (found, expected):
        checked(item)
    ours, theirs = found["flows"], expected["flows"]
    differences = []
    names = [str(flow["flow"]) for flow in theirs]
    if [str(flow["flow"]) for flow in ours] != names:
        differences.append(
            Difference(
                "flows",
                ", ".join(names) or "none",
                ", ".join(str(f["flow"]) for f in ours) or "none",
            )
        )
    for index, (wanted, got) in enumerate(zip(theirs, ours, strict=False), 1):
        prefix = f"flow {index} ({wanted['flow']})" if len(theirs) > 1 else str(wanted["flow"])
        differences += _flow(prefix, wanted, got, tolerance_s)
    return differences


def _flow(prefix: str, wanted: Flow, got: Flow, tolerance_s: float) -> Iterator[Difference]:
    for key in ("status", "stopped_at"):
        if wanted[key] != got[key]:
            yield Difference(f"{prefix}, {key}", str(wanted[key]), str(got[key]))
    causes = [(flow.get("cause") or {}).get("code") for flow in (wanted, got)]
    if causes[0] != causes[1]:
        yield Difference(f"{prefix}, cause", str(causes[0]), str(causes[1]))
    steps = {step["number"]: step for step in got["steps"]}
    names = (_Names(), _Names())
    starts = (_start(wanted), _start(got))
    for step in wanted["steps"]:
        other = steps.pop(step["number"], None)
        where = f"{prefix}, step {step['number']}"
        if other is None:
            yield Difference(where, step["status"], "no such step")
            continue
        if step["status"] != other["status"]:
            yield Difference(f"{where}, status", step["status"], other["status"])
        yield from _arrows(where, step["arrows"], other["arrows"], names, starts, tolerance_s)
    for number in steps:
        yield Difference(f"{prefix}, step {number}", "no such step", steps[number]["status"])


def _arrows(
    where: str,
    wanted: Sequence[Mapping[str, Any]],
    got: Sequence[Mapping[str, Any]],
    names: tuple[_Names, _Names],
    starts: tuple[float, float],
    tolerance_s: float,
) -> Iterator[Difference]:
    left = [_arrow(arrow, names[0]) for arrow in wanted]
    right = [_arrow(arrow, names[1]) for arrow in got]
    opcodes, aligned = _aligned(left, right)
    if not aligned:
        yield Difference(where, f"{len(left)} arrows", f"{len(right)} arrows ({_TOO_MANY})")
    for tag, i1, i2, j1, j2 in opcodes:
        if tag == "equal":
            for a, b in zip(wanted[i1:i2], got[j1:j2], strict=True):
                times = _seconds(a) - starts[0], _seconds(b) - starts[1]
                if abs(times[0] - times[1]) > tolerance_s:
                    yield Difference(
                        f"{where}, time of “{a['label']}”",
                        f"+{times[0]:.1f} s",
                        f"+{times[1]:.1f} s",
                    )
            continue
        expected, found = left[i1:i2], right[j1:j2]
        for index in range(max(len(expected), len(found))):
            yield Difference(
                where,
                expected[index] if index < len(expected) else "nothing more",
                found[index] if index < len(found) else "nothing more",
            )


def _aligned(left: Sequence[str], right: Sequence[str]) -> tuple[list[Opcode], bool]:
    """How to make `right` of `left`, as `difflib` has it; and whether that aligned them, or they
    are too many."""
    from difflib import SequenceMatcher

    shorter = min(len(left), len(right))
    head = next((i for i in range(shorter) if left[i] != right[i]), shorter)
    most = shorter - head
    tail = next((i for i in range(most) if left[-1 - i] != right[-1 - i]), most)
    ends = len(left) - tail, len(right) - tail
    inner = left[head : ends[0]], right[head : ends[1]]
    found: list[Opcode] = [("equal", 0, head, 0, head)] if head else []
    aligned = max(map(len, inner)) <= MAX_ALIGNED or not min(map(len, inner))
    if aligned:
        matcher = SequenceMatcher(None, *inner, autojunk=False)
        for tag, i1, i2, j1, j2 in matcher.get_opcodes():
            found.append((tag, i1 + head, i2 + head, j1 + head, j2 + head))
    else:
        both = min(ends)
        for same, places in groupby(range(head, both), lambda i: left[i] == right[i]):
            run = list(places)
            first, last = run[0], run[-1] + 1
            found.append(("equal" if same else "replace", first, last, first, last))
        if both < max(ends):
            found.append(("replace", both, ends[0], both, ends[1]))
    if tail:
        found.append(("equal", ends[0], len(left), ends[1], len(right)))
    return found, aligned


def _arrow(arrow: Mapping[str, Any], names: _Names) -> str:
    label = names.mapped(str(arrow["label"]))
    return f"{arrow['from']} → {arrow['to']} “{label}” {arrow['status']}"


def _start(flow: Flow) -> float:
    times = [_seconds(arrow) for step in flow["steps"] for arrow in step["arrows"]]
    return min(times, default=0.0)


def _seconds(arrow: Mapping[str, Any]) -> float:
    # Nine digits of a second are more than datetime reads; six are enough for a tolerance.
    text = str(arrow["time"])
    return datetime.fromisoformat(text[:26] + "+00:00").timestamp()


class _Names:
    """Values that differ from recording to recording, by kind and order of first sight."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def mapped(self, text: str) -> str:
        return _VARIES.sub(self._name, text)

    def _name(self, match: re.Match[str]) -> str:
        kind = "id" if match.lastgroup == "guid" else "address"
        value = match.group(0)
        if value not in self._known:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._known[value] = f"{kind} {self._counts[kind]}"
        return self._known[value]


def _part(
    left: Sequence[str], right: Sequence[str], failed: Sequence[bool]
) -> tuple[int, int, int]:
    """How many arrows are equal before two steps part, and the first of either that is not.

    They part where the bad one fails, if it does; what one has more before that (a redirect
    by script in place of a 302) is no parting.
    """
    equal, first = 0, None
    for tag, i1, i2, j1, j2 in _aligned(left, right)[0]:
        if tag == "equal":
            equal += i2 - i1
            continue
        first = first or (equal, i1, j1)
        fails = next((j for j in range(j1, j2) if failed[j]), None)
        if fails is not None:
            return equal, min(i1 + fails - j1, i2), fails
    return first or (equal, len(left), len(right))


def parting(good: Flow, bad: Flow) -> list[str]:
    """Where two sign-ins of one flow parted, step by step, in sentences."""
    lines = []
    others = {step["number"]: step for step in bad["steps"]}
    names = (_Names(), _Names())
    parted = False
    for step in good["steps"]:
        other = others.get(step["number"])
        if other is None:
            continue
        same = step["status"] == other["status"]
        mark = "=" if same else "≠"
        states = step["status"] if same else f"{step['status']} | {other['status']}"
        lines.append(f"{mark} {step['number']} {step['title']}: {states}")
        left = [_arrow(arrow, names[0]) for arrow in step["arrows"]]
        right = [_arrow(arrow, names[1]) for arrow in other["arrows"]]
        if not same and not parted:
            parted = True
            failed = [arrow["status"] == "failed" for arrow in other["arrows"]]
            common, i, j = _part(left, right, failed)
            if not _aligned(left, right)[1]:
                lines.append(f"    {_TOO_MANY}")
            lines.append(
                f"    they part here, after {common} equal arrow{'' if common == 1 else 's'}:"
            )
            lines.append(f"    good: {left[i] if i < len(left) else 'nothing more'}")
            lines.append(f"    bad:  {right[j] if j < len(right) else 'nothing more'}")
            if other.get("explanation"):
                lines.append(f"    why:  {other['explanation']}")
    cause = bad.get("cause")
    if cause:
        lines.append(f"cause of the bad one: {cause['text']} [{cause['code']}]")
        lines.append(f"remedy: {cause['remedy']}")
    return lines

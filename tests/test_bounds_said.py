"""Bounds outside of the parsers, each reached, and said: in comparisons, logs, calls, pages, facts.
What else is counted are steps, never seconds."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dissect import compare
from dissect.engines import log_sip, sip_text
from dissect.engines.logs import LogFile
from dissect.model import SipMessage
from dissect.plugins import registry
from tests.steps import LINEAR, growth

# ------------------------------------------------------------------ two sign-ins compared


TIME = "2026-01-01T00:00:00.000000000Z"


def flow(labels: list[str], status: str = "done") -> dict[str, Any]:
    arrows = [
        {"from": "a", "to": "b", "label": label, "status": "ok", "time": TIME} for label in labels
    ]
    step = {"number": 1, "title": "One", "status": status, "arrows": arrows}
    return {"flow": "f", "status": "complete", "stopped_at": None, "cause": None, "steps": [step]}


def differences(left: list[str], right: list[str]) -> list[str]:
    wanted, found = ({"schema": 1, "flows": [flow(labels)]} for labels in (left, right))
    return [str(item) for item in compare.compare(wanted, found)]


def alike(size: int) -> tuple[list[str], list[str]]:
    """What difflib takes the cube of: few words, in another order."""
    words = random.Random(size)
    return ["a" if words.random() < 0.5 else "b" for _ in range(size)], ["a", "b"] * (size // 2)


@pytest.mark.parametrize("size", [compare.MAX_ALIGNED, compare.MAX_ALIGNED + 2])
def test_more_arrows_than_are_aligned_are_compared_in_their_order(size: int) -> None:
    left = [f"l{number}" for number in range(size)]
    right = [*left[1:], "new"]
    left = ["old", *left[1:]]
    said = differences(["same", *left, "last"], ["same", *right, "last"])
    if size <= compare.MAX_ALIGNED:
        assert len(said) < 5
    else:
        assert said[0].endswith(f"(more than {compare.MAX_ALIGNED} arrows that differ: compared "
                                "one by one, in their order)")  # fmt: skip
        assert len(said) == size + 1


def test_a_thousand_arrows_that_are_equal_are_no_difference() -> None:
    labels = [f"l{number % 7}" for number in range(1000)]
    assert differences(labels, labels) == []
    (said,) = differences(labels, [*labels[:500], "more", *labels[500:]])
    assert "found a → b “more” ok" in said


def test_what_is_not_aligned_is_equal_where_it_is() -> None:
    left, right = alike(compare.MAX_ALIGNED * 2)
    apart = sum(a != b for a, b in zip(left, right, strict=True))
    assert len(differences(left, right)) == apart + 1


def test_arrows_are_compared_in_linear_time() -> None:
    def make(size: int) -> Callable[[], object]:
        left, right = alike(size)
        return lambda: differences(left, right)

    assert growth(make, 2 * compare.MAX_ALIGNED) < LINEAR


def test_where_two_long_steps_part_is_told_with_the_bound() -> None:
    left, right = alike(2 * compare.MAX_ALIGNED)
    lines = compare.parting(flow(left), flow(right, "failed"))
    assert any("compared one by one, in their order" in line for line in lines)
    lines = compare.parting(flow(left[:50]), flow(right[:50], "failed"))
    assert not any("one by one" in line for line in lines)


@pytest.mark.parametrize("seed", range(30))
def test_opcodes_make_the_one_of_the_other(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As documented of `difflib`: in order, without a hole, equal where it says so."""
    monkeypatch.setattr(compare, "MAX_ALIGNED", seed % 9)
    draw = random.Random(seed)
    left, right = ([draw.choice("ab") for _ in range(draw.randrange(15))] for _ in "12")
    found, _ = compare._aligned(left, right)
    edges = [(0, 0), *((i2, j2) for _, _, i2, _, j2 in found)]
    assert [(i1, j1) for _, i1, _, j1, _ in found] == edges[:-1]
    assert edges[-1] == (len(left), len(right))
    for tag, i1, i2, j1, j2 in found:
        assert (tag == "equal") == (left[i1:i2] == right[j1:j2])


# ------------------------------------------------------------------ SIP in logs


HEAD = "INVITE sip:b@h.example SIP/2.0\r\nCall-ID: 1@h\r\nCSeq: 1 INVITE\r\nContent-Length: 9\r\n"


@pytest.mark.parametrize("sizes", [(1,), (2,), (3, 1), (7, 2, 1), (1000,)])
@pytest.mark.parametrize("text", [
    HEAD + "\r\n" + "v=0\r\ns=é\r\n", HEAD.replace("\r", "") + "\n" + "123456789",
    HEAD.replace("9", "0") + "  \t\r\n", HEAD + " \r\n \r\n12345678", "\r\n\r\n", "",
])  # fmt: skip
def test_a_message_in_pieces_is_complete_where_it_is_as_a_whole(
    text: str, sizes: tuple[int, ...]
) -> None:
    grown, at = sip_text.Growing(), 0
    for size in itertools.cycle(sizes):
        if at >= len(text):
            break
        grown.add(text[at : at + size])
        at += size
        assert grown.complete == sip_text.complete(text[:at])
        assert (grown.text, grown.size) == (text[:at], min(at, len(text)))


class Looked:
    """In the place of a pattern: how many characters it is given."""

    def __init__(self) -> None:
        self.pattern, self.characters = sip_text._BLANK, 0

    def search(self, text: str) -> re.Match[str] | None:
        self.characters += len(text)
        return self.pattern.search(text)


ASTERISK = Path(__file__).parent.parent / "plugins" / "logs" / "asterisk.py"
HEADS = {
    "syslog": ("2026-11-25T02:57:22.{n:03}Z h sip[1]: ", "2026-11-25T02:57:22.{n:03}Z h sip[1]: "),
    "asterisk": (
        "[2026-11-25 02:57:22.001] VERBOSE[9] x.c: <--- Received SIP request (5 bytes) from "
        "UDP:192.0.2.1:5060 --->\n", "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("body", [False, True])
@pytest.mark.parametrize("kind", list(HEADS))
def test_a_long_message_of_a_log_is_looked_through_once(
    kind: str, body: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    begins, goes_on = (text.replace("{n:03}", "001") for text in HEADS[kind])
    rest = [*HEAD.replace("9", "99999").split("\r\n")[1:-1], *[""] * body]
    reader = next(r for r in registry((str(ASTERISK),)).log_readers if r.name == "Asterisk")
    read = reader.read if kind == "asterisk" else log_sip.READER.read

    def looked(size: int) -> int:
        lines = [begins + HEAD.split("\r\n")[0], *(goes_on + line for line in rest)]
        lines += [goes_on + "X: y"] * size
        counted = Looked()
        monkeypatch.setattr(sip_text, "_BLANK", counted)
        (found,) = read([LogFile(0, "a.log", "\n".join(lines) + "\n")], 2026)
        monkeypatch.undo()
        assert isinstance(found, SipMessage)
        assert len(found.headers) > size or len(found.body.data) > size
        return counted.characters

    assert looked(2000) < LINEAR * looked(1000)

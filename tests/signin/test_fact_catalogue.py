"""What events are said to have is what they have, over all recordings; and the other way round."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

import dissect.signin
from dissect.cli.catalogue import listed, markdown, meanings, page
from dissect.flow.definition import built_in, parse
from dissect.flow.definition_lint import lint
from dissect.pipeline import RunOptions, Session
from dissect.signin.catalogue import EVENTS
from dissect.signin.fact_catalogue import event_facts, flow_facts
from dissect.signin.jwt import CLAIMS
from tests.lab import CAPTURES, scenario

SOURCE = Path(dissect.signin.__file__).parent
PAGE = SOURCE.parents[1] / "docs" / "events.md"
DEVICE = SOURCE.parents[1] / "plugins" / "flows" / "device-code.toml"
NAMES = sorted(path.parent.name for path in CAPTURES.glob("*/truth.json"))


@pytest.mark.parametrize("keys", [True, False])
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if number % 10 == 0 else pytest.mark.long)
        for number, name in enumerate(NAMES)
    ],
)
def test_every_fact_of_a_recording_is_declared(name: str, keys: bool) -> None:
    item, known = scenario(name), flow_facts()
    options = RunOptions(tuple(item.captures), phone_logs=item.phone_logs, auto_keys=keys)
    for event in Session(options).events:
        if event.name in EVENTS:
            for fact in event.facts:
                declared = any(fnmatchcase(fact, entry) for entry in known[event.name])
                assert declared, f"{event.name} has {fact}"


def test_every_declared_fact_is_named_by_code() -> None:
    code = "\n".join(path.read_text("utf-8") for path in SOURCE.glob("*.py"))
    named = set(re.findall(r"[A-Za-z_]\w*", code)) | set(CLAIMS)
    code_of = {"forceauthn": "ForceAuthn", "ispassive": "IsPassive", "option *": "option"}
    code_of |= {f"issued_{name}": name for name in ("resource", "scope")}
    assert [name for name in meanings() if code_of.get(name, name) not in named] == []


def test_the_events_are_those_of_the_catalogue() -> None:
    assert list(event_facts()) == list(EVENTS)
    assert {row["event"]: row["meaning"] for row in listed()} == EVENTS


def test_the_page_fits_a_terminal() -> None:
    lines = page().splitlines()
    assert max(map(len, lines)) <= 80
    assert set(EVENTS) <= set(lines)


def test_the_reference_page_is_of_today() -> None:
    assert PAGE.read_text("utf-8") == markdown()


def test_shipped_flows_name_only_facts_that_there_are() -> None:
    known = flow_facts()
    assert [
        reported for item in built_in().values() for reported in lint(item, EVENTS, known)
    ] == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("{user_code}", "{usercode}", "is it `user_code`?"),
        ('keys = ["device_code"]', 'keys = ["devicecode"]', "keys: no arrow has a fact"),
    ],
)
def test_a_fact_that_no_event_has_is_doubted(old: str, new: str, words: str) -> None:
    text = DEVICE.read_text("utf-8")
    assert old in text
    text = text.replace(old, new, 1)
    assert lint(parse(DEVICE.read_text("utf-8"), "mine.toml"), EVENTS, flow_facts()) == []
    line = next(n for n, row in enumerate(text.splitlines(), 1) if new in row)
    (reported,) = lint(parse(text, "mine.toml"), EVENTS, flow_facts())
    assert reported.startswith(f"mine.toml:{line}: ")
    assert words in reported


def test_nothing_is_doubted_of_an_unknown_event() -> None:
    text = DEVICE.read_text("utf-8").replace("{user_code}", "{usercode}", 1)
    assert lint(parse(text, "mine.toml"), None, {}) == []


def test_the_list_is_json() -> None:
    assert json.loads(json.dumps(listed()))[0]["facts"]["device_code"]

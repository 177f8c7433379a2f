"""The JSON against the schema that cli.md promises."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from dissect.model import CaptureInfo
from dissect.render import render

from . import charts

TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$"}
NUMBER = {"type": ["integer", "null"]}
TEXT = {"type": "string"}


def table(required: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": required, "required": list(required)}


ARROW = table(
    {
        "time": TIME,
        "from": TEXT,
        "to": TEXT,
        "label": TEXT,
        "status": TEXT,
        "capture": TEXT,
        "first_frame": NUMBER,
        "last_frame": NUMBER,
        "stream": NUMBER,
        "encrypted": {"type": "boolean"},
    }
)
STEP = table(
    {
        "number": {"type": "integer"},
        "title": TEXT,
        "status": {"enum": ["done", "failed", "inferred", "hidden", "missing"]},
        "arrows": {"type": "array", "items": ARROW},
    }
)
CAUSE = table({"code": TEXT, "text": TEXT, "remedy": TEXT, "evidence": {"type": "array"}})
FLOW = table(
    {
        "flow": TEXT,
        "title": TEXT,
        "status": {"enum": ["complete", "failed", "incomplete"]},
        "stopped_at": NUMBER,
        "cause": {"anyOf": [{"type": "null"}, CAUSE]},
        "actors": {"type": "array", "items": table({"id": TEXT, "title": TEXT})},
        "steps": {"type": "array", "items": STEP},
    }
)
SCHEMA = table(
    {
        "schema": {"const": 1},
        "flows": {"type": "array", "items": FLOW},
        "captures": {"type": "array", "items": table({"capture": TEXT})},
        "diagnostics": {"type": "array", "items": TEXT},
    }
)


def load(*args: Any, **options: Any) -> Any:
    text = render(*args, "json", **options)
    assert isinstance(text, str)
    document = json.loads(text.encode("utf-8"))
    jsonschema.validate(document, SCHEMA)
    return document


@pytest.mark.parametrize("name", charts.ALL)
def test_schema(name: str) -> None:
    load(charts.ALL[name]())


def test_values() -> None:
    document = load([charts.failure(), charts.success()], diagnostics=("cut",))
    flow = document["flows"][0]
    assert (flow["status"], flow["stopped_at"]) == ("failed", 4)
    assert flow["cause"]["code"] == "adfs.credentials_rejected"
    assert [a["id"] for a in flow["actors"]][:2] == ["user", "phone"]
    assert len(flow["steps"]) == 7
    refused = flow["steps"][3]["arrows"][-1]
    assert refused["time"] == "2017-02-22T05:21:01.150000000Z"
    expected = {
        "from": "adfs", "to": "browser", "status": "failed", "capture": "browser.pcapng",
        "first_frame": 281, "last_frame": 287, "stream": 12, "encrypted": True,
    }  # fmt: skip
    assert {key: refused[key] for key in expected} == expected
    poll = flow["steps"][1]["arrows"][4]
    assert (poll["count"], poll["end_time"]) == (24, "2017-02-22T05:22:00.150000000Z")
    assert len(poll["sources"]) == 24
    assert document["captures"] == [{"capture": "phone.pcapng"}, {"capture": "browser.pcapng"}]
    assert document["diagnostics"] == [
        "cut",
        *charts.failure().diagnostics,
        *charts.success().diagnostics,
    ]


def test_captures_of_the_run() -> None:
    info = CaptureInfo(0, "phone.pcapng", 400, {"arp": 2}, ("ethernet",), start_ns=charts.T0)
    (capture,) = load(charts.success(), captures=(info,))["captures"]
    assert capture["frames"] == 400
    assert capture["start"] == "2017-02-22T05:19:59.250000000Z"
    assert capture["end"] is None


def test_no_flow() -> None:
    assert load([])["flows"] == []


def test_hostile_values_survive() -> None:
    document = load(charts.hostile())
    assert document["flows"][0]["steps"][0]["arrows"][0]["label"] == charts.HOSTILE[0]
    assert document["diagnostics"][3] == charts.HOSTILE[3]

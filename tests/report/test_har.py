"""HAR: against the published JSON schemas, and what browsers' importers ask for."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from click.testing import CliRunner

from dissect.cli.main import cli
from tests import web
from tests.lab import SCENARIOS, keys_beside, scenario, tshark_fields


def archive(name: str, folder: Path) -> dict[str, Any]:
    item = scenario(name)
    path = folder / f"{name}.har"
    arguments = ["report", *item.captures, "-o", str(path)]
    result = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert result.exception is None, result.exception
    document: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return document


SHORT = ("web-signin", "wrong-password", "no-keys")
ALL = [pytest.param(n, marks=() if n in SHORT else pytest.mark.long) for n in SCENARIOS]


@pytest.mark.parametrize("name", ALL)
def test_valid_by_the_schema(name: str, tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    referencing = pytest.importorskip("referencing")
    folder = web.module("har-schema/lib")
    schemas = [json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")]
    resources = [(schema["$id"], referencing.Resource.from_contents(schema)) for schema in schemas]
    registry = referencing.Registry().with_resources(resources)
    (root,) = (schema for schema in schemas if schema["$id"] == "har.json#")
    validator = jsonschema.Draft6Validator(
        root, registry=registry, format_checker=jsonschema.FormatChecker()
    )
    document = archive(name, tmp_path)
    assert [error.message for error in validator.iter_errors(document)] == []
    broken = json.loads(json.dumps(document))
    del broken["log"]["version"]
    assert list(validator.iter_errors(broken))


@pytest.mark.parametrize("name", ["web-signin", "wrong-password"])
def test_what_an_importer_asks_for(name: str, tmp_path: Path) -> None:
    """URLs that parse, dates, phases that add up, the order of the requests."""
    entries = archive(name, tmp_path)["log"]["entries"]
    times = [datetime.fromisoformat(entry["startedDateTime"]) for entry in entries]
    assert times == sorted(times)
    for entry in entries:
        url = urlsplit(entry["request"]["url"])
        assert url.scheme in ("http", "https")
        assert url.hostname
        assert " " not in entry["request"]["url"]
        assert sum(entry["timings"].values()) == pytest.approx(entry["time"], abs=0.002)
        assert entry["response"]["content"]["size"] >= 0
    assert any("‹" in unquote(entry["request"]["url"]) for entry in entries)


@pytest.mark.parametrize("name", ["web-signin", "web-signin-tls13"])
def test_the_requests_are_those_that_tshark_sees(name: str, tmp_path: Path) -> None:
    item = scenario(name)
    wanted: list[str] = []
    for capture in item.captures:
        keys = keys_beside(capture)
        for field in ("http.request.method", "http2.headers.method"):
            rows = tshark_fields(capture, (field,), field, keys)
            wanted += [value for row in rows for value in row[field]]
    found = [entry["request"]["method"] for entry in archive(name, tmp_path)["log"]["entries"]]
    assert sorted(found) == sorted(wanted)


IMPORT = """
const [text, done] = [arguments[0], arguments[arguments.length - 1]];
import('devtools://devtools/bundled/models/har/har.js').then(har => {
  const root = new har.HARFormat.HARRoot(JSON.parse(text));
  const requests = har.Importer.Importer.requestsFromHARLog(root.log);
  done(requests.map(r => ({
    url: r.url(), method: r.requestMethod, status: r.statusCode, mime: r.mimeType,
    start: r.startTime, duration: r.duration, protocol: r.protocol,
    sent: r.requestHeaders().length, received: r.responseHeaders.length,
    size: r.resourceSize, finished: r.finished, failed: r.failed,
    cookies: r.responseCookies.length,
  })));
}).catch(error => done({error: String(error.stack || error)}));
"""


def test_chromes_own_developer_tools_import_it(tmp_path: Path) -> None:
    """The importer of the network panel, out of the browser that is installed."""
    folder = tmp_path / "browser"
    folder.mkdir()
    with web.chromium(folder) as browser:
        browser.get("devtools://devtools/bundled/inspector.html")
        for name in ("wrong-password", "no-keys"):
            document = archive(name, tmp_path)
            entries = document["log"]["entries"]
            found = browser.execute_async_script(IMPORT, json.dumps(document))
            assert isinstance(found, list), found
            assert len(found) == len(entries)
            for request, entry in zip(found, entries, strict=True):
                response = entry["response"]
                assert request["url"] == entry["request"]["url"]
                assert request["method"] == entry["request"]["method"]
                assert request["status"] == response["status"]
                version = response["httpVersion"].lower()
                assert request["protocol"] == {"http/2.0": "h2"}.get(version, version)
                assert request["sent"] == len(entry["request"]["headers"])
                assert request["received"] == len(response["headers"])
                assert request["size"] == response["content"]["size"]
                assert request["finished"]
                began = datetime.fromisoformat(entry["startedDateTime"]).timestamp()
                assert request["start"] == pytest.approx(began, abs=0.001)
                assert request["duration"] * 1000 == pytest.approx(entry["time"], abs=0.01)
            broken = {"log": {**document["log"], "entries": [{"request": {}}]}}
            refused = browser.execute_async_script(IMPORT, json.dumps(broken))
            assert "error" in refused

"""`dissect.open` as docs/python.md has it: its examples run, have types, and tell no secret."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from lxml import etree, html

import dissect
from dissect.errors import CaptureError, UsageError
from dissect.model import Secret
from tests.lab import scenario

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "python.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text("utf-8"), re.M | re.S)
SIGNIN = scenario("web-signin")


def opened(*captures: str, **options: object) -> dissect.results.Results:  # type: ignore[name-defined]
    return dissect.open(*(captures or SIGNIN.captures), **options)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files that the examples name, and nothing else."""
    for path in SIGNIN.folder.iterdir():
        if path.suffix in (".pcapng", ".keys", ".log"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_runs(number: int, folder: Path) -> None:
    (folder / "example.py").write_text(EXAMPLES[number], "utf-8")
    done = subprocess.run(
        [sys.executable, "example.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    if number == 0:
        assert re.search(r"Web Sign-in.* complete", done.stdout)
    if number == 1:
        assert (folder / "sign-in.svg").read_bytes().startswith(b"<?xml")


def test_the_examples_have_types(tmp_path: Path) -> None:
    assert len(EXAMPLES) >= 3
    for number, text in enumerate(EXAMPLES):
        (tmp_path / f"example{number}.py").write_text(text, "utf-8")
    files = sorted(str(path) for path in tmp_path.glob("*.py"))
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", *files],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    (tmp_path / "wrong.py").write_text("import dissect\ndissect.open('a', flow=['b'])\n", "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "wrong.py"],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert 'Unexpected keyword argument "flow"' in done.stdout


def test_importing_loads_nothing() -> None:
    code = "import sys, dissect; print([m for m in sys.modules if m.startswith('dissect.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_same_as_the_commands() -> None:
    run = opened(phone_logs=[SIGNIN.phone_log])
    command = subprocess.run(
        [
            sys.executable, "-m", "dissect", "flow", *SIGNIN.captures,
            "--phone-log", SIGNIN.phone_log, "--format", "json",
        ],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert json.loads(run.draw("json")) == json.loads(command.stdout)
    table = subprocess.run(
        [sys.executable, "-m", "dissect", "http", *SIGNIN.captures, "--format", "json"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert [json.loads(line) for line in table.stdout.splitlines()] == run.table("http")


def test_a_notebook_gets_images_and_no_markup_of_the_capture() -> None:
    run = opened()
    (chart,) = run
    svg = chart._repr_svg_()
    assert etree.fromstring(svg.encode()).tag == "{http://www.w3.org/2000/svg}svg"
    for text in (chart._repr_html_(), run._repr_html_()):
        (image,) = html.fragments_fromstring(text)
        assert (image.tag, set(image.attrib)) == ("img", {"alt", "src", "style"})
        kind, _, data = image.attrib["src"].partition(",")
        assert kind == "data:image/svg+xml;base64"
        assert etree.fromstring(base64.b64decode(data)).tag.endswith("}svg")
    assert opened(SIGNIN.phone, flows=["sip-call"])._repr_html_() == "<p>no flow found</p>"


def test_hostile_words_stay_words(tmp_path: Path) -> None:
    """The title is the flow's own: whoever hands on a definition can't put a script into it."""
    flow = tmp_path / "flow.toml"
    text = (Path(dissect.__file__).parents[1] / "plugins/flows/device-code.toml").read_text("utf-8")
    hostile = '<script>alert(1)</script>\\"><img src=x onerror=alert(1)>'
    text = re.sub(r"^title = .*$", f'title = "{hostile}"', text, count=1, flags=re.M)
    flow.write_text(text, "utf-8")
    run = opened(flows=[flow])
    assert len(run) > 0
    for image in html.fragments_fromstring(run._repr_html_()):
        assert image.tag == "img"
        assert "<script>" in image.attrib["alt"]


def test_no_secret_in_anything_that_is_text() -> None:
    run = opened(phone_logs=[SIGNIN.phone_log])
    secrets = {
        fact.value
        for event in run.events
        for fact in event.facts.values()
        if isinstance(fact, Secret) and len(fact.value) > 8
    }
    assert len(secrets) > 10
    shown = [str(run), str(run.events), *run.warnings, str(run.draw("json"))]
    shown += [str(run.table(name)) for name in ("http", "events", "sip", "redirects")]
    shown += [run.show(fact) for event in run.events for fact in event.facts.values()]
    text = "\n".join(shown)
    assert [value for value in secrets if value in text] == []
    revealed = opened(phone_logs=[SIGNIN.phone_log], reveal=True)
    assert any(value in str(revealed.table("events")) for value in secrets)


def test_errors(tmp_path: Path) -> None:
    none = tmp_path / "none.pcap"
    none.write_text("no capture at all", "utf-8")
    with pytest.raises(CaptureError):
        _ = opened(str(none)).charts
    with pytest.raises(CaptureError, match=r"missing\.pcap: no such file"):
        _ = opened(str(tmp_path / "missing.pcap")).charts
    with pytest.raises(UsageError, match="give a capture"):
        dissect.open()
    with pytest.raises(UsageError, match="can't be read twice"):
        dissect.open("-")
    with pytest.raises(UsageError, match="no table 'htp'"):
        opened().table("htp")
    with pytest.raises(UsageError, match="no format"):
        opened().draw("gif")
    with pytest.raises(UsageError, match="a list of names"):
        dissect.open(SIGNIN.phone, key_logs=str(SIGNIN.folder / "phone.keys"))
    with pytest.raises(UsageError):
        opened().save(SIGNIN.phone)  # it would take the place of a capture


def test_paths_are_names_too(tmp_path: Path) -> None:
    run = dissect.open(Path(SIGNIN.phone), Path(SIGNIN.browser))
    run.save(tmp_path / "chart.md")
    assert "Web Sign-in" in (tmp_path / "chart.md").read_text("utf-8")
    assert [info.name for info in run.captures] == [SIGNIN.phone, SIGNIN.browser]

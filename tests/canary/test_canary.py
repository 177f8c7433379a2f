"""No canary in any byte of any output, temporary file, process argument or exception."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.canary import allowed, commands, scene
from tests.canary.judged import leaks, seen, table
from tests.canary.running import Runner
from tests.canary.scene import Scene
from tests.canary.search import Searcher
from tests.canary.values import SHAPES

SEARCHER = Searcher()
_LINES = [
    line
    for line in (Path(__file__).parent / "waiting.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]
_CARRIER = re.compile(
    r"^(?:http1|http2|tls|h2 in tls) (?=target|request|response|echo|authorization|proxy)"
)
WAITING = {line.removesuffix(" (in layers)") for line in _LINES}
WAITING_PLAIN = {line for line in _LINES if not line.endswith(" (in layers)")}
FEWER = {"tls": 5, "http2": 4}  # of the exchanges that HTTP/1 has all of


def fresh(folder: Path, rotate: int = 0, shape: str = "word") -> tuple[Scene, Runner]:
    for name in ("in", "run"):
        (folder / name).mkdir()
    return Scene(folder / "in", rotate=rotate, shape=shape), Runner(folder / "run")


def whole(made: Scene) -> Scene:
    """All positions once; of HTTP/2 and TLS, which carry the same messages, a part."""
    scene.add_http1(made)
    scene.add_http2(made, lambda i: i % FEWER["http2"] == 1)
    scene.add_tls(made, lambda i: i % FEWER["tls"] == 2)
    scene.add_sip(made)
    scene.add_devices(made)
    scene.add_logs(made)
    return made


def judge(made: Scene, runner: Runner) -> set[str]:
    """Fails for every leak but those that wait, which it returns."""
    assert runner.unexpected == []
    assert runner.outputs
    found = leaks(made, runner.outputs, SEARCHER)
    new = [leak for leak in found if bare(leak.position) not in WAITING]
    assert not new, table(new)
    return {bare(leak.position) for leak in found}


def bare(position: str) -> str:
    """A position without its layers, whatever version of HTTP carried it."""
    return _CARRIER.sub("http ", position.partition(" (")[0])


def test_plain(tmp_path: Path) -> None:
    made, runner = fresh(tmp_path)
    whole(made)
    assert allowed.unused(made.positions.values()) == []
    commands.tables(runner, made, ("json",))
    commands.charts(runner, made)
    commands.exports(runner, made)
    commands.golden(runner, made)
    assert WAITING_PLAIN - judge(made, runner) == set()


@pytest.mark.parametrize("rotate", [1])
def test_in_layers(rotate: int, tmp_path: Path) -> None:
    """Every position in another chain of up to three encodings."""
    made, runner = fresh(tmp_path, rotate)
    scene.add_http1(made)
    scene.add_sip(made)
    scene.add_devices(made)
    commands.tables(runner, made, ("json",))
    commands.charts(runner, made)
    judge(made, runner)


def test_with_reveal_they_are_there(tmp_path: Path) -> None:
    """The search works, and the program reads the positions at all."""
    made, runner = fresh(tmp_path)
    whole(made)
    runner.reveal = True
    commands.tables(runner, made, ("json", "csv"))
    commands.charts(runner, made)
    assert runner.unexpected == []
    found = seen(made, runner.outputs, SEARCHER)
    http = {name for name in made.positions.values() if name.startswith("http1 ")}
    sip = {name for name in made.positions.values() if name.startswith("sip ")}
    assert len(found & http) > 0.8 * len(http), sorted(http - found)
    assert len(found & sip) > 0.8 * len(sip), sorted(sip - found)
    for name in (
        "http1 target.query.zeta", "http1 request.X-Zeta", "http1 response.Location.query",
        "http1 request.body.form.kennwort", "http1 response.body.json.key.zeta",
        "http1 authorization.Bearer", "sip request.X-Zeta", "dhcp.offer.43", "vvx.user-code",
    ):  # fmt: skip
        assert name in found, name


# ------------------------------------------------------------------ long: everything


@pytest.mark.deep
@pytest.mark.parametrize("rotate", range(1, 119, 6))
def test_in_all_chains(rotate: int, tmp_path: Path) -> None:
    made, runner = fresh(tmp_path, rotate)
    whole(made)
    commands.tables(runner, made)
    commands.charts(runner, made)
    commands.exports(runner, made)
    judge(made, runner)


@pytest.mark.deep
@pytest.mark.parametrize("shape", list(SHAPES))
def test_in_all_traffic_patterns(shape: str, tmp_path: Path) -> None:
    made, runner = fresh(tmp_path, shape=shape)
    whole(made)
    commands.tables(runner, made)
    commands.charts(runner, made)
    commands.chart_formats(runner, made)
    commands.anonymous(runner, made)
    commands.exports(runner, made)
    commands.golden(runner, made)
    commands.folder(runner, made)
    judge(made, runner)


@pytest.mark.deep
@pytest.mark.parametrize("dressing", range(len(scene.DRESSINGS)))
def test_at_all_services(dressing: int, tmp_path: Path) -> None:
    """Every position in a message of each service, so that every rule meets every position."""
    made, runner = fresh(tmp_path)
    scene.add_http1(made, dressing=dressing)
    scene.add_http2(made, lambda i: i % 3 == dressing % 3, dressing=dressing)
    commands.tables(runner, made, ("json",))
    commands.charts(runner, made)
    commands.golden(runner, made)
    judge(made, runner)


@pytest.mark.deep
@pytest.mark.parametrize(
    ("coding", "cut", "chunk"),
    [
        ("gzip", 1400, 0),
        ("br", 7, 0),
        ("deflate", 1400, 5),
        ("zstd", 61, 3),
        ("", 5, 0),
        ("", 1400, 3),
    ],
)
def test_split_and_compressed(coding: str, cut: int, chunk: int, tmp_path: Path) -> None:
    made, runner = fresh(tmp_path)
    scene.add_http1(made, coding=coding, cut=cut, chunk=chunk)
    scene.add_http2(made, coding=coding)
    commands.tables(runner, made, ("json",))
    commands.charts(runner, made)
    commands.exports(runner, made)
    judge(made, runner)


def some(made: Scene) -> None:
    scene.add_http1(made, lambda i: i % 11 == 0)
    scene.add_tls(made, lambda i: i % 23 == 0)
    scene.add_sip(made, lambda i: i % 5 == 0)
    scene.add_devices(made)


@pytest.mark.long
def test_pictures(tmp_path: Path) -> None:
    """The texts of SVG and PDF, the text chunks of PNG; its pixels draw the texts of the SVG."""
    made, runner = fresh(tmp_path)
    some(made)
    commands.charts(runner, made, commands.PICTURES)
    judge(made, runner)


@pytest.mark.deep
def test_bodies(tmp_path: Path) -> None:
    made, runner = fresh(tmp_path)
    scene.add_http1(made, lambda i: i > 150)
    scene.add_sip(made, lambda i: i > 90)
    assert commands.bodies(runner, made) > 200
    judge(made, runner)


@pytest.mark.deep
@pytest.mark.parametrize(
    "part", ["http1.pcap", "http2.pcap", "tls.pcap", "sip.pcap", "devices.pcapng"]
)
def test_cut_anywhere(part: str, tmp_path: Path) -> None:
    """A capture cut at many places: what is reported damage, and exceptions, hold none."""
    made, runner = fresh(tmp_path)
    {
        "http1.pcap": lambda: scene.add_http1(made, lambda i: i % 9 == 0),
        "http2.pcap": lambda: scene.add_http2(made, lambda i: i % 9 == 0),
        "tls.pcap": lambda: scene.add_tls(made, lambda i: i % 9 == 0),
        "sip.pcap": lambda: scene.add_sip(made, lambda i: i % 4 == 0),
        "devices.pcapng": lambda: scene.add_devices(made),
    }[part]()
    data = made.captures[0].read_bytes()
    for number in range(1, 60):
        size = len(data) * number // 60 + number % 7
        made.captures[0].write_bytes(data[:size])
        capture = str(made.captures[0])
        runner.run("info", capture, *made.options, "--format", "json")
        runner.run("report", capture, *made.options, out=("out.html", "out.har"))
    judge(made, runner)


MISUSES: dict[str, Callable[[Scene, str], list[str]]] = {
    "capture": lambda made, text: ["http", text],
    "keylog": lambda made, text: ["http", str(made.captures[0]), "-k", str(made.captures[0])],
    "log": lambda made, text: ["flow", str(made.captures[0]), "--phone-log", str(made.captures[0])],
    "definition": lambda made, text: ["flow", str(made.captures[0]), "--flow", str(made.captures[0])],
    "golden": lambda made, text: ["check", str(made.captures[0]), "--expect", str(made.captures[0])],
    "rsa": lambda made, text: ["http", str(made.captures[0]), "--rsa-key", str(made.captures[0])],
    "diff": lambda made, text: ["diff", str(made.captures[0]), text],
    "body": lambda made, text: ["http", str(made.captures[0]), "--body", "4"],
    "body-many": lambda made, text: ["sip", str(made.captures[1]), "--body", "5"],
}  # fmt: skip


@pytest.mark.parametrize("misuse", list(MISUSES))
def test_errors_quote_nothing(misuse: str, tmp_path: Path) -> None:
    """A file that is taken for another kind: a line says so, and says none of it."""
    made, runner = fresh(tmp_path)
    scene.add_http1(made, lambda i: i % 40 == 0)
    scene.add_sip(made, lambda i: i % 40 == 0)
    text = tmp_path / "in" / "text.txt"
    text.write_text(made.text("a text file") + "\n" + made.text("its second line"))
    runner.run(*MISUSES[misuse](made, str(text)))
    judge(made, runner)


def with_tshark(folder: Path) -> tuple[Scene, Runner]:
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    made, runner = fresh(folder)
    some(made)
    commands.tshark(runner, made)
    assert runner.programs > 5
    return made, runner


@pytest.mark.long
def test_with_tshark(tmp_path: Path) -> None:
    """The other engine: its process arguments, its outputs, crosscheck's differences."""
    made, runner = with_tshark(tmp_path)
    runner.outputs = [item for item in runner.outputs if item.place != "temporary file"]
    judge(made, runner)


@pytest.mark.long
def test_temporary_files_of_tshark(tmp_path: Path) -> None:
    """A key log for tshark holds the secrets of connections, and no line of anything else."""
    made, runner = with_tshark(tmp_path)
    runner.outputs = [item for item in runner.outputs if item.place == "temporary file"]
    assert runner.outputs
    judge(made, runner)

"""No output takes the place of an input, whatever the input is and however its path is spelled."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dissect import output_conflicts
from dissect.cli.main import main
from tests.lab import scenario

SIGNIN = scenario("web-signin")
DEFINITION = 'schema = 1\nname = "mine"\ntitle = "x"\n[[step]]\n[[step.arrow]]\ninclude = "{}"\n'

# What each is given as; `{}` is the file.
READ: dict[str, list[str]] = {
    "phone.pcapng": ["phone.pcapng"],
    "phone.keys": ["phone.pcapng"],  # found beside the capture
    "phone.keylog": ["phone.pcapng", "--no-auto-keys"],  # left alone, and not lost either
    "given.keys": ["phone.pcapng", "-k", "given.keys"],
    "bound.keys": ["phone.pcapng", "-k", "phone.pcapng:bound.keys"],
    "environment.keys": ["phone.pcapng"],
    "phone.log": ["phone.pcapng", "--phone-log", "phone.log"],
    "server.pem": ["phone.pcapng", "--rsa-key", "server.pem"],
    "words": ["phone.pcapng", "--rsa-key", "server.pem", "--rsa-password", "words"],
    "mine.toml": ["phone.pcapng", "--flow", "mine.toml"],
    "below/part.toml": ["phone.pcapng", "--flow", "mine.toml"],
    "below/deeper.toml": ["phone.pcapng", "--flow", "mine.toml"],
    "plugin.py": ["phone.pcapng", "--plugin", "plugin.py"],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A customer's folder, which is the current one: every kind of file that a run may read."""
    place = tmp_path / "case"
    (place / "below").mkdir(parents=True)
    for name in READ:
        (place / name).write_text(f"{name}, and no other\n")
    shutil.copy(SIGNIN.phone, place / "phone.pcapng")
    (place / "mine.toml").write_text(DEFINITION.format("below/part.toml"))
    (place / "below/part.toml").write_text(f'# "deeper.toml"\n{DEFINITION.format("deeper.toml")}')
    monkeypatch.chdir(place)
    monkeypatch.setenv("SSLKEYLOGFILE", str(place / "environment.keys"))
    return place


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in READ}


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    code = main(list(arguments))
    out, err = capsys.readouterr()
    assert code == 2, err
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("dissect: ")
    return line


def linked(folder: Path, name: str, how: str, suffix: str) -> str:
    """Another name for an input, such as an output may have by mistake."""
    link = folder / f"out{suffix}"
    if how == "hard link":
        os.link(folder / name, link)
    elif how == "symbolic link":
        link.symlink_to(folder / name)
    elif how == "link to a link":
        (folder / "hop").symlink_to(name)
        link.symlink_to("hop")
    else:  # the folder is a link
        (folder / "elsewhere").symlink_to(folder, target_is_directory=True)
        os.link(folder / name, link)
        return f"elsewhere/out{suffix}"
    return link.name


LINKS = ("hard link", "symbolic link", "link to a link", "linked folder")


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("command", ["flow", "report", "export"])
def test_a_link_to_an_input(
    command: str, name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(folder)
    suffix = ".pcapng" if command == "export" else ".html"
    how = LINKS[list(READ).index(name) % len(LINKS)]
    output = linked(folder, name, how, suffix)
    line = refused(capsys, command, *READ[name], "-o", output)
    assert "is an input of this run" in line
    assert contents(folder) == before


@pytest.mark.parametrize("name", READ)
def test_the_input_itself_in_other_spellings(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`export` takes a name of any ending."""
    before = contents(folder)
    spellings = (name, f"./{name}", f"below/../{name}", str(folder / name), f"../case//{name}")
    for spelling in spellings:
        assert "input" in refused(capsys, "export", *READ[name], "-o", spelling)
        line = refused(capsys, "check", *READ[name], "--expect", spelling, "--update")
        assert "input" in line
    assert contents(folder) == before


def test_every_ending_that_flow_writes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for ending in ("txt", "svg", "png", "pdf", "html", "md", "mmd", "puml", "json", "csv", "har"):
        log = folder / f"log.{ending}"
        shutil.copy("phone.log", log)
        before = log.read_bytes()
        line = refused(
            capsys, "flow", "phone.pcapng", "--phone-log", log.name, "-o", f"./{log.name}"
        )
        assert log.name in line
        assert log.read_bytes() == before


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_the_report_without_a_name(
    link: Callable[[str, str], None], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    link("phone.pcapng", "report.html")
    before = contents(folder)
    assert "report.html" in refused(capsys, "report", "phone.pcapng")
    assert contents(folder) == before


def test_the_parts_of_a_diagram(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in ("1", "04", "12"):
        os.link("phone.log", f"chart.part-{number}.mmd")
        line = refused(
            capsys, "flow", "phone.pcapng", "--phone-log", "phone.log", "-o", "chart.mmd"
        )
        assert f"chart.part-{number}.mmd" in line
        os.unlink(f"chart.part-{number}.mmd")
    line = refused(capsys, "flow", "phone.pcapng", "-o", "a.mmd", "-o", "./a.part-3.mmd")
    assert "a.part-3.mmd" in line


@pytest.mark.parametrize("page", ["phone.html", "deep.html", "index.html"])
@pytest.mark.parametrize("read", ["phone.pcapng", "phone.keys", "deep/d.log", "deep/d.pcapng"])
def test_a_page_of_a_folder(
    page: str, read: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "deep").mkdir()
    shutil.copy(SIGNIN.phone, "deep/d.pcapng")
    shutil.copy(SIGNIN.phone_log, "deep/d.log")
    os.link(read, page)
    before = Path(read).read_bytes()
    assert page in refused(capsys, "report", str(folder), "-o", str(folder))
    assert Path(read).read_bytes() == before


def test_a_folder_that_is_a_capture(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(folder)
    refused(capsys, "report", str(folder), "-o", "phone.pcapng")
    assert contents(folder) == before


@pytest.mark.parametrize(
    "outputs",
    [
        ("a.html", "a.html"),
        ("a.html", "./a.html"),
        ("a.html", "below/../a.html"),
        ("a.html", "twin/a.html"),
        ("a.html", "later.html"),
        ("old.html", "same.html"),
    ],
)
def test_two_outputs_at_one_place(
    outputs: tuple[str, str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "twin").symlink_to(folder, target_is_directory=True)
    (folder / "later.html").symlink_to("a.html")  # which is not there yet
    (folder / "old.html").write_text("old")
    os.link("old.html", "same.html")
    for command in ("flow", "report"):
        line = refused(capsys, command, "phone.pcapng", "-o", outputs[0], "-o", outputs[1])
        assert "are the same file" in line
    assert (folder / "old.html").read_text() == "old"


def test_names_that_a_file_system_takes_for_one(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "probe").write_text("")
    one = (folder / "PROBE").exists()
    assert output_conflicts._ignores_case(str(folder)) is one
    monkeypatch.setattr(output_conflicts, "_ignores_case", lambda folder: True)
    for other in ("A.HTML", "a.Html"):
        refused(capsys, "flow", "phone.pcapng", "-o", "a.html", "-o", other)
    decomposed, composed = "u\u0308.html", "\u00fc.html"
    refused(capsys, "flow", "phone.pcapng", "-o", decomposed, "-o", composed)


def run(*arguments: str | Path, **how: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "dissect", *map(str, arguments)]
    return subprocess.run(command, stderr=subprocess.PIPE, check=False, **how)  # type: ignore[call-overload,no-any-return]


def test_standard_output_that_goes_to_an_input(folder: Path) -> None:
    """`>>` leaves the shell nothing to destroy; we would."""
    before = contents(folder)
    commands = (
        ["http", "phone.pcapng", "-k", "given.keys"],
        ["crosscheck", "phone.pcapng", "-k", "given.keys"],
        ["check", "phone.pcapng", "--expect", "given.keys"],
    )
    for command in commands:
        with open("given.keys", "ab") as output:
            done = run(*command, stdout=output)
        assert done.returncode == 2
        assert b"standard output goes to given.keys" in done.stderr
    with open("a.json", "wb") as output:
        done = run("flow", "phone.pcapng", "-o", "a.json", "--format", "json", stdout=output)
    assert done.returncode == 2
    assert b"standard output and a.json are the same file" in done.stderr
    with open("phone.pcapng", "rb") as source:
        done = run("flow", "-", "-o", "phone.pcapng.html", stdin=source)
        assert done.returncode in (0, 1)
    Path("phone.pcapng.html").unlink()
    os.link("phone.pcapng", "phone.pcapng.html")
    with open("phone.pcapng", "rb") as source:
        assert run("flow", "-", "-o", "phone.pcapng.html", stdin=source).returncode == 2
    assert contents(folder) == before


def test_what_is_no_input_is_replaced(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "old.html").write_text("PLACEHOLDER")
    shutil.copy("phone.pcapng", "other.pcapng")
    assert main(["report", "phone.pcapng", "-o", "old.html"]) in (0, 1), capsys.readouterr().err
    assert "PLACEHOLDER" not in (folder / "old.html").read_text()
    assert main(["report", "phone.pcapng", "-o", "old.html"]) in (0, 1)


class TestGolden:
    """`check --update` replaces a golden file, and nothing else."""

    def test_another_file(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        others = {
            "notes.json": b'{"notes": 1}',
            "list.json": b"[1, 2]",
            "broken.json": b'{"flows": [',
            "flows.json": b'{"flows": {"of": "something else"}}',
            "second.pcapng": Path(SIGNIN.browser).read_bytes(),
        }
        for name, content in others.items():
            (folder / name).write_bytes(content)
            line = refused(capsys, "check", "phone.pcapng", "--expect", name, "--update")
            assert f"{name}: no golden file" in line
            assert (folder / name).read_bytes() == content

    def test_a_golden_one(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        golden = folder / "golden.json"
        for content in (None, b"", b'{"schema": 1, "flows": []}'):
            if content is not None:
                golden.write_bytes(content)
            assert main(["check", "phone.pcapng", "--expect", "golden.json", "--update"]) == 0
            assert main(["check", "phone.pcapng", "--expect", "golden.json"]) == 0

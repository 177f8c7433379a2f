"""A folder that a stranger has sent: options, links, pipes, commands of a terminal."""

from __future__ import annotations

import os
import shutil
import unicodedata
from pathlib import Path

import pytest

from dissect.cli.main import COMMANDS, main
from tests.canary import wire
from tests.lab import scenario

SIGNIN = scenario("web-signin")
ACTING = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
posix = pytest.mark.skipif(os.name != "posix", reason="links and pipes as POSIX has them")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "case"
    place.mkdir()
    shutil.copy(SIGNIN.phone, place / "phone.pcapng")
    monkeypatch.chdir(place)
    monkeypatch.delenv("SSLKEYLOGFILE", raising=False)
    return place


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    code = main(list(arguments))
    out, err = capsys.readouterr()
    assert (code, out) == (2, ""), err
    (line,) = err.splitlines()
    assert line.startswith("dissect: ")
    assert "internal error" not in line
    return line


class TestNamesThatAreOptions:
    """`dissect http *` gives the command every name that there is."""

    @pytest.mark.parametrize(
        "word",
        [
            "--reveal",
            "--plugin=evil.py",
            "-k",
            "-kphone.keys",
            "--engine=tshark",
            "-h",
            "--help",
            "-x",
        ],
    )
    def test_refused(self, word: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        mark = folder / "mark"
        (folder / "evil.py").write_text(f"open({str(mark)!r}, 'w')\ndef register(r): pass\n")
        (folder / word).touch()
        for arguments in (["http", word, "phone.pcapng"], ["http", "phone.pcapng", word]):
            assert f"write ./{word} if you mean the file" in refused(capsys, *arguments)
        assert not mark.exists()

    def test_without_such_a_file_it_is_an_option(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["http", "phone.pcapng", "--reveal"]) == 0
        assert "secrets are shown" in capsys.readouterr().err

    def test_the_file_can_be_read(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        shutil.copy("phone.pcapng", "--reveal")
        assert main(["info", "./--reveal"]) == 0
        assert main(["info", "--", "--reveal"]) == 0
        assert "secrets are shown" not in capsys.readouterr().err

    def test_a_link_that_leads_nowhere_counts(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        try:
            (folder / "--reveal").symlink_to("nowhere")
        except OSError:
            pytest.skip("no right to make links")
        refused(capsys, "http", "--reveal", "phone.pcapng")


@posix
class TestPlacesThatNobodyNamed:
    """Where dissect itself chooses a name, it follows no link and waits for no pipe."""

    REPORTS = ("report", "phone.pcapng"), ("report", ".")

    @pytest.mark.parametrize(
        ("name", "arguments"),
        [
            ("report.html", REPORTS[0]),
            ("reports", REPORTS[1]),
            ("reports/phone.html", REPORTS[1]),
            ("reports/index.html", REPORTS[1]),
            ("pages/index.html", (*REPORTS[1], "-o", "pages")),
        ],
    )
    @pytest.mark.parametrize("what", ["link", "link to nowhere", "pipe"])
    def test_is_left_alone(
        self,
        what: str,
        name: str,
        arguments: tuple[str, ...],
        folder: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        precious = tmp_path / ("folder" if name == "reports" else "precious")
        place = folder / name
        place.parent.mkdir(exist_ok=True)
        if what == "pipe":
            os.mkfifo(place)
        else:
            place.symlink_to(precious)
        if what == "link":
            if name == "reports":
                precious.mkdir()
            else:
                precious.write_text("precious")
        assert name in refused(capsys, *arguments)
        if name == "reports":
            assert not precious.exists() or list(precious.iterdir()) == []
        else:
            assert not precious.exists() or precious.read_text() == "precious"

    def test_a_name_that_was_given_is_followed(
        self, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (folder / "report.html").symlink_to(tmp_path / "mine.html")
        assert main(["report", "phone.pcapng", "-o", "report.html"]) == 1
        assert (tmp_path / "mine.html").stat().st_size > 1000
        capsys.readouterr()

    def test_a_pipe_in_a_folder_is_no_capture(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        os.mkfifo(folder / "other.pcap")
        os.mkfifo(folder / "other.log")
        (folder / "zero.pcap").symlink_to("/dev/zero")
        assert main(["diff", ".", "."]) == 0
        assert main(["report", "."]) == 1
        out, err = capsys.readouterr()
        assert "other" not in out + err
        assert "zero" not in out + err


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"flows", "plugins", "diff", "report"}))
@pytest.mark.parametrize("name", ["", ".", "..", os.sep])
def test_a_folder_is_no_capture(
    command: str, name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = {"export": ["-o", "x.pcapng"], "check": ["--expect", "x.json"]}.get(command, [])
    refused(capsys, command, name, *words)


NAMES = (
    "a\x1b]0;owned\x07\x1b[2Jb.pcapng", "a\nb\rc\td.pcapng", "a\u202egpj.pcapng",
    "a\x9b31mb.pcapng", "\udce4\udcff.pcapng", "a\u2028b\ufeffc.pcapng",
)  # fmt: skip


@posix
@pytest.mark.parametrize("name", NAMES)
def test_a_name_acts_nowhere(
    name: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In no output of no command; neither does the name of the folder, or of an output."""
    inside = folder / name.removesuffix(".pcapng")
    inside.mkdir()
    for path in (folder / name, inside / name):
        shutil.copy("phone.pcapng", path)
    shutil.copy(SIGNIN.phone_log, inside / "phone.log")
    path, golden = f"./{name}", f"{name}.json"
    runs = [
        [table, path, "--format", form]
        for table in ("http", "tls", "events", "dns")
        for form in ("table", "json", "csv")
    ]
    runs += [
        ["flow", path, "--format", form]
        for form in ("text", "json", "mermaid", "plantuml", "markdown", "csv")
    ]
    outputs = [
        word for ending in ("txt", "md", "mmd", "puml", "json", "csv", "svg", "html", "har")
        for word in ("-o", f"out-{name}.{ending}")
    ]  # fmt: skip
    runs += [
        ["info", path], ["flow", path, *outputs], ["export", path, "-o", f"out-{name}"],
        ["export", path, "-o", f"out-{name}", "--with-secrets"], ["report", path],
        ["check", path, "--expect", golden, "--update"], ["check", path, "--expect", golden],
        ["check", path, "--expect", f"./{name}"], ["diff", str(inside), path],
        ["diff", path, golden],
        ["report", str(inside)], ["report", ".", "-o", f"{inside}/pages"], ["flow", f"{path}x"],
        ["flow", path, "--clock", f"{name}=1x"], ["flow", path, "-k", f"{name}x"], ["flow", golden],
        ["http", path, "--body", "1"],
        ["flow", path, path, "--phone-log", str(inside / "phone.log")],
    ]  # fmt: skip
    for arguments in runs:
        main(arguments)
        out, err = capsys.readouterr()
        assert "internal error" not in err
        for text in (out, err):
            assert acting(text.replace("\r\n", "\n")) == set(), (arguments, text)
    for written in (*folder.glob("out-*"), folder / golden, *folder.rglob("*.html")):
        if not written.name.endswith((".pcapng", "/pages")) and written.is_file():
            text = written.read_bytes().decode("utf-8")
            assert acting(text) == set(), written.suffix


def acting(text: str) -> set[str]:
    return {c for c in text if unicodedata.category(c) in ACTING} - {"\n"}


def test_a_golden_file_is_no_command_of_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may be looked at with `cat`; and it still fits what it was made of."""
    text = "\x1b]0;owned\x07 \x9b31m \u202egpj".encode()
    head = (
        b"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:u@a.test>;tag=1\r\n"
        b"To: <sip:u@a.test>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n"
    )
    asked = b"REGISTER sip:a.test SIP/2.0\r\nUser-Agent: " + text + b"\r\n" + head + b"\r\n"
    answer = b"SIP/2.0 403 " + text + b"\r\n" + head + b"\r\n"
    capture, golden = tmp_path / "a.pcap", tmp_path / "golden.json"
    frames = [wire.udp(True, (5060, 5060), asked), wire.udp(False, (5060, 5060), answer)]
    capture.write_bytes(wire.pcap(frames))
    common = ["check", str(capture), "--flow", "sip-register", "--expect", str(golden)]
    assert main([*common, "--update"]) == 0
    document = golden.read_text("utf-8")
    assert "403" in document
    assert "owned" in document
    assert acting(document) == set()
    assert main(common) == 0
    assert capsys.readouterr().out == ""


@posix
def test_names_as_long_as_a_file_system_takes(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither the key log that might lie beside one nor its page would fit; the others do."""
    for name in (f"{'x' * 250}.cap", f"{'x' * 244}.pcap.gz"):
        shutil.copy("phone.pcapng", name)
        assert main(["info", name]) == 0
    for name in ("y" * 255, "\u738b" * 85):
        (folder / name).mkdir()
        shutil.copy("phone.pcapng", folder / name / "a.pcapng")
    (folder / ("x" * 244 + ".pcap.gz")).unlink()
    assert main(["report", ".", "-o", "pages"]) == 1
    pages = [path.name for path in (folder / "pages").iterdir()]
    assert len(pages) == 5
    assert sum(name.startswith("y" * 200) for name in pages) == 1
    assert "internal error" not in capsys.readouterr().err

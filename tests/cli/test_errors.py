"""Every way to call the command wrongly: one line, the documented exit code, no traceback."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import stat
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from tests.lab import scenario

SIGNIN = scenario("web-signin")


def dissect(*arguments: str | Path, stdin: bytes = b"", **environment: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of the real program."""
    result = subprocess.run(
        [sys.executable, "-m", "dissect", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
    )
    return result.returncode, result.stdout.decode(), result.stderr.decode()


def one_line(arguments: list[str | Path], *words: str) -> None:
    """In this process: starting the program anew would tell nothing more."""
    from dissect.cli.main import main

    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as errors:
        code = main(list(map(str, arguments)))
    err = errors.getvalue()
    assert code == 2, err
    assert out.getvalue() == ""
    assert len(err.splitlines()) == 1, err
    assert err.startswith("dissect: ")
    for word in words:
        assert word in err, err


COMMANDS = ("flow", "http", "info")


@pytest.mark.parametrize("command", COMMANDS)
def test_no_such_file(command: str) -> None:
    one_line([command, "nowhere.pcapng"], "nowhere.pcapng", "no such file")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_directory(command: str, tmp_path: Path) -> None:
    one_line([command, tmp_path], "directory")


@pytest.mark.parametrize("command", COMMANDS)
def test_an_empty_file(command: str, tmp_path: Path) -> None:
    path = tmp_path / "empty.pcapng"
    path.touch()
    one_line([command, path], "empty")


@pytest.mark.parametrize("command", COMMANDS)
def test_not_a_capture(command: str, tmp_path: Path) -> None:
    path = tmp_path / "letter.pcap"
    path.write_text("Dear support, the phone does not sign in.\n" * 20)
    one_line([command, path], "letter.pcap")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads anything")
def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "secret.pcapng"
    shutil.copy(SIGNIN.phone, path)
    path.chmod(0)
    try:
        one_line(["flow", path], "permission")
    finally:
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)


def test_no_permission_is_one_line_for_anybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from dissect.cli.main import main

    path = tmp_path / "secret.pcapng"
    shutil.copy(SIGNIN.phone, path)

    class Refused(io.FileIO):
        def __init__(self, file: Any, *arguments: Any) -> None:
            if str(file) == str(path):
                raise PermissionError(13, "Permission denied")
            super().__init__(file, *arguments)

    monkeypatch.setattr("io.FileIO", Refused)
    code = main(["flow", str(path)])
    monkeypatch.undo()
    captured = capsys.readouterr()
    assert code == 2
    assert "no permission" in captured.err
    assert len(captured.err.splitlines()) == 1


def test_absent_key_log() -> None:
    one_line(["flow", SIGNIN.phone, "-k", "nowhere.keys"], "nowhere.keys", "key log")


def test_absent_phone_log() -> None:
    one_line(["flow", SIGNIN.phone, "--phone-log", "nowhere.log"], "nowhere.log", "no such file")


def test_phone_log_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "notes.log"
    path.write_text("nothing of a phone\n")
    one_line(["flow", SIGNIN.phone, "--phone-log", path], "notes.log", "VVX")


def test_unknown_flow() -> None:
    one_line(["flow", SIGNIN.phone, "--flow", "telepathy"], "telepathy", "vvx-web-signin")


def test_broken_definition_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('schema = 1\nname = "mine"\ntitle = 7\n')
    one_line(["flow", SIGNIN.phone, "--flow", path], "mine.toml:3", "title")


def test_unknown_output_format() -> None:
    one_line(["flow", SIGNIN.phone, "-o", "chart.docx"], "chart.docx", ".png")


def test_output_that_can_not_be_written(tmp_path: Path) -> None:
    target = tmp_path / "no" / "such" / "folder" / "chart.json"
    code, _, err = dissect("flow", SIGNIN.phone, "-o", target)
    assert code == 2
    assert err.splitlines()[-1].startswith("dissect: ")
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["flow"], "a capture"),
        (["http"], "CAPTURE"),
        (["redirects"], "CAPTURE"),
        (["diff", "a.pcap"], "BAD"),
        (["check", "a.pcap"], "--expect"),
        (["export", "a.pcap"], "-o"),
        (["sing"], "'sing'"),
        (["flow", "--loud"], "--loud"),
        (["flow", "-o"], "-o"),
        (["flow", "--clock", "x", "a.pcap"], "CAPTURE=OFFSET"),
        (["flow", "--clock", "b.pcap=1", "a.pcap"], "b.pcap is none of the captures"),
        (["flow", "--clock", "a.pcap=soon", "a.pcap"], "h:mm:ss"),
        (["flow", "--role", "x", "a.pcap"], "IP=ACTOR"),
        (["flow", "--role", "10.0.0.999=phone", "a.pcap"], "no IP address"),
        (["flow", "--role", "10.0.0.9=elephant", "a.pcap"], "'elephant'; there are"),
        (["http", "--format", "xml", "a.pcap"], "'json'"),
        (["http", "--stream", "x", "a.pcap"], "'x'"),
        (["http", "--stream", "-1", "a.pcap"], "0 or more"),
        (["http", "--host", "", "a.pcap"], "--host takes a name"),
        (["http", "-", "-"], "standard input"),
    ],
)
def test_usage(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong use is one line that names what is wrong and where to read on."""
    from dissect.cli.main import main

    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("dissect: ")
    assert line.endswith(" --help)")
    assert words in line


def test_a_key_log_for_no_capture_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from dissect.cli.main import main

    keys = SIGNIN.folder / "phone.keys"
    assert main(["http", SIGNIN.phone, "-k", f"other.pcapng:{keys}"]) == 2
    assert "other.pcapng is none of the captures given" in capsys.readouterr().err
    # The name of its file is enough for a capture, also with --clock.
    assert main(["http", SIGNIN.phone, "--clock", "phone.pcapng=1"]) == 0


def test_alone_it_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    from dissect.cli.main import main

    assert main([]) == 2
    assert "Commands:" in capsys.readouterr().err


def test_a_file_name_can_not_forge_the_error() -> None:
    code, _, err = dissect("flow", "a\x1b[31m\nb.pcap")
    assert code == 2
    assert "\x1b" not in err
    assert len(err.splitlines()) == 1


def test_cut_capture_warns_and_keeps_its_verdict(tmp_path: Path) -> None:
    path = tmp_path / "cut.pcapng"
    whole = Path(SIGNIN.phone).read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    shutil.copy(SIGNIN.folder / "phone.keys", tmp_path / "cut.keys")
    code, out, err = dissect("flow", path)
    assert code == 1
    assert "INCOMPLETE" in out or "FAILED" in out
    assert len([line for line in err.splitlines() if "warning" in line and "cut" in line]) == 1
    assert "Traceback" not in err


def test_key_log_of_another_session_is_no_error() -> None:
    other = scenario("web-signin-tls13").folder / "phone.keys"
    code, out, _ = dissect("flow", SIGNIN.phone, "--no-auto-keys", "-k", other)
    assert code == 1
    assert "could not be" in out
    assert "none for this connection" in " ".join(out.split())


def test_no_flow_where_all_stayed_undecrypted_claims_nothing_of_hosts() -> None:
    phone = scenario("sip-websocket").folder / "phone.pcapng"
    code, out, err = dissect("flow", phone, "--no-auto-keys")
    assert (code, out) == (3, "")
    assert "the one TLS connection stayed shut" in err  # `tshark -Y tls.handshake.type==1`: one


def test_a_named_flow_of_which_nothing_is_seen_says_what_would_help() -> None:
    phone = scenario("sip-websocket-call").folder / "phone.pcapng"
    code, out, err = dissect("flow", phone, "--no-auto-keys", "--flow", "sip-call")
    assert (code, out) == (3, "")
    assert "nothing of sip-call is seen by names or ports; `--role ADDRESS=ACTOR`" in err
    names = scenario("sip-websocket-call").truth["names"]
    roles = [f"{names['sip']['address']}=callee", f"{names['phone']['address']}=caller"]
    reported = [word for role in roles for word in ("--role", role)]
    code, out, _ = dissect("flow", phone, "--no-auto-keys", "--flow", "sip-call", *reported)
    assert code == 1
    assert "INCOMPLETE: steps 1, 2 and 3 could not be seen" in out


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_log_that_windows_wrote_anew(encoding: str, tmp_path: Path) -> None:
    """PowerShell's `>` writes UTF-16 with CRLF, Notepad UTF-8 with a mark."""
    path = tmp_path / "app.log"
    lines = Path(SIGNIN.phone_log).read_text("utf-8").splitlines()
    path.write_bytes("\r\n".join(lines).encode(encoding))
    code, out, _ = dissect("flow", "--phone-log", path)
    assert code == 0
    assert out.replace(str(path), "app.log").startswith("✓ COMPLETE")


def test_no_flow_found_is_3(tmp_path: Path) -> None:
    path = tmp_path / "nothing.pcap"
    path.write_bytes(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000"))
    code, out, err = dissect("flow", path)
    assert (code, out) == (3, "")
    assert "no flow found" in err


def test_exit_codes_of_the_verdicts() -> None:
    for name, expected in (("web-signin", 0), ("wrong-password", 1), ("no-keys", 1)):
        assert dissect("flow", *scenario(name).captures)[0] == expected, name


def test_standard_input_and_gzip(tmp_path: Path) -> None:
    keys = SIGNIN.folder / "phone.keys"
    content = Path(SIGNIN.phone).read_bytes()
    expected = dissect("flow", SIGNIN.phone, "--format", "json")[1].replace(SIGNIN.phone, "-")
    code, out, _ = dissect("flow", "-", "-k", keys, "--format", "json", stdin=content)
    assert code == 0
    assert _flows(out) == _flows(expected)
    packed = tmp_path / "phone.pcapng.gz"
    packed.write_bytes(gzip.compress(content))
    shutil.copy(keys, tmp_path / "phone.keys")
    code, out, _ = dissect("flow", packed, "--format", "json")
    assert code == 0
    assert _flows(out.replace(str(packed), "-")) == _flows(expected)


def _flows(text: str) -> object:
    return json.loads(text)["flows"]


def test_paths_with_spaces_and_other_alphabets(tmp_path: Path) -> None:
    folder = tmp_path / "Störung Nr. 7 телефон"
    folder.mkdir()
    for name in ("phone.pcapng", "phone.keys"):
        shutil.copy(SIGNIN.folder / name, folder / name)
    picture = folder / "bild ☎.svg"
    code, out, err = dissect("flow", folder / "phone.pcapng", "-o", picture, "--format", "text")
    assert code == 0, err
    assert "COMPLETE" in out
    assert picture.stat().st_size > 10_000


def test_a_plain_console_gets_plain_text() -> None:
    code, out, _ = dissect("flow", *SIGNIN.captures, PYTHONIOENCODING="ascii")
    assert code == 0
    assert out.isascii()
    assert "COMPLETE" in out


def test_head_closes_the_pipe() -> None:
    command = [sys.executable, "-m", "dissect", "http", *SIGNIN.captures, "--format", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""

"""Which tshark is run, and in what: an empty profile of our own, whatever the user has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dissect.engines import CaptureInput
from dissect.engines.tshark import program, trusted_program
from dissect.engines.tshark.private import PrivateFolder
from dissect.engines.tshark.process import TsharkRun
from tests import hostile_folder
from tests.lab import need_tshark, scenario

posix = pytest.mark.skipif(os.name != "posix", reason="made of POSIX's executable files")


def program_in(folder: Path) -> Path:
    path = folder / "tshark"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH of a test's own, on a machine without usual places, in a folder without programs."""
    monkeypatch.setattr(trusted_program, "_MAC_FOLDERS", ())
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


@posix
@pytest.mark.parametrize(
    ("entries", "found", "passed_over"),
    [
        ("ROOT/one:ROOT/two", "one", None),
        ("ROOT/none:ROOT/two:ROOT/one", "two", None),
        ("ROOT/here:ROOT/one", "one", "here"),
        ("ROOT/link:ROOT/one", "one", "link"),
        ("ROOT/one/../here:ROOT/captures:ROOT/two", "two", "one/../here"),
        ("ROOT/captures", None, "captures"),
        ("ROOT/keys", None, "keys"),
        ("ROOT/more keys", None, "more keys"),
        ("ROOT/rsa", None, "rsa"),
        ("ROOT/real:ROOT/one", "one", "real"),
        ("::.:./:one:../one:here:~/one", None, None),
        ("", None, None),
        ("ROOT/plain:ROOT/folder:ROOT/two", "two", None),
    ],
)
def test_places_on_path(
    entries: str,
    found: str | None,
    passed_over: str | None,
    alone: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("one", "two", "here", "here/one", "captures", "keys", "more keys", "rsa", "real"):
        program_in(alone / name)
    (alone / "link").symlink_to(alone / "here")
    program_in(alone / "plain").chmod(0o644)
    (alone / "folder" / "tshark").mkdir(parents=True)
    # A link's own folder and the one that it leads to are both the sender's.
    (alone / "captures" / "a.pcapng").symlink_to(alone / "real" / "a.pcapng")
    monkeypatch.setenv("PATH", entries.replace("ROOT", str(alone)))
    item = CaptureInput(
        "../captures/a.pcapng",
        key_logs=(str(alone / "keys" / "a.keys"),),
        found_key_logs=(str(alone / "more keys" / "a.keys"),),
        rsa_keys=("../rsa/key.pem",),
    )
    expected = [None if name is None else f"{alone}/{name}/tshark" for name in (found, passed_over)]
    reported = [path and os.path.normpath(path) for path in trusted_program.trusted_program([item])]
    assert reported == [path and os.path.normpath(path) for path in expected]


@posix
def test_a_current_folder_that_is_gone(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{program_in(alone / 'one').parent}")
    (alone / "here").rmdir()
    assert trusted_program.trusted_program()[0] == str(alone / "one" / "tshark")


def test_usual_places() -> None:
    """Wireshark's installer writes to Program Files; a relative one is none."""
    assert trusted_program._usual("linux", {"ProgramFiles": "/x"}) == []
    assert Path("/Applications/Wireshark.app/Contents/MacOS") in trusted_program._usual(
        "darwin", {}
    )
    root = os.path.abspath(os.sep)
    variables = {
        "ProgramW6432": f"{root}64",
        "ProgramFiles": "here",
        "ProgramFiles(x86)": f"{root}64",
    }
    assert trusted_program._usual("win32", variables) == [Path(f"{root}64") / "Wireshark"]


def test_nothing_of_the_users_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "WIRESHARK_RUN_FROM_BUILD_DIRECTORY", "WIRESHARK_DATA_DIR", "WIRESHARK_LOG_LEVEL",
        "XDG_CONFIG_HOME", "LUA_PATH", "LUA_INIT", "SMIPATH",
    ):  # fmt: skip
        monkeypatch.setenv(name, "/elsewhere")
    with PrivateFolder() as folder:
        config = folder.config()
        found = program.environment(config)
        assert "/elsewhere" not in found.values()
        for name in (
            "HOME",
            "WIRESHARK_CONFIG_DIR",
            "WIRESHARK_PLUGIN_DIR",
            "WIRESHARK_EXTCAP_DIR",
        ):
            assert Path(found[name]).is_relative_to(config)
            assert Path(found[name]).is_dir()
        files = [path.name for path in Path(config).rglob("*") if path.is_file()]
        assert files == ["init.lua"]


def folders(environment: dict[str, str]) -> dict[str, str]:
    """What tshark says of where it looks."""
    command = [need_tshark(), "-G", "folders"]
    reported = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    pairs = (line.partition(":") for line in reported.stdout.splitlines())
    return {name: path.strip() for name, _, path in pairs}


def test_tshark_looks_where_we_say() -> None:
    """As it tells itself. For root Wireshark does not heed the variable of its own plugins."""
    with PrivateFolder() as folder:
        config = folder.config()
        reported = folders(program.environment(config))
        names = [name for name in reported if name.startswith("Personal ")]
        assert "Personal configuration" in names
        if os.name == "posix" and os.geteuid() != 0:
            names += [
                name for name in reported if name.startswith(("Global Plugins", "Global Lua"))
            ]
        for name in names:
            assert Path(reported[name]).is_relative_to(config), name


@posix
def test_no_lua_of_the_users_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does without us, so the trap is one; with us neither for --version nor for a capture."""
    mark = tmp_path / hostile_folder.MARK
    home = tmp_path / "home"
    home.mkdir()
    hostile_folder.plant_at_home(home, mark)
    for name in [key for key in os.environ if key.startswith(("WIRESHARK_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    reported = subprocess.run(
        [need_tshark(), "--version"], capture_output=True, text=True, check=False
    )
    if not mark.exists():
        pytest.skip(f"this tshark runs no Lua: {reported.stdout[:60]}")
    mark.unlink()
    program._release.cache_clear()
    path = program.locate()
    capture = str(hostile_folder.SOURCE / "phone.pcapng")
    with (
        PrivateFolder() as folder,
        TsharkRun([path, "-r", capture, "-c", "1"], folder.config()) as run,
    ):
        assert b"".join(run.output())
    assert run.problem is None
    assert not mark.exists(), mark.read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="/proc and pwd")
def test_tshark_stands_in_its_own_folder(tmp_path: Path) -> None:
    """Not where captures lie: dissectors open files there (IOR.txt)."""
    script = program_in(tmp_path)
    script.write_text("#!/bin/sh\npwd -P\n")
    with PrivateFolder() as folder, TsharkRun([str(script)], folder.config()) as run:
        assert b"".join(run.output()).decode().strip() == os.path.realpath(folder.config())


# ------------------------------------------------------------------ what tshark is given


R, S32, S48, S64 = ("ab" * size for size in (32, 32, 48, 64))
READ = [
    f"CLIENT_RANDOM {R} {S48}",
    f"CLIENT_RANDOM {R.upper()} {S48}",
    f"RSA Session-ID:{R} Master-Key:{S48}",
    f"RSA Session-ID:ab Master-Key:{S48}",
    f"RSA {'ab' * 8} {S48}",
    f"PMS_CLIENT_RANDOM {R} {'ab' * 256}",
    f"CLIENT_EARLY_TRAFFIC_SECRET {R} {S32}",
    f"CLIENT_HANDSHAKE_TRAFFIC_SECRET {R} {S48}",
    f"SERVER_HANDSHAKE_TRAFFIC_SECRET {R} {S64}",
    f"CLIENT_TRAFFIC_SECRET_0 {R} {S32}",
    f"SERVER_TRAFFIC_SECRET_0 {R} {S48}",
    f"EARLY_EXPORTER_SECRET {R} {S32}",
    f"EXPORTER_SECRET {R} {S32}",
    f"ECH_SECRET {R} {S32}",
    f"ECH_CONFIG {R} {'ab' * 77}",
]
# Each with a word that must not get into a file, before what Wireshark can't use.
OTHERS = [
    "# hunter2", " # hunter2", "hunter2", "", "CLIENT_RANDOM hunter2", f"CLIENT_RANDOM {R} hunter2",
    f"CLIENT_RANDOM {R} {b'hunter2'.hex()}", f"CLIENT_RANDOM {R} {S48}{b'hunter2'.hex()}",
    f"CLIENT_RANDOM {b'hunter2'.hex()} {S48}", f"CLIENT_RANDOM  {R} {S48} hunter2",
    f"CLIENT_TRAFFIC_SECRET_0 {R} {S32}{b'hunter2'.hex()}", f"HUNTER2 {R} {S32}",
    f"EXPORTER_SECRET {R} {S32}a hunter2", f"RSA {'ab' * 8} {b'hunter2'.hex()}",
    f"RSA Session-ID:hunter2 Master-Key:{S48}", f"xCLIENT_RANDOM {R} {S48} hunter2",
    f"RSA Session-ID:{'ab' * 33} Master-Key:{S48} hunter2", "\xfe\x00hunter2\x00\xff",
]  # fmt: skip


def merged(*logs: bytes) -> bytes | None:
    with PrivateFolder() as folder:
        path = folder.key_log(logs)
        return None if path is None else Path(path).read_bytes()


@pytest.mark.parametrize("line", READ)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", " hunter2\n", "\t# hunter2\n", ""])
def test_of_a_line_that_tshark_reads_only_that_is_written(line: str, end: str) -> None:
    assert merged((line + end).encode()) == line.encode() + b"\n"
    assert merged(("\ufeff" + line + end).encode("utf-16-le")) == line.encode() + b"\n"


@pytest.mark.parametrize("line", OTHERS)
def test_what_else_a_key_log_holds_is_not_written(line: str) -> None:
    assert merged(line.encode("latin-1")) is None
    both = f"{line}\n{READ[0]}\n{line}\r\n{READ[9]}".encode("latin-1")
    assert merged(both, line.encode("latin-1")) == f"{READ[0]}\n{READ[9]}\n".encode()


@pytest.mark.parametrize("second", READ)
@pytest.mark.parametrize("first", READ)
def test_of_two_secrets_on_a_line_the_first_is_written(first: str, second: str) -> None:
    assert merged((first + second).encode()) == first.encode() + b"\n"


@pytest.mark.parametrize("side", ["phone", "browser"])
def test_tshark_decrypts_as_with_the_whole_log(side: str, tmp_path: Path) -> None:
    """Its own words, with a log in TLS 1.2's and in 1.3's form, and with what we write of it."""
    tshark = need_tshark()
    item = scenario("web-signin")
    noise = "\n".join(OTHERS).encode("latin-1")
    whole = tmp_path / "whole.keys"
    keys = (item.folder / f"{side}.keys").read_bytes()
    whole.write_bytes(noise + b"\n" + keys + noise)

    def words(log: str) -> bytes:
        command = [tshark, "-n", "-r", str(item.folder / f"{side}.pcapng")]
        command += ["-o", f"tls.keylog_file:{log}"]
        return subprocess.run(command, check=True, capture_output=True).stdout

    with PrivateFolder() as folder:
        ours = folder.key_log([whole.read_bytes()])
        assert ours is not None
        assert words(ours) == words(str(whole)) != words(os.devnull)

"""What every command opens and runs beside its arguments, in a folder that a stranger sent.

Each command runs twice: in a folder with the captures alone, and among traps. Both have to tell
the same, no trap may have run, and what was opened has to be on the list of `tests.opened`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from dissect.cli.main import COMMANDS
from dissect.render import FORMATS
from tests import hostile_folder
from tests.lab import need_tshark
from tests.opened import Opened, Places, asked_for, need_strace, strange, traced

linux = pytest.mark.skipif(sys.platform != "linux", reason="strace is Linux's")
MATCH = """
schema = 1
name = "arp"
title = "ARP"
[instance]
keys = ["arp.dst.proto_ipv4"]
anchors = ["asked"]
[[actor]]
id = "phone"
title = "Phone"
kind = "client"
[[actor]]
id = "all"
title = "All"
[[step]]
number = 1
title = "It asks who has an address"
between = ["phone", "all"]
done_when = [["asked"]]
[[step.arrow]]
id = "asked"
match = { tshark = "arp.opcode == 1" }
fields = ["arp.dst.proto_ipv4"]
from = "phone"
to = "all"
label = "ARP request"
"""
PICTURES = ("-o", "out.png", "-o", "out.svg", "-o", "out.pdf")
OTHERS = [
    word
    for renderer in FORMATS.values()
    if renderer.name not in ("png", "svg", "pdf")
    for word in ("-o", f"out.{renderer.extensions[0]}")
]
KEYED = ("phone.pcapng", "browser.pcapng")
RUNS: dict[str, tuple[str, ...]] = {
    "help": ("--help",),
    "flow": ("flow", *KEYED, "--phone-log", "phone.log", *OTHERS, "-o", "out.har"),
    "flow pictures": ("flow", "phone.pcapng", *PICTURES),
    "flow tshark": ("flow", "phone.pcapng", "--engine", "tshark"),
    "flow match": ("flow", "phone.pcapng", "--flow", "match.toml"),
    "http": ("http", "browser.pcapng"),
    "sip": ("sip", "phone.pcapng", "--format", "json"),
    "sip tshark": ("sip", "phone.pcapng", "--engine", "tshark"),
    "tls": ("tls", "phone.pcapng", "--format", "csv"),
    "dns": ("dns", "phone.pcapng"),
    "dhcp": ("dhcp", "phone.pcapng"),
    "ntp": ("ntp", "phone.pcapng"),
    "events": ("events", "phone.pcapng"),
    "table": ("table", "sip", "phone.pcapng"),
    "redirects": ("redirects", "browser.pcapng"),
    "info": ("info", *KEYED),
    "info of a rare link": ("info", "wlan.pcap"),
    "check": ("check", "phone.pcapng", "--expect", "expected.json"),
    "crosscheck": ("crosscheck", "phone.pcapng"),
    "diff": ("diff", "phone.pcapng", "phone.pcapng"),
    "report": ("report", *KEYED, "-o", "out.html"),
    "report tshark": ("report", "phone.pcapng", "--engine", "tshark", "-o", "out.html"),
    "export": ("export", *KEYED, "-o", "out.pcapng", "--scrub"),
    "flows": ("flows",),
    "plugins": ("plugins",),
}
# What has no bytes of its own: a time, a random name.
UNEQUAL = (".html", ".har", ".pcapng")
DISSECT = shutil.which("dissect", path=str(Path(sys.executable).parent)) or "dissect"


@dataclass(frozen=True)
class Stage:
    """The same captures in two folders, with and without traps, and a user with settings."""

    clean: Path
    hostile: Path
    home: Path
    temporary: Path
    mark: Path

    def environment(self) -> dict[str, str]:
        kept = {
            key: text
            for key, text in os.environ.items()
            if not key.startswith(("PYTEST_", "COV_", "PYTHON", "XDG_", "MPL", "SSLKEYLOG"))
        }
        # A PATH as slips in start-up files make them: the current folder first, and last.
        path = f":.:{os.environ['PATH']}:"
        return {**kept, "PATH": path, "HOME": str(self.home), "TMPDIR": str(self.temporary)}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    base = tmp_path_factory.mktemp("opened")
    clean, hostile, home = base / "clean", base / "hostile", base / "home"
    temporary = base / "temporary"
    for folder in (clean, hostile):
        hostile_folder.captures(folder)
        (folder / "match.toml").write_text(MATCH)
        (folder / "wlan.pcap").write_bytes(hostile_folder.WLAN)
    temporary.mkdir()
    home.mkdir()
    command = [DISSECT, "check", "phone.pcapng", "--expect", "expected.json", "--update"]
    subprocess.run(command, cwd=clean, check=True, capture_output=True)
    shutil.copy(clean / "expected.json", hostile)
    mark = hostile_folder.plant(hostile)
    hostile_folder.plant_at_home(home, mark)
    return Stage(clean, hostile, home, temporary, mark)


def given(folder: Path, arguments: Sequence[str]) -> list[Path]:
    """The arguments that are files, key logs beside them, and where outputs are written."""
    named = [folder / word for word in arguments if "." in word]
    beside = [path.with_suffix(s) for path in named for s in (".keys", ".keylog", ".log")]
    parts = [folder / f"out.part-{number}.mmd" for number in range(1, 100)]
    return [*named, *beside, *parts]


def outputs(folder: Path) -> dict[str, bytes]:
    """What a run wrote, taken away."""
    found = {}
    for path in sorted(folder.glob("out.*")):
        found[path.name] = b"" if path.suffix in UNEQUAL else path.read_bytes()
        path.unlink()
    return found


def test_every_command_and_format_is_looked_at() -> None:
    words = [word for arguments in RUNS.values() for word in arguments]
    assert set(COMMANDS) <= {arguments[0] for arguments in RUNS.values()}
    assert {f"out.{item.extensions[0]}" for item in FORMATS.values()} <= set(words)
    assert {"tshark", "match.toml"} <= set(words)


@linux
@pytest.mark.long
@pytest.mark.parametrize("name", RUNS)
def test_nothing_else_is_opened_and_nothing_runs(name: str, stage: Stage, tmp_path: Path) -> None:
    need_strace()
    arguments = RUNS[name]
    if {"tshark", "crosscheck", "match.toml"} & set(arguments):
        need_tshark()
    alone = subprocess.run(
        [DISSECT, *arguments],
        cwd=stage.clean, env=stage.environment(), capture_output=True, check=False,
    )  # fmt: skip
    there, opened = traced(
        [DISSECT, *arguments], stage.hostile, tmp_path / "log", stage.environment()
    )
    assert b"Traceback" not in there.stderr, there.stderr.decode()
    reported = [(run.returncode, run.stdout, run.stderr) for run in (alone, there)]
    assert reported[0] == reported[1]
    assert there.returncode in (0, 1), there.stderr.decode()
    assert outputs(stage.clean) == outputs(stage.hostile)
    assert not stage.mark.exists(), stage.mark.read_text()
    places = Places(stage.hostile, stage.home, stage.temporary)
    found = strange(opened, arguments, given(stage.hostile, arguments), places)
    assert not found, "\n".join(found)
    assert list(stage.temporary.iterdir()) == []


# ------------------------------------------------------------------ and that it can fail

PEEKING = """
import os, pathlib, subprocess
pathlib.Path("config.ini").read_text()
os.path.exists(os.path.expanduser("~/.config/wireshark/init.lua"))
subprocess.run(["./x"])
def register(registry):
    pass
"""


@linux
def test_what_a_plugin_opens_is_found(stage: Stage, tmp_path: Path) -> None:
    """The same run with a plugin that reads, looks and runs what it should not."""
    plugin = stage.hostile / "mine.py"
    plugin.write_text(PEEKING)
    arguments = ("dns", "phone.pcapng", "--plugin", "mine.py")
    command = [DISSECT, *arguments]
    try:
        _, opened = traced(command, stage.hostile, tmp_path / "log", stage.environment())
        assert stage.mark.read_text() == "x\n"
    finally:
        plugin.unlink()
        stage.mark.unlink(missing_ok=True)
    places = Places(stage.hostile, stage.home, stage.temporary)
    found = strange(opened, arguments, given(stage.hostile, arguments), places)
    assert {item.rpartition("/")[2] for item in found} >= {"config.ini", "init.lua", "x"}
    assert f"openat {stage.hostile}/config.ini" in found
    assert f"execve {stage.hostile}/x" in found


def test_strace_is_read_as_it_writes() -> None:
    lines = [
        '7 execve("/usr/bin/tshark", ["tshark"], 0x7ffe /* 35 vars */) = 0',
        '7 openat(AT_FDCWD</a>, "b/../c", O_RDONLY) = -1 ENOENT (No such file or directory)',
        '8 chdir("/place")                 = 0',
        '8 access("d", R_OK <unfinished ...>',
        '9 newfstatat(3</e>, "f \\"g\\" \\303\\274", {st_mode=S_IFREG|0644}, 0) = 0',
        '9 newfstatat(3</e>, "", {st_mode=S_IFREG|0644}, AT_EMPTY_PATH) = 0',
        "9 +++ exited with 0 +++",
        '9 openat(AT_FDCWD</a>, "new", O_RDWR|O_CREAT|O_EXCL, 0600) = 4</a/new>',
        '10 access("h", F_OK) = 0',
    ]
    assert list(asked_for(lines, Path("/start"))) == [
        Opened("/usr/bin/tshark", "execve"),
        Opened("/a/c", "openat"),
        Opened("/place", "chdir"),
        Opened("/place/d", "access"),
        Opened('/e/f "g" ü', "newfstatat"),
        Opened("/a/new", "openat", made=True),
        Opened("/start/h", "access"),
    ]

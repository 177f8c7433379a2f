"""A folder as a stranger might send it: each file in it would run, or change what is reported."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
import sysconfig
from functools import cache
from pathlib import Path

from tests.lab import scenario

_words = str.split
SOURCE = Path(scenario("web-signin").folder)
MARK = "MARK"  # what ran writes its name into this file


@cache
def before_us() -> frozenset[str]:
    """What `python -m` itself imports before a line of dissect runs, as Python tells it; in
    docs/cli.md it is reported that only `-P` keeps it from the current folder's."""
    program = "import sys; a = set(sys.modules); import runpy; print(*(set(sys.modules) - a))"
    reported = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True
    )
    return frozenset(name.partition(".")[0] for name in reported.stdout.split())


@cache
def modules() -> frozenset[str]:
    """The names of all other modules that there are here."""
    installed = {
        path.name.partition(".")[0] for path in Path(sysconfig.get_path("purelib")).iterdir()
    }
    names = {name for name in installed if name.isidentifier()} | sys.stdlib_module_names
    return frozenset(names | {"sitecustomize", "usercustomize"}) - before_us() - {"dissect"}


PROGRAMS = _words(
    "tshark tshark.exe dumpcap fc-list ldconfig gcc cc objdump sh python python3 uname file git "
    "system_profiler x"
)
# A pcap with one beacon of 802.11 with radiotap: scapy is asked about such links.
_BEACON = bytes.fromhex("000008000000000080000000ffffffffffff020000000001020000000001") + bytes(14)
WLAN = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 127)
WLAN += struct.pack("<IIII", 0, 0, len(_BEACON), len(_BEACON)) + _BEACON
_LUA = 'io.open("{mark}", "a"):write("{name}\\n")\n'
_PYTHON = "open({mark!r}, 'a').write({name!r} + '\\n')\n"
_SHELL = "#!/bin/sh\necho {name} >> '{mark}'\n"
_NOISE = b"\xff\xfe\xfa [not = a :: setting\n"
_INI = "[tshark]\ntshark_path = ./x\n[dumpcap]\ndumpcap_path = ./x\n"
BROKEN = _words(
    "matplotlibrc .matplotlibrc pyproject.toml setup.cfg tox.ini pytest.ini .env fonts.conf .netrc "
    "_netrc openssl.cnf preferences colorfilters hosts disabled_protos decode_as_entries IOR.txt "
    "catalog.xml dissect.toml dissect.ini .dissect dissect.pkg pyvenv.cfg .editorconfig smi.conf "
    "x.mplstyle"
)


def captures(folder: Path) -> None:
    """The sample sign-in with its keys and its log."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in SOURCE.iterdir():
        if path.is_file() and path.name.split(".")[0] in ("phone", "browser"):
            shutil.copy(path, folder)


def plant(folder: Path) -> Path:
    """Everything beside what is there; returns where a trap leaves its mark."""
    mark = folder / MARK
    for name in modules():
        (folder / f"{name}.py").write_text(_PYTHON.format(mark=str(mark), name=name))
    (folder / "conftest.py").write_text(_PYTHON.format(mark=str(mark), name="conftest"))
    (folder / "prestart.py").write_text(_PYTHON.format(mark=str(mark), name="prestart"))
    for place in (folder, folder / "C:" / "Program Files" / "Wireshark"):
        place.mkdir(parents=True, exist_ok=True)
        for name in PROGRAMS:
            (place / name).write_text(_SHELL.format(mark=mark, name=name))
            (place / name).chmod(0o755)
    for name in BROKEN:
        (folder / name).write_bytes(_NOISE)
    (folder / "config.ini").write_text(_INI)
    lua = [folder / "init.lua", folder / "plugins" / "x.lua", folder / "profiles" / "init.lua"]
    for path in lua:
        path.parent.mkdir(exist_ok=True)
        path.write_text(_LUA.format(mark=mark, name=path.name))
    entry = folder / "evil-1.0.dist-info"
    entry.mkdir()
    (entry / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    (entry / "entry_points.txt").write_text("[dissect.plugins]\nevil = evil_plugin\n")
    (folder / "evil_plugin.py").write_text(_PYTHON.format(mark=str(mark), name="evil_plugin"))
    return mark


def plant_at_home(home: Path, mark: Path) -> None:
    """A user's own settings: they may not change what is reported, either."""
    for path in (
        ".config/wireshark/init.lua", ".config/wireshark/plugins/x.lua", ".wireshark/init.lua",
        ".local/lib/wireshark/plugins/x.lua", ".local/lib/wireshark/plugins/init.lua",
    ):  # fmt: skip
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(_LUA.format(mark=mark, name=path))
    for path in (".config/scapy/prestart.py", ".config/scapy/startup.py", ".scapy_startup.py"):
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(_PYTHON.format(mark=str(mark), name=path))
    extcap = home / ".local/lib/wireshark/extcap/x"
    extcap.parent.mkdir(parents=True)
    extcap.write_text(_SHELL.format(mark=mark, name="extcap"))
    extcap.chmod(0o755)
    # Settings that would change the frames that tshark gives, were they read.
    (home / ".config/wireshark/preferences").write_text("tcp.desegment_tcp_streams: FALSE\n")
    (home / ".config/wireshark/disabled_protos").write_text("http\nsip\ntls\n")
    for path in (
        ".config/matplotlib/matplotlibrc", ".matplotlib/matplotlibrc", ".matplotlibrc",
        ".config/matplotlib/stylelib/x.mplstyle", ".netrc", ".smirc",
        ".config/wireshark/colorfilters", ".config/wireshark/hosts",
    ):  # fmt: skip
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_bytes(_NOISE)

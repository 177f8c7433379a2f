"""Which files a program and all its children ask the system for, as strace tells it.

The list of what dissect may open beside its arguments is `ALLOWED`, each entry with its reason.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import dissect

OPENING = ("open", "openat", "openat2", "creat", "execve", "execveat", "uselib")
# A call's name, the folder that its path starts from, and the path: of whole lines and of
# "<unfinished ...>" ones alike, since the path comes first.
_CALL = re.compile(
    r"(?P<pid>\d+)\s+(?P<call>\w+)\((?:(?P<at>\w+)<(?P<folder>[^>]*)>, )?"
    r'"(?P<path>(?:[^"\\]|\\.)*)"'
)


@dataclass(frozen=True, slots=True, order=True)
class Opened:
    """A path that was asked for, absolute, by which system call, and whether it was `made`
    by that: a file that may not have been there before tells nothing."""

    path: str
    call: str
    made: bool = False

    @property
    def opens(self) -> bool:
        """Whether it is read, written or executed, not only looked for."""
        return self.call in OPENING


@cache
def need_strace() -> str:
    program = shutil.which("strace")
    if program is None:
        pytest.skip("strace is not installed")
    tried = subprocess.run([program, "-f", "-y", "true"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip(f"strace may not trace here: {tried.stderr.decode().strip()[-200:]}")
    return program


def traced(
    command: Sequence[str], folder: Path, log: Path, environment: Mapping[str, str]
) -> tuple[subprocess.CompletedProcess[bytes], list[Opened]]:
    """What a command did in a folder, and what it and its children asked for."""
    tracer = [need_strace(), "-f", "-qq", "-y", "-s", "4096", "-e", "trace=%file", "-o", str(log)]
    result = subprocess.run(
        [*tracer, *command],
        cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL,
        capture_output=True, check=False,
    )  # fmt: skip
    lines = log.read_text("utf-8", "surrogateescape").splitlines()
    return result, sorted(set(asked_for(lines, folder)))


def asked_for(lines: Iterable[str], start: Path) -> Iterator[Opened]:
    """The paths in strace's lines; relative ones as the process that asked stood."""
    folders: dict[str, str] = {}
    for line in lines:
        found = _CALL.match(line)
        if found is None or not found["path"]:
            continue
        pid, path = found["pid"], _plain(found["path"])
        if found["at"] == "AT_FDCWD":
            folders[pid] = found["folder"]
        base = found["folder"] if found["at"] else folders.get(pid, str(start))
        whole = os.path.normpath(os.path.join(base, path))
        if found["call"] in ("chdir", "fchdir"):
            folders[pid] = whole
        yield Opened(whole, found["call"], "O_EXCL" in line or found["call"] == "mkdir")


def _plain(quoted: str) -> str:
    """A path out of C's escapes, which strace writes for each byte that is no ASCII."""
    return quoted.encode().decode("unicode_escape").encode("latin-1").decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Allowed:
    """Paths that a run may open, and why. `commands` limits it to runs with such a word."""

    pattern: str
    why: str
    only: str = ""

    def fits(self, path: str, arguments: Sequence[str]) -> bool:
        known = not self.only or any(re.fullmatch(self.only, word) for word in arguments)
        return known and re.fullmatch(self.pattern, path) is not None


def _python() -> str:
    places = {sys.prefix, sys.base_prefix, sys.executable, os.path.dirname(sys.executable)}
    places |= {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    places |= {os.path.realpath(place) for place in places}
    return "|".join(rf"{re.escape(place)}(?:/.*)?" for place in sorted(places))


_PACKAGE = str(Path(dissect.__file__).parent)
_LIBRARIES = r"(?:/usr)?/lib(?:64)?"
TSHARK = r"tshark|crosscheck|match\.toml"  # words of commands that run it
PICTURE = r".*\.(?:png|svg|pdf)"
ALLOWED = (
    Allowed(_python(), "Python, its library, what is installed for it"),
    Allowed(rf"{re.escape(_PACKAGE)}(?:/.*)?", "dissect itself"),
    Allowed(re.escape(os.path.dirname(_PACKAGE)), "what else is installed where dissect is"),
    Allowed(rf"{_LIBRARIES}/(?:[\w.+-]+/)*[\w.+-]+\.so(?:\.\d+)*", "shared libraries"),
    Allowed(r"/etc/ld\.so\.(?:cache|preload)", "where shared libraries are"),
    Allowed(r"/usr/(?:lib|share)/locale/.*", "the language of the system's texts"),
    Allowed(r"/usr/lib/.*/(?:gconv/gconv-modules.*|charset\.alias)", "libc's character sets"),
    Allowed(r"/etc/localtime|/usr/share/zoneinfo/.*", "the time zone"),
    Allowed(r"/[\w./-]+/openssl\.cnf", "OpenSSL's settings for the machine, by absolute path"),
    Allowed(r"/proc/self/[\w/]+|/sys/(?:devices/system/cpu|fs/cgroup)/.*", "the number of cores"),
    Allowed(r"/proc/(?:cpuinfo|meminfo|stat|sys/crypto/fips_enabled)", "what the processor can"),
    Allowed(r"/dev/(?:null|u?random|tty)", "devices"),
    Allowed(
        r"HOME/\.cache/matplotlib(?:/fontlist-v[\w.]+\.json(?:\.matplotlib-lock)?)?|HOME/\.cache",
        "matplotlib's list of fonts",
        PICTURE,
    ),
    Allowed(r"(?:/[\w.-]+)+/fc-list", "which fonts the machine has, if not yet listed", PICTURE),
    Allowed(
        r"(?:/usr|/var|/etc|HOME)/(?:.*/)?\.?font(?:s|config|s\.conf|s\.conf\.d)(?:/.*)?",
        "fonts",
        PICTURE,
    ),
    Allowed(
        r"/etc/(?:protocols|services|ethertypes)|HOME/\.cache(?:/scapy(?:/\w+\.pickle)?)?",
        "scapy's names of protocols",
        r"wlan\.pcap",
    ),
    Allowed(
        r"HOME/\.config(?:/scapy)?|HOME/\.local(?:/share(?:/bash-completion)?)?",
        "whether scapy's folders are there; nothing in them",
        r"wlan\.pcap",
    ),
    Allowed(r"TEMP(?:/\w{8})?", "tshark's stderr", TSHARK),
    Allowed(r"TEMP/dissect-\w+(?:/.*)?", "the private folder of a run of tshark", TSHARK),
    Allowed(r"(?:/[\w.-]+)+/tshark", "tshark, where PATH has it", TSHARK),
    Allowed(
        r"/usr/share/wireshark/.*|/usr/lib/.*/wireshark/.*|/etc/wireshark/.*",
        "tshark's installation, its plugins if it is run by root",
        TSHARK,
    ),
    Allowed(
        r"/etc/(?:passwd|group|nsswitch\.conf|resolv\.conf|host\.conf|hosts)",
        "GLib and c-ares in tshark; no name is looked up (-n)",
        TSHARK,
    ),
    Allowed(r"/etc/(?:gcrypt|gnutls|crypto-policies)/.*", "tshark's cryptography", TSHARK),
    Allowed(r"/(?:usr/share|var/lib)/GeoIP.*", "where tshark would find locations", TSHARK),
)


def strange(
    opened: Iterable[Opened], arguments: Sequence[str], given: Iterable[Path], places: Places
) -> list[str]:
    """What nobody asked for: whatever is opened and not allowed; in the current folder and at
    home whatever is so much as looked for. `given` are the files that a run may see."""
    named = {str(path) for path in (*given, places.folder, *places.folder.parents, places.home)}
    opened = list(opened)
    named |= {item.path for item in opened if item.made}
    # Whether an option is the name of a file here, too (`cli.main`): asked, never opened.
    options = {str(places.folder / word) for word in arguments if word.startswith("-")}
    found = set()
    for item in opened:
        if item.path in named or (item.path in options and not item.opens):
            continue
        here, short = places.within(item.path, places.folder), places.short(item.path)
        watched = here or places.within(item.path, places.home)
        allowed = not here and any(entry.fits(short, arguments) for entry in ALLOWED)
        if (item.opens or watched) and not allowed:
            found.add(f"{item.call} {short}")
    return sorted(found)


@dataclass(frozen=True, slots=True)
class Places:
    """Where a run stands, and the user's folders."""

    folder: Path
    home: Path
    temporary: Path

    @staticmethod
    def within(path: str, place: Path) -> bool:
        return Path(path).is_relative_to(place)

    def short(self, path: str) -> str:
        for name, place in (("HOME", self.home), ("TEMP", self.temporary)):
            if self.within(path, place):
                return os.path.join(name, os.path.relpath(path, place)).removesuffix("/.")
        return path

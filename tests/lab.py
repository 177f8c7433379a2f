"""The recorded lab scenarios, and tshark's view of their captures.

`truth.json` was written by the actors of the lab as they acted; tshark is the other
independent witness. Nothing here uses dissect.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

CAPTURES = Path(__file__).resolve().parents[1] / "captures"
ALL = sorted(path.parent.name for path in CAPTURES.glob("*/truth.json"))
# Those that every test runs over; what is slow runs over the rest in `make test-long`.
FIRST = (
    "code-expired", "no-keys", "sip-forbidden", "web-signin", "web-signin-renamed",
    "web-signin-tls13", "wrong-password", "wrong-password-managed",
)  # fmt: skip
SCENARIOS = [name for name in ALL if name in FIRST]
REST = [pytest.param(name, marks=pytest.mark.long) for name in ALL if name not in FIRST]
SEPARATOR = "\x1f"


@dataclass(frozen=True)
class Scenario:
    """A scenario's folder and what the actors wrote down."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def phone(self) -> str:
        return str(self.folder / "phone.pcapng")

    @property
    def browser(self) -> str:
        return str(self.folder / "browser.pcapng")

    @property
    def phone_log(self) -> str:
        return str(self.folder / "phone.log")

    @property
    def phone_logs(self) -> tuple[str, ...]:
        """The phones' logs; not every phone keeps one."""
        return tuple(sorted(map(str, self.folder.glob("phone*.log"))))

    @property
    def captures(self) -> list[str]:
        """The machines' captures; where there is no phone, or no PC, it has none."""
        return [path for path in (self.phone, self.browser) if Path(path).exists()]

    @property
    def has_keys(self) -> bool:
        return any(path.suffix == ".keys" for path in self.folder.iterdir())

    @property
    def truth(self) -> dict[str, Any]:
        return _truth(self.folder)


@lru_cache
def _truth(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "truth.json").read_text("utf-8"))
    return document


def scenario(name: str) -> Scenario:
    return Scenario(CAPTURES / name)


def need_tshark() -> str:
    program = shutil.which("tshark")
    if program is None:
        pytest.skip("tshark is not installed")
    return program


@lru_cache(maxsize=256)
def tshark_fields(
    capture: str, fields: tuple[str, ...], display_filter: str = "", key_log: str | None = None
) -> list[dict[str, list[str]]]:
    """Fields of each frame, every occurrence, as tshark prints them."""
    command = [need_tshark(), "-r", capture, "-n", "-o", "tcp.reassemble_out_of_order:TRUE"]
    if key_log:
        command += ["-o", f"tls.keylog_file:{Path(key_log).resolve()}"]
    for port in sip_ports(capture):
        # tshark takes TLS on 443 for HTTP; the client's port names the SIP connection alone.
        command += ["-d", f"tls.port=={port},sip"]
    if display_filter:
        command += ["-Y", display_filter]
    command += ["-T", "fields", "-E", "occurrence=a", "-E", f"aggregator={SEPARATOR}"]
    command += ["-E", "separator=/t", "-E", "quote=n"]
    for field in fields:
        command += ["-e", field]
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert result.returncode == 0, result.stderr
    rows = []
    for line in result.stdout.splitlines():
        cells = line.split("\t")
        assert len(cells) == len(fields), line[:200]
        rows.append(
            {f: c.split(SEPARATOR) if c else [] for f, c in zip(fields, cells, strict=True)}
        )
    return rows


@lru_cache(maxsize=256)
def sip_ports(capture: str) -> tuple[str, ...]:
    """Client ports of connections to the lab's SIP server; empty for captures not the lab's."""
    path = Path(capture).parent / "truth.json"
    if not path.exists():
        return ()
    address = _truth(path.parent)["names"]["sip"]["address"]
    command = [need_tshark(), "-r", capture, "-n", "-T", "fields", "-e", "tcp.srcport"]
    command += ["-Y", f"ip.dst=={address} && tcp.flags.syn==1"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return tuple(result.stdout.split())


def keys_beside(capture: str) -> str | None:
    path = Path(capture).with_suffix(".keys")
    return str(path) if path.exists() else None

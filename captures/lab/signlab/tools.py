"""What the stages of every kind of recording share: templates, waiting times, who listens."""

from __future__ import annotations

from collections.abc import Callable

import jinja2

from .config import LAB
from .processes import run

START_SECONDS = 20.0
SETTLE_SECONDS = 0.8  # for the last segments to reach dumpcap
TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(LAB / "conf"), undefined=jinja2.StrictUndefined, autoescape=False
)

Say = Callable[[str], None]


def listening(netns: str, port: int) -> bool:
    """Whether something in the namespace listens on this TCP port (read from /proc/net/tcp)."""
    table = run("ip", "netns", "exec", netns, "cat", "/proc/net/tcp")
    wanted = f":{port:04X}"
    rows = [line.split() for line in table.splitlines()[1:]]
    return any(row[1].endswith(wanted) and row[3] == "0A" for row in rows)

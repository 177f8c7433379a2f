"""The phone's own log: MMDDhhmmss|component|level|missed|text, in local time, without a year.

The clock is the reference sample's: 110 s behind, UTC+8. Tokens are cut after twenty characters,
device and user code stand whole, SIP messages are indented by four spaces a line.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

CLOCK_BEHIND = timedelta(seconds=110)
ZONE = timedelta(hours=8)
TOKEN_SHOWN = 20
SIP_LINE_SHOWN = 1000  # a log line's room; longer SIP headers are cut in the middle


class PhoneLog:
    def __init__(self, path: Path | None) -> None:
        """`path` None: a phone that keeps no such log."""
        self._path = path
        if path is not None:
            path.touch()

    def write(self, component: str, level: int, text: str, *continuation: str) -> None:
        """One entry; `continuation` lines follow without a prefix."""
        if self._path is None:
            return
        clock = datetime.fromtimestamp(time.time(), UTC) - CLOCK_BEHIND + ZONE
        head = f"{clock:%m%d%H%M%S}|{component:<5}|{level}|00|"
        with self._path.open("a", encoding="utf-8") as file:
            file.write("\n".join([head + text, *continuation]) + "\n")

    def pairing(self, text: str, level: int = 2) -> None:
        self.write("Devic", level, text)

    def sip(self, text: str, level: int = 0) -> None:
        self.write("sip", level, text)

    def sip_message(self, raw: bytes) -> None:
        """A SIP message, a line an entry; a line without room for it ends the message."""
        head = raw.decode("utf-8", "replace").partition("\r\n\r\n")[0]
        for line in head.split("\r\n"):
            self.sip(f"    {line[:SIP_LINE_SHOWN]}")
            if len(line) > SIP_LINE_SHOWN:
                self.sip("   ")
                return
        self.sip("")


def shortened(token: str) -> str:
    """A token as the log shows it."""
    return f"{token[:TOKEN_SHOWN]}..."

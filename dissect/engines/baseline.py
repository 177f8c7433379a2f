"""Lists of known differences between the engines (TOML).

An entry names one difference by capture, protocol, stream, frame, what it is, field and
both values, and a reason: a code of `reasons.RULES` or of the list's own `[reason.CODE]`
tables. It explains that difference alone; one that no longer occurs is reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dissect.engines.crosscheck import Difference
from dissect.engines.reasons import RULES, Reason, give
from dissect.errors import UsageError
from dissect.flow import toml

_RIGHTS = ("embedded", "tshark", "both", "neither")
_TEXTS = ("capture", "protocol", "what", "field", "embedded", "tshark", "reason")
_NUMBERS = ("stream", "frame")


@dataclass(slots=True)
class BaselineEntry:
    """A known difference; `capture` is the end of the capture's name."""

    capture: str
    protocol: str
    stream: int
    frame: int
    what: str
    field: str
    embedded: str
    tshark: str
    reason: Reason
    file: str
    met: bool = False

    def fits(self, item: Difference) -> bool:
        return (
            (self.protocol, self.stream, self.frame) == (item.protocol, item.stream, item.frame)
            and (self.what, self.field) == (item.what, item.name)
            and (self.embedded, self.tshark) == (item.embedded, item.tshark)
            and self.of(item.capture)
        )

    def of(self, capture: str) -> bool:
        """Whether the entry is for this capture: whole parts of its path, from the end."""
        parts, wanted = capture.replace("\\", "/").split("/"), self.capture.split("/")
        return parts[-len(wanted) :] == wanted


class Baseline:
    """Lists of known differences, and which of their entries have been met."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.entries: list[BaselineEntry] = []
        for path in paths:
            self.entries += _load(path)

    def explain(self, differences: Sequence[Difference]) -> None:
        """Explain what an entry names; an entry explains one difference."""
        for item in differences:
            entry = next((e for e in self.entries if not e.met and e.fits(item)), None)
            if entry is not None:
                entry.met = True
                give(item, entry.reason)
            else:
                item.reason = item.right = None

    def stale(self, captures: Iterable[str]) -> list[BaselineEntry]:
        """Entries for these captures that no difference has met."""
        names = list(captures)
        return [e for e in self.entries if not e.met and any(e.of(name) for name in names)]


def _load(path: str) -> list[BaselineEntry]:
    try:
        document = toml.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    except ValueError as error:
        raise UsageError(f"{path}: no list of known differences ({error})") from None
    reasons = {rule[0].code: rule[0] for rule in RULES}
    for code, table in document.get("reason", {}).items():
        right = table.get("right")
        if right not in _RIGHTS or not isinstance(table.get("text"), str):
            raise UsageError(f"{path}: reason {code} needs text, and right: {', '.join(_RIGHTS)}")
        reasons[code] = Reason(code, right, table["text"], str(table.get("link", "")))
    return [
        _entry(path, number, table, reasons)
        for number, table in enumerate(document.get("difference", []), 1)
    ]


def _entry(
    path: str, number: int, table: dict[str, Any], reasons: dict[str, Reason]
) -> BaselineEntry:
    where = f"{path}: difference {number}"
    for name in _TEXTS:
        if not isinstance(table.get(name), str):
            raise UsageError(f"{where}: {name} is missing")
    for name in _NUMBERS:
        if not isinstance(table.get(name), int):
            raise UsageError(f"{where}: {name} is missing")
    if any(letter in table["capture"] for letter in "*?[]"):
        raise UsageError(f"{where}: a capture is named, patterns would hide other differences")
    reason = reasons.get(table["reason"])
    if reason is None:
        raise UsageError(f"{where}: reason {table['reason']} is explained nowhere")
    values = {name: table[name] for name in (*_TEXTS, *_NUMBERS) if name != "reason"}
    return BaselineEntry(**values, reason=reason, file=path)

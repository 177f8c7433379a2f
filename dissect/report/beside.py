"""Logs that lie beside the captures and were not given: they may tell what could not be read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from dissect.model import SequenceChart
from dissect.report.folder_index import is_phone_log

MAX_LOOKED_AT = 1000  # files of a folder that are looked into
MAX_BYTES = 32 << 20  # a larger one is not looked into


def logs_beside(
    captures: Iterable[str], given: Iterable[str], warnings: list[str] | None = None
) -> list[str]:
    """Phone logs in the captures' folders, as paths beside them, that are not among `given`. A
    bound that was reached is added to `warnings`."""
    known = {Path(name).absolute() for name in given}
    folders = dict.fromkeys(Path(name).parent for name in captures if Path(name).is_file())
    found = []
    for folder in folders:
        try:
            files = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".log")
            if len(files) > MAX_LOOKED_AT and warnings is not None:
                more = len(files) - MAX_LOOKED_AT
                warnings.append(f"{more} more .log files beside the captures are not looked into")
            found += [
                str(path)
                for path in files[:MAX_LOOKED_AT]
                if path.absolute() not in known
                and path.stat().st_size <= MAX_BYTES
                and is_phone_log(path)
            ]
        except OSError:
            continue  # a folder that can't be listed holds nothing that could be given
    return found


def with_logs(charts: Sequence[SequenceChart], logs: Sequence[str]) -> list[SequenceChart]:
    """The charts; incomplete ones say that there are logs to give."""
    if not logs:
        return list(charts)
    named = ", ".join(Path(name).name for name in logs)
    options = " ".join(f"--phone-log {name}" for name in logs)
    lie, them = ("lies", "it") if len(logs) == 1 else ("lie", "them")
    text = f"{named} {lie} beside the captures and may tell more: give {them} with {options}"
    return [
        replace(chart, advice=f"{text}. {chart.advice}".strip())
        if chart.status == "incomplete"
        else chart
        for chart in charts
    ]

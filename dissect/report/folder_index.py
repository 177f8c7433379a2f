"""A folder of captures: which belong together, and the index page of their reports."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dissect.errors import UsageError
from dissect.model import CaptureInfo, SequenceChart

SUFFIXES = (".pcap", ".pcapng", ".cap")
WRAPPERS = (".gz", ".zst", ".lz4")
MAX_RUNS = 2000  # of one folder; how many more it has is reported
MAX_NAME = 200  # bytes of a page's name; systems take 255, with its suffix and a number
_NAME = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, slots=True)
class Run:
    """Files that are read together, and what came of it. `candidates` may be phone logs, which
    nobody has looked at; `page` is the report's name, `flows` are rows of the index, `start` is
    when the first capture begins."""

    name: str
    captures: tuple[str, ...]
    candidates: tuple[str, ...] = ()
    phone_logs: tuple[str, ...] = ()
    page: str = ""
    flows: tuple[dict[str, str], ...] = ()
    start: str = ""
    problem: str = ""

    def failed(self, problem: str) -> Run:
        return replace(self, problem=problem)


def runs(folder: Path) -> list[Run]:
    """A run for each capture right in `folder`, and one for each subfolder that has some.

    A subfolder that can't be read, and runs beyond `MAX_RUNS`, are rows with a problem and
    without captures. Raises UsageError for a folder that can't be read.
    """
    try:
        inside = sorted(folder.iterdir())
        found = [Run(_stem(path), (str(path),)) for path in inside if _is_capture(path)]
        for sub in (path for path in inside if path.is_dir()):
            run = _of_subfolder(sub)
            found += [run] if run is not None else []
    except OSError as error:
        raise UsageError(f"{folder}: {(error.strerror or str(error)).lower()}") from None
    if len(found) > MAX_RUNS:
        more = f"not analysed: {len(found) - MAX_RUNS} more captures or subfolders; only the first"
        found[MAX_RUNS:] = [Run("more", (), problem=f"{more} {MAX_RUNS} of a folder are read")]
    return _named_apart(found)


def _of_subfolder(sub: Path) -> Run | None:
    try:
        files = sorted(sub.iterdir())
        captures = tuple(str(path) for path in files if _is_capture(path))
        logs = tuple(str(path) for path in files if _may_be_log(path)) if captures else ()
    except OSError as error:
        problem = f"not analysed: {(error.strerror or str(error)).lower()}"
        return Run(_page(sub.name), (), problem=problem)
    return Run(_page(sub.name), captures, logs) if captures else None


def _named_apart(found: list[Run]) -> list[Run]:
    taken: set[str] = {"index"}
    result = []
    for run in found:
        name, number = run.name, 2
        while name.lower() in taken:
            name, number = f"{run.name}-{number}", number + 1
        taken.add(name.lower())
        result.append(replace(run, name=name))
    return result


def _bare(path: Path) -> Path:
    return path.with_suffix("") if path.suffix.lower() in WRAPPERS else path


def _stem(path: Path) -> str:
    return _page(_bare(path).stem) or "capture"


def _page(name: str) -> str:
    """The name of a page: what is no letter becomes a dash, and it leaves room for a suffix."""
    return _NAME.sub("-", name).encode("utf-8", "ignore")[:MAX_NAME].decode("utf-8", "ignore")


def _is_capture(path: Path) -> bool:
    return path.is_file() and _bare(path).suffix.lower() in SUFFIXES


def _may_be_log(path: Path) -> bool:
    return path.suffix.lower() in (".log", ".txt") and path.is_file()


def is_phone_log(path: Path) -> bool:
    """Whether a file is a log that dissect knows; reads it."""
    from dissect.engines import phone_log

    if not _may_be_log(path):
        return False
    try:
        phone_log.read(str(path), 0, 1970)
    except UsageError:
        return False  # some other program's log
    return True


def flow_rows(charts: Sequence[SequenceChart]) -> list[dict[str, str]]:
    """What the index tells of each flow."""
    from dissect.render.headline import verdict
    from dissect.render.words import sentence

    return [
        {
            "status": chart.status,
            "verdict": sentence(verdict(chart)),
            "title": chart.title,
            "subject": chart.subject or "",
            "cause": f"{sentence(chart.cause.text)} ({chart.cause.code})" if chart.cause else "",
        }
        for chart in charts
    ]


def start(captures: Sequence[CaptureInfo]) -> str:
    """When the first of some captures begins, to the second; empty where none tells."""
    from dissect.render.words import rfc3339

    starts = [capture.start_ns for capture in captures if capture.start_ns is not None]
    return rfc3339(min(starts))[:19] + "Z" if starts else ""


def index(title: str, found: Sequence[Run]) -> str:
    """The index page."""
    from dissect.render.html import index_page

    rows = [
        {
            "name": run.name,
            "page": run.page,
            "files": [Path(name).name for name in (*run.captures, *run.phone_logs)],
            "start": run.start,
            "flows": run.flows,
            "problem": run.problem,
        }
        for run in found
    ]
    return index_page(title, rows)

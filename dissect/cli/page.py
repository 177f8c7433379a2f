"""A worker's part of `dissect report FOLDER`: files that belong together → a page and its row."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dissect.cli.flow import NOTHING_FOUND, STATUS_CODES
from dissect.model import Opaque
from dissect.pipeline import RunOptions, Session

if TYPE_CHECKING:
    from dissect.report.folder_index import Run

TASK = "dissect.cli.page:page"
Json = dict[str, Any]


def packed(options: RunOptions) -> Json:
    """Options as JSON has them; passwords go to the worker's standard input, nowhere else."""
    fields = asdict(replace(options, rsa_passwords=()))
    fields["rsa_passwords"] = [
        base64.b64encode(bytes(password)).decode() for password in options.rsa_passwords
    ]
    return fields


def unpacked(fields: Json) -> RunOptions:
    """The options that were packed."""
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()
    }
    given["rsa_passwords"] = tuple(
        Opaque(base64.b64decode(word)) for word in fields["rsa_passwords"]
    )
    return RunOptions(**given)


def own(options: RunOptions, run: Run) -> RunOptions:
    """What of the options for all runs of a folder is this run's: its captures, their clocks, and
    of the key logs that are bound to a capture those of its own."""
    others = set(options.captures) - set(run.captures)
    return replace(
        options,
        captures=run.captures,
        key_logs=tuple(log for log in options.key_logs if not _bound(log, others)),
        clocks={name: ns for name, ns in options.clocks.items() if name in run.captures},
    )


def _bound(key_log: str, captures: Iterable[str]) -> bool:
    named = {form for name in captures for form in (f"{name}:", f"{Path(name).name}:")}
    return not Path(key_log).exists() and key_log.startswith(tuple(named))


def page(job: Json) -> Json:
    """The page (`page`), the exit code (`code`), and what the index tells: `flows`, `start`, and
    which of the `candidates` are phone logs (`phone_logs`); `faults` are bugs that cost a part.

    Raises what the stages raise.
    """
    from dissect.cli.writing import ChartDrawing
    from dissect.report.folder_index import flow_rows, is_phone_log, start

    logs = tuple(name for name in job["candidates"] if is_phone_log(Path(name)))
    run = Session(replace(unpacked(job["options"]), phone_logs=logs))
    drawing = ChartDrawing(run, job["anonymize"], detail=job["detail"])
    codes = [STATUS_CODES[chart.status] for chart in drawing.charts]
    content = drawing.text("html")
    return {
        "page": content if isinstance(content, str) else content.decode("utf-8"),
        "code": max(codes, default=NOTHING_FOUND),
        "flows": flow_rows(drawing.charts),
        "start": start(run.reading.captures),
        "phone_logs": list(logs),
        "faults": list(run.faults),
    }

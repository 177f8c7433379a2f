"""What a worker may need: `--jobs`, `--max-memory`, `--max-time`, `--max-file`."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from dissect.workers import FILE, MAX_JOBS, MEMORY, SECONDS, Limits

_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,3})?)\s*([KMGT]?)i?B?", re.IGNORECASE)
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
LEAST_MEMORY = 256 << 20  # bytes; with less not even an empty capture is read


def _bytes(ctx: click.Context, param: click.Parameter, value: str) -> int:
    """ "500M", "2G", "1.5GiB" in bytes; units are powers of 1024."""
    match = _SIZE.fullmatch(value.strip())
    if match is None:
        raise click.BadParameter(f"{value!r} is no size such as 500M or 2G", ctx, param)
    return int(float(match[1]) * _UNITS[match[2].upper()])


_OPTIONS = (
    click.option(
        "--jobs",
        type=click.IntRange(1, MAX_JOBS),
        metavar="N",
        help="Captures of a folder read at a time; the processors, at most 4, unless given.",
    ),
    click.option(
        "--max-memory",
        callback=_bytes,
        default=str(MEMORY),
        metavar="SIZE",
        help="Memory that one of a folder's may need; 4G unless given.",
    ),
    click.option(
        "--max-time",
        type=click.FloatRange(0.1),
        default=SECONDS,
        metavar="SECONDS",
        help="Time that one of a folder's may take; 600 unless given.",
    ),
    click.option(
        "--max-file",
        callback=_bytes,
        default=str(FILE),
        metavar="SIZE",
        help="Size of a file of a folder that is read; 8G unless given.",
    ),
)


def bounds(function: Callable[..., Any]) -> Callable[..., Any]:
    """The four options; the function gets `jobs` (None: not given) and `limits`."""

    @functools.wraps(function)
    def with_limits(
        *arguments: Any, max_memory: int, max_time: float, max_file: int, **options: Any
    ) -> Any:
        if max_memory < LEAST_MEMORY:
            raise click.UsageError(f"--max-memory: {LEAST_MEMORY >> 20}M is the least")
        limits = Limits(max_memory, max_time, max_file)
        return function(*arguments, limits=limits, **options)

    for option in reversed(_OPTIONS):
        with_limits = option(with_limits)
    return with_limits


def too_large(paths: Sequence[str], limits: Limits) -> str:
    """Why these files are not read; empty where they are small enough (or can't be asked)."""
    for path in paths:
        try:
            size = os.stat(path).st_size
        except OSError:
            continue  # whoever opens it says why it can't
        if size > limits.file:
            name = Path(path).name
            return f"{name} has {size:,} bytes, more than the {limits.file:,} of --max-file"
    return ""

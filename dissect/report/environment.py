"""With what a report was made, and from which files: so that it can be determined and made
again."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import dissect
from dissect.errors import CaptureError
from dissect.pipeline import Session, bind_key_logs
from dissect.render.words import rfc3339

LIBRARIES = ("scapy", "cryptography", "hpack", "lxml", "brotli", "zstandard")
MAX_HASHED = 512 << 20  # bytes of a file that is fingerprinted: some seconds
_CHUNK = 1 << 20


def environment(run: Session) -> tuple[tuple[str, str], ...]:
    """Names and values for people: versions, captures, fingerprints of captures and keys."""
    return tuple(_environment(run))


def _environment(run: Session) -> Iterator[tuple[str, str]]:
    yield "dissect", dissect.__version__
    engine = getattr(run.options, "engine", "embedded")
    yield "Engine", f"{engine}{_tshark(run) if engine == 'tshark' else ''}"
    libraries = [f"{name} {found}" for name in LIBRARIES if (found := _version(name))]
    yield "Python", ", ".join([platform.python_version(), *libraries])
    for capture in run.reading.captures:
        start, end = capture.start_ns, capture.end_ns
        when = "" if start is None or end is None else f", {rfc3339(start)} to {rfc3339(end)}"
        reader = f", read by {capture.reader}" if capture.reader else ""
        drops = f", {capture.drops} dropped while capturing" if capture.drops else ""
        yield (
            f"Capture {capture.name}",
            f"{capture.frames} frames{when}{drops}{reader}, {fingerprint(capture.name)}",
        )
    logs = dict.fromkeys(name for c in run.reading.captures for name in c.key_logs)
    for name in logs:
        yield f"Key log {name}", _key_log(run, name)
    if not logs:
        yield "Key logs", "none"
    for name in run.options.phone_logs:
        yield f"Phone log {name}", fingerprint(name)


def key_logs(run: Session) -> dict[str, tuple[str, ...]]:
    """The key log files of each capture; those inside it need no naming."""
    return {
        capture.name: tuple(name for name in capture.key_logs if Path(name).is_file())
        for capture in run.reading.captures
    }


def fingerprint(name: str) -> str:
    """`SHA-256 …` of a file as it is on disk, or why there is none."""
    path = Path(name)
    try:
        if not path.is_file():
            return "no fingerprint (not a file)"
        if path.stat().st_size > MAX_HASHED:
            return f"no fingerprint (more than {MAX_HASHED >> 20} MiB)"
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        return f"no fingerprint ({error.strerror or error})"
    return f"SHA-256 {digest.hexdigest()}"


def _key_log(run: Session, origin: str) -> str:
    """The fingerprint of a key log: a file, or a secrets block of a capture."""
    if Path(origin).is_file():
        return fingerprint(origin)
    from dissect.capture import open_capture

    name = origin.rpartition(" DSB ")[0]
    try:
        if Path(name).is_file():
            with open_capture(name) as capture:
                for secrets in capture.secrets:
                    if secrets.origin == origin:
                        return f"SHA-256 {hashlib.sha256(secrets.text).hexdigest()}"
    except CaptureError as error:
        return f"no fingerprint ({error})"
    return "no fingerprint (it came from standard input)"


def _tshark(run: Session) -> str:
    from dissect.engines.tshark import program

    return f" ({program.find(bind_key_logs(run.options))})"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None

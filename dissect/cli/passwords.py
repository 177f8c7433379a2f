"""Passwords of private keys: from a file, else asked for, never from the command line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from dissect.errors import UsageError
from dissect.model import Opaque


def passwords(keys: Sequence[str], file: str | None) -> tuple[Opaque, ...]:
    """The passwords that may open the key files `keys`.

    `file` holds one a line. Without it, and where standard input is a terminal, each key
    that is locked is asked for. Raises UsageError for a file that can't be read; a missing
    key file is not looked at here.
    """
    if file is not None:
        lines = _read(file).splitlines()
        return tuple(Opaque(line) for line in lines if line)
    if not keys or sys.stdin is None or not sys.stdin.isatty():
        return ()
    from dissect.protocols.tls.rsa_keys import needs_password

    found: list[Opaque] = []
    for path in keys:
        if Path(path).is_file() and needs_password(_read(path)):
            answer = click.prompt(f"Password of {path}", hide_input=True, err=True)
            found.append(Opaque(answer.encode("utf-8")))
    return tuple(found)


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or str(error)).lower()}") from None

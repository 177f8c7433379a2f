"""What a user asked for, and which key logs belong to which capture."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dissect.engines import CaptureInput
from dissect.errors import UsageError
from dissect.model import Opaque

KEY_LOG_SUFFIXES = (".keys", ".keylog")
COMPRESSED = (".gz", ".zst", ".lz4")


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a user asked for; every field as `docs/cli.md` and `--help` describe it.

    `key_logs` may bind a log to a capture (`phone.pcapng:phone.keys`). `clocks` are ns to
    add to a capture's times, by its name as given. `roles` are actor by address.
    `rsa_keys` are files of servers' private keys, `rsa_passwords` may open them.
    `decode_as` are Wireshark's selectors (`tcp.port==5070,sip`), for the engine tshark.
    `shown_names` are names whose values are shown, unless they are of a known kind of secret.
    `again` says that captures will be read again, so that standard input has to be kept.
    """

    captures: tuple[str, ...]
    key_logs: tuple[str, ...] = ()
    phone_logs: tuple[str, ...] = ()
    flows: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    rsa_keys: tuple[str, ...] = ()
    rsa_passwords: tuple[Opaque, ...] = ()
    engine: Literal["embedded", "tshark"] = "embedded"
    decode_as: tuple[str, ...] = ()
    auto_keys: bool = True
    reveal: bool = False
    shown_names: tuple[str, ...] = ()
    again: bool = False
    roles: Mapping[str, str] = field(default_factory=dict)
    clocks: Mapping[str, int] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Captures, then phone logs: the index of a message's capture counts in here."""
        return [*self.captures, *self.phone_logs]


def bind_key_logs(options: RunOptions) -> list[CaptureInput]:
    """Which key logs belong to which capture.

    Raises UsageError for a named key log or RSA key that does not exist.
    """
    common: list[str] = []
    bound: dict[str, list[str]] = {}
    for item in options.key_logs:
        capture, path = split_binding(item, options.captures)
        if not Path(path).exists():
            raise UsageError(f"{path}: no such key log")
        (common if capture is None else bound.setdefault(capture, [])).append(path)
    for path in options.rsa_keys:
        if not Path(path).exists():
            raise UsageError(f"{path}: no such RSA key")
    unknown = set(options.clocks) - set(options.captures)
    if unknown:
        raise UsageError(f"--clock: {min(unknown)} is none of the captures given")
    return [
        CaptureInput(
            name=name,
            key_logs=(*common, *bound.get(name, ())),
            found_key_logs=tuple(found_beside(name)) if options.auto_keys else (),
            offset_ns=options.clocks.get(name, 0),
            rsa_keys=options.rsa_keys,
            rsa_passwords=options.rsa_passwords,
        )
        for name in options.captures
    ]


def split_binding(item: str, captures: Sequence[str]) -> tuple[str | None, str]:
    """`phone.pcapng:phone.keys`, if its first part is a capture given (a drive letter is not)."""
    for name in captures:
        if item.startswith((name + ":", Path(name).name + ":")):
            prefix = name if item.startswith(name + ":") else Path(name).name
            return name, item[len(prefix) + 1 :]
    return None, item


def found_beside(capture: str) -> list[str]:
    """The key logs that lie beside a capture, and the one that SSLKEYLOGFILE names."""
    found = []
    path = Path(capture)
    if capture != "-" and path.name:  # "." and "/" have none
        if path.suffix.lower() in COMPRESSED:
            path = path.with_suffix("")
        found = [
            str(path.with_suffix(suffix))
            for suffix in KEY_LOG_SUFFIXES
            if os.path.isfile(path.with_suffix(suffix))  # a name that grows too long is none
        ]
    environment = os.environ.get("SSLKEYLOGFILE")
    if environment and Path(environment).is_file():
        found.append(environment)
    return found

"""Joins the stages: files → messages → events → charts.

`Session` is the public way in for programs: give it file names, ask it for messages,
events or charts. It prints nothing and never exits.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from dissect.engines import CaptureInput, Reading
from dissect.errors import UsageError
from dissect.flow.definition import Definition, load
from dissect.flow.match import match
from dissect.model import Event, Message, Opaque, SequenceChart
from dissect.plugins import Registry, registry
from dissect.signin.recognise import Recogniser
from dissect.signin.redaction import SecretBook

KEY_LOG_SUFFIXES = (".keys", ".keylog")
COMPRESSED = (".gz", ".zst", ".lz4")


@dataclass(frozen=True, slots=True)
class Options:
    """What a user asked for; every field as `docs/cli.md` and `--help` describe it.

    `key_logs` may bind a log to a capture (`phone.pcapng:phone.keys`). `clocks` are ns to
    add to a capture's times, by its name as given. `roles` are actor by address.
    `rsa_keys` are files of servers' private keys, `rsa_passwords` may open them.
    `decode_as` are Wireshark's selectors (`tcp.port==5070,sip`), for the engine tshark.
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
    roles: Mapping[str, str] = field(default_factory=dict)
    clocks: Mapping[str, int] = field(default_factory=dict)


class Session:
    """One run over some captures. Each stage is computed once, when first asked for.

    Raises UsageError, CaptureError or DefinitionError as the stage's own docs say.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.book = SecretBook(options.reveal)
        self.diagnostics: list[str] = []

    @property
    def names(self) -> list[str]:
        """Captures, then phone logs: the index of a message's capture counts in here."""
        return [*self.options.captures, *self.options.phone_logs]

    @cached_property
    def reading(self) -> Reading:
        """Messages of all captures on one time line, with each file's facts."""
        options = self.options
        for path in options.phone_logs:
            if not Path(path).exists():
                raise UsageError(f"{path}: no such file")
        inputs = bind_key_logs(options)
        if not inputs:
            return Reading()
        if options.engine == "tshark":
            from dissect.engines import tshark

            return tshark.read(inputs, options.decode_as)
        if options.decode_as:
            raise UsageError("--decode-as is for --engine tshark; the embedded engine looks inside")
        from dissect.engines import embedded

        return embedded.read(inputs)

    @cached_property
    def messages(self) -> list[Message]:
        return self.reading.messages

    @cached_property
    def events(self) -> list[Event]:
        """The events of captures and phone logs, on the captures' clock."""
        recogniser = Recogniser(
            self.names, self.book, self.registry.rules, names=self.reading.names
        )
        for message in self.messages:
            recogniser.add(message)
        packets = recogniser.finish()
        from_logs = [
            event
            for index, path in enumerate(self.options.phone_logs)
            for event in self._log_events(path, len(self.options.captures) + index, packets)
        ]
        merged = [*packets, *from_logs]
        merged.sort(key=lambda event: event.order)
        return merged

    @cached_property
    def charts(self) -> list[SequenceChart]:
        """The flows found, the most specific first."""
        definitions = self.definitions
        return match(definitions, self.events, self.book.show, self.options.roles)

    @property
    def definitions(self) -> list[Definition]:
        known = self.registry.definitions
        chosen = [known.get(name) or load(name) for name in self.options.flows]
        return chosen or list(known.values())

    @cached_property
    def registry(self) -> Registry:
        """Rules, flows and formats: built in, installed, and from `--plugin` files."""
        return registry(self.options.plugins)

    def _log_events(self, path: str, index: int, packets: Sequence[Event]) -> list[Event]:
        from dissect.engines import phone_log
        from dissect.signin import vvx_log

        start = packets[0].time_ns if packets else _modified_ns(path)
        year = time.gmtime(start // 1_000_000_000).tm_year
        messages = phone_log.read(path, index, year)
        logs = len(self.options.phone_logs)
        recogniser = Recogniser(self.names, self.book, self.registry.rules, logs)
        for message in messages:
            recogniser.add(message)
        events = recogniser.finish()
        found = vvx_log.clock_offset(events, packets, messages)
        if found is None:
            self.diagnostics.append(
                f"{path}: nothing ties the phone's clock to the capture's; its times are as written"
            )
            return events
        offset, how = found
        self.diagnostics.append(
            f"{path}: against the captures the phone's clock is {vvx_log.clock_words(offset)}"
            f" (told by {how})"
        )
        moved = [replace(event, time_ns=event.time_ns + offset) for event in events]
        return vvx_log.without_twins(moved, packets)


def _modified_ns(path: str) -> int:
    """A log without capture: its file's time is the best guess at its year."""
    try:
        return os.stat(path).st_mtime_ns
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or str(error)).lower()}") from None


def bind_key_logs(options: Options) -> list[CaptureInput]:
    """Which key logs belong to which capture.

    Raises UsageError for a named key log or RSA key that does not exist.
    """
    common: list[str] = []
    bound: dict[str, list[str]] = {}
    for item in options.key_logs:
        capture, path = _split_binding(item, options.captures)
        if not Path(path).exists():
            raise UsageError(f"{path}: no such key log")
        (common if capture is None else bound.setdefault(capture, [])).append(path)
    for path in options.rsa_keys:
        if not Path(path).exists():
            raise UsageError(f"{path}: no such RSA key")
    unknown = set(options.clocks) - set(options.captures)
    if unknown:
        raise UsageError(f"--clock: {sorted(unknown)[0]} is none of the captures given")
    return [
        CaptureInput(
            name=name,
            key_logs=(*common, *bound.get(name, ())),
            found_key_logs=tuple(_found_beside(name)) if options.auto_keys else (),
            offset_ns=options.clocks.get(name, 0),
            rsa_keys=options.rsa_keys,
            rsa_passwords=options.rsa_passwords,
        )
        for name in options.captures
    ]


def _split_binding(item: str, captures: Sequence[str]) -> tuple[str | None, str]:
    """`phone.pcapng:phone.keys`, if its first part is a capture given (a drive letter is not)."""
    for name in captures:
        if item.startswith(name + ":") or item.startswith(Path(name).name + ":"):
            prefix = name if item.startswith(name + ":") else Path(name).name
            return name, item[len(prefix) + 1 :]
    return None, item


def _found_beside(capture: str) -> list[str]:
    found = []
    if capture != "-":
        path = Path(capture)
        if path.suffix.lower() in COMPRESSED:
            path = path.with_suffix("")
        found = [
            str(path.with_suffix(suffix))
            for suffix in KEY_LOG_SUFFIXES
            if path.with_suffix(suffix).is_file()
        ]
    environment = os.environ.get("SSLKEYLOGFILE")
    if environment and Path(environment).is_file():
        found.append(environment)
    return found

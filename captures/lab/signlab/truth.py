"""What happened, written down by those who did it.

Each actor appends JSON lines to a file of its own in the run's folder (private, removed with it);
`merge` puts them together in order of time when the recording is over. Where there are two phones,
what the second phone and its user write bears `seat` 2.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .clock import true_time
from .config import Run

SCHEMA = 1


def rfc3339(time_ns: int) -> str:
    """Nanoseconds since 1970 as RFC 3339 in UTC with nine digits."""
    seconds, rest = divmod(time_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


class Truth:
    """The notebook of one actor."""

    def __init__(self, run: Run, actor: str) -> None:
        self.actor = actor
        self._run = run
        self._seat = {} if run.seat == 1 else {"seat": run.seat}
        self._path = run.file(f"truth-{actor}", ".jsonl")

    def _now(self) -> int:
        return true_time(self._run, self.actor, time.time_ns())

    def _write(self, entry: dict[str, Any]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")

    def message(
        self,
        kind: str,
        peer: str,
        direction: str,
        facts: Mapping[str, object],
        *,
        time_ns: int | None = None,
    ) -> None:
        """One message that this actor sent to `peer` or received from it, now unless said."""
        stamp = self._now() if time_ns is None else time_ns
        head = {"actor": self.actor, "peer": peer, "direction": direction, "kind": kind}
        self._write({"type": "message", "ns": stamp, "value": {**head, **self._seat, **facts}})

    def secret(self, kind: str, value: str) -> str:
        """Note a secret that this actor made or typed; returns it, so that it wraps the making."""
        if value:
            entry = {"kind": kind, "value": value}
            self._write({"type": "secret", "ns": self._now(), "value": entry})
        return value

    def outcome(self, text: str) -> None:
        """How it ended for this actor."""
        self._write({"type": "outcome", "ns": self._now(), "value": text})


def read_entries(directory: Path) -> list[dict[str, Any]]:
    """Every entry of every actor so far, in order of time."""
    entries: list[dict[str, Any]] = []
    for path in sorted(directory.glob("truth-*.jsonl")):
        actor = path.stem.removeprefix("truth-")
        lines = path.read_text(encoding="utf-8").splitlines()
        entries.extend({**json.loads(line), "actor": actor} for line in lines)
    entries.sort(key=lambda entry: entry["ns"])
    return entries


def outcomes(directory: Path) -> dict[str, str]:
    """Last outcome of each actor that has noted one; the second seat's are phone2 and browser2."""
    return {e["actor"]: e["value"] for e in read_entries(directory) if e["type"] == "outcome"}


def merge(run: Run) -> dict[str, Any]:
    """The content of truth.json."""
    messages: list[dict[str, Any]] = []
    seen: dict[tuple[str, str], None] = {}
    for entry in read_entries(run.directory):
        if entry["type"] == "message":
            messages.append({"time": rfc3339(entry["ns"]), **entry["value"]})
        elif entry["type"] == "secret":
            seen.setdefault((entry["value"]["kind"], entry["value"]["value"]))
    names: dict[str, Any] = {
        role: {"host": host.name, "address": host.address, "actor": host.actor}
        for role, host in run.names.hosts.by_role().items()
    }
    clients, scenario = run.names.clients, run.scenario
    places = {"phone": clients.phone, "browser": clients.browser, "dns": clients.dns}
    if scenario.client.does:
        places["client"] = clients.browser
    if scenario.voice.does:
        places["callee"] = places.pop("browser")
    if scenario.phone.does == "pin" or scenario.voice.does == "boot":
        places["dhcp"] = f"{clients.phone.rpartition('.')[0]}.1"
    if scenario.phone.proxy:
        places["proxy"] = clients.proxy
    if scenario.second.does:
        outside = clients.phone2 if scenario.second.lan == "routed" else clients.phone
        places["phone2"] = outside
    for actor, address in places.items():
        names[actor] = {"host": None, "address": address, "actor": actor.rstrip("2")}
    truth: dict[str, Any] = {
        "schema": SCHEMA,
        "scenario": run.scenario_name,
        "title": scenario.title,
        "names": names,
        "user": run.names.user.sip,
        "messages": messages,
        "secrets": [{"kind": kind, "value": value} for kind, value in seen],
        "verdict": scenario.verdict.as_json(),
    }
    if scenario.second.does:
        truth["users"] = [run.at(seat).user.sip for seat in run.seats]
    if len(run.verdicts) > 1:
        truth["verdicts"] = [{"seat": seat, **verdict.as_json()} for seat, verdict in run.verdicts]
    if scenario.capture.begins != "before":
        truth["phone_capture_began"] = rfc3339(capture_start(run))
    return truth


def capture_start(run: Run) -> int:
    """When the phone's capture began, in nanoseconds since 1970."""
    return int((run.directory / "capture-began").read_text())

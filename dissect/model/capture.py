"""What is known of a capture file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class CaptureInfo:
    """What `dissect info` says of one file. Times in ns UTC, sizes in bytes."""

    index: int
    name: str
    frames: int = 0
    frames_skipped: Mapping[str, int] = field(default_factory=dict)
    link_types: tuple[str, ...] = ()
    interfaces: tuple[str, ...] = ()
    start_ns: int | None = None
    end_ns: int | None = None
    snaplen: int | None = None
    drops: int | None = None
    key_logs: tuple[str, ...] = ()
    reader: str = ""

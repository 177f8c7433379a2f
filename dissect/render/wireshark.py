"""How to find an arrow's frames again: Wireshark's display filter, tshark's command line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence

from dissect.model import Source

MAX_RANGES = 40  # ranges of frames in one filter; beyond that it spans them
_PLAIN = re.compile(r"[\w./\\:@%+,-]+", re.ASCII)


def display_filter(sources: Iterable[Source]) -> str:
    """The filter that shows the frames of `sources` (all of one capture); '' for log lines.

    Frames of other streams between the first and the last are not shown.
    """
    streams: dict[tuple[str, int | None], list[tuple[int, int]]] = {}
    for source in sources:
        if source.first_frame is not None:
            last = source.last_frame or source.first_frame
            streams.setdefault((source.transport, source.stream), []).append(
                (source.first_frame, last)
            )
    parts = [_part(*key, ranges) for key, ranges in streams.items()]
    return parts[0] if len(parts) == 1 else " || ".join(f"({part})" for part in parts)


def _part(transport: str, stream: int | None, ranges: list[tuple[int, int]]) -> str:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    if len(merged) > MAX_RANGES:
        merged = [(merged[0][0], merged[-1][1])]
    # A comma between the members of a set is understood by old and new versions alike.
    members = ", ".join(f"{a}..{b}" if b > a else f"{a}" for a, b in merged)
    if len(merged) == 1 and merged[0][0] == merged[0][1]:
        frames = f"frame.number == {merged[0][0]}"
    else:
        frames = f"frame.number in {{{members}}}"
    return frames if stream is None else f"{transport}.stream == {stream} && {frames}"


def tshark_command(capture: str, key_logs: Sequence[str], filter_: str) -> str:
    """The command that prints these frames in full, to be pasted into a POSIX shell."""
    words = ["tshark", "-r", _argument(capture), "-o", "tcp.reassemble_out_of_order:TRUE"]
    for name in key_logs:
        words += ["-o", _argument(f"tls.keylog_file:{name}")]
    return " ".join([*words, "-Y", f'"{filter_}"', "-V"])


def _argument(text: str) -> str:
    """A word of a command line; control characters can't run anything inside quotes."""
    shown = "".join(c if c.isprintable() else "?" for c in text)
    return shown if _PLAIN.fullmatch(shown) else shlex.quote(shown)

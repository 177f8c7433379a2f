"""From a session to the file: which streams, which names, which comments, which keys."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import dissect
from dissect import output_conflicts
from dissect.capture import CaptureFile, Packet
from dissect.engines.again import Stream, reopened
from dissect.errors import UsageError
from dissect.export.changes import ChangedPart, Masked
from dissect.export.key_log import key_log
from dissect.export.locate import Locator
from dissect.export.masked import masked
from dissect.export.pcapng_writer import Writer
from dissect.export.scrubbed import LINK_TYPE, Pdu, pdus
from dissect.model import DnsMessage, SequenceChart, Source, TlsConnection
from dissect.pipeline import Session, bind_key_logs
from dissect.render import words
from dissect.render.escape import visible
from dissect.saving import writing

Open = Callable[[], CaptureFile]

MAX_COMMENTS = 20  # on one frame
MORE_COMMENTS = "What else this frame proves is left out here"
MAX_SOURCES = 200  # of one folded arrow that get a comment


@dataclass(slots=True)
class Exported:
    """What was written: frames by capture, streams, sessions whose keys are inside; and
    what was not: a sentence for each stream of which only headers are in the file, and for
    what is overwritten or missing of the others."""

    frames: dict[str, int] = field(default_factory=dict)
    streams: int = 0
    keys: int = 0
    comments: int = 0
    masked: int = 0  # secrets overwritten in what was sent without TLS
    scrubbed: int = 0  # decrypted messages that were added
    in_logs: int = 0  # arrows that no packet proves, only a phone's log
    left_out: list[str] = field(default_factory=list)
    partly: list[str] = field(default_factory=list)

    def tell(self, capture: str, change: Masked) -> None:
        """Say what of a capture is not in the file as it was sent."""
        self.left_out += [
            f"{capture}, {transport} stream from frame {first} on: {reason}"
            for transport, first, reason in change.reported()
        ]
        self.partly += [_partly(capture, part) for part in change.parts()]


def export(run: Session, path: str, with_secrets: bool = False, scrub: bool = False) -> Exported:
    """Write the packets of the streams that the session's charts used to `path` (mode 0600).

    With `with_secrets` the file opens decrypted: it has the keys of these sessions, and of
    no others, and payload as it was captured. Without, secrets that were sent without TLS are
    overwritten: see `masked`; with `scrub` decrypted messages follow their packets without
    secrets: see `scrubbed`. The captures are read again; standard input only if the session
    kept it (`Options.again`). Raises UsageError: nothing to export, `path` can't be written, both
    options.
    """
    if with_secrets and scrub:
        raise UsageError("--with-secrets and --scrub exclude each other")
    streams, single = used_streams(run), used_frames(run)
    if not any(streams.values()) and not single:
        raise UsageError("no packets to export: the flow was seen in logs only")
    inputs = bind_key_logs(run.options)
    output_conflicts.check(run.options, [path])
    opened = [partial(reopened, item, index, run.spool) for index, item in enumerate(inputs)]
    frames = {
        index: _frames(opened[index], index, streams.get(index, frozenset()))
        | single.get(index, frozenset())
        for index in sorted({*streams, *single})
    }
    logs = b""
    changes: dict[int, Masked] = {}
    for index, wanted in frames.items():
        chosen = partial(_chosen, opened[index], wanted)
        if with_secrets:
            logs += key_log(inputs[index], index, chosen(), opened[index])
        else:
            changes[index] = masked(index, chosen, run.policy, run.registry.readers)
    comments = frame_comments(run, frames)
    added = pdus(run, streams) if scrub else []
    result = Exported(
        frames={inputs[index].name: len(wanted) for index, wanted in frames.items()},
        streams=sum(len(wanted) for wanted in streams.values()),
        keys=len({line.split()[1] for line in logs.splitlines()}),
        comments=sum(len(found) for found in comments.values()),
        scrubbed=len(added),
        in_logs=_in_logs(run),
        masked=sum(change.values for change in changes.values()),
    )
    for index, change in changes.items():
        result.tell(inputs[index].name, change)
    # Who can't read the captures must not read them here.
    chosen_of = {
        index: partial(_chosen, opened[index], wanted, inputs[index].offset_ns)
        for index, wanted in frames.items()
    }
    shown = {index: _shown(run, inputs[index].name) for index in frames}
    with writing(path, private=True) as file:
        writer = Writer(file, f"dissect {dissect.__version__}", _verdicts(run))
        writer.names(_names(run, streams))
        if logs:
            writer.secrets(logs)
        _write(writer, _merged(chosen_of, added), shown, changes, comments)
    return result


def _write(
    writer: Writer,
    packets: Iterator[tuple[int, Packet | Pdu]],
    shown: Mapping[int, str],
    changes: Mapping[int, Masked],
    comments: Mapping[tuple[int, int], Sequence[str]],
) -> None:
    """All packets with what they may show and what is reported of them, by capture and frame."""
    for index, packet in packets:
        if isinstance(packet, Pdu):
            writer.packet(
                f"{shown[index]}, decrypted", LINK_TYPE, packet.time_ns,
                packet.data, len(packet.data), (packet.comment,),
            )  # fmt: skip
            continue
        frame, ns, link, buf, start, caplen, length = packet
        data = bytes(buf[start : start + caplen])
        if index in changes:
            data = changes[index].apply(frame, data, caplen == length)
        writer.packet(
            shown[index], link, ns, data, length,
            comments.get((index, frame), ()),
        )  # fmt: skip


def _shown(run: Session, capture: str) -> str:
    """The name of a capture as that of an interface."""
    return visible(run.policy.scrub(Path(capture).name))


def _partly(capture: str, part: ChangedPart) -> str:
    """What does not leave of a stream, or of frames of none, in words."""
    what = f"{part.stream[0].upper()} stream, " if part.stream else ""
    size = f"{part.size} bytes " if part.size else ""
    return f"{capture}, {what}{size}from frame {part.frame} on: {part.reason}"


def used_streams(run: Session) -> dict[int, frozenset[Stream]]:
    """By capture index: the streams of all arrows and of the causes' evidence."""
    index_of = {name: index for index, name in enumerate(run.options.captures)}
    found: dict[int, set[Stream]] = {}
    for source in _sources(run.charts):
        if source.stream is not None and source.capture in index_of:
            streams = found.setdefault(index_of[source.capture], set())
            streams.add((source.transport, source.stream))
    return {index: frozenset(streams) for index, streams in sorted(found.items())}


def used_frames(run: Session) -> dict[int, frozenset[int]]:
    """By capture index: the frames of arrows and evidence that belong to no stream, whatever
    their link layer."""
    index_of = {name: index for index, name in enumerate(run.options.captures)}
    found: dict[int, set[int]] = {}
    for source in _sources(run.charts):
        if source.stream is None and source.first_frame and source.capture in index_of:
            frames = {source.first_frame, source.last_frame or source.first_frame}
            found.setdefault(index_of[source.capture], set()).update(frames)
    return {index: frozenset(frames) for index, frames in sorted(found.items())}


def _sources(charts: Sequence[SequenceChart]) -> Iterator[Source]:
    for chart in charts:
        for step in chart.steps:
            for arrow in step.arrows:
                yield arrow.source
                yield from arrow.sources
        if chart.cause:
            yield from chart.cause.evidence


def _frames(opened: Open, index: int, wanted: frozenset[Stream]) -> frozenset[int]:
    with opened() as capture:
        locator = Locator(index, wanted)
        locator.feed(capture.packets())
    return frozenset(locator.frames)


def _chosen(opened: Open, wanted: frozenset[int], offset: int = 0) -> Iterator[Packet]:
    """The wanted packets of a capture, `offset` (ns) added to their times."""
    with opened() as capture:
        for packet in capture.packets():
            if packet[0] in wanted:
                frame, ns, link, buf, start, caplen, length = packet
                yield frame, ns + offset, link, buf, start, caplen, length


def _in_logs(run: Session) -> int:
    captures = frozenset(run.options.captures)
    arrows = (arrow for chart in run.charts for step in chart.steps for arrow in step.arrows)
    return sum(
        all(source.capture not in captures for source in (arrow.source, *arrow.sources))
        for arrow in arrows
    )


def _merged(
    chosen: Mapping[int, Callable[[], Iterator[Packet]]], added: Sequence[Pdu]
) -> Iterator[tuple[int, Packet | Pdu]]:
    """All chosen packets by time; those of one capture stay in the order of its file. What is
    added comes behind the packets of its time."""

    def of(index: int) -> Iterator[tuple[int, Packet]]:
        return ((index, packet) for packet in chosen[index]())

    last = [(pdu.capture, pdu) for pdu in sorted(added, key=lambda pdu: pdu.time_ns)]
    # Packet and Pdu both have their time in second place.
    return heapq.merge(*(of(index) for index in chosen), last, key=lambda item: item[1][1])


def _verdicts(run: Session) -> str:
    lines = []
    for chart in run.charts:
        lines.append(f"{chart.title}: {words.verdict(chart)}")
        if chart.cause:
            lines.append(f"{words.sentence(chart.cause.text)} [{chart.cause.code}]")
    return "\n".join(visible(run.policy.scrub(line)) for line in lines)


def frame_comments(
    run: Session, frames: dict[int, frozenset[int]]
) -> dict[tuple[int, int], list[str]]:
    """(capture, frame) → what that frame proves; on the frame that made it readable."""
    index_of = {name: index for index, name in enumerate(run.options.captures)}
    found: dict[tuple[int, int], list[str]] = {}

    def add(source: Source, text: str) -> None:
        index = index_of.get(source.capture)
        if index is None or source.first_frame is None:
            return
        last = source.last_frame or source.first_frame
        frame = last if last in frames.get(index, ()) else source.first_frame
        known = found.setdefault((index, frame), [])
        text = run.policy.scrub(text)
        if text not in known and len(known) <= MAX_COMMENTS:
            known.append(text if len(known) < MAX_COMMENTS else MORE_COMMENTS)

    for chart in run.charts:
        for step in chart.steps:
            for arrow in step.arrows:
                status = "" if arrow.status == "ok" else f" ({arrow.status})"
                note = f"; {arrow.note}" if arrow.note else ""
                text = visible(f"Step {step.number}{status}: {arrow.label}{note}")
                for source in (arrow.sources or (arrow.source,))[:MAX_SOURCES]:
                    where = f" [{Path(source.capture).name} frame {source.first_frame}]"
                    add(source, text + visible(where))
        if chart.cause:
            text = visible(f"Cause: {words.sentence(chart.cause.text)} [{chart.cause.code}]")
            for source in chart.cause.evidence:
                add(source, text)
    return found


def _names(run: Session, streams: dict[int, frozenset[Stream]]) -> dict[str, str]:
    """Address → name for the servers of the exported streams: from DNS, TLS, the captures."""
    names: dict[str, str] = {}
    addresses: set[str] = set()
    for message in run.messages:
        connection = message.place.connection
        if (connection.transport, connection.stream) in streams.get(connection.capture, ()):
            addresses |= {connection.client.address, connection.server.address}
            if isinstance(message, TlsConnection) and message.server_name:
                names.setdefault(connection.server.address, message.server_name)
    for message in run.messages:
        if isinstance(message, DnsMessage) and message.questions:
            for _, kind, data in message.answers:
                if kind in ("A", "AAAA"):
                    names.setdefault(data, message.questions[0][0].rstrip("."))
    for address, name in run.reading.names.items():
        names.setdefault(address, name)
    return {
        address: visible(run.policy.scrub(names[address]))
        for address in sorted(addresses)
        if address in names
    }

"""`dissect info`: what is in the captures, what could be decrypted, what not and why."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import click

from dissect.cli.options import inputs, session

Document = dict[str, Any]

MAX_ADDRESSES = 20
"""Lines of addresses in the text; JSON has more."""


@click.command()
@inputs()
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text")
def info(captures: tuple[str, ...], format_: str, **options: Any) -> None:
    """Say what is in CAPTURE..., what could not be decrypted and why, and what to do better."""
    from dissect.cli.faults import note
    from dissect.overview import document
    from dissect.render.escape import json_text, visible
    from dissect.stages.keep import overview

    run = session(captures, **options).keeping(overview(), rules=False)
    found = document(run)
    note(run.faults)
    if format_ == "json":
        click.echo(json_text(json.dumps(found, ensure_ascii=False, indent=2)))
    else:
        for line in text(found):
            click.echo(visible(line))


def text(found: Document) -> Iterator[str]:
    """The same in words, a line at a time."""
    for item in found["captures"]:
        yield from _capture(item)
    yield from _addresses(found["addresses"])
    yield from _streams(found)
    for item in found["shared"]:
        number = _count(item["connections"], "connection")
        reported = _count(item["messages"], "message")
        yield f"{item['capture']} and {item['with']} share {number}: {reported} of both told once"
    for item in found["clocks"]:
        yield item["sentence"]
    kinds = Counter(item["kind"] for item in found["anomalies"])
    for item in found["anomalies"]:
        count = kinds.pop(item["kind"], 0)
        if count:
            more = f" (and {count - 1} more)" if count > 1 else ""
            frame = f" frame {item['frame']}" if item["frame"] else ""
            yield f"odd: {item['kind']}: {item['capture']}{frame}: {item['sentence']}{more}"
    for line in found["warnings"]:
        yield f"warning: {line}"
    yield "For the next capture:"
    for line in found["advice"]:
        yield f"  {line}"


def _capture(item: Document) -> Iterator[str]:
    from dissect.render.words import duration

    links = ", ".join(item["link_types"]) or "no link type"
    yield f"{item['capture']}: {item['frames']} frames, {links}; {item['reader']}"
    if item["start"]:
        back = item.get("frames_before_earlier_time")
        order = (
            f"{back} frame{'s' if back > 1 else ''} out of order of time"
            if back
            else "in order of time"
        )
        yield f"  from {item['start']} to {item['end']} ({duration(item['duration_ns'])}), {order}"
    for name in item["interfaces"]:
        yield f"  interface: {name}"
    cut = f", {item['frames_cut']} frames cut" if item.get("frames_cut") else ""
    yield f"  packet size limit: {item['snaplen'] or 'none'}{cut}"
    drops = item["drops"]
    yield f"  dropped while capturing: {'not recorded' if drops is None else drops}"
    skipped = sum(item["frames_skipped"].values())
    yield f"  frames read: {item['frames'] - skipped}, not read: {skipped}"
    for reason, count in item["frames_skipped"].items():
        yield f"    {count} × {reason}"
    if item.get("frames_doubled"):
        yield f"  {item['frames_doubled']} frames with data captured twice"
    tcp = item.get("tcp")
    if tcp:
        yield (
            f"  TCP: {tcp['segments']} segments, {tcp['loss_rate']:.2%} of the bytes lost, "
            f"{tcp['sent_again_rate']:.2%} of the segments sent again, "
            f"{tcp['reorder_rate']:.2%} out of order"
        )
    for name in item["key_logs"]:
        yield f"  key log: {name}"


def _addresses(addresses: list[Document]) -> Iterator[str]:
    if addresses:
        yield "addresses:"
    for item in addresses[:MAX_ADDRESSES]:
        names = ", ".join(item["names"])
        count = _count(item["streams"], "stream")
        yield f"  {item['address']}: {count}{'; ' if names else ''}{names}"
    if len(addresses) > MAX_ADDRESSES:
        yield f"  and {len(addresses) - MAX_ADDRESSES} more"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _streams(found: Document) -> Iterator[str]:
    streams = dict(found["streams"])
    tcp, udp, lost = (streams.pop(name) for name in ("tcp", "udp", "bytes_lost"))
    kinds = ", ".join(f"{count} {name}" for name, count in streams.items() if count)
    both = f"{_count(tcp, 'TCP connection')}, {_count(udp, 'UDP pair')}"
    yield f"{both}{f' ({kinds})' if kinds else ''}; {_count(lost, 'byte')} of TCP lost"
    tls = found["tls"]
    total = sum(tls["decrypted"].values())
    if total:
        parts = ", ".join(f"{count} {word}" for word, count in sorted(tls["decrypted"].items()))
        yield f"{_count(total, 'TLS connection')}; decrypted: {parts}"
    for reason, count in sorted(tls["reason"].items()):
        yield f"  {count} × {reason}: {tls['sentences'].get(reason, '')}"

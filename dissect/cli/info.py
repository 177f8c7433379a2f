"""`dissect info`: what is in the captures, what could be decrypted, what not and why."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from dissect.cli.options import inputs, session

if TYPE_CHECKING:
    from dissect.pipeline import Session


@click.command()
@inputs()
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text")
def info(captures: tuple[str, ...], format_: str, **options: Any) -> None:
    """Say what is in CAPTURE..., and why a connection could not be decrypted."""
    from dissect.render.escape import json_text, visible

    run = session(captures, **options)
    document = _document(run)
    if format_ == "json":
        click.echo(json_text(json.dumps(document, ensure_ascii=False, indent=2)))
    else:
        for line in _text(document):
            click.echo(visible(line))


def _document(run: Session) -> dict[str, Any]:
    from dissect.model import TcpConnection, TlsConnection
    from dissect.render.words import rfc3339

    reading = run.reading
    rows = [m for m in reading.messages if isinstance(m, TlsConnection) and m.inside is None]
    streams = Counter(
        message.place.connection.transport
        for message in reading.messages
        if isinstance(message, TcpConnection)
    )
    lost = sum(sum(m.lost) for m in reading.messages if isinstance(m, TcpConnection))
    sentences: dict[str, str] = {}
    for row in rows:
        if row.reason and row.sentence:
            sentences.setdefault(row.reason, row.sentence)
    return {
        "captures": [
            {
                "capture": item.name,
                "frames": item.frames,
                "frames_skipped": dict(item.frames_skipped),
                "link_types": list(item.link_types),
                "interfaces": list(item.interfaces),
                "start": rfc3339(item.start_ns) if item.start_ns is not None else None,
                "end": rfc3339(item.end_ns) if item.end_ns is not None else None,
                "snaplen": item.snaplen,
                "drops": item.drops,
                "key_logs": list(item.key_logs),
            }
            for item in reading.captures
        ],
        "streams": {**streams, "bytes_lost": lost},
        "tls": {
            "decrypted": dict(Counter(row.decrypted for row in rows)),
            "reason": dict(Counter(row.reason for row in rows if row.reason)),
            "sentences": sentences,
        },
        "anomalies": [
            {
                "capture": run.names[item.capture],
                "frame": item.frame,
                "stream": item.stream,
                "kind": item.kind,
                "sentence": item.sentence,
            }
            for item in reading.anomalies
        ],
        "warnings": list(reading.warnings),
    }


def _text(document: dict[str, Any]) -> list[str]:
    lines = []
    for item in document["captures"]:
        lines.append(f"{item['capture']}: {item['frames']} frames, {', '.join(item['link_types'])}")
        if item["start"]:
            lines.append(f"  from {item['start']} to {item['end']}")
        for reason, count in item["frames_skipped"].items():
            lines.append(f"  {count} frames not read: {reason}")
        if item["drops"]:
            lines.append(f"  {item['drops']} packets were dropped while capturing: data is missing")
        lines += [f"  key log: {name}" for name in item["key_logs"]]
    streams = document["streams"]
    lines.append(f"{streams.get('tcp', 0)} TCP connections, {streams['bytes_lost']} bytes lost")
    tls = document["tls"]
    total = sum(tls["decrypted"].values())
    if total:
        parts = ", ".join(f"{count} {word}" for word, count in sorted(tls["decrypted"].items()))
        lines.append(f"{total} TLS connections; decrypted: {parts}")
    for reason, count in sorted(tls["reason"].items()):
        lines.append(f"  {count} × {reason}: {tls['sentences'].get(reason, '')}")
    kinds = Counter(item["kind"] for item in document["anomalies"])
    for item in document["anomalies"]:
        count = kinds.pop(item["kind"], 0)
        if count:
            more = f" (and {count - 1} more)" if count > 1 else ""
            frame = f" frame {item['frame']}" if item["frame"] else ""
            lines.append(f"odd: {item['kind']}: {item['capture']}{frame}: {item['sentence']}{more}")
    lines += [f"warning: {line}" for line in document["warnings"]]
    return lines

"""`dissect crosscheck`: both engines over the same captures, message by message."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from dissect.cli.options import PLUGINS, sources

if TYPE_CHECKING:
    from dissect.engines.baseline import BaselineEntry
    from dissect.engines.both import Checked

UNEXPLAINED = 1


@click.command()
@sources
@PLUGINS
@click.option(
    "--known",
    "known_files",
    multiple=True,
    metavar="FILE.toml",
    help="Differences known by file, frame and field: they alone explain, and have to occur.",
)
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text")
def crosscheck(
    captures: tuple[str, ...],
    known_files: tuple[str, ...],
    decode_as: tuple[str, ...],
    format_: str,
    key_logs: tuple[str, ...],
    rsa_keys: tuple[str, ...],
    rsa_password: str | None,
    no_auto_keys: bool,
    plugins: tuple[str, ...],
) -> int:
    """Compare what dissect and an installed tshark read in CAPTURE..., message by message.

    Exit code: 0 if they agree or every difference is explained, 1 if not.
    """
    from dissect import output_conflicts
    from dissect.cli.faults import note
    from dissect.cli.passwords import passwords
    from dissect.engines.baseline import Baseline
    from dissect.engines.both import check
    from dissect.pipeline import RunOptions, bind_key_logs
    from dissect.plugins import registry
    from dissect.render.escape import json_text, visible

    if "-" in captures:
        raise click.UsageError("standard input can't be read twice: give a file")
    options = RunOptions(captures, key_logs, rsa_keys=rsa_keys, auto_keys=not no_auto_keys)
    output_conflicts.check(options, (), [*known_files, *([rsa_password] if rsa_password else [])])
    options = replace(options, rsa_passwords=passwords(rsa_keys, rsa_password))
    known = Baseline(known_files) if known_files else None
    added = list(registry(plugins).protocols.values())
    checked = [check(item, decode_as, known, added) for item in bind_key_logs(options)]
    stale = known.stale(captures) if known is not None else []
    document = report(checked, stale)
    if format_ == "json":
        click.echo(json_text(json.dumps(document, ensure_ascii=False, indent=2)))
    else:
        for line in _text(document):
            click.echo(visible(line))
    for item in checked:
        note(item.faults)
        for warning in item.warnings:
            click.echo(f"dissect: warning: {visible(warning)}", err=True)
    return UNEXPLAINED if document["unexplained"] or stale else 0


def report(checked: Sequence[Checked], stale: Sequence[BaselineEntry]) -> dict[str, Any]:
    """The result as the JSON has it."""
    agreed: Counter[str] = Counter()
    differences = []
    for item in checked:
        agreed.update(item.comparison.agreed)
        differences += [
            {
                "capture": found.capture,
                "protocol": found.protocol,
                "stream": found.stream,
                "frame": found.frame,
                "what": found.what,
                "field": found.name,
                "embedded": found.embedded,
                "tshark": found.tshark,
                "reason": found.reason,
                "right": found.right,
                "text": found.note or None,
                "link": found.link or None,
            }
            for found in item.comparison.differences
        ]
    return {
        "engines": sorted({item.engine for item in checked}),
        "captures": [item.capture for item in checked],
        "agreed": dict(sorted(agreed.items())),
        "differences": differences,
        "unexplained": sum(item["reason"] is None for item in differences),
        "no_longer_occurs": [
            f"{entry.file}: {entry.capture} {entry.protocol} stream {entry.stream} "
            f"frame {entry.frame} {entry.what}: {entry.field}"
            for entry in stale
        ],
    }


def _text(document: dict[str, Any]) -> list[str]:
    found = document["differences"]
    differ = Counter(item["protocol"] for item in found)
    lines = [f"against {' and '.join(document['engines'])}"]
    for protocol in sorted({*document["agreed"], *differ}):
        agreed = document["agreed"].get(protocol, 0)
        lines.append(f"{protocol:8}{agreed:7} messages agree, {differ[protocol]} differences")
    for item in found:
        lines.append(
            f"{item['capture']} {item['protocol']} stream {item['stream']} frame {item['frame']} "
            f"{item['what']}: {item['field']}: dissect {item['embedded']}, tshark {item['tshark']}"
        )
        if item["reason"]:
            lines.append(f"    {item['reason']}, right: {item['right']}. {item['text']}")
        else:
            lines.append("    NOT EXPLAINED" + (f": {item['text']}" if item["text"] else ""))
    lines += [f"no longer occurs: {line}" for line in document["no_longer_occurs"]]
    if document["unexplained"]:
        lines.append(f"{document['unexplained']} differences are not explained")
    return lines

"""`dissect check` and `dissect diff`: a sign-in against what it should be."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dissect.cli.options import FLOW, PHONE_LOG, inputs, session, warn
from dissect.errors import UsageError
from dissect.saving import is_stream, save

if TYPE_CHECKING:
    from dissect.pipeline import Session

CAPTURE_SUFFIXES = (".pcap", ".pcapng", ".cap", ".gz", ".zst", ".lz4")


@click.command()
@inputs()
@PHONE_LOG
@FLOW
@click.option("--expect", "golden", required=True, metavar="GOLDEN.json", help="What it should be.")
@click.option("--update", is_flag=True, help="Write GOLDEN.json instead of comparing with it.")
@click.option(
    "--tolerance", type=float, default=5.0, show_default=True, help="Seconds that times may differ."
)
def check(
    captures: tuple[str, ...], golden: str, update: bool, tolerance: float, **options: Any
) -> int:
    """Compare the flows in CAPTURE... with GOLDEN.json: exit 0 if they mean the same, else 1."""
    from dissect.compare import compare
    from dissect.render.escape import json_text, visible
    from dissect.stages.keep import nothing

    run = session(
        captures,
        outputs=[golden] if update else [],
        also=[] if update else [golden],
        **options,
    ).keeping(nothing)
    if update:
        _check_golden(golden)
    document = _document(run)
    warn(run)
    if update:
        text = json_text(json.dumps(document, ensure_ascii=False, indent=2)) + "\n"
        save(golden, text, private=run.options.reveal)
        click.echo(f"wrote {visible(golden)}", err=True)
        return 0
    try:
        differences = compare(_read(golden), document, tolerance)
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{golden}: {error}") from None
    for difference in differences:
        click.echo(visible(str(difference)))
    if differences:
        click.echo(f"dissect: {len(differences)} differences from {visible(golden)}", err=True)
    return 1 if differences else 0


@click.command()
@click.argument("good", metavar="GOOD")
@click.argument("bad", metavar="BAD")
def diff(good: str, bad: str) -> int:
    """Show where two sign-ins parted. Each is a capture, a folder of captures, or flow JSON."""
    from dissect import output_conflicts
    from dissect.compare import parting
    from dissect.render.escape import visible

    output_conflicts.check_files([good, bad], ())
    ours, theirs = _flows(good), _flows(bad)
    pair = next(((a, b) for a in ours for b in theirs if a["flow"] == b["flow"]), None)
    if pair is None:
        kinds = (", ".join(str(flow["flow"]) for flow in flows) for flows in (ours, theirs))
        raise UsageError(f"{good} is {next(kinds)}, {bad} is {next(kinds)}: no two of one kind")
    for line in parting(*pair):
        click.echo(visible(line))
    states = [[(step["number"], step["status"]) for step in flow["steps"]] for flow in pair]
    return 0 if states[0] == states[1] else 1


def _flows(source: str) -> list[dict[str, Any]]:
    """The flows of a capture, of a folder's captures and phone logs, or of flow JSON."""
    path = Path(source)
    if path.suffix == ".json":
        document = _read(source)
    else:
        captures: tuple[str, ...] = (source,)
        logs: tuple[str, ...] = ()
        if path.is_dir():
            from dissect.report.folder_index import is_phone_log

            files = _inside(path)
            captures = tuple(str(p) for p in files if p.suffix.lower() in CAPTURE_SUFFIXES)
            logs = tuple(str(p) for p in files if is_phone_log(p))
            if not captures:
                raise UsageError(f"{source}: no captures in this folder")
        from dissect.cli.faults import note
        from dissect.stages.keep import nothing

        run = session(captures, phone_logs=logs).keeping(nothing)
        document = _document(run)
        note(run.faults)
    flows = document.get("flows")
    if not isinstance(flows, list) or not flows:
        raise UsageError(f"{source}: no flow found in it")
    return flows


def _inside(folder: Path) -> list[Path]:
    """Its files: a pipe, or a link to a device, would never end."""
    try:
        return sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise UsageError(f"{folder}: {(error.strerror or str(error)).lower()}") from None


def _document(run: Session) -> dict[str, Any]:
    from dissect.render import render

    charts = run.charts
    text = render(charts, "json", captures=tuple(run.reading.captures))
    document: dict[str, Any] = json.loads(text)
    return document


def _read(path: str) -> dict[str, Any]:
    from dissect import compare

    try:
        with open(path, "rb") as file:
            data = file.read(compare.MAX_DOCUMENT + 1)
        if len(data) > compare.MAX_DOCUMENT:
            raise UsageError(f"{path}: more than {compare.MAX_DOCUMENT >> 20} MB")
        return compare.document(data.decode("utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    except ValueError as error:
        text = "not JSON" if isinstance(error, UnicodeDecodeError) else str(error)
        raise UsageError(f"{path}: {text}") from None


def _check_golden(path: str) -> None:
    """Raises UsageError for a file that --update must not replace: any but a golden one."""
    if is_stream(path) or not os.path.exists(path) or not os.path.getsize(path):
        return
    try:
        golden = isinstance(_read(path).get("flows"), list)
    except UsageError:
        golden = False
    if not golden:
        raise UsageError(
            f"{path}: no golden file, so --update does not replace it; remove it first"
        )

"""`dissect report FOLDER`: a page for each of its captures, each made by a worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dissect.cli.faults import note
from dissect.cli.options import session
from dissect.errors import UsageError
from dissect.saving import save

if TYPE_CHECKING:
    from dissect.pipeline import RunOptions
    from dissect.report.folder_index import Run
    from dissect.workers import Limits

UNREAD = 2  # exit code where one was not analysed


def pages(
    folder: Path,
    target: Path,
    looks: dict[str, Any],
    options: dict[str, Any],
    jobs: int | None,
    limits: Limits,
) -> int:
    """A page for each run of a folder, and the index; gives the exit code, the worst of all, or
    2 where one was not analysed. Each run is read and drawn by a worker; what goes wrong with
    one is reported in its row. `looks` are the keywords of a `Drawing`.

    Raises UsageError for a folder without captures, a place that can't be written, and what
    no worker could use.
    """
    from dissect.cli.limits import too_large
    from dissect.cli.page import TASK, own, packed
    from dissect.report.folder_index import runs
    from dissect.workers import Workers, default_jobs

    found = runs(folder)
    if not found:
        raise UsageError(f"{folder}: no captures in this folder")
    if not any(run.captures for run in found):
        raise UsageError(f"{folder}: {found[0].name}: {found[0].problem}")
    _check_places(found, target, options)
    common = _checked(found, options)
    if looks["anonymize"] and common.reveal:
        raise UsageError("--anonymize and --reveal exclude each other")
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{target}: {(error.strerror or str(error)).lower()}") from None
    done = {run.name: run for run in found if run.problem}
    for run in found:
        if problem := too_large((*run.captures, *run.candidates), limits):
            done[run.name] = run.failed(f"not analysed: {problem}")
    read = [run for run in found if run.name not in done]
    tasks = [
        {"options": packed(own(common, run)), "candidates": run.candidates, **looks} for run in read
    ]
    code = 0
    with Workers(jobs or default_jobs(), limits) as workers:
        for run, result in zip(read, workers.run(TASK, tasks), strict=True):
            if result.answer is None:
                done[run.name] = run.failed(f"not analysed: {result.problem}")
                continue
            answer = result.answer
            done[run.name] = _save_page(run, target, answer, common.reveal)
            code = max(code, answer["code"])
            note(answer["faults"])
    _finish(folder, target, [done[run.name] for run in found], common.reveal)
    return UNREAD if any(run.problem for run in done.values()) else code


def _save_page(run: Run, target: Path, answer: dict[str, Any], reveal: bool) -> Run:
    """Write the page that a worker made; the run with what its row of the index says."""
    from dissect.render.escape import visible

    page = target / f"{run.name}.html"
    save(str(page), answer["page"], reveal)
    click.echo(f"wrote {visible(str(page))}", err=True)
    logs, flows = tuple(answer["phone_logs"]), tuple(answer["flows"])
    return replace(run, page=page.name, phone_logs=logs, flows=flows, start=answer["start"])


def _finish(folder: Path, target: Path, found: Sequence[Run], reveal: bool) -> None:
    """Say which runs were not analysed, and write the index."""
    from dissect.render.escape import visible
    from dissect.report.folder_index import index

    for run in found:
        if run.problem:
            click.echo(f"dissect: {visible(f'{run.name}: {run.problem}')}", err=True)
    save(str(target / "index.html"), index(folder.name, found), reveal)
    click.echo(f"wrote {visible(str(target / 'index.html'))}", err=True)


def _checked(found: Sequence[Run], options: dict[str, Any]) -> RunOptions:
    """The options for all runs together. Raises UsageError for what no worker could use, so that
    it is reported once: a key log that does not exist, a flow that can't be read."""
    from dissect.pipeline import bind_key_logs

    run = session([name for item in found for name in item.captures], **options)
    bind_key_logs(run.options)
    if run.options.flows or run.options.plugins:
        _ = run.definitions
    return run.options


def _check_places(found: Sequence[Run], target: Path, options: dict[str, Any]) -> None:
    """Raises UsageError where a page, or the index, would take the place of a file that is read,
    by whichever run."""
    from dissect import output_conflicts
    from dissect.pipeline import RunOptions

    names = ("key_logs", "rsa_keys", "flows", "plugins")
    given: dict[str, Any] = {name: tuple(options.get(name, ())) for name in names}
    read: list[str] = [options["rsa_password"]] if options.get("rsa_password") else []
    for item in found:
        read += output_conflicts.files(
            RunOptions(item.captures, phone_logs=item.candidates, **given)
        )
    pages = [f"{item.name}.html" for item in found]
    written = [str(target / page) for page in (*pages, "index.html")]
    output_conflicts.check_chosen(written)
    output_conflicts.check_files(read, written)

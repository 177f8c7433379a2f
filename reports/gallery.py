"""Draws the recorded captures: `make gallery`.

Every scenario in every format goes to out/gallery; of the failures in `KEPT` some formats are
also kept in reports/gallery, for who looks without making. Each file is made by the command line,
in the scenario's folder, so that names of files stay relative.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CAPTURES, GALLERY = ROOT / "captures", ROOT / "out" / "gallery"
SAMPLES = ROOT / "reports" / "gallery"
FORMATS = ("txt", "png", "svg", "pdf", "html", "md", "mmd", "puml", "csv", "json", "har")
# A person's mistake, a registration that goes round in circles, a connection nobody could read.
KEPT = ("wrong-password", "tls-dsk-loop", "unknown-ca")
KEPT_FORMATS = ("png", "html", "md", "txt")
WORKERS = 2


def scenarios() -> Iterator[Path]:
    """Folders of recordings; what they hold is what the command gets."""
    yield from (path.parent for path in sorted(CAPTURES.glob("*/truth.json")))


def arguments(folder: Path) -> list[str]:
    logs = sorted(path.name for path in folder.glob("phone*.log"))
    captures = sorted(folder.glob("*.pcapng"), key=lambda path: (path.stem != "phone", path.stem))
    return [
        *(path.name for path in captures),
        *(word for name in logs for word in ("--phone-log", name)),
    ]


def make(folder: Path) -> tuple[str, list[str]]:
    """Draw one scenario; returns its name and the verdicts."""
    target = GALLERY / folder.name
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    command = [sys.executable, "-m", "dissect", "report", *arguments(folder)]
    for kind in FORMATS:
        command += ["-o", str(target / f"chart.{kind}")]
    wanted = [sys.executable, "-m", "dissect", "flow", *arguments(folder), "--format", "json"]
    verdicts = []
    for words in (command, wanted):
        result = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
        if result.returncode not in (0, 1, 3):
            raise SystemExit(f"{folder.name}: {result.stderr.strip()[-500:]}")
        if result.returncode == 3:
            return folder.name, ["no flow found"]
    for flow in json.loads(result.stdout)["flows"]:
        cause = f", `{flow['cause']['code']}`" if flow["cause"] else ""
        at = f" at step {flow['stopped_at']}" if flow["stopped_at"] else ""
        verdicts.append(f"{flow['title']}: {flow['status']}{at}{cause}")
    return folder.name, verdicts


def page(folder: Path, note: str, rows: list[tuple[str, list[str]]]) -> str:
    """The list of what `folder` holds."""
    lines = [
        "# Gallery", "",
        *note.splitlines(),
        "", "| scenario | what dissect says | files |", "|---|---|---|",
    ]  # fmt: skip
    for name, verdicts in rows:
        files = sorted((folder / name).glob("chart*"))
        links = ", ".join(f"[{p.name.partition('.')[2]}]({name}/{p.name})" for p in files)
        lines.append(f"| `{name}` | {'<br>'.join(verdicts)} | {links} |")
    return "\n".join(lines) + "\n"


def keep(rows: list[tuple[str, list[str]]]) -> None:
    """Copy what stays in the repository, in place of what was there."""
    shutil.rmtree(SAMPLES, ignore_errors=True)
    for name in KEPT:
        (SAMPLES / name).mkdir(parents=True)
        for kind in KEPT_FORMATS:
            shutil.copy(GALLERY / name / f"chart.{kind}", SAMPLES / name)
    note = (
        "Three failures of `captures/`, each as picture, report, Markdown and text.\n"
        "`make gallery` draws all recordings in all formats into `out/gallery`; what the formats\n"
        "are for says [docs/cli.md](../../docs/cli.md)."
    )
    kept = sorted((row for row in rows if row[0] in KEPT), key=lambda row: KEPT.index(row[0]))
    (SAMPLES / "README.md").write_text(page(SAMPLES, note, kept), "utf-8")


def main() -> None:
    shutil.rmtree(GALLERY, ignore_errors=True)
    GALLERY.mkdir(parents=True)
    with ThreadPoolExecutor(WORKERS) as pool:
        rows = list(pool.map(make, scenarios()))
    note = "Made by `make gallery` from the recordings in `captures/`."
    (GALLERY / "README.md").write_text(page(GALLERY, note, rows), "utf-8")
    keep(rows)
    for folder in (GALLERY, SAMPLES):
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        print(f"{size / 1e6:.1f} MB in {folder.relative_to(ROOT)}")


if __name__ == "__main__":
    main()

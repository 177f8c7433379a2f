"""Both engines over folders of captures, against the lists of known differences.

`make crosscheck` runs this module and keeps what it finds in reports/crosscheck.md; the
tests run the same over the same captures. `FOLDER...` adds captures of one's own, which
the rules of `dissect.engines.reasons` explain, since no list knows them.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dissect.engines import CaptureInput
from dissect.engines.baseline import Baseline
from dissect.engines.both import Checked, check
from dissect.errors import DissectError

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
KNOWN = (str(HERE / "differences.toml"), str(HERE / "waiting.toml"))
FOLDERS = (ROOT.parent / "shared" / "captures", ROOT / "captures")
SUFFIXES = (".pcap", ".pcapng", ".pcap.gz", ".pcapng.gz", ".pcap.zst", ".pcapng.zst")


@dataclass(frozen=True)
class Found:
    """A capture below one of the folders, and the keys that lie beside it."""

    folder: Path
    path: Path

    @property
    def name(self) -> str:
        """As reports and lists name it: without the machine's folders."""
        return self.path.relative_to(self.folder).as_posix()

    @property
    def input(self) -> CaptureInput:
        bare = self.path
        while bare.suffix in (".gz", ".zst", ".lz4"):
            bare = bare.with_suffix("")
        logs = [bare.with_suffix(suffix) for suffix in (".keys", ".keylog")]
        key = bare.with_suffix(".key")
        return CaptureInput(
            name=str(self.path),
            found_key_logs=tuple(str(path) for path in logs if path.is_file()),
            rsa_keys=(str(key),) if key.is_file() else (),
        )


def captures(folders: Iterable[Path]) -> Iterator[Found]:
    for folder in folders:
        for path in sorted(folder.glob("*/*")):
            if path.name.endswith(SUFFIXES) and path.is_file():
                yield Found(folder, path)


def examine(found: Found, known: Baseline | None) -> Checked:
    """One capture, its differences explained; names are those of the report."""
    result = check(found.input, known=known)
    for item in result.comparison.differences:
        item.capture = found.name
    return result


def main(arguments: Sequence[str]) -> int:
    report, own = Path(arguments[0]), [Path(name) for name in arguments[1:]]
    known = Baseline(KNOWN)
    results: list[tuple[Found, Checked]] = []
    unread: list[str] = []
    for found in captures([*FOLDERS, *own]):
        print(found.name, file=sys.stderr, flush=True)
        try:
            results.append((found, examine(found, None if found.folder in own else known)))
        except DissectError as error:
            unread.append(f"{found.name}: {str(error).replace(str(found.path), found.name)}")
    stale = known.stale(str(found.path) for found, _ in results)
    text = render(results, unread, [f"{e.capture} frame {e.frame} {e.field}" for e in stale])
    report.write_text(text, "utf-8")
    unexplained = sum(len(checked.comparison.unexplained) for _, checked in results)
    print(f"{report}: {unexplained} differences are not explained", file=sys.stderr)
    return 1 if unexplained or stale else 0


def render(
    results: Sequence[tuple[Found, Checked]], unread: Sequence[str], stale: Sequence[str]
) -> str:
    """The report: what agrees by protocol, each difference with its reason."""
    agreed: Counter[str] = Counter()
    differ: Counter[str] = Counter()
    for _, checked in results:
        agreed.update(checked.comparison.agreed)
        differ.update(item.protocol for item in checked.comparison.differences)
    engines = sorted(
        {checked.engine.partition(" (")[0] for _, checked in results if " " in checked.engine}
    )
    lines = ["# dissect against tshark", ""]
    lines += [f"`make crosscheck`, {len(results)} captures, {', '.join(engines)}.", ""]
    lines += ["| protocol | messages that agree | differences |", "|---|---|---|"]
    lines += [
        f"| {name} | {agreed[name]} | {differ[name]} |" for name in sorted({*agreed, *differ})
    ]
    lines += ["", "| capture | where | field | dissect | tshark | reason | right |"]
    lines += ["|---|---|---|---|---|---|---|"]
    notes: dict[str, str] = {}
    for _, checked in results:
        for item in checked.comparison.differences:
            where = f"{item.protocol} stream {item.stream} frame {item.frame}, {item.what}"
            cells = (item.capture, where, item.name, item.embedded, item.tshark)
            reason = item.reason or "**not explained**"
            lines.append(f"| {' | '.join(map(_cell, cells))} | {reason} | {item.right or ''} |")
            if item.reason:
                notes[item.reason] = f"{item.note} ({item.link})" if item.link else item.note
    lines.append("")
    lines += [f"- `{code}`: {text}" for code, text in sorted(notes.items())]
    lines += [f"- not read by dissect: {text}" for text in unread]
    lines += [f"- no longer occurs: {text}" for text in stale]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What the repository itself promises: links lead somewhere, every page is found, no ballast."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[1]
MAX_REPORTS = 2_000_000  # bytes of what runs have made and the repository keeps
LINK = re.compile(r"(?<!\\)\[[^\]\n]*\]\(([^)\s]+)\)")


def tracked(pattern: str) -> list[Path]:
    """Files that git has; all that lie there where this is no clone."""
    done = subprocess.run(
        ["git", "ls-files", "-z", pattern], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip("not a clone of git's")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def pages() -> list[Path]:
    own = [path for path in tracked("*.md") if not path.match("reports/gallery/*/*")]
    assert len(own) > 8
    return own


def test_links_lead_to_files() -> None:
    dead = [
        (page.relative_to(ROOT).as_posix(), link)
        for page in pages()
        for link in LINK.findall(page.read_text("utf-8"))
        if not re.match(r"[a-z]+:|#", link)
        and not (page.parent / unquote(link.partition("#")[0])).exists()
    ]
    assert not dead


def test_the_index_lists_every_page() -> None:
    index = ROOT / "docs" / "README.md"
    listed = {(index.parent / link).resolve() for link in LINK.findall(index.read_text("utf-8"))}
    wanted = {path.resolve() for path in (*tracked("docs/*.md"), *ROOT.glob("*.md"))} - {index}
    assert wanted <= listed


def test_reports_stay_small() -> None:
    size = sum(path.stat().st_size for path in tracked("reports/*"))
    assert 0 < size <= MAX_REPORTS


def test_changes_are_grouped() -> None:
    """https://keepachangelog.com: releases, and in each the kinds of change."""
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    releases = text.split("\n## ")[1:]
    assert releases
    kinds = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
    for release in releases:
        before, *groups = release.split("\n### ")
        assert "\n- " not in before
        named = [group.partition("\n")[0] for group in groups]
        assert named == [kind for kind in kinds if kind in named]


def test_what_contributing_names_is_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    makefile = (ROOT / "Makefile").read_text("utf-8")
    table = re.findall(r"^\| (`[^|]+`) \|", text, re.M)
    targets = {name for row in table for name in re.findall(r"`([\w-]+)`", row)}
    assert "test" in targets
    assert {name for name in targets if not re.search(rf"^{name}:", makefile, re.M)} == set()
    paths = re.findall(r"`((?:dissect|tests|plugins|captures|docs)/[\w/.-]+)`", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []

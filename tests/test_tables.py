"""Tables are declared once: rows, documents and commands have those columns and no others."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from dissect.cli.main import COMMANDS, cli
from dissect.tables import COMMON, NAMES, table

PAGE = Path(__file__).resolve().parents[1] / "docs" / "tables.md"


def documented() -> dict[str, list[tuple[str, str, str]]]:
    """Name of a table → its rows on the page, those of the common keys under ""."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for part in PAGE.read_text("utf-8").split("\n## ")[1:]:
        title = part.partition("\n")[0].strip("`")
        rows = re.findall(r"^\| `([^`]+)` \| (.*?) \| (.*?) ?\|$", part, re.M)
        found["" if title == "Common keys" else title] = rows
    return found


def test_the_page_has_every_column_and_no_other() -> None:
    expected = {"": COMMON} | {
        name: tuple(item for item in table(name).columns if item not in COMMON) for name in NAMES
    }
    assert documented() == {
        name: [
            (c.name, c.about, ", ".join(f"`{f}`" for f in c.wireshark.split(", ") if f))
            for c in columns
        ]
        for name, columns in expected.items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_table_shows_columns_that_it_has_each_once(name: str) -> None:
    known = table(name)
    assert len(set(known.keys)) == len(known.keys)
    assert set(known.shows) <= set(known.keys)
    assert {item.name for item in COMMON} <= set(known.keys)


@pytest.mark.parametrize("name", [name for name in NAMES if name in COMMANDS])
def test_a_command_offers_the_filters_of_its_table(name: str) -> None:
    reported = CliRunner().invoke(cli, [name, "--help"]).output
    offered = set(re.findall(r"--(host|method|status|stream|time|actor|fields)\b", reported))
    assert offered >= {*table(name).filters, "stream", "time", "actor", "fields"}
    assert set(table(name).filters) == offered - {"stream", "time", "actor", "fields"}


NEWER = {"tls.handshake.ja4"}  # since Wireshark 4.2


def test_wireshark_has_the_fields_that_columns_name() -> None:
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed")
    listed = subprocess.run(
        [tshark, "-G", "fields"], capture_output=True, check=True, text=True, errors="replace"
    ).stdout
    known = {line.split("\t")[2] for line in listed.splitlines() if line.startswith("F\t")}
    columns = [column for name in NAMES for column in table(name).columns if column.wireshark]
    named = {field for column in columns for field in column.wireshark.split(", ")}
    assert named - known - NEWER == set()

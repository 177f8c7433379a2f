"""The field names against the tshark at hand, and against recorded lists of others."""

from __future__ import annotations

import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest

from dissect.engines.tshark.names import FRAME_FIELDS, MESSAGE_FIELDS, TLS_FIELDS
from tests.lab import need_tshark

ASKED = {*FRAME_FIELDS, *TLS_FIELDS, *MESSAGE_FIELDS}
RECORDED = tomllib.loads((Path(__file__).parent / "recorded_fields.toml").read_text("utf-8"))


@cache
def fields_at_hand() -> frozenset[str]:
    command = [need_tshark(), "-G", "fields"]
    text = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    return frozenset(line.split("\t")[2] for line in text.splitlines() if line.startswith("F\t"))


def test_tshark_at_hand_knows_every_field() -> None:
    assert ASKED - fields_at_hand() == set()


@pytest.mark.parametrize("version", RECORDED)
def test_recorded_versions_know_every_field(version: str) -> None:
    assert ASKED - set(RECORDED[version]["names"]) == set()


def test_preferences_exist() -> None:
    """A preference of a wrong name only warns: trouble 17."""
    command = [need_tshark(), "-G", "currentprefs"]
    text = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    names = {line.partition(":")[0].lstrip("#") for line in text.splitlines()}
    wanted = {"tcp.reassemble_out_of_order", "sip.display_raw_text", "tls.keylog_file"}
    assert wanted <= names

"""The shipped flows and their cause codes are in the documents."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dissect.flow.definition import built_in

DOCS = Path(__file__).resolve().parents[2] / "docs"
FLOWS = (DOCS / "cli.md").read_text("utf-8")
CODES = (DOCS / "troubleshooting.md").read_text("utf-8")


def codes(flow: str) -> set[str]:
    """The codes that a flow can end with, templates up to their first fact."""
    definition = built_in()[flow]
    templates = [arrow.fails.code for _, arrow in definition.arrows if arrow.fails]
    templates += [item.code for item in (*definition.unfinished, *definition.trouble)]
    alternatives = [part for code in templates for part in _alternatives(code)]
    return {part.partition("{")[0] for part in alternatives} - {""}  # "{clock_code}" is its own


def _alternatives(template: str) -> list[str]:
    """ "a.[{b}|c]" is "a.{b}" or "a.c"."""
    found = re.search(r"\[([^\[\]]*)\]", template)
    if found is None:
        return [template]
    before, after = template[: found.start()], template[found.end() :]
    return [before + part + after for part in found.group(1).split("|")]


@pytest.mark.parametrize("flow", built_in())
def test_each_flow_and_each_of_its_codes_is_documented(flow: str) -> None:
    assert f"| `{flow}` |" in FLOWS
    listed = re.findall(r"`([a-z_]+\.[A-Za-z0-9_.]*)…?`", CODES)
    missing = {code for code in codes(flow) if not any(_covers(row, code) for row in listed)}
    assert missing == set()


def _covers(row: str, code: str) -> bool:
    """Rows end open ("`sip.…`"), and so do codes that are completed from the message."""
    open_ends = (".", "_")
    return (
        row == code
        or (row.endswith(open_ends) and code.startswith(row))
        or (code.endswith(open_ends) and row.startswith(code))
    )


def test_codes_are_read_from_their_templates() -> None:
    assert _alternatives("a.[{b}|c]") == ["a.{b}", "a.c"]
    assert {"saml.", "saml.response_refused", "tls.alert."} <= codes("saml-sp-initiated")
    assert not _covers("saml.response_refused", "drs.")

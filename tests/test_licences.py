"""LICENSE, the table of licences, and what the audit says."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import PackageNotFoundError, distribution

import pytest

from tests import audit, licences

# Of https://www.apache.org/licenses/LICENSE-2.0.txt, as Debian (common-licenses) and packages
# such as pyOpenSSL carry it.
APACHE = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"


def test_the_licence_is_apaches_own_text() -> None:
    content = (licences.ROOT / "LICENSE").read_bytes()
    assert hashlib.sha256(content).hexdigest() == APACHE


def test_no_package_of_setup_cfg_is_forgotten() -> None:
    """`make licences` writes the table anew."""
    table = licences.rows(licences.TABLE.read_text("utf-8"))
    wanted = licences.required()
    assert "scapy" in wanted
    assert {"atheris", "pip-audit"} <= wanted.keys()
    for name, parts in wanted.items():
        assert name in table, f"{name} is not in reports/licences.md"
        assert parts <= set(table[name][1].split(", ")), name
    for name, (words, parts) in table.items():
        assert licences.family(words), f"{name}: {words}"
        # What is there for developers alone is named in setup.cfg.
        assert name in wanted or set(parts.split(", ")) <= set(licences.SHIPPED), name


def test_the_licences_are_those_of_the_installed_packages() -> None:
    table = licences.rows(licences.TABLE.read_text("utf-8"))
    compared = 0
    for name in licences.required():
        try:
            found = licences.family(licences.licence(distribution(name)))
        except PackageNotFoundError:
            continue  # of an extra that is not installed here
        compared += 1
        assert not found or found == licences.family(table[name][0]), name
    assert compared > 20


def test_another_licence_would_be_seen() -> None:
    assert licences.family("GPL-2.0-only") == {"GPL"}
    assert licences.family("AGPL-3.0") == {"AGPL"}
    assert licences.family("MIT AND Zlib") == {"MIT", "Zlib"}
    assert licences.family(licences.UNNAMED) == set()


VULNERABLE = {"name": "a", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}
SKIPPED = {"name": "b", "skip_reason": "Dependency not found on PyPI and could not be audited"}
CLEAN = {"name": "c", "version": "1", "vulns": []}


@pytest.mark.parametrize(
    ("report", "found"),
    [
        ("", None),
        ("not json", None),
        ({"dependencies": [SKIPPED]}, None),
        ({"dependencies": [SKIPPED, CLEAN]}, []),
        ({"dependencies": [VULNERABLE, SKIPPED]}, ["a 1: CVE-1, mended in 2"]),
    ],
)
def test_the_audit_tells_no_data_from_no_finding(report: object, found: list[str] | None) -> None:
    text = report if isinstance(report, str) else json.dumps(report)
    assert audit.findings(text) == found

"""Scenario files: a new one is a file, and a mistake in it is named."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from signlab.config import (
    LAB,
    ConfigError,
    Scenario,
    build,
    load_names,
    load_scenario,
    scenario_names,
)

GOOD = {
    "title": "t",
    "verdict": {"status": "complete"},
    "expect": {"phone": "registered", "browser": "signed-in"},
}


@pytest.mark.parametrize("name", scenario_names())
def test_every_scenario_loads(name: str) -> None:
    scenario = load_scenario(name)
    assert load_names(scenario.names).user.sip
    assert scenario.verdict.status in ("complete", "failed", "incomplete")
    for verdict in (scenario.verdict, scenario.also, scenario.second.verdict):
        assert (verdict.status == "failed") == bool(verdict.code)
        assert verdict.stopped_at == 0 or verdict.status != "complete"
    roles = set(load_names(scenario.names).hosts.by_role())
    used = [*scenario.network.unknown, *scenario.trust.unknown, *scenario.trust.expired]
    assert roles >= {*used, scenario.network.firewall_role}


@pytest.mark.parametrize(
    ("table", "word"),
    [
        ({**GOOD, "phone": {"tsl": "1.2"}}, "s.toml.phone: unknown key 'tsl'"),
        ({**GOOD, "phone": {"tls": "1.4"}}, "s.toml.phone: 'tls' is '1.4', not one of '1.0', "),
        ({k: v for k, v in GOOD.items() if k != "verdict"}, "s.toml: key 'verdict' is missing"),
    ],
)
def test_a_mistake_is_named(table: dict[str, object], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        build(Scenario, table, "s.toml")


def test_defaults_are_the_reference_flow() -> None:
    scenario = build(Scenario, GOOD, "s.toml")
    assert scenario.phone.tls == "1.2"
    assert scenario.azuread.federated


def test_names_tables_share_nothing_that_identifies() -> None:
    real, renamed = load_names("real"), load_names("renamed")
    ours, theirs = real.hosts.by_role(), renamed.hosts.by_role()
    assert ours.keys() == theirs.keys()
    assert not {h.name for h in ours.values()} & {h.name for h in theirs.values()}
    assert not {h.address for h in ours.values()} & {h.address for h in theirs.values()}
    for table in ("clients", "user", "user2", "organisation", "device", "device2", "links"):
        left, right = getattr(real, table), getattr(renamed, table)
        for field in type(left).__dataclass_fields__:
            mine, other = getattr(left, field), getattr(right, field)
            assert mine != other or mine == "", f"{table}.{field}"


def test_the_lab_imports_nothing_from_dissect() -> None:
    for path in LAB.rglob("*.py"):
        for node in ast.walk(ast.parse(Path(path).read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            assert not [n for n in names if n.split(".")[0] == "dissect"], path.name

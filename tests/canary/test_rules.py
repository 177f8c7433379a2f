"""The canary can fail: without any one rule of the policy it does."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.canary import commands, device_places, http_places, scene, sip_places
from tests.canary.judged import leaks
from tests.canary.rules import PACKAGE, RULES
from tests.canary.running import Runner
from tests.canary.scene import Scene
from tests.canary.search import Searcher
from tests.canary.test_canary import WAITING, bare

pytest.importorskip(PACKAGE)
SEARCHER = Searcher()


Found = dict[str, set[str]]  # by the value's shape, the positions that leak


def leaking(folder: Path, places: Iterable[str], shape: str) -> set[str]:
    """The positions that leak of those that fit some patterns, and whose tables they are in."""
    for name in ("in", "run"):
        (folder / name).mkdir(parents=True)
    made, runner = Scene(folder / "in", shape=shape), Runner(folder / "run")
    wanted = tuple(places)

    def fits(carrier: str, names: Iterable[str]) -> set[int]:
        return {
            index
            for index, name in enumerate(names)
            if any(fnmatchcase(f"{carrier}{name}", place) for place in wanted)
        }

    http = fits("http1 ", http_places.PLACES)
    sip = fits("sip ", sip_places.PLACES)
    tables = []
    if http:
        scene.add_http1(made, lambda index: index in http)
        tables.append("http")
    if sip:
        scene.add_sip(made, lambda index: index in sip)
        tables.append("sip")
    if fits("", device_places.PLACES):
        scene.add_devices(made)
        tables += ["dhcp", "dns", "events"]
    captures = [str(path) for path in made.captures]
    for table in tables:
        runner.run(table, *captures, "--format", "json")
    if http or sip:
        runner.run("report", *captures, out=commands.PAGES)
    return {leak.position for leak in leaks(made, runner.outputs, SEARCHER)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Found:
    shapes = {rule.shape for rule in RULES.values()}
    return {
        shape: leaking(
            tmp_path_factory.mktemp(shape),
            [place for rule in RULES.values() if rule.shape == shape for place in rule.places],
            shape,
        )
        for shape in shapes
    }


def test_with_all_rules_none_gets_out(whole: Found) -> None:
    assert {
        shape: {p for p in found if bare(p) not in WAITING} for shape, found in whole.items()
    } == {shape: set() for shape in whole}


@pytest.mark.parametrize("name", list(RULES))
def test_without_one_rule(
    name: str, whole: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = RULES[name]
    rule.removed(monkeypatch)
    try:
        more = leaking(tmp_path, rule.places, rule.shape) - whole[rule.shape]
    finally:
        monkeypatch.undo()
        importlib.import_module(f"{PACKAGE}.harmless").known.cache_clear()
    assert any(fnmatchcase(position, place) for position in more for place in rule.places), more


# What decides nothing by itself: where secrets are kept, how texts are read.
NO_RULES = {
    "nodes",
    "masking",
    "multipart",
    "policy",
    "secret_collection",
    "encodings",
    "shown_bodies",
    "kinds",
    "masked_texts",
    "jsons",
    "pages",
    "vocabulary",
    "structured",
    "sip_secrets",
    "bounds",
    "cuts",
    "judging",
}


def test_every_module_of_the_policy_has_a_rule_here() -> None:
    package = importlib.import_module(PACKAGE)
    modules = {item.name for item in pkgutil.iter_modules(package.__path__)}
    closures = {
        str(cell.cell_contents).partition(":")[0]
        for rule in RULES.values()
        for cell in rule.removed.__closure__ or ()
        if isinstance(cell.cell_contents, str)
    }
    named = closures | {"harmless", "field_names"}  # by functions of their own
    assert modules - named - NO_RULES == set()

"""Every regular expression meets its own worst input: twice of it may cost twice the steps.

Steps are counted (`steps`), not seconds; inputs are made from each pattern (`attacks`); which
patterns there are says the source (`inventory`). Planted patterns show that it can fail.
"""

from __future__ import annotations

import fnmatch
import re
import sys
from pathlib import Path

import pytest

from tests.patterns import inventory
from tests.patterns.builders import BUILT
from tests.patterns.growth import worst
from tests.patterns.inventory import Site
from tests.patterns.steps import Program, count

SITES = inventory.sites()
PATTERNS = [(site, use) for site in SITES if site.pattern is not None for use in sorted(site.uses)]
# Quadratic, cubic and exponential ones; the first two stood in redaction/secret_collection.py.
SLOW = [
    (
        r"(?i)<input\b[^>]*?\bname=[\"']?([\w.:-]+)[\"']?[^>]*?\bvalue=(?:\"([^\"]*)\"|'([^']*)')",
        "finditer",
    ),
    (
        r"(?s)<(?:[\w-]+:)?(?:Encrypted)?Assertion\b.*?</(?:[\w-]+:)?(?:Encrypted)?Assertion>",
        "finditer",
    ),
    (r"a[^b]*b", "finditer"),
    (r"<([^>]*)>", "search"),
    (r"\s+$", "search"),
    (r"([a-z_]+)=", "finditer"),
    (r"[a-z]{1,4000}@", "search"),
    (r"[\w.]+@[\w.]+", "search"),
    (r"eyJ[\w-]{10,}\.", "search"),
    (r"(?s)<!--.*?-->", "finditer"),
    (r"(?:[^\"\\]|\\.)*\"", "search"),
    (r"(?=.*z)a", "finditer"),
    (r"(\d+)(?=.*x)", "tokens"),
    (r"\w+\d+x", "fullmatch"),
    (r"a.*b.*c", "match"),
    (r"\S+[ \t]+([^\r\n]*?)[ \t]+HTTP/1", "match"),
    (r"(.)\1*y", "finditer"),
    (r"(x+x+)+y", "match"),
    (r"(a+)+$", "search"),
    (r"(?:a|a)*b", "match"),
    (r"^(\w+\s?)*$", "fullmatch"),
    (r"(?:abc)+(?:abcabc)*d", "match"),
]
LINEAR = [
    (r"<[^<>]*+>", "finditer"),
    (r"(?<![a-z_])([a-z_]++)=", "finditer"),
    (r"[a-z]{1,40}@", "search"),
    (r"\"(?:[^\"\\]|\\.)*+\"?", "finditer"),
    (r"(?>a+)b", "match"),
    (r"((a|b)*c)*d", "match"),
    (r"(?m)^(\w+):[ \t]*(.*)$", "finditer"),
]


def _name(value: object) -> str:
    if isinstance(value, Site):
        return f"{value.module}:{value.line}"
    return str(value)


@pytest.mark.long
@pytest.mark.parametrize(("site", "use"), PATTERNS, ids=_name)
def test_a_pattern_is_linear(site: Site, use: str) -> None:
    assert site.pattern is not None
    assert worst(site.pattern, use) is None, site.pattern.pattern


def test_every_pattern_made_at_run_time_is_known() -> None:
    made = {site.key for site in SITES if site.pattern is None}
    assert made == set(BUILT), "teach tests/patterns/builders.py to make it from awkward samples"


@pytest.mark.parametrize("key", BUILT, ids=".".join)
def test_a_pattern_made_at_run_time_is_linear(key: tuple[str, str]) -> None:
    made = BUILT[key]()
    assert made
    for pattern, use in {(pattern.pattern, use): (pattern, use) for pattern, use in made}.values():
        assert worst(pattern, use) is None, pattern.pattern


def test_no_call_is_overlooked() -> None:
    """The inventory finds as many as a plain look through the text does."""
    calls = r"\bre\.(?:compile|match|fullmatch|search|findall|finditer|subn?|split)\("
    lines = [line for path in inventory.sources() for line in path.read_text("utf-8").splitlines()]
    assert sum(len(re.findall(calls, line)) for line in lines) == len(SITES) > 150


@pytest.mark.parametrize(("pattern", "use"), SLOW)
def test_a_slow_pattern_is_found(pattern: str, use: str) -> None:
    assert worst(re.compile(pattern), use) is not None


@pytest.mark.parametrize(("pattern", "use"), LINEAR)
def test_a_linear_pattern_is_not_accused(pattern: str, use: str) -> None:
    assert worst(re.compile(pattern), use) is None


@pytest.mark.parametrize(
    ("source", "told", "uses"),
    [
        ("import re\nA = re.compile('a+')\nB = A.match('x')\n", "a+", {"match"}),
        ("import re\nA = re.compile('a+')\nB = A.match('x', 1)\n", "a+", {"tokens"}),
        ("import re\nA = re.compile('a+')\nB = list(map(A.fullmatch, []))\n", "a+", {"fullmatch"}),
        ("import re\nA = (re.compile('a+'),)\n", "a+", {"finditer"}),
        ("import re\nA = re.compile('a+')\nB = [A]\n", "a+", {"finditer"}),
        ("import re as r\ndef f(x):\n    return r.sub('a+', '', x)\n", "a+", {"finditer"}),
        ("from re import search as s\ndef f(x):\n    return s('a+', x)\n", "a+", {"search"}),
        ("import re\ndef f(x):\n    return re.search('a' + x, x)\n", None, {"search"}),
    ],
)
def test_a_new_pattern_is_found_with_its_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, told: str | None, uses: set[str]
) -> None:
    path = tmp_path / "plugins" / "new.py"
    path.parent.mkdir()
    path.write_text(source, "utf-8")
    monkeypatch.setattr(inventory, "ROOT", tmp_path)
    monkeypatch.setattr(inventory, "sources", lambda: [path])
    monkeypatch.delitem(sys.modules, "plugins.new", raising=False)
    (site,) = inventory.sites.__wrapped__()
    assert (site.pattern and site.pattern.pattern, site.uses) == (told, uses)


def test_steps_grow_as_theory_says() -> None:
    """`a*b` from each of n places of a run of a's: n(n+1)/2 characters are read."""
    program = Program(re.compile("a*b"))
    steps = [count(program, "search", "a" * n) for n in (100, 200, 400)]
    assert 3.8 < steps[1] / steps[0] < 4.1
    assert 3.8 < steps[2] / steps[1] < 4.1


@pytest.mark.parametrize("pattern", ["*a*a*a*", "*.*.example", "[a-z]*[a-z]*x", "?" * 20 + "*a"])
def test_the_name_patterns_of_definitions_and_filters_are_linear(pattern: str) -> None:
    """What a user writes (hosts, facts of a match, --host) is for fnmatch, not `re`."""
    assert worst(re.compile(fnmatch.translate(pattern)), "match") is None

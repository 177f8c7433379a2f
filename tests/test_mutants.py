"""What `make mutants` chooses and reads; that mutmut itself works is seen by running it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import pytest

from tests import mutants


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    return mutants.imports()


def test_imports_of_every_form_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "dissect/__init__.py": "",
        "dissect/a/__init__.py": "from .b import x",
        "dissect/a/b.py": "import dissect.c\nx = 1",
        "dissect/c.py": "def f():\n    from dissect.a import b",
        "tests/__init__.py": "",
        "tests/helper.py": "from dissect import c",
        "tests/test_one.py": "from .helper import y\nimport os",
        "tests/deep/__init__.py": "",
        "tests/deep/test_two.py": "from ..helper import y",
        "tests/deep/test_none.py": "import json",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(mutants, "ROOT", tmp_path)
    found = mutants.imports()
    assert found["dissect.a"] == {"dissect.a.b"}
    assert found["dissect.a.b"] == {"dissect.c"}
    assert found["dissect.c"] == {"dissect.a", "dissect.a.b"}
    assert found["tests.helper"] == {"dissect", "dissect.c"}
    assert found["tests.test_one"] == {"tests.helper"}
    assert found["tests.deep.test_two"] == {"tests.helper"}
    assert mutants.reached("tests.test_one", found) >= {"dissect.a.b", "dissect.c", "dissect.a"}
    assert set(mutants.near("dissect/a/b.py", found)) == {
        "tests/test_one.py",
        "tests/deep/test_two.py",
    }
    assert len(mutants.near("dissect/a/b.py", found, most=1)) == 1


@pytest.mark.parametrize(
    ("file", "first"),
    [
        ("dissect/protocols/tls/records.py", "tests/protocols/tls/test_record_bounds.py"),
        ("dissect/flow/verdict.py", "tests/flow/test_verdict.py"),
        ("dissect/protocols/http/pairing.py", "tests/protocols/test_http_pairing.py"),
        ("dissect/signin/redirect_chain.py", "tests/signin/test_redirect_times.py"),
        ("dissect/engines/hints.py", "tests/engines/test_hints.py"),
    ],
)
def test_the_nearest_tests_come_first(graph: dict[str, set[str]], file: str, first: str) -> None:
    found = mutants.near(file, graph)
    assert found[0] == first
    assert len(found) <= mutants.NEAREST
    assert all((mutants.ROOT / path).is_file() for path in found)


class Workshop:
    """What mutmut would have left behind."""

    codes: Mapping[str, int | None] = MappingProxyType({})
    functions: frozenset[str] = frozenset()

    def __init__(self, file: str, tests: Sequence[str], seed: int) -> None:
        self.ran: list[str] = []

    def with_types(self, wanted: bool) -> None: ...

    def mutmut(self, *words: str, limit_s: float) -> str:
        if words[0] == "show":
            return "# x\n--- a\n+++ b\n@@ -1 +1 @@\n def f():\n-    return 1\n+    return 2\n"
        self.ran += words
        return "Traceback\nsomething broke"

    def outcomes(self) -> dict[str, int | None]:
        return dict(self.codes)

    def covered(self) -> set[str]:
        return set(self.functions)


def outcome(monkeypatch: pytest.MonkeyPatch, sample: int = 0, **codes: int | None) -> mutants.Tried:
    names = {f"m.f__mutmut_{name}": code for name, code in codes.items()}
    other = {"m.g__mutmut_1": None}
    kind = type("W", (Workshop,), {"codes": {**names, **other}, "functions": frozenset({"m.f"})})
    monkeypatch.setattr(mutants, "Workshop", kind)
    return mutants.tried("m.py", ["tests/test_m.py"], sample, 1, 60)


def test_what_became_of_each_mutant(monkeypatch: pytest.MonkeyPatch) -> None:
    """mutmut's exit codes: pytest's 1 is a kill, 36 and -24 a timeout, 37 mypy's refusal."""
    found = outcome(monkeypatch, a=0, b=1, c=36, d=-24, e=37, f=5, g=33, h=None)
    assert (found.killed, found.refused, found.unchecked) == (3, 1, 1)
    assert found.survivors == {
        "m.f__mutmut_a": "-    return 1\n+    return 2",
        "m.f__mutmut_f": "no test reaches it",
        "m.f__mutmut_g": "no test reaches it",
        "m.g__mutmut_1": "no test reaches it",
    }
    assert (found.checked, found.problem) == (7, "")


def test_a_sample_is_drawn_by_its_seed_and_the_rest_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    codes: dict[str, int | None] = {f"n{number}": 1 for number in range(40)}
    found = outcome(monkeypatch, sample=10, **codes)
    assert found.checked == 10
    assert found.unchecked == 31
    assert outcome(monkeypatch, sample=10, **codes) == found


def test_a_run_that_tried_nothing_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    assert outcome(monkeypatch, a=None).problem == "something broke"
    monkeypatch.setattr(mutants, "Workshop", Workshop)
    assert mutants.tried("m.py", ["t.py"], 0, 1, 60).problem == "something broke"
    assert mutants.tried("m.py", [], 0, 1, 60).problem == "no test imports it"


@pytest.mark.skipif(os.name != "posix", reason="mutmut forks")
@pytest.mark.parametrize(("survived", "code"), [(0, 0), (1, 0), (2, 1)])
def test_at_most_a_tenth_may_survive(
    survived: int, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = mutants.Tried("dissect/m.py", [], killed=10 - survived)
    found.survivors = {f"m{number}": "-    return 1" for number in range(survived)}
    monkeypatch.setattr(mutants, "tried", lambda *_: found)
    monkeypatch.setattr(mutants, "imports", dict)
    monkeypatch.setattr(mutants, "near", lambda *_: [])
    monkeypatch.setattr(shutil, "which", lambda *_, **__: "mutmut")
    assert mutants.main(["dissect/m.py"]) == code
    assert f"{survived} of 10 survived ({survived * 10} %)" in capsys.readouterr().out


def test_without_mutmut_that_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    assert mutants.main(["dissect/m.py"]) == 2
    assert "needs POSIX" in capsys.readouterr().out


def test_the_copy_is_configured_for_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("dissect", "tests", "captures", ".git", "out"):
        (tmp_path / name).mkdir()
    (tmp_path / "setup.cfg").write_text("[metadata]\n")
    (tmp_path / "dissect" / "m.py").write_text("x = 1\n")
    monkeypatch.setattr(mutants, "ROOT", tmp_path)
    monkeypatch.setattr(mutants, "OUT", tmp_path / "out" / "mutants")
    if not _links(tmp_path):
        pytest.skip("no symbolic links here")
    shop = mutants.Workshop("dissect/m.py", ["tests/test_m.py"], 7)
    text = (shop.root / "setup.cfg").read_text()
    assert "only_mutate = dissect/m.py" in text
    assert "    tests/test_m.py\n" in text
    assert "--hypothesis-seed=7" in text
    assert "type_check_command" in text
    shop.with_types(False)
    assert "type_check_command" not in (shop.root / "setup.cfg").read_text()
    assert (shop.root / "dissect" / "m.py").is_file()
    assert sorted(path.name for path in (shop.root / "mutants").iterdir()) == ["captures"]
    assert (shop.outcomes(), shop.covered()) == ({}, set())
    shop.meta.parent.mkdir()
    shop.meta.write_text(json.dumps({"exit_code_by_key": {"m.f__mutmut_1": 1}}))
    assert shop.outcomes() == {"m.f__mutmut_1": 1}


def _links(folder: Path) -> bool:
    try:
        (folder / "link").symlink_to(folder / "dissect")
    except OSError:
        return False
    (folder / "link").unlink()
    return True

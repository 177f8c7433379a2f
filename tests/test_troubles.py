"""The public cases of this kind of tool, each with a test that names its number.

The list is ../shared/reference/troubles.md; a test says in its docstring, or its file in its
own, which of them it is ("Trouble 41: …").
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
NUMBERED = re.compile(r"[Tt]roubles? ((?:[0-9]+(?:, | and )?)+)")
# SIP, HTTP/1, HTTP/2 and TCP: what is below the sign-in.
WANTED = set(range(32, 54))


def docstrings(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield ast.get_docstring(node) or ""


def test_each_case_has_a_test() -> None:
    named = {
        int(number)
        for path in TESTS.rglob("test_*.py")
        for text in docstrings(path)
        for match in NUMBERED.finditer(text)
        for number in re.findall("[0-9]+", match[1])
    }
    assert WANTED - named == set()

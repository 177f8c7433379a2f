"""A module has at most 320 lines, a function at most 60 (CONTRIBUTING.md)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "dissect"
MODULE, FUNCTION = 320, 60

# Loops that every packet runs through, where a part of its own would be a call for each packet.
# Each may be as long as it is and no longer.
LOOPS = {
    "capture/pcap.py walk_pcap": 72,
    "capture/pcapng.py walk_pcapng": 119,
    "transport/assembler.py Assembler.feed": 90,
}


def functions(tree: ast.AST, within: str = "") -> Iterator[tuple[str, int]]:
    """Name and lines of each function, its docstring counted in, its decorators (the options of a
    command) not."""
    for node in ast.iter_child_nodes(tree):
        name = within
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            name = f"{within}.{node.name}" if within else node.name
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield name, (node.end_lineno or node.lineno) - node.lineno + 1
        yield from functions(node, name)


def too_long(package: Path) -> dict[str, int]:
    """Modules and functions over their limit, with their lines."""
    found: dict[str, int] = {}
    for path in sorted(package.rglob("*.py")):
        text, name = path.read_text("utf-8"), path.relative_to(package).as_posix()
        lines = len(text.splitlines())
        if lines > MODULE:
            found[name] = lines
        for function, size in functions(ast.parse(text)):
            if size > FUNCTION:
                found[f"{name} {function}"] = size
    return found


def test_modules_and_functions_are_short() -> None:
    assert too_long(PACKAGE) == LOOPS


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("x = 1\n" * 320, []),
        ("x = 1\n" * 321, ["planted.py"]),
        ("def f():\n" + "    x = 1\n" * 59, []),
        ("def f():\n" + "    x = 1\n" * 60, ["planted.py f"]),
        ("@cache\ndef f():\n" + "    x = 1\n" * 59, []),
        ("class A:\n    async def f(self):\n" + "        x = 1\n" * 60, ["planted.py A.f"]),
        ("if x:\n    def f():\n" + "        x = 1\n" * 60, ["planted.py f"]),
    ],
)
def test_what_is_longer_is_found(tmp_path: Path, text: str, names: list[str]) -> None:
    (tmp_path / "planted.py").write_text(text, "utf-8")
    assert list(too_long(tmp_path)) == names

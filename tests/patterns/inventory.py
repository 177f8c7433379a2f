"""Every regular expression of the package and of the example plugins, and how each is used.

The source is read, not a list: each call of `re` that takes a pattern is a site. Its pattern is
evaluated in its module; where that can't be done, because it is made of what a run brings, the
site must stand in `builders.BUILT`, which makes it from samples.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# Each function of `re` that takes a pattern, and which of its arguments are the flags.
FLAGS_AT = {
    "compile": 1, "match": 2, "fullmatch": 2, "search": 2, "findall": 2, "finditer": 2,
    "split": 3, "sub": 4, "subn": 4,
}  # fmt: skip
FROM_EACH_PLACE = {"findall", "finditer", "sub", "subn", "split", "scanner"}


@dataclass
class Site:
    """A call of `re` with a pattern: where, and the pattern if it can be determined without a
    run."""

    module: str
    line: int
    function: str  # "" at the module's level
    call: str
    pattern: re.Pattern[Any] | None
    name: str | None = None  # of the module's variable that holds it
    uses: set[str] = field(default_factory=set)

    @property
    def key(self) -> tuple[str, str]:
        """Module and function: what a built pattern is known by, whatever its line."""
        return self.module, self.function


def sources() -> list[Path]:
    """The modules of the package, and of the plugins that it shows."""
    return sorted([*(ROOT / "dissect").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")])


def module_name(path: Path) -> str:
    """The dotted name of a source file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def loaded(path: Path) -> ModuleType:
    """The module of a file; that of a plugin by its path, for plugins are no package."""
    name = module_name(path)
    if not name.startswith("plugins"):
        return importlib.import_module(name)
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


class _Reader(ast.NodeVisitor):
    """Sites and uses of one module."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.module = module_name(path)
        tree = ast.parse(path.read_text("utf-8"))
        self.modules, self.functions = _names_of_re(tree)
        self.names = vars(loaded(path)) if self.modules or self.functions else {}
        self.sites: list[Site] = []
        self.where: list[str] = []
        self.target: str | None = None
        self.imported: dict[str, tuple[str, str]] = {}
        self.used: list[tuple[str, str]] = []  # name, method
        self.mentioned: list[str] = []  # in another way than by a method
        self.visit(tree)

    def _inside(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        self.where.append(node.name)
        self.generic_visit(node)
        self.where.pop()

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = _inside

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for name in node.names:
            self.imported[name.asname or name.name] = (node.module or "", name.name)

    def visit_Assign(self, node: ast.Assign) -> None:
        alone = len(node.targets) == 1 and isinstance(node.targets[0], ast.Name) and not self.where
        self.target = node.targets[0].id if alone else None  # type: ignore[attr-defined]
        self.generic_visit(node)
        self.target = None

    def visit_Call(self, node: ast.Call) -> None:
        call = self._call_of_re(node.func)
        if call:
            self._add(node, call)
        if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
            at_place = node.func.attr == "match" and len(node.args) > 1
            self.used.append((node.func.value.id, "tokens" if at_place else node.func.attr))
            for part in [*node.args, *node.keywords]:
                self.visit(part)
            return
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        # A method that is handed on: `map(_PATTERN.match, lines)`.
        if isinstance(node.value, ast.Name) and isinstance(node.ctx, ast.Load):
            self.used.append((node.value.id, node.attr))
        else:
            self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.mentioned.append(node.id)

    def _call_of_re(self, called: ast.expr) -> str | None:
        if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
            if called.value.id in self.modules and called.attr in FLAGS_AT:
                return called.attr
        elif isinstance(called, ast.Name):
            return self.functions.get(called.id)
        return None

    def _add(self, node: ast.Call, call: str) -> None:
        pattern = None
        try:
            given = self._value(node.args[0])
            place = FLAGS_AT[call]
            flags = [*node.args[place : place + 1]]
            flags += [item.value for item in node.keywords if item.arg == "flags"]
            number = sum(int(self._value(item)) for item in flags)
            pattern = re.compile(given, number) if isinstance(given, (str, bytes)) else given
        except NameError:
            pass  # made of what a run brings
        uses = set() if call == "compile" else {_use(call)}
        name = self.target if call == "compile" else None
        function = ".".join(self.where)
        self.sites.append(Site(self.module, node.lineno, function, call, pattern, name, uses))

    def _value(self, expression: ast.expr) -> Any:
        code = compile(ast.Expression(expression), str(self.path), "eval")
        return eval(code, dict(self.names))


def _names_of_re(tree: ast.AST) -> tuple[set[str], dict[str, str]]:
    """The names under which a module has `re`, and functions of it."""
    modules: set[str] = set()
    functions: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {item.asname or item.name for item in node.names if item.name == "re"}
        elif isinstance(node, ast.ImportFrom) and node.module == "re":
            functions |= {
                item.asname or item.name: item.name for item in node.names if item.name in FLAGS_AT
            }
    return modules, functions


@lru_cache(maxsize=1)
def sites() -> tuple[Site, ...]:
    """All sites, each with its uses; one whose uses can't be determined is used from each place."""
    readers = [_Reader(path) for path in sources()]
    for reader in readers:
        for site in reader.sites:
            if site.call == "compile":
                site.uses |= set(_uses(site, readers)) or {"finditer"}
    return tuple(site for reader in readers for site in reader.sites)


def _uses(site: Site, readers: list[_Reader]) -> Iterator[str]:
    if site.name is None:
        return
    for reader in readers:
        if reader.module == site.module:
            known = {site.name}
        else:
            wanted = (site.module, site.name)
            known = {name for name, origin in reader.imported.items() if origin == wanted}
        for name, method in reader.used:
            if name in known:
                yield _use(method)
        # In a list, or handed to a function: anything may be done with it.
        yield from ("finditer" for name in reader.mentioned if name in known)
        if any(origin == tuple(site.module.rsplit(".", 1)) for origin in reader.imported.values()):
            yield from ("finditer" for _, method in reader.used if method == site.name)


def _use(method: str) -> str:
    if method in FROM_EACH_PLACE or method not in ("match", "fullmatch", "search", "tokens"):
        return "finditer"
    return method

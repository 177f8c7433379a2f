"""Kinds of import contracts that import-linter lacks (`contract_types` in setup.cfg).

All deny by default: what is new is covered without being listed.
"""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

Breaches = list[str]


class _Named(Contract):
    """A contract whose breaches are sentences."""

    @abstractmethod
    def breaches(self, graph: ImportGraph) -> Iterator[str]:
        """What is against the contract, a sentence each."""

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        found = sorted(self.breaches(graph))
        return ContractCheck(kept=not found, metadata={"breaches": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for sentence in check.metadata["breaches"]:
            output.print_error(f"- {sentence}")
        output.new_line()


def _lines(graph: ImportGraph, importer: str, imported: str) -> str:
    found = graph.get_import_details(importer=importer, imported=imported)
    return ", ".join(f"l.{line}" for line in sorted({item["line_number"] for item in found}))


def _within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


class Libraries(_Named):
    """Each library that isn't Python's own is imported only where `places` says.

    A line of `places`: `library: module or package, another`. A library without a line may be
    imported nowhere; a place that imports the library no more is a breach as well.
    """

    type_name = "libraries"
    places: Any = fields.ListField(subfield=fields.StringField())

    def breaches(self, graph: ImportGraph) -> Iterator[str]:
        (root,) = self.session_options["root_packages"]
        places: dict[str, list[str]] = {}
        for line in self.places:
            library, _, where = line.partition(":")
            places[library.strip()] = [item.strip() for item in where.split(",")]
        for library in graph.modules | places.keys():
            if _within(library, root) or library in sys.stdlib_module_names:
                continue
            unused = set(places.get(library, ()))
            known = library in graph.modules
            for importer in graph.find_modules_that_directly_import(library) if known else ():
                home = [p for p in places.get(library, ()) if _within(importer, p)]
                unused.difference_update(home)
                if not home:
                    where = _lines(graph, importer, library)
                    yield f"{importer} -> {library} ({where}): not one of its places"
            for place in unused:
                yield f"{place} no longer imports {library}"


class Siblings(_Named):
    """The modules of one package that do the same kind of work don't import each other.

    Modules whose names begin alike up to the first underscore, and what is inside a package, are
    one family (`http1`, `http1_bodies`); the families of `container` are independent. `above`
    are modules that may import all families, `shared` those that all may import and that import
    none; `allowed` are single exceptions, `family -> family`, each of which must occur.
    """

    type_name = "siblings"
    container: Any = fields.StringField()
    above: Any = fields.ListField(subfield=fields.StringField(), required=False)
    shared: Any = fields.ListField(subfield=fields.StringField(), required=False)
    allowed: Any = fields.ListField(subfield=fields.StringField(), required=False)

    def breaches(self, graph: ImportGraph) -> Iterator[str]:
        above, shared = set(self.above or ()), set(self.shared or ())
        allowed = {tuple(line.split(" -> ")) for line in self.allowed or ()}
        children = {name.rpartition(".")[2] for name in graph.find_children(self.container)}
        for missing in (above | shared) - children:
            yield f"{self.container}.{missing} does not exist"

        def kind(module: str) -> str | None:
            """What a module counts as; None for one outside, and for the container itself."""
            if not module.startswith(f"{self.container}."):
                return None
            child = module.removeprefix(f"{self.container}.").partition(".")[0]
            if child in above:
                return "above"
            return "shared" if child in shared else child.partition("_")[0]

        unused = set(allowed)
        for importer in graph.find_descendants(self.container):
            upper = kind(importer)
            for imported in graph.find_modules_directly_imported_by(importer):
                lower = kind(imported)
                if lower in (None, upper, "shared") or upper in (None, "above"):
                    continue
                if (upper, lower) in allowed:
                    unused.discard((upper, lower))
                else:
                    yield f"{importer} -> {imported} ({_lines(graph, importer, imported)})"
        for upper, lower in unused:
            yield f"{upper} -> {lower} is allowed but does not occur"


class Acyclic(_Named):
    """No module imports itself by way of others, also where only types are imported."""

    type_name = "acyclic"

    def breaches(self, graph: ImportGraph) -> Iterator[str]:
        edges = {
            module: graph.find_modules_directly_imported_by(module) for module in graph.modules
        }
        try:
            TopologicalSorter(edges).prepare()
        except CycleError as error:
            yield " <- ".join(error.args[1])

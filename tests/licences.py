"""`make licences`: the licences of what dissect needs, from installed metadata, as a table.

What the program needs is followed to the end; of the tools of developers (the other extras)
only what setup.cfg names.
"""

from __future__ import annotations

import configparser
import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "reports" / "licences.md"
PROGRAM = "program"
SHIPPED = (PROGRAM, "tshark")  # what users install; all of it is followed
UNNAMED = "not named in its metadata"
FAMILIES = (
    "Apache",
    "BSD",
    "MIT",
    "AGPL",
    "LGPL",
    "GPL",
    "MPL",
    "PSF",
    "ISC",
    "Zlib",
    "CC0",
    "0BSD",
)
# Older metadata has a name or a whole text in place of an SPDX expression.
_SPDX = {
    "Apache 2.0": "Apache-2.0", "Apache License 2.0": "Apache-2.0", "BSD License": "BSD",
    "BSD-3": "BSD-3-Clause", "MIT License": "MIT",
    "Apache Software License": "Apache-2.0", "Python Software Foundation License": "PSF-2.0",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only", "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0", "License :: OSI Approved": "",
}  # fmt: skip
HEAD = """# Licences

What dissect needs, from the packages' own metadata (`make licences` writes this file; a test
compares it with setup.cfg). None of it is in dissect's wheel: pip fetches it. dissect itself is
Apache-2.0 ([LICENSE](../LICENSE)); whoever passes it on together with packages that are not
permissive (scapy is GPL-2.0-only) has to look at the terms of both.

| package | licence | needed by |
|---|---|---|
"""


def required() -> dict[str, set[str]]:
    """The packages that setup.cfg names → by what (the program, or an extra)."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", "utf-8")
    parts = {PROGRAM: config["options"]["install_requires"]}
    parts |= dict(config["options.extras_require"])
    found: dict[str, set[str]] = {}
    for part, text in parts.items():
        lines = (line.partition("#")[0].strip() for line in text.splitlines())
        for line in filter(None, lines):
            found.setdefault(canonicalize_name(Requirement(line).name), set()).add(part)
    return found


def licence(package: Distribution) -> str:
    """As an SPDX expression where the metadata allows it."""
    meta = package.metadata
    expression = meta.get("License-Expression")
    if expression:
        return str(expression)
    classifiers = [c for c in meta.get_all("Classifier", []) if c.startswith("License ::")]
    named = [c.rpartition(" :: ")[2] for c in classifiers]
    words = [_SPDX.get(name, name) for name in named]
    if any(words):
        return " or ".join(filter(None, words))
    first = str(meta.get("License") or "").strip().partition("\n")[0]
    return _SPDX.get(first, first) or _of_file(package) or UNNAMED


def _of_file(package: Distribution) -> str:
    files = [path for path in package.files or () if path.name.upper().startswith("LICENSE")]
    text = files[0].read_text("utf-8")[:400] if files else ""
    return "Apache-2.0" if "Apache License" in text and "Version 2.0" in text else ""


def family(words: str) -> set[str]:
    """MIT, BSD, GPL …: what of a licence does not depend on how its metadata puts it."""
    return {name for name in FAMILIES if re.search(rf"\b{name}", words)}


def everything() -> dict[str, set[str]]:
    """What setup.cfg names, and what the program's packages need in turn."""
    found = required()
    waiting = [name for name, parts in found.items() if parts & set(SHIPPED)]
    while waiting:
        name = waiting.pop()
        for below in _needs(name):
            parts = found[name] & set(SHIPPED)
            if not parts <= found.setdefault(below, set()):
                found[below] |= parts
                waiting.append(below)
    return found


def _needs(name: str) -> Iterator[str]:
    try:
        lines = distribution(name).requires or []
    except PackageNotFoundError:
        return
    for line in lines:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield canonicalize_name(requirement.name)


def rows(text: str) -> dict[str, tuple[str, str]]:
    """Of a table: package → licence, needed by."""
    cells = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| ")][1:]
    return {cell[0].strip(): (cell[1].strip(), cell[2].strip()) for cell in cells}


def table(known: dict[str, tuple[str, str]]) -> str:
    """The file. Of a package that is not installed here what was `known` is kept."""
    lines = []
    for name, parts in sorted(everything().items()):
        try:
            words = licence(distribution(name))
        except PackageNotFoundError:
            words = known.get(name, ("not installed when this was written", ""))[0]
        order = sorted(parts, key=lambda part: (part not in SHIPPED, part))
        lines.append(f"| {name} | {words} | {', '.join(order)} |")
    return HEAD + "\n".join(lines) + "\n"


def main() -> int:
    known = rows(TABLE.read_text("utf-8")) if TABLE.exists() else {}
    TABLE.write_text(table(known), "utf-8", newline="\n")
    print(f"wrote {TABLE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The import contracts of setup.cfg hold, and catch what they forbid: each forbidden import is
planted in a copy of the tree, and `lint-imports` must name it.

What is forbidden is written here once more, from the order that the architecture gives, and the
modules are taken from the folder: a module that setup.cfg forgets is found.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from itertools import cycle, pairwise, permutations
from pathlib import Path

import pytest

from dissect.render import FORMATS

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "dissect"
COMMAND = shutil.which("lint-imports", path=os.path.dirname(sys.executable))

TOP = sorted(
    path.stem
    for path in PACKAGE.iterdir()
    if (path.suffix == ".py" or (path / "__init__.py").exists()) and path.stem != "__init__"
)
# docs/architecture.md: a later stage never reaches back, stages don't import each other.
STAGES = ("capture", "transport", "protocols", "signin", "flow", "render")
ORDER = ("errors", "model", "redaction", STAGES, "engines", "pipeline", "report", "export", "cli")
# Where alone a library may be: folders and files below dissect/.
HOMES = {
    "scapy": ("capture",),
    "pyshark": ("engines/tshark",),
    "matplotlib": ("render/mpl.py", "render/fonts.py"),
    "cryptography": ("protocols/tls", "protocols/quic_packets.py"),
}
PARSERS = {
    "dhcp", "dns", "dns_shape", "haproxy", "http1", "http1_bodies", "http2", "http2_frames", "ntp",
    "quic", "quic_frames", "sip", "sip_messages", "tls", "tls.parser", "websocket",
}  # fmt: skip
# RFC 9001, [MS-SIPAE]: the TLS handshake inside QUIC and SIP.
CARRIED = {("quic", "tls"), ("sip", "tls")}

FORMS = (
    "import {0}\n",
    "from {0} import name\n",
    "def late() -> None:\n    import {0}\n",
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import {0}\n",
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if COMMAND is None:
        pytest.skip("import-linter is not installed")
    root = tmp_path_factory.mktemp("tree")
    shutil.copytree(PACKAGE, root / "dissect", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "setup.cfg", root)
    (root / "tests").mkdir()
    for name in ("__init__.py", "contracts.py"):
        shutil.copy(ROOT / "tests" / name, root / "tests")
    return root


def lint(root: Path) -> tuple[int, str]:
    assert COMMAND is not None
    done = subprocess.run(
        [COMMAND, "--no-logo", "--cache-dir", str(root / "cache")],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "COLUMNS": "400", "NO_COLOR": "1"},
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def planted(root: Path, plants: Mapping[str, str]) -> tuple[int, str]:
    """What lint-imports says with lines at the end of files, or new ones; all is undone after."""
    before: dict[Path, str | None] = {}
    try:
        for name, lines in plants.items():
            path = root / "dissect" / name
            path.parent.mkdir(exist_ok=True)
            before[path] = path.read_text("utf-8") if path.exists() else None
            path.write_text((before[path] or "") + lines, "utf-8")
        return lint(root)
    finally:
        for path, text in before.items():
            if text is None:
                path.unlink()
            else:
                path.write_text(text, "utf-8")


def names(text: str, importer: str, imported: str) -> bool:
    """Whether a breach is reported as `importer -> imported`."""
    pattern = rf"\b{re.escape(importer)} -> {re.escape(imported)}\b(?!\.)"
    return re.search(pattern, text) is not None


def dotted(path: str) -> str:
    return f"dissect.{path.removesuffix('.py').replace('/', '.')}".removesuffix(".__init__")


def file_of(module: str) -> str:
    """A file to plant in: the module's, or a new one in the package."""
    path = module.replace(".", "/")
    return f"{path}/planted.py" if (PACKAGE / path).is_dir() else f"{path}.py"


def everywhere() -> Iterator[str]:
    """A file of each package to plant in, and each module beside the packages."""
    for path in sorted(PACKAGE.rglob("__init__.py")):
        yield (path.parent / "planted.py").relative_to(PACKAGE).as_posix()
    for path in sorted(PACKAGE.glob("*.py")):
        yield path.name


def test_contracts_hold(copy: Path) -> None:
    code, text = lint(copy)
    assert code == 0, text
    assert "BROKEN" not in text


@pytest.mark.parametrize("library", HOMES)
def test_a_library_stays_in_its_place(copy: Path, library: str) -> None:
    homes = HOMES[library]
    files = [name for name in everywhere() if not name.startswith(homes)]
    files += {"matplotlib": ["render/text.py"], "cryptography": ["protocols/quic.py"]}.get(
        library, []
    )
    forms = cycle(FORMS)
    code, text = planted(copy, {name: next(forms).format(library) for name in files})
    assert code == 1
    missed = [name for name in files if not names(text, dotted(name), library)]
    assert not missed


def test_a_library_nobody_spoke_of(copy: Path) -> None:
    code, text = planted(copy, {"flow/verdict.py": "import requests\n"})
    assert code == 1
    assert names(text, "dissect.flow.verdict", "requests")


def _backwards() -> Iterator[tuple[str, str]]:
    """(importer, imported): the command line by all, neighbours of the order, stages by stages."""
    yield from ((name, "cli.main") for name in TOP if name not in ("cli", "__main__"))
    rows = [row if isinstance(row, tuple) else (row,) for row in ORDER]
    for lower, upper in pairwise(rows):
        yield from ((one, other) for one in lower for other in upper)
    yield from permutations(STAGES, 2)


def test_nothing_reaches_back_or_aside(copy: Path) -> None:
    plants: dict[str, str] = {}
    for importer, imported in _backwards():
        name = file_of(importer)
        plants[name] = plants.get(name, "") + f"from dissect.{imported} import name\n"
    _all_named(copy, plants)


@pytest.mark.long
def test_nothing_reaches_back_or_aside_one_at_a_time(copy: Path) -> None:
    """So that no breach is named only as a link in the chain of another."""
    missed = []
    for importer, imported in _backwards():
        name = file_of(importer)
        code, text = planted(copy, {name: f"from dissect.{imported} import name\n"})
        if code != 1 or not names(text, dotted(name), f"dissect.{imported}"):
            missed.append((importer, imported))
    assert not missed


def _siblings(folder: str, members: set[str], allowed: set[tuple[str, str]]) -> dict[str, str]:
    """Each member's file with imports of all others that are not of its family."""
    plants: dict[str, list[str]] = {}
    for one, other in permutations(sorted(members), 2):
        families = tuple(re.split(r"[._]", name)[0] for name in (one, other))
        if families[0] != families[1] and families not in allowed:
            line = f"from dissect.{folder}.{other} import name\n"
            plants.setdefault(file_of(f"{folder}.{one}"), []).append(line)
    return {name: "".join(lines) for name, lines in plants.items()}


def _all_named(copy: Path, plants: dict[str, str]) -> None:
    code, text = planted(copy, plants)
    assert code == 1
    missed = [
        (name, imported)
        for name, lines in plants.items()
        for imported in re.findall(r"from (\S+) import", lines)
        if not names(text, dotted(name), imported)
    ]
    assert not missed


def test_no_parser_imports_another(copy: Path) -> None:
    _all_named(copy, _siblings("protocols", PARSERS, CARRIED))


def test_no_rule_imports_another(copy: Path) -> None:
    """The rule modules are those that have RULES."""
    rules = {
        path.stem
        for path in (PACKAGE / "signin").glob("*.py")
        if re.search(r"^RULES\b", path.read_text("utf-8"), re.M)
    }
    assert len(rules) > 10
    _all_named(copy, _siblings("signin", rules, set()))


def test_no_renderer_imports_another(copy: Path) -> None:
    """The renderers are those that the formats name; Markdown holds Mermaid diagrams."""
    modules = {
        renderer.target.partition(":")[0].rpartition(".")[2] for renderer in FORMATS.values()
    }
    assert len(modules) >= 8
    _all_named(copy, _siblings("render", modules, {("markdown", "mermaid")}))


def test_what_is_shared_imports_no_parser(copy: Path) -> None:
    plants = {f"protocols/{name}.py": "from dissect.protocols.dns import name\n" for name in (
        "buffer", "content", "heads", "outbox"
    )}  # fmt: skip
    _all_named(copy, plants)


@pytest.mark.parametrize(
    "plants",
    [
        pytest.param(
            {"transport/tcp_direction.py": "from dissect.transport.tcp import Flow\n"}, id="modules"
        ),
        pytest.param(
            {"capture/blocks.py": "def late() -> None:\n    import dissect.capture.pcapng\n"},
            id="late",
        ),
        pytest.param(
            {"engines/tshark/names.py": "from dissect.engines.tshark import engine\n"},
            id="in a folder",
        ),
        pytest.param(
            {"engines/tshark/__init__.py": "import dissect.engines.tshark.planted\n",
             "engines/tshark/planted.py": "import dissect.engines.tshark\n"},
            id="package and module",
        ),
        pytest.param(
            {"protocols/base.py": "import dissect.protocols.tls.planted\n",
             "protocols/tls/planted.py": "X = 1\n"},
            id="packages",
        ),
    ],
)  # fmt: skip
def test_no_circles(copy: Path, plants: dict[str, str]) -> None:
    code, text = planted(copy, plants)
    assert code == 1
    assert re.search(r"No circle of (modules|packages) BROKEN", text)


@pytest.mark.parametrize("name", ["newcomer/__init__.py", "newcomer.py", "model/newcomer.py"])
def test_what_is_new_needs_a_layer(copy: Path, name: str) -> None:
    try:
        code, text = planted(copy, {name: ""})
    finally:
        shutil.rmtree(copy / "dissect" / "newcomer", ignore_errors=True)
    assert code == 1
    assert dotted(name) in text


def test_what_is_new_beside_its_like_needs_no_list(copy: Path) -> None:
    """A parser, a rule or a renderer more keeps the contracts, and is held to them."""
    good = {
        "protocols/ldap.py": "from dissect.protocols.base import Layer\n",
        "signin/okta.py": "from dissect.signin.exchange import Exchange\n",
        "render/graphml.py": "from dissect.render.words import verdict\n",
    }
    code, text = planted(copy, good)
    assert code == 0, text
    _all_named(
        copy,
        {
            "protocols/ldap.py": "from dissect.protocols.sip import name\n",
            "signin/okta.py": "from dissect.signin.adfs import name\n",
            "render/graphml.py": "from dissect.render.html import name\n",
        },
    )

"""What starts, and what it loads: speed and portability that can be checked without a clock."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import dissect
from tests.lab import scenario

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path(dissect.__file__).parent
HEAVY = ("scapy", "pyshark", "matplotlib", "cryptography", "rich", "lxml", "msgspec")


def loaded_by(*arguments: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after running a command."""
    program = (
        "import json, sys\n"
        "from dissect.cli.main import main\n"
        f"code = main({list(arguments)!r})\n"
        "sys.stderr.write('LOADED ' + json.dumps(sorted({n.split('.')[0] for n in sys.modules})))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(json.loads(result.stderr.rpartition("LOADED ")[2]))


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["flow", "--help"], ["http", "--help"]]
)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    assert loaded_by(*arguments) & set(HEAVY) == set()


def test_text_loads_no_pictures_and_no_other_reader() -> None:
    loaded = loaded_by("flow", *scenario("web-signin").captures)
    unwanted = {"scapy", "pyshark", "matplotlib", "rich", "statistics"}
    assert loaded & unwanted == set()


def test_imports_flow_one_way() -> None:
    """The contracts of setup.cfg, and that they can fail: a forbidden import is found."""
    command = shutil.which("lint-imports", path=os.path.dirname(sys.executable))
    if command is None:
        pytest.skip("import-linter is not installed")
    result = subprocess.run([command], capture_output=True, text=True, cwd=ROOT, check=False)
    assert result.returncode == 0, result.stdout
    assert re.search(r"Contracts: [5-9] kept, 0 broken", result.stdout), result.stdout


def test_flow_engine_knows_no_flow() -> None:
    """No host, path, event or title of a definition occurs in the engine's code."""
    import tomllib

    code = "\n".join(path.read_text("utf-8") for path in (PACKAGE / "flow").glob("*.py"))
    for path in (PACKAGE / "flow" / "definitions").glob("*.toml"):
        definition = tomllib.loads(path.read_text("utf-8"))
        words = {definition["name"], definition["title"]}
        for actor in definition["actor"]:
            words |= {actor["title"], *actor.get("hosts", ())}
            if actor["id"] not in ("user", "client", "server"):
                words.add(f'"{actor["id"]}"')
        for step in definition["step"]:
            words.add(step["title"])
            words |= {arrow["event"] for arrow in step.get("arrow", ()) if "event" in arrow}
        assert len(words) > 8
        assert [word for word in sorted(words) if word in code] == []
    for path in (PACKAGE / "flow" / "definitions" / "parts").glob("*.toml"):
        part = tomllib.loads(path.read_text("utf-8"))
        words = {arrow["event"] for arrow in part.get("arrow", ()) if "event" in arrow}
        words |= {item["code"] for item in part.get("trouble", ())}
        assert words
        assert [word for word in sorted(words) if word in code] == []
    assert re.search(r"/(adfs|oauth2|common|webticket|certprov)", code, re.I) is None
    names = set(re.findall(r"[a-z0-9-]+\.(?:com|net|org|ms)\b", code))
    assert names <= {"example.com"}


def test_the_lab_and_dissect_do_not_know_each_other() -> None:
    imports = re.compile(r"^\s*(?:from|import)\s+([\w.]+)", re.M)
    for path in (ROOT / "captures" / "lab").rglob("*.py"):
        modules = imports.findall(path.read_text("utf-8"))
        assert not [name for name in modules if name.split(".")[0] == "dissect"], path
    for path in PACKAGE.rglob("*.py"):
        modules = imports.findall(path.read_text("utf-8"))
        assert not [n for n in modules if n.split(".")[0] in ("captures", "signlab", "lab")], path


POSIX_FUNCTIONS = ("geteuid", "getuid", "fork", "fchmod", "chown", "killpg", "uname", "pread")
POSIX_ONLY = ("fcntl", "pwd", "grp", "termios", "resource", "pty", "tty", "syslog", "posix")


def test_flow_runs_without_anything_posix_only() -> None:
    """A Windows of sorts: POSIX-only modules and functions are gone, `sys.platform` says so."""
    item = scenario("web-signin")
    program = f"""
import sys, os, importlib.abc, subprocess, locale, ssl
gone = {POSIX_ONLY!r}
for name in gone:
    sys.modules.pop(name, None)
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in gone:
            raise ModuleNotFoundError('No module named ' + repr(name), name=name)
sys.meta_path.insert(0, Refuse())
for name in {POSIX_FUNCTIONS!r}:
    if hasattr(os, name):
        delattr(os, name)
from dissect.cli.main import main
sys.exit(main(['flow', {item.phone!r}, {item.browser!r}, '--phone-log', {item.phone_log!r}]))
"""
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=False, cwd=ROOT
    )
    assert result.returncode == 0, result.stderr.decode()
    assert "COMPLETE" in result.stdout.decode()


def _imports(node: ast.AST) -> Iterator[str]:
    """The modules that must be there: an import that may fail (`except ImportError`) is none."""
    if isinstance(node, ast.Try) and any(
        isinstance(item.type, ast.Name) and item.type.id == "ImportError" for item in node.handlers
    ):
        return
    if isinstance(node, ast.Import):
        yield from (name.name.split(".")[0] for name in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield (node.module or "").split(".")[0]
    for child in ast.iter_child_nodes(node):
        yield from _imports(child)


def test_no_posix_only_import_in_the_package() -> None:
    for path in PACKAGE.rglob("*.py"):
        assert not set(_imports(ast.parse(path.read_text("utf-8")))) & set(POSIX_ONLY), path
    guarded = "try:\n import pwd\nexcept {}:\n pass\n"
    assert list(_imports(ast.parse(guarded.format("ImportError")))) == []
    assert list(_imports(ast.parse(guarded.format("KeyError")))) == ["pwd"]


def test_shares_the_package_name_with_the_forensic_framework() -> None:
    if importlib.util.find_spec("dissect.cstruct") is None:
        pytest.skip("dissect.cstruct is not installed")
    program = (
        "import dissect.cstruct, dissect.model; print(dissect.cstruct.cstruct, dissect.__version__)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_the_installed_program_starts_in_any_folder(tmp_path: Path) -> None:
    """An editable install too: a hook of setuptools would lose to the namespace package."""
    program = shutil.which("dissect", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("dissect is not installed, only on the path")
    environment = {key: text for key, text in os.environ.items() if key != "PYTHONPATH"}
    result = subprocess.run(
        [program, "--version"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.stdout.endswith(f"{dissect.__version__}\n"), result.stderr


@pytest.mark.long
def test_the_wheel_holds_what_it_needs(tmp_path: Path) -> None:
    """Built, installed beside dissect.cstruct in a new environment, and run there."""
    import venv
    import zipfile

    source = tmp_path / "source"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".git", ".venv", "captures", "out"))
    (source / "captures").mkdir()
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(source)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("dissect_flow-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "dissect/flow/definitions/vvx-web-signin.toml" in names
    assert "dissect/flow/definitions/parts/troubles.toml" in names
    assert "dissect/py.typed" in names
    (licence,) = [name for name in names if name.endswith(".dist-info/licenses/LICENSE")]
    assert zipfile.ZipFile(wheel).read(licence) == (ROOT / "LICENSE").read_bytes()
    assert not [name for name in names if name.startswith(("tests/", "captures/", "benchmarks/"))]
    venv.create(tmp_path / "venv", with_pip=True)
    scripts = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    pip = [str(scripts / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, str(wheel), "dissect.cstruct"], check=True, capture_output=True)
    item = scenario("web-signin")
    result = subprocess.run(
        [str(scripts / "dissect"), "flow", *item.captures],
        capture_output=True,
        cwd=tmp_path,
        check=False,
    )
    assert result.returncode == 0, result.stderr.decode()
    both = [str(scripts / "python"), "-c", "import dissect.cstruct, dissect.pipeline"]
    subprocess.run(both, check=True, cwd=tmp_path)


def test_every_folder_with_files_is_a_package() -> None:
    """Else setuptools warns at length in a user's first `pip install`."""
    folders = {path.parent for path in PACKAGE.rglob("*") if path.is_file()}
    bare = {f for f in folders if not (f / "__init__.py").exists() and f.name != "__pycache__"}
    assert bare == set()

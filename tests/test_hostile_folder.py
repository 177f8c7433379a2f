"""`dissect` in a folder from a stranger, however it is started: no file there runs or is read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests import hostile_folder
from tests.lab import need_tshark
from tests.test_opened_files import DISSECT, MATCH

posix = pytest.mark.skipif(os.name != "posix", reason="the traps are shell scripts")
MODULE = (sys.executable, "-m", "dissect")
BY_TSHARK: tuple[tuple[str, ...], ...] = (
    ("sip", "phone.pcapng", "--engine", "tshark"),
    ("flow", "phone.pcapng", "--engine", "tshark"),
    ("flow", "phone.pcapng", "--flow", "match.toml"),
    ("crosscheck", "phone.pcapng"),
)


def run(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "MPL"))}
    result = subprocess.run(
        command, cwd=folder, env={**kept, **(environment or {})}, capture_output=True, check=False
    )
    assert b"Traceback" not in result.stderr, result.stderr.decode()
    return result.returncode, result.stdout.decode(), result.stderr.decode()


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    folder = tmp_path / "clean"
    hostile_folder.captures(folder)
    (folder / "match.toml").write_text(MATCH)
    return folder


@pytest.fixture
def hostile(clean: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "hostile"
    shutil.copytree(clean, folder)
    hostile_folder.plant(folder)
    return folder


def untouched(folder: Path) -> bool:
    return not (folder / hostile_folder.MARK).exists()


@posix
@pytest.mark.parametrize("trap", ["./x", "./tshark", "C:/Program Files/Wireshark/tshark.exe"])
def test_the_programs_are_traps(trap: str, hostile: Path) -> None:
    subprocess.run([trap], cwd=hostile, check=True)
    assert not untouched(hostile)


def test_the_modules_are_traps(hostile: Path) -> None:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    command = [sys.executable, "-c", "import json"]
    subprocess.run(command, cwd=hostile, env=kept, capture_output=True, check=False)
    assert not untouched(hostile)


@pytest.mark.parametrize("start", [(DISSECT,), MODULE], ids=["dissect", "python -m dissect"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("flow", "phone.pcapng", "browser.pcapng", "-o", "out.png", "-o", "out.svg"),
        ("http", "browser.pcapng"),
        ("plugins",),
        *(pytest.param(words, id=f"tshark-{words[0]}-{len(words)}") for words in BY_TSHARK),
    ],
)
def test_nothing_there_has_an_effect(
    start: tuple[str, ...], arguments: tuple[str, ...], clean: Path, hostile: Path
) -> None:
    if arguments in BY_TSHARK:
        need_tshark()
    reported = run([*start, *arguments], hostile)
    assert reported == run([*start, *arguments], clean)
    assert reported[0] in (0, 1), reported[2]
    assert untouched(hostile), (hostile / hostile_folder.MARK).read_text()
    for name in ("out.png", "out.svg"):
        if name in arguments:
            assert (hostile / name).read_bytes() == (clean / name).read_bytes()


NAMED = b"[tshark]\ntshark_path = ./x\n"
CONFIGS = (
    b"[tshark]\ntshark_path = HERE/x\n",
    b"[database]\nhost = 10.0.0.1\n",
    b"no section = at all\n",
    b"\xff\xfe\x00\x80",
    b"[tshark]\n[tshark]\n",
    b"",
)


@posix
@pytest.mark.parametrize(
    ("text", "arguments"),
    [*((NAMED, words) for words in BY_TSHARK), *((text, BY_TSHARK[0]) for text in CONFIGS)],
)
def test_a_config_ini_has_no_effect(text: bytes, arguments: tuple[str, ...], clean: Path) -> None:
    need_tshark()
    before = run([DISSECT, *arguments], clean)
    assert before[0] in (0, 1), before[2]
    program = clean / "x"
    program.write_text(f"#!/bin/sh\necho x >> '{clean / hostile_folder.MARK}'\n")
    program.chmod(0o755)
    (clean / "config.ini").write_bytes(text.replace(b"HERE", bytes(clean)))
    assert run([DISSECT, *arguments], clean) == before
    assert untouched(clean)


@posix
@pytest.mark.parametrize("path", ["HERE", ".", "", "LINK"])
def test_no_program_of_the_current_folder(path: str, clean: Path, tmp_path: Path) -> None:
    """However PATH spells it, and though it comes first; more spellings in test_places."""
    need_tshark()
    (clean / "tshark").write_text(f"#!/bin/sh\necho x >> '{clean / hostile_folder.MARK}'\n")
    (clean / "tshark").chmod(0o755)
    (tmp_path / "link").symlink_to(clean)
    entry = path.replace("HERE", str(clean)).replace("LINK", str(tmp_path / "link"))
    path = os.pathsep.join([entry, os.environ["PATH"]])
    code, out, err = run([DISSECT, *BY_TSHARK[0]], clean, {"PATH": path})
    assert (code, err) == (0, "")
    assert out.count("REGISTER")
    assert untouched(clean)


@posix
@pytest.mark.parametrize("arguments", BY_TSHARK)
def test_no_program_beside_a_capture(
    arguments: tuple[str, ...], clean: Path, tmp_path: Path
) -> None:
    """From another folder; alone on PATH it is not used, and that is reported."""
    program = clean / "tshark"
    program.write_text(f"#!/bin/sh\necho x >> '{clean / hostile_folder.MARK}'\n")
    program.chmod(0o755)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    words = [str(clean / word) if "." in word else word for word in arguments]
    code, out, err = run([DISSECT, *words], elsewhere, {"PATH": str(clean)})
    assert (code, out) == (2, "")
    assert err.endswith(
        f"{program} is not used, it lies in the current folder or beside a capture: "
        "change to another folder, or move the captures\n"
    )
    assert untouched(clean)


BROKEN = b"\xff\xfe\xfa"


SETTINGS = b"savefig.bbox: tight\nlines.antialiased: False\n"
DRAWING = (DISSECT, "flow", "phone.pcapng", "-o", "out.png", "-o", "out.svg", "-o", "out.pdf")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("drawn")
    hostile_folder.captures(folder)
    assert run(DRAWING, folder)[0] == 0
    return pictures(folder)


@pytest.mark.parametrize(
    ("place", "variables"),
    [
        ("clean/matplotlibrc", {}),
        ("rc/matplotlibrc", {"MATPLOTLIBRC": "rc"}),
        ("rc/mine", {"MATPLOTLIBRC": "rc/mine"}),
        ("home/.config/matplotlib/matplotlibrc", {"HOME": "home"}),
        ("home/.config/matplotlib/stylelib/x.mplstyle", {"HOME": "home"}),
        ("xdg/matplotlib/matplotlibrc", {"XDG_CONFIG_HOME": "xdg"}),
        ("none/none", {"MPLBACKEND": "nonsense"}),
    ],
)
@pytest.mark.parametrize("text", [BROKEN, SETTINGS], ids=["broken", "other"])
def test_matplotlib_keeps_its_own_settings(
    place: str,
    variables: dict[str, str],
    text: bytes,
    clean: Path,
    tmp_path: Path,
    drawn: dict[str, bytes],
) -> None:
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_bytes(text)
    whole = {
        name: word if name == "MPLBACKEND" else str(tmp_path / word)
        for name, word in variables.items()
    }
    code, _, reported = run(DRAWING, clean, whole)
    assert (code, reported) == (0, "wrote out.png\nwrote out.svg\nwrote out.pdf\n")
    assert pictures(clean) == drawn


def pictures(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("out.*")}


def test_who_imports_dissect_keeps_the_surroundings(clean: Path) -> None:
    """As a library it changes neither the path nor what matplotlib reads later."""
    (clean / "matplotlibrc").write_text("lines.linewidth: 7.5\n")
    program = (
        "import os, sys; before = list(sys.path), dict(os.environ), list(sys.meta_path)\n"
        "import dissect; from dissect.cli.main import main; main(['flows'])\n"
        "assert (list(sys.path), dict(os.environ), list(sys.meta_path)) == before\n"
        "exists = os.path.exists; import matplotlib; assert os.path.exists is exists\n"
        "assert matplotlib.rcParams['lines.linewidth'] == 7.5\n"
    )
    assert run([sys.executable, "-c", program], clean)[::2] == (0, "")


def test_what_drawing_leaves_of_the_surroundings(clean: Path) -> None:
    program = (
        "import os, sys; before = dict(os.environ), list(sys.meta_path), os.path.exists\n"
        "from dissect.cli.main import main\n"
        "main(['flow', 'phone.pcapng', '-o', 'out.png'])\n"
        "assert (dict(os.environ), list(sys.meta_path), os.path.exists) == before\n"
        "import matplotlib; assert matplotlib.__spec__.loader.name == 'matplotlib'\n"
    )
    assert run([sys.executable, "-c", program], clean, {"MPLBACKEND": "agg"})[0] == 0


def test_runpy_alone_is_before_us(tmp_path: Path) -> None:
    """docs/cli.md names what `python -m` itself imports from the current folder; no more."""
    for name in hostile_folder.modules():
        (tmp_path / f"{name}.py").write_text("raise SystemExit(99)\n")
    assert run([*MODULE, "flows"], tmp_path)[0] == 0
    for name in hostile_folder.before_us():
        (tmp_path / f"{name}.py").write_text("raise SystemExit(99)\n")
    safe = (sys.executable, "-P", "-m", "dissect")
    assert run([*safe, "flows"], tmp_path)[0] == 0
    assert run([DISSECT, "flows"], tmp_path)[0] == 0

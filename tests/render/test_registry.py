"""Formats by name and extension; nothing heavy for text."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dissect.errors import UsageError
from dissect.render import FORMATS, Renderer, format_of, register, render

from . import charts


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_renders(name: str) -> None:
    result = render(charts.one_actor(), name)
    assert isinstance(result, bytes if FORMATS[name].binary else str)
    assert render([], name)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("out.txt", "text"),
        ("a b/ü.PNG", "png"),
        ("x.svg", "svg"),
        ("x.y.pdf", "pdf"),
        ("x.json", "json"),
    ],
)
def test_format_by_extension(path: str, name: str) -> None:
    assert format_of(path).name == name


@pytest.mark.parametrize("path", ["out", "out.docx", ".png"])
def test_unknown_extension(path: str) -> None:
    with pytest.raises(UsageError, match=r"\.txt.*\.pdf"):
        format_of(path)


def test_unknown_format_and_option() -> None:
    with pytest.raises(UsageError, match="text"):
        render(charts.empty(), "docx")
    with pytest.raises(TypeError):
        render(charts.empty(), "text", no_such_option=1)


def test_a_plugin_registers_a_format() -> None:
    mine = Renderer("mine", ("mine",), "text/plain", False, "dissect.render.text:render")
    register(mine)
    try:
        assert render(charts.empty(), "mine") == render(charts.empty(), "text")
    finally:
        del FORMATS["mine"]


def test_text_and_json_load_nothing_heavy() -> None:
    script = (
        "import sys, dissect.render as r\n"
        "r.render([], 'text'); r.render([], 'json')\n"
        "print(*{m.split('.')[0] for m in sys.modules} & {'matplotlib', 'numpy', 'rich', 'PIL'})"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == ""

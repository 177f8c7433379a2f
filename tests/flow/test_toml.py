"""Somebody else's TOML within bounds."""

from __future__ import annotations

import tomllib

import pytest

from dissect.flow.toml import MAX_KEY_PARTS, loads


def test_a_key_of_many_parts_is_named_with_its_line() -> None:
    at_most = ".".join("a" * MAX_KEY_PARTS)
    assert loads(f"{at_most} = 1") == tomllib.loads(f"{at_most} = 1")
    with pytest.raises(ValueError, match="at line 3"):
        loads(f"# first\nx = 1\n{at_most}.a = 1\n")


@pytest.mark.parametrize(
    "key",
    [
        " . ".join("a" * 40),
        ".".join(['"a.b"'] * 40),
        ".".join(["'a'"] * 40),
        "[" + ".".join("a" * 40) + "]\nx",
        "[[" + ".".join("a" * 40) + "]]\nx",
        "x = {" + ".".join("a" * 40) + " = 1}\ny",
    ],
)
def test_however_it_is_written(key: str) -> None:
    with pytest.raises(ValueError, match="parts"):
        loads(f"{key} = 1")


@pytest.mark.parametrize(
    "text",
    [
        'x = "' + ".".join("a" * 99) + '"',
        "x = '" + ".".join("a" * 99) + "'",
        'x = """\n' + ".".join("a" * 99) + '\n"""',
        "x = '''\n" + ".".join("a" * 99) + "\n'''",
        "# " + ".".join("a" * 99),
        "x = [" + "1.5, " * 99 + "]",
        'x = "\\"' + ".".join("a" * 99) + '"',
    ],
)
def test_dots_of_values_and_comments_are_no_parts(text: str) -> None:
    assert loads(text) == tomllib.loads(text)


def test_nesting_without_end() -> None:
    with pytest.raises(ValueError, match="deep"):
        loads("x = " + "[" * 100_000)


def test_what_is_no_toml() -> None:
    with pytest.raises(ValueError, match="line 2"):
        loads("x = 1\ny = ?\n")

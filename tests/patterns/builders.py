"""Patterns that are made of what a run brings: each maker is run with awkward samples.

A key is module and function, as `inventory` finds them; a place that makes a pattern at run time
and isn't here fails the test.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

from dissect.flow import source_locations
from dissect.signin import directory

Made = list[tuple[re.Pattern[Any], str]]
AWKWARD = ("aaaa", "a.a a", "(a+)+$", "a" * 30, "\\", "[a-", "é|b", "a  a\ta")


@contextmanager
def _recorded(module: ModuleType) -> Iterator[Made]:
    """What a module compiles, with the way it is used."""
    made: Made = []

    def compiled(pattern: Any, flags: int = 0) -> re.Pattern[Any]:
        found = re.compile(pattern, flags)
        made.append((found, "finditer"))
        return found

    def finditer(pattern: Any, text: Any, flags: int = 0) -> Iterator[re.Match[Any]]:
        return compiled(pattern, flags).finditer(text)

    own = SimpleNamespace(**{**vars(re), "compile": compiled, "finditer": finditer})
    with mock.patch.object(module, "re", own):
        yield made


def _of_keys() -> Made:
    with _recorded(source_locations) as made:
        for sample in AWKWARD:
            source_locations.line_of("[x]\na = 1\n", (("x", 0), (sample, 0), ("a", 0)))
    return [(pattern, "match") for pattern, _ in made]


def _of_directory() -> Made:
    known = directory.directory()
    return [
        *((item.path, "match") for item in known.services),
        (known.phone_agent, "search"),
        (known.phone_names, "search"),
    ]


BUILT: dict[tuple[str, str], Callable[[], Made]] = {
    ("dissect.flow.source_locations", "line_of"): _of_keys,
    ("dissect.signin.directory", "directory"): _of_directory,
}

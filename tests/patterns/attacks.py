"""Texts that are a pattern's own worst input, made from its parse tree.

A backtracking match is slow where one part can run over what another part (or the same one, from
another place) could run over as well: between an opener and an end that never comes, in two
repeats that take the same characters, in a repeat of a repeat. So each text repeats what the
pattern reads up to some point, or what one of its repeats takes, and ends in what it can't take.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import product
from re import _constants
from typing import Any, TypeVar

from tests.patterns.steps import _ONE, _REPEATS, OneOf, Program

POOL = " \n\r\tab1AZ_-.:;,/\\\"'<>=?&%@#()[]{}|+*!~$^`\x00\x7fé一"
VARIANTS = 3  # samples kept of a part of a pattern
LONG = 8  # a repeat of at least so many may be pumped
PREFIXES = 40  # tried of a pattern, spread over all
PUMPS = 40
Make = Callable[[int], Any]
Item = TypeVar("Item")


def _literal(item: Any) -> bool:
    return bool(item[0] is _constants.LITERAL)


def _spread(items: list[Item], most: int) -> list[Item]:
    """At most so many of them, from all over the list."""
    step = max(len(items) / most, 1)
    return [items[int(number * step)] for number in range(min(len(items), most))]


class Attacks:
    """Makes the attack texts of one pattern; each is a function of the number of repeats."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.bytes = isinstance(program.pattern.pattern, bytes)
        self.alphabet = self._alphabet()
        self.prefixes: list[str] = []  # what is read up to each point of the pattern
        self.pumps: list[tuple[str, str]] = []  # what is read before a repeat, and what it takes
        self._walk(program.tree, program.flags, [""])

    def texts(self) -> Iterator[Make]:
        """Every text as a function of n; its length grows with n in proportion."""
        ends = ["", *dict.fromkeys(self.alphabet[:1] + self.alphabet[-1:])]
        prefixes = _spread([item for item in dict.fromkeys(self.prefixes) if item], PREFIXES)
        pumps = _spread(list(dict.fromkeys(self.pumps)), PUMPS)
        units = list(dict.fromkeys([*prefixes, *(pump for _, pump in pumps), *self.alphabet]))
        for unit, end in product(units, ends):
            yield self._made("", unit, "", end)
        for (before, pump), end in product(pumps, ends):
            yield self._made(before, pump, "", end)
        # Each start of the first part runs over all of the second one.
        takes = list(dict.fromkeys(pump for _, pump in pumps))
        for prefix, pump in product(prefixes, takes):
            yield self._made("", prefix, pump, "")
        for (before, pump), other in product(
            _spread(pumps, PUMPS // 3), _spread(takes, PUMPS // 3)
        ):
            if pump != other:
                yield self._made(before, pump + other, "", "")
                yield self._made(before, pump, other, "")

    def _made(self, before: str, unit: str, second: str, end: str) -> Make:
        def make(n: int) -> Any:
            text = before + unit * n + second * n + end
            return text.encode("latin-1", "replace") if self.bytes else text

        make.__doc__ = f"{before!r} + {unit!r} * n + {second!r} * n + {end!r}"
        return make

    def _alphabet(self) -> list[str]:
        """One character of each kind that the pattern tells apart, those it asks for first."""
        literals = re.sub(r"\\.", "", str(self.program.pattern.pattern))
        known: dict[tuple[bool, ...], str] = {}
        pool = [c for c in dict.fromkeys(POOL + literals) if not self.bytes or ord(c) < 256]
        for item in self.program.ones:
            op, value = item.item
            if op is _constants.LITERAL:
                pool.append(chr(value))
            elif op is _constants.IN:
                pool += [chr(v[0] if o is _constants.RANGE else v) for o, v in value
                         if o in (_constants.LITERAL, _constants.RANGE)]  # fmt: skip
        for character in pool:
            signature = tuple(self._takes(item, character) for item in self.program.ones)
            known.setdefault(signature, character)
        return [c for s, c in sorted(known.items(), key=lambda item: -sum(item[0]))]

    def _takes(self, item: OneOf, character: str) -> bool:
        return item.takes(character.encode("latin-1", "replace") if self.bytes else character)

    def _walk(self, items: Any, flags: int, before: list[str]) -> list[str]:
        """Note prefixes and pumps of a sequence; returns samples of all up to its end."""
        last = len(items) - 1
        for number, item in enumerate(items):
            before = self._node(item, flags, before)[:VARIANTS]
            if number == last or not (_literal(item) and _literal(items[number + 1])):
                self.prefixes += before  # within a word nothing is repeated
        return before

    def _node(self, item: Any, flags: int, before: list[str]) -> list[str]:
        op, value = item
        if op in _ONE:
            one = self.program.one(item, flags)
            taken = [c for c in self.alphabet if self._takes(one, c)][:VARIANTS]
            return [head + tail for tail in taken for head in before[:2]]
        if op is _constants.SUBPATTERN:
            return self._walk(value[3], (flags | value[1]) & ~value[2], before)
        if op is _constants.ATOMIC_GROUP:
            return self._walk(value, flags, before)
        if op is _constants.BRANCH:
            ways = [self._walk(way, flags, before) for way in value[1]]
            longest = max(map(len, ways), default=0)
            return [way[i] for i in range(longest) for way in ways if i < len(way)]
        if op in _REPEATS:
            return self._repeat(value, flags, before)
        if op in (_constants.ASSERT, _constants.ASSERT_NOT):
            self._walk(value[1], flags, before)
        return before

    def _repeat(self, value: Any, flags: int, before: list[str]) -> list[str]:
        least, most, body = value
        if most is _constants.MAXREPEAT or most >= LONG:
            for head in before[:2]:
                self.pumps += [(head, pump) for pump in self._samples(body, flags)]
        once = self._walk(body, flags, before)
        samples = self._samples(body, flags)[:2]
        repeated = [head + sample * max(least, 1) for sample in samples for head in before[:1]]
        return [*repeated, *(before if least == 0 else []), *once] if samples else before

    def _samples(self, items: Any, flags: int) -> list[str]:
        """What a part takes: for a single character one of each kind, else some samples."""
        found = [""]
        for item in items:
            op, value = item
            if op in _ONE:
                one = self.program.one(item, flags)
                taken = [c for c in self.alphabet if self._takes(one, c)]
                ways = taken if len(items) == 1 else taken[:VARIANTS]
            elif op is _constants.SUBPATTERN:
                ways = self._samples(value[3], (flags | value[1]) & ~value[2])
            elif op is _constants.ATOMIC_GROUP:
                ways = self._samples(value, flags)
            elif op is _constants.BRANCH:
                ways = [sample for way in value[1] for sample in self._samples(way, flags)]
            elif op in _REPEATS:
                inner = self._samples(value[2], flags)
                ways = [sample * max(value[0], 1) for sample in inner]
                ways += [""] if value[0] == 0 else []
            else:
                ways = [""]
            found = [head + way for way in ways for head in found][: 4 * VARIANTS]
        return list(dict.fromkeys(sample for sample in found if sample))

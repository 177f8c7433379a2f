"""Counts the steps of a backtracking match, as CPython's `re` makes them, without a clock.

A pattern's parse tree (`re._parser`) becomes a small program, and a machine runs it with a
stack of choices. Only the count is ours: where each match begins and ends must be what `re`
itself says, and every caller compares it. `re` skips faster to a first letter; that changes the
count by a factor, not how it grows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from re import _compiler, _constants, _parser
from typing import Any

CHARACTER, SPLIT, JUMP, TEST, ATOMIC, LOOK, SAVE, SAME, MARK, MOVED, DONE, FAIL = range(12)
Span = tuple[int, int]
Reading = Callable[[int], bool]

_ONE = {
    _constants.LITERAL,
    _constants.NOT_LITERAL,
    _constants.ANY,
    _constants.IN,
    _constants.CATEGORY,
}
_REPEATS = {
    _constants.MAX_REPEAT: "greedy",
    _constants.MIN_REPEAT: "lazy",
    _constants.POSSESSIVE_REPEAT: "possessive",
}


class TooManySteps(Exception):
    """The limit is reached: as good as no end."""


class Program:
    """A pattern as instructions; `one` are the sets of single characters that it asks for."""

    def __init__(self, pattern: re.Pattern[Any]) -> None:
        self.pattern = pattern
        self.tree = _parser.parse(pattern.pattern, pattern.flags)
        self.flags = pattern.flags
        self.code: list[tuple[Any, ...]] = []
        self.ones: list[OneOf] = []
        self._marks = 0
        self._known: dict[tuple[str, int], OneOf] = {}
        self._sequence(self.tree, self.flags)
        self._emit(DONE)

    def one(self, item: Any, flags: int) -> OneOf:
        """The set of characters of a node that asks for one."""
        key = (repr(item), flags)
        if key not in self._known:
            self._known[key] = OneOf(item, flags, isinstance(self.pattern.pattern, bytes))
            self.ones.append(self._known[key])
        return self._known[key]

    def _emit(self, *instruction: Any) -> int:
        self.code.append(instruction)
        return len(self.code) - 1

    def _sequence(self, items: Any, flags: int) -> None:
        for item in items:
            self._node(item, flags)

    def _node(self, item: Any, flags: int) -> None:
        op, value = item
        if op in _ONE:
            self._emit(CHARACTER, self.one(item, flags))
        elif op is _constants.AT:
            self._emit(TEST, OneOf(item, flags, isinstance(self.pattern.pattern, bytes)))
        elif op is _constants.SUBPATTERN:
            group, add, remove, body = value
            self._emit(SAVE, 2 * group) if group else None
            self._sequence(body, (flags | add) & ~remove)
            self._emit(SAVE, 2 * group + 1) if group else None
        elif op is _constants.BRANCH:
            self._branch(value[1], flags)
        elif op in _REPEATS:
            least, most, body = value
            kind = _REPEATS[op]
            if kind == "possessive":
                self._apart(ATOMIC, lambda: self._repeat(least, most, body, "greedy", flags))
            else:
                self._repeat(least, most, body, kind, flags)
        elif op is _constants.ATOMIC_GROUP:
            self._apart(ATOMIC, lambda: self._sequence(value, flags))
        elif op in (_constants.ASSERT, _constants.ASSERT_NOT):
            direction, body = value
            back = body.getwidth()[0] if direction < 0 else 0
            wanted = op is _constants.ASSERT
            self._apart(LOOK, lambda: self._sequence(body, flags), back, direction < 0, wanted)
        elif op is _constants.GROUPREF:
            self._emit(SAME, value)
        elif op is _constants.FAILURE:
            self._emit(FAIL)
        else:
            # Not a gap of the program's: a pattern of a kind that is not counted must not pass.
            raise ValueError(f"{op} of a pattern; teach it to tests/patterns/steps.py")

    def _apart(self, op: int, body: Callable[[], None], *more: Any) -> None:
        at = self._emit(op)
        body()
        self._emit(DONE)
        self.code[at] = (op, at + 1, len(self.code), *more)

    def _branch(self, ways: Any, flags: int) -> None:
        ends = []
        for number, way in enumerate(ways):
            last = number == len(ways) - 1
            split = None if last else self._emit(SPLIT)
            self._sequence(way, flags)
            if split is not None:
                ends.append(self._emit(JUMP))
                self.code[split] = (SPLIT, split + 1, len(self.code))
        for end in ends:
            self.code[end] = (JUMP, len(self.code))

    def _repeat(self, least: int, most: Any, body: Any, kind: str, flags: int) -> None:
        for _ in range(least):
            self._sequence(body, flags)
        if most is _constants.MAXREPEAT:
            mark = self._marks
            self._marks += 1
            split = self._emit(SPLIT)
            self._emit(MARK, mark)
            self._sequence(body, flags)
            self._emit(MOVED, mark)
            self._emit(JUMP, split)
            self._choose(split, split + 1, len(self.code), kind)
            return
        splits = []
        for _ in range(most - least):
            splits.append(self._emit(SPLIT))
            self._sequence(body, flags)
        for split in splits:
            self._choose(split, split + 1, len(self.code), kind)

    def _choose(self, at: int, on: int, out: int, kind: str) -> None:
        self.code[at] = (SPLIT, on, out) if kind == "greedy" else (SPLIT, out, on)


def _anywhere(_: int) -> bool:
    return True


def _ends_at(place: int, end: int) -> bool:
    return place == end


class OneOf:
    """A node of the tree that `re` itself decides at a place: one character, or an anchor."""

    def __init__(self, item: Any, flags: int, is_bytes: bool) -> None:
        state = _parser.State()
        state.flags = flags & ~re.DEBUG
        state.str = b"" if is_bytes else ""
        self.item = item
        self.pattern = _compiler.compile(_parser.SubPattern(state, [item]), state.flags)
        self._takes: dict[Any, bool] = {}

    def takes(self, character: Any) -> bool:
        """Whether it takes this character (`str` or `bytes` of one)."""
        found = self._takes.get(character)
        if found is None:
            found = self._takes[character] = self.pattern.fullmatch(character) is not None
        return found

    def holds(self, text: Any, at: int) -> bool:
        """Whether it holds at this place of a text."""
        return self.pattern.match(text, at) is not None


class Machine:
    """Runs a program over one text; `steps` counts its instructions."""

    def __init__(self, program: Program, text: Any, limit: int) -> None:
        self.program = program
        self.text = text
        self.limit = limit
        self.steps = 0

    def match(self, start: int, whole: bool = False, beyond: bool = False) -> int | None:
        """The end of the match that begins here; None if there is none.

        `whole`: only one that ends with the text. `beyond`: only one that isn't empty.
        """

        def accepted(end: int) -> bool:
            return not ((whole and end != len(self.text)) or (beyond and end == start))

        found = self._run(0, start, accepted, {})
        return None if found is None else found[0]

    def spans(self, first: bool = False) -> list[Span]:
        """The matches that `finditer` finds, or only the first, as `search` does."""
        found: list[Span] = []
        at, beyond = 0, False
        while at <= len(self.text):
            end = self.match(at, beyond=beyond)
            self.steps += 1
            if end is None:
                at, beyond = at + 1, False
                continue
            found.append((at, end))
            if first:
                break
            at, beyond = end, end == at
        return found

    def _run(
        self, pc: int, at: int, accepted: Reading, registers: dict[Any, int]
    ) -> tuple[int, dict[Any, int]] | None:
        code, text, size = self.program.code, self.text, len(self.text)
        choices: list[tuple[int, int, dict[Any, int]]] = []
        while True:
            self.steps += 1
            if self.steps > self.limit:
                raise TooManySteps
            op, *arguments = code[pc]
            good = True
            if op == CHARACTER:
                good = at < size and arguments[0].takes(text[at : at + 1])
                at, pc = at + 1, pc + 1
            elif op == SPLIT:
                choices.append((arguments[1], at, registers))
                pc = arguments[0]
            elif op == JUMP:
                pc = arguments[0]
            elif op == TEST:
                good, pc = arguments[0].holds(text, at), pc + 1
            elif op == SAVE:
                registers, pc = {**registers, arguments[0]: at}, pc + 1
            elif op == MARK:
                registers, pc = {**registers, ("mark", arguments[0]): at}, pc + 1
            elif op == MOVED:
                good, pc = registers["mark", arguments[0]] != at, pc + 1
            elif op == SAME:
                begun, ended = registers.get(2 * arguments[0]), registers.get(2 * arguments[0] + 1)
                good = begun is not None and ended is not None
                if begun is not None and ended is not None:
                    good = text.startswith(text[begun:ended], at)
                    self.steps += ended - begun
                    at += ended - begun
                pc += 1
            elif op == ATOMIC:
                found = self._run(arguments[0], at, _anywhere, registers)
                good, pc = found is not None, arguments[1]
                if found is not None:
                    at, registers = found
            elif op == LOOK:
                inside, pc, back, backwards, wanted = arguments
                fits = partial(_ends_at, at) if backwards else _anywhere
                held = at >= back and self._run(inside, at - back, fits, registers)
                good = bool(held) == wanted
                if held and wanted:
                    registers = held[1]
            elif op == DONE:
                if accepted(at):
                    return at, registers
                good = False
            else:
                good = False
            if not good:
                if not choices:
                    return None
                pc, at, registers = choices.pop()


def count(program: Program, use: str, text: Any, limit: int = 3_000_000) -> int:
    """Steps of a use ("match", "fullmatch", "search", "finditer", "tokens") over a text.

    "tokens": a match at the end of each match. Raises AssertionError where the machine finds
    another match than `re`, TooManySteps beyond the limit.
    """
    machine = Machine(program, text, limit)
    pattern = program.pattern
    if use in ("match", "fullmatch"):
        end = machine.match(0, whole=use == "fullmatch")
        theirs = getattr(pattern, use)(text)
        assert end == (theirs.end() if theirs else None), (pattern.pattern, use, text, end, theirs)
    elif use == "tokens":
        at: int | None = 0
        while at is not None and at < len(text):
            end = machine.match(at)
            theirs = pattern.match(text, at)
            assert end == (theirs.end() if theirs else None), (pattern.pattern, text, at)
            at = None if end == at else end
    elif use == "search":
        spans = machine.spans(first=True)
        theirs = pattern.search(text)
        assert spans == ([theirs.span()] if theirs else []), (pattern.pattern, text, spans)
    else:
        spans = machine.spans()
        assert spans == [item.span() for item in pattern.finditer(text)], (pattern.pattern, text)
    return machine.steps

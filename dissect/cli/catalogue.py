"""`dissect events --list`: every event with its facts, each fact's meaning once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any

from dissect.signin.catalogue import EVENTS
from dissect.signin.fact_catalogue import always, event_facts

WIDTH = 80


def listed() -> list[dict[str, Any]]:
    """A row an event: its name, its meaning, and its facts with theirs."""
    return [
        {"event": name, "meaning": text, "facts": {**event_facts()[name], **always()}}
        for name, text in EVENTS.items()
    ]


def page() -> str:
    """For people: the events with the names of their facts, then what the facts mean."""
    lines: list[str] = []
    for name, text in EVENTS.items():
        lines.append(name)
        lines += _folded(text, 2)
        lines += _folded(", ".join(event_facts()[name]), 4)
    lines += ["", "Any event may have", *_meanings(always())]
    lines += ["", "Facts", *_meanings(meanings())]
    return "\n".join(lines)


def markdown() -> str:
    """The same as a page of the documentation, `docs/events.md`."""
    lines = [
        "# Events and their facts",
        "",
        "Written by `dissect.cli.catalogue.markdown`; a test fails if it is stale. How a flow uses",
        "them is in [flows.md](flows.md). Of every event there are `{host}` and `{server}`, too.",
        "A plugin's events may have any facts.",
        "",
        "| event | meaning | facts |",
        "|---|---|---|",
    ]
    for name, text in EVENTS.items():
        facts = ", ".join(f"`{fact}`" for fact in event_facts()[name])
        lines.append(f"| `{name}` | {text} | {facts} |")
    lines += ["", "Any event may have besides: " + ", ".join(f"`{n}`" for n in always()) + ".", ""]
    lines += ["## Facts", "", "| fact | meaning |", "|---|---|"]
    every = {**meanings(), **always()}
    lines += [f"| `{name}` | {every[name]} |" for name in sorted(every)]
    return "\n".join(lines) + "\n"


def meanings() -> Mapping[str, str]:
    """Every fact of some event, with its meaning."""
    found = {name: text for facts in event_facts().values() for name, text in facts.items()}
    return {name: found[name] for name in sorted(found)}


def _meanings(facts: Mapping[str, str]) -> Iterator[str]:
    wide = max(len(name) for name in facts)
    for name, text in facts.items():
        first, *rest = wrap(text, WIDTH - wide - 4)
        yield f"  {name:{wide}}  {first}"
        yield from (f"  {'':{wide}}  {line}" for line in rest)


def _folded(text: str, indent: int) -> list[str]:
    blanks = " " * indent
    return wrap(text, WIDTH, initial_indent=blanks, subsequent_indent=blanks)

"""HTML pages: of their text only title, headings and errors are quoted, and their forms' fields."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from dissect.model import Secret
from dissect.redaction import markup
from dissect.redaction.judge import Judge, Part
from dissect.redaction.typed import Input

MAX_TEXT = 2000  # characters quoted of one page

# Every pattern here is tried from each of its openers, so none may run on past the next one:
# a thousand openers without an end would cost a million steps (tests/patterns).
_OPENER = re.compile(r"<(input|/?form)(?=[\s/\"'>])", re.I)
# One attribute of a tag, with its value if it has one. A tag without an end stops where the
# next one starts, or at a quotation mark that is in no place for one.
_ATTRIBUTE = re.compile(
    r"[\s/]*+((?:[^\s/<>=\"']|<(?!input))++)"
    r"(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|((?:[^\s<>\"']|<(?!input))++)))?+",
    re.I,
)


def inputs(text: str) -> Iterator[Input]:
    """Each `<input>` of a page, its attributes unescaped, with the number of its form."""
    form = 0
    for start in _OPENER.finditer(text):
        if start[1].lower() != "input":
            form += 1
            continue
        found: dict[str, str] = {}
        at = start.end()
        while attribute := _ATTRIBUTE.match(text, at):
            name, double, single, bare = attribute.groups()
            found.setdefault(name.lower(), markup.html_unescaped(double or single or bare or ""))
            at = attribute.end()
        yield Input(form, found)


def judged(judge: Judge, content: str) -> Iterator[Part] | None:
    """What is shown of a page; None where it says nothing."""
    reported = markup.statements(content)
    forms = markup.forms(content)
    secret = {item.name.lower() for item in inputs(content) if item.type == "password"}
    if not reported and not forms:
        return None
    lacks = markup.what_lacks(content)
    return chain(_page(judge, reported, forms, secret), [f"\n\n({lacks})"] if lacks else [])


def _page(
    judge: Judge, reported: list[str], forms: list[markup.Form], secret: set[str]
) -> Iterator[Part]:
    text = " / ".join(reported)
    yield "The page says: " if text else "A page with a form"
    yield from judge.words(text[:MAX_TEXT])
    if len(text) > MAX_TEXT:
        yield " …"
    for form in forms:
        yield "\n\nForm posting to "
        yield from judge.url(form.action).parts
        for name, value in form.fields.items():
            yield from ("\n  ", judge.name(name), " = ")
            if name in secret and value:
                yield Secret("password", value)
            else:
                yield from judge.value("form", name, value)

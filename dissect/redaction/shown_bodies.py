"""Bodies of messages as text that may be shown: form, JSON, XML, HTML; of others their size.

A body is taken apart by its grammar and written anew, so that what isn't understood isn't
shown. HTML is reduced to what a person was reported: title, headings, errors, forms.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from urllib.parse import unquote_plus

from dissect.model import Body, Text
from dissect.redaction import forms, jsons, markup, multipart, pages, sdp, typed, xmls
from dissect.redaction.judge import Judge, Part, texts
from dissect.redaction.typed import Item, Served

MAX_BODY = 512 * 1024  # of a body that is taken apart
MAX_SHOWN = 16 * 1024  # characters shown of one body


class Bodies:
    """Judges bodies: of each value by `judge`, of what was typed by the forms that were served."""

    def __init__(self, judge: Judge, served: Served) -> None:
        self.judge = judge
        self.served = served

    def shown(
        self, body: Body, content_type: str | None, posted: bool = False
    ) -> tuple[Text | None, str]:
        """What may be shown of a body, and a note on it (its size and kind); None: nothing.
        `posted`: a client sent it."""
        kind = media_type(content_type)
        size = len(body.data)
        note = f"{size:,} bytes{f' of {_plain(kind)}' if kind else ''}"
        if body.wire_size != size:
            note += f", {body.wire_size:,} on the wire"
        if body.problem:
            note += f"; {body.problem}"
        if not size or size > MAX_BODY:
            return None, note
        parts = self._parts(body.text, kind, posted)
        if parts is None and kind.startswith("multipart/"):
            parts = self._multipart(body.text, content_type, posted)
        if parts is None:
            return None, f"{note}; not shown: no kind of which the secrets are known"
        kept, cut = _bounded(parts)
        return texts(kept), f"{note}; only its beginning is shown" if cut else note

    def whole(self, body: Body, content_type: str | None) -> bool:
        """Whether `shown` tells of every byte of a body, so that what it wraps is all there is to
        hide. Of a page, of several parts and of what is cut it never does."""
        kind = media_type(content_type)
        content = body.text
        parts = self._parts(content, kind, posted=True) if len(body.data) <= MAX_BODY else None
        if parts is None or _bounded(parts)[1]:
            return False
        if _looks_json(content, kind):
            return jsons.is_message(content)
        if _looks_html(content, kind):
            return False
        if not _looks_xml(content, kind):
            return True
        root = markup.xml(content)
        return root is not None and xmls.is_message(content, root)

    def form(self, content: str) -> list[tuple[str, Part, list[Part]]]:
        """The fields of a urlencoded form: name, name as it may be shown, value."""
        return self._fields(items(content))

    def _fields(self, found: list[Item]) -> list[tuple[str, Part, list[Part]]]:
        values = typed.form(self.judge, self.served, found, "form")
        return [
            (item.name, self.judge.name(item.name), value)
            for item, value in zip(found, values, strict=True)
        ]

    def _parts(self, content: str, kind: str, posted: bool) -> Iterator[Part] | None:
        """The body by its declared kind, else by what it looks like; None: neither tells."""
        if _looks_json(content, kind):
            return self._json(content, posted)
        if _looks_html(content, kind):
            return pages.judged(self.judge, content)
        if _looks_xml(content, kind):
            root = markup.xml(content)
            return None if root is None else xmls.judged(self.judge, root)
        if "urlencoded" in kind:
            return self._form(content)
        if kind == "application/sdp":
            return sdp.judged(self.judge, content)
        return None

    def _json(self, content: str, posted: bool) -> Iterator[Part] | None:
        try:
            value = jsons.loads(content)
        except (ValueError, RecursionError):
            return None
        tree = jsons.judged(self.judge, self.served, value, posted)
        return jsons.written(self.judge, tree)

    def _form(self, content: str) -> Iterator[Part]:
        for index, (_, name, value) in enumerate(self.form(content)):
            yield "\n" if index else ""
            yield from (name, " = ", *value)

    def _multipart(
        self, content: str, content_type: str | None, posted: bool
    ) -> Iterator[Part] | None:
        found = multipart.parts(content_type, content)
        if not found:
            return None
        named = multipart.fields(content_type, content)
        parts = self._named(named) if named else self._each(found, posted)
        rest = f"\n… and more than {multipart.MAX_PARTS} parts: the others are not shown"
        return chain(parts, [rest] if multipart.more(content_type, content) else [])

    def _named(self, found: list[tuple[str, str]]) -> Iterator[Part]:
        """multipart/form-data (RFC 7578)."""
        found_items = [Item(name, value) for name, value in found]
        for index, (_, name, value) in enumerate(self._fields(found_items)):
            yield "\n" if index else ""
            yield from (name, " = ", *value)

    def _each(self, found: list[tuple[str, str]], posted: bool) -> Iterator[Part]:
        for index, (content_type, inner) in enumerate(found):
            kind = media_type(content_type)
            yield ("\n" if index else "") + f"Part {index + 1}, {_plain(kind)}"
            parts = self._parts(inner, kind, posted)
            if parts is None:
                size = len(inner)
                yield f": {size} characters, not shown: no kind of which the secrets are known\n"
                continue
            yield ":\n"
            yield from parts


def media_type(content_type: str | None) -> str:
    """The media type in lower case, without parameters; empty if there is none."""
    return (content_type or "").partition(";")[0].strip().lower()


def _plain(kind: str) -> str:
    """A media type as words may have it; what is none is hidden."""
    return kind if forms.harmless(kind) else "an unknown type"


def items(content: str) -> list[Item]:
    """The items of a urlencoded form, decoded once."""
    found = []
    for item in content.strip().split("&"):
        name, equals, raw = item.partition("=")
        if item and not equals and "%" in name and "=" in unquote_plus(name):
            name, equals, raw = unquote_plus(name).partition("=")  # encoded as a whole
        if not equals:
            name, raw = "", name  # a text that a program posted as it was, of whatever kind
        found.append(Item(unquote_plus(name), unquote_plus(raw)))
    return found


def _bounded(parts: Iterator[Part]) -> tuple[list[Part], bool]:
    kept: list[Part] = []
    used = 0
    for part in parts:
        length = len(str(part))
        if used + length > MAX_SHOWN:
            if isinstance(part, str):
                kept.append(part[: MAX_SHOWN - used])
            return kept, True
        kept.append(part)
        used += length
    return kept, False


def _start(content: str) -> str:
    return content[:256].lstrip("\ufeff \t\r\n")


def _looks_json(content: str, kind: str) -> bool:
    return "json" in kind or _start(content)[:1] in ("{", "[")


def _looks_html(content: str, kind: str) -> bool:
    start = _start(content)[:15].lower()
    return "html" in kind or start.startswith(("<!doctype html", "<html"))


def _looks_xml(content: str, kind: str) -> bool:
    return "xml" in kind or _start(content).startswith("<")

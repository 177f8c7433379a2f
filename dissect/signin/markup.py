"""HTML forms and XML documents of sign-in pages, through lxml, hardened.

No entities, no DTD, no network, no huge trees (what an attacker would send). Broken
markup is normal: HTML is repaired by the parser, broken XML yields None.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.etree import _Element

HTML_LIMIT = 2 << 20


@dataclass(frozen=True, slots=True)
class Form:
    """A form: where it posts, and its named fields with their values (hidden ones)."""

    action: str
    fields: dict[str, str]  # names in lower case


def forms(html: str) -> list[Form]:
    """All forms of a page; empty where the text has none or is too large."""
    if len(html) > HTML_LIMIT or ("<form" not in html and "<FORM" not in html):
        return []
    root = _html(html)
    if root is None:
        return []
    found = []
    for form in root.iter("form"):
        fields = {}
        for item in form.iter("input", "textarea", "select"):
            name = item.get("name")
            if name:
                fields[name.lower()] = item.get("value") or item.text or ""
        found.append(Form(form.get("action") or "", fields))
    return found


def visible_text(html: str) -> str:
    """The text of a page without scripts and styles, blanks folded."""
    if len(html) > HTML_LIMIT:
        return ""
    root = _html(html)
    if root is None:
        return ""
    for item in list(root.iter("script", "style")):
        item.drop_tree()  # type: ignore[attr-defined]
    return re.sub(r"\s+", " ", "".join(str(piece) for piece in root.itertext())).strip()


def _html(html: str) -> _Element | None:
    from lxml import etree
    from lxml.html import document_fromstring

    try:
        # As bytes: an encoding declaration inside a str is refused by lxml.
        return document_fromstring(html.encode("utf-8", "replace"))
    except (etree.LxmlError, ValueError):
        return None  # an empty page, or nothing that even a browser would take for one


def xml(text: str) -> _Element | None:
    """The root of an XML document, or None if it is none."""
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False, recover=False
    )
    try:
        return etree.fromstring(text.strip().encode("utf-8", "replace"), parser)
    except (etree.LxmlError, ValueError):
        return None  # cut or no XML: the rules that want XML see none


def local(element: _Element) -> str:
    """An element's name without its namespace; empty for comments and the like."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def find(root: _Element | None, name: str) -> _Element | None:
    """The first element with this local name, in any namespace, in document order."""
    if root is None:
        return None
    return next((item for item in root.iter() if local(item) == name), None)


def text_of(root: _Element | None, name: str) -> str:
    """The text of the first element with this local name; empty if there is none."""
    element = find(root, name)
    return (
        "".join(str(piece) for piece in element.itertext()).strip() if element is not None else ""
    )

"""HTML forms and XML documents of sign-in pages, through lxml, hardened.

No entities, no DTD, no network, no huge trees (what an attacker would send). Broken
markup is normal: HTML is repaired by the parser, broken XML yields None.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from html import unescape
from itertools import islice, takewhile
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dissect.redaction.nodes import ATTRIBUTES, DEPTH, Node, page

if TYPE_CHECKING:
    from lxml.etree import _Element

HTML_LIMIT = 2 << 20
SENTENCE = 200  # characters of what a page says in an element
LOOKED_AT = 100  # elements, and pieces of one, that are looked at for a sentence


@dataclass(frozen=True, slots=True)
class Form:
    """A form: where it posts, and its named fields with their values (hidden ones).

    `method` is in lower case. `hidden` is set where nothing in it is for a person to fill in;
    `asked` are the names of what is, `passwords` those of what is typed unseen.
    """

    action: str
    fields: dict[str, str]  # names in lower case
    method: str = "get"
    hidden: bool = False
    asked: frozenset[str] = frozenset()
    passwords: frozenset[str] = frozenset()


_INLINE = frozenset({"a", "b", "em", "font", "i", "small", "span", "strong", "u"})
_UNSEEN = ("hidden", "submit", "button", "image")


def forms(html: str) -> list[Form]:
    """All forms of a page; empty where the text has none or is too large."""
    if len(html) > HTML_LIMIT or not any(tag in html for tag in ("<form", "<FORM", "<Form")):
        return []
    found = []
    for form in page(html).iter("form"):
        fields = {}
        hidden = True
        asked, passwords = set(), set()
        for item in form.iter("input", "textarea", "select"):
            if item.tag != "input" or (item.get("type") or "text").lower() not in _UNSEEN:
                hidden = False
                asked.add((item.get("name") or "").lower())
            name = item.get("name")
            if name and (item.get("type") or "").lower() == "password":
                passwords.add(name.lower())
            if name:
                fields[name.lower()] = item.get("value") or _own_text(item)
        method = (form.get("method") or "get").lower()
        hidden_only = hidden and bool(fields)
        action, names = form.get("action") or "", (frozenset(asked), frozenset(passwords))
        found.append(Form(action, fields, method, hidden_only, *names))
    return found


def what_lacks(html: str) -> str:
    """What of a page is not read, in words; empty if all is."""
    if len(html) > HTML_LIMIT:
        return f"a page of more than {HTML_LIMIT >> 20} MB is not read for forms and texts"
    # A tag takes three characters, an attribute two.
    return page(html).lacks if len(html) > min(3 * DEPTH, 2 * ATTRIBUTES) else ""


def refresh(html: str) -> str | None:
    """The address of a page's `<meta http-equiv="refresh">`, or None."""
    lower = html[:HTML_LIMIT].lower()
    if len(html) > HTML_LIMIT or "<meta" not in lower or "refresh" not in lower:
        return None
    for item in page(html).iter("meta"):
        if (item.get("http-equiv") or "").lower() == "refresh":
            return refresh_target(item.get("content") or "")
    return None


def refresh_target(content: str) -> str | None:
    """The address in "5; url=…", as the meta element and the Refresh field have it."""
    found = re.match(r"\s*+[\d.]*+\s*+[;,]\s*+(?:url\s*+=\s*+)?[\"']?([^\"'\s]++)", content, re.I)
    return found.group(1) if found else None


def visible_text(html: str) -> str:
    """The text of a page without scripts and styles, blanks folded."""
    if len(html) > HTML_LIMIT:
        return ""
    return re.sub(r"\s+", " ", "".join(page(html).texts())).strip()


def text_by_id(html: str, prefix: str) -> str:
    """The text of the first element with one whose id begins so, folded and at most
    `SENTENCE` characters; empty if there is none."""
    if len(html) > HTML_LIMIT or prefix not in html:
        return ""
    items = page(html).iter()
    return _first_text(item for item in items if (item.get("id") or "").startswith(prefix))


def heading(html: str) -> str:
    """The first title or main heading of a page that has a text; empty if there is none."""
    lower = html.lower()
    return (
        _first_text(page(html).iter("title", "h1")) if "<title" in lower or "<h1" in lower else ""
    )


def _own_text(element: Node) -> str:
    """The text before the first element in it, as a textarea has it."""
    return "".join(takewhile(lambda part: isinstance(part, str), element.parts))  # type: ignore[arg-type]


def _first_text(elements: Iterable[Node]) -> str:
    for element in islice(elements, LOOKED_AT):
        pieces = (
            item if isinstance(item, str) else "" if item.tag in _INLINE else " "
            for item in element.walk()
        )
        text = " ".join("".join(islice(pieces, LOOKED_AT)).split())
        if text:
            return text if len(text) <= SENTENCE else text[: SENTENCE - 1] + "…"
    return ""


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


def child_text(root: _Element, name: str) -> str:
    """The text of a direct child with this local name; empty if there is none."""
    child = next((item for item in root if local(item) == name), None)
    return "".join(str(piece) for piece in child.itertext()).strip() if child is not None else ""


def texts(root: _Element | None, name: str) -> list[str]:
    """The texts of all elements with this local name, blanks stripped, empty ones left out."""
    if root is None:
        return []
    found = ("".join(map(str, e.itertext())).strip() for e in root.iter() if local(e) == name)
    return [text for text in found if text]


_NUMBERED = re.compile(r"&#(?=[0-9])0*+([0-9]*+)")


def html_unescaped(text: str) -> str:
    """A text with HTML's character references resolved; never raises.

    `html.unescape` reads a number with `int`, which refuses more than 4300 digits; one that is
    beyond Unicode is U+FFFD all the same (WHATWG HTML §13.2.5.80).
    """
    if "&" not in text:
        return text
    if "&#" in text:
        text = _NUMBERED.sub(lambda m: f"&#{m[1][:8] or '0'}", text)
    return unescape(text)


_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})|\\(.)", re.S)
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


def unescaped(text: str) -> str:
    """A string literal of JSON or JavaScript with its escapes resolved; never raises."""
    if "\\" not in text:
        return text
    plain = _ESCAPE.sub(
        lambda m: chr(int(m[1] or m[2], 16)) if m[1] or m[2] else _CONTROLS.get(m[3], m[3]), text
    )
    # Two escapes of a surrogate pair are one character; a lone one is none.
    return plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def serialised(element: _Element) -> str:
    """An element as XML text, its tail left out: for values that are secret as a whole."""
    from lxml import etree

    return etree.tostring(element, encoding="unicode", with_tail=False)


def host_of(url: object) -> str | None:
    """The host name in a URL; None where it is none, relative or broken."""
    try:
        return urlsplit(url).hostname if isinstance(url, str) else None
    except ValueError:
        return None  # a broken URL names no host


def text_of(root: _Element | None, name: str) -> str:
    """The text of the first element with this local name; empty if there is none."""
    element = find(root, name)
    return (
        "".join(str(piece) for piece in element.itertext()).strip() if element is not None else ""
    )


# What a page shows in one of these is meant for whoever has a problem with it.
_ERROR_ROLES = frozenset({"alert", "alertdialog", "status"})
_LIVE = frozenset({"assertive", "polite"})
_ERROR_WORDS = re.compile(
    r"error|alert|message|validation|warning|exception|invalid|problem|fault|notice|feedback"
    r"|failure|denied|msg(?![a-z])",
    re.I,
)
_HEADINGS = ("title", "h1", "h2", "h3")
MAX_STATEMENTS = 40  # elements of a page that are quoted
MAX_QUOTE = 500  # characters of one of them


_UNSAID = frozenset({"script", "style", "noscript", "template", "textarea", "select"})


def _seen(element: Node) -> Iterator[str]:
    """The texts in an element that a page shows as such."""
    waiting: list[Node | str] = [element]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif item.tag not in _UNSAID:
            waiting += reversed(item.parts)


def problems(html: str) -> list[str]:
    """What a page says in its error elements; in its title and headings where it has none."""
    return statements(html, is_error_text) or statements(html)


def statements(html: str, speaks: Callable[[Node], bool] | None = None) -> list[str]:
    """What a page says in its title, headings and error elements, blanks folded, in order; or in
    the elements that speak for `speaks`."""
    speaks = speaks or _speaks
    if len(html) > HTML_LIMIT:
        return []
    found: dict[str, None] = {}
    waiting: list[Node | str] = [page(html)]
    while waiting and len(found) < MAX_STATEMENTS:
        item = waiting.pop()
        if isinstance(item, str) or item.tag in _UNSAID:
            continue
        if not speaks(item):
            waiting += reversed(item.parts)
            continue
        text = " ".join("".join(_seen(item)).split())  # of all that is in it, once
        if text:
            found.setdefault(text if len(text) <= MAX_QUOTE else text[: MAX_QUOTE - 1] + "…")
    return [*found, "…"] if waiting and len(found) >= MAX_STATEMENTS else list(found)


def _speaks(element: Node) -> bool:
    return element.tag in _HEADINGS or is_error_text(element)


def is_error_text(element: Node) -> bool:
    """Whether a page shows in an element what is the matter, by its role, id or class."""
    if element.tag in ("html", "body", "form", "main", "head"):
        return False
    if element.get("role") in _ERROR_ROLES or element.get("aria-live") in _LIVE:
        return True
    named = f"{element.get('id') or ''} {element.get('class') or ''}"
    return len(named) > 1 and _ERROR_WORDS.search(named[:400]) is not None

"""HTML forms and XML documents of sign-in pages, through lxml, hardened.

No entities, no DTD, no network, no huge trees (what an attacker would send). Broken
markup is normal: HTML is repaired by the parser, broken XML yields None.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from lxml.etree import _Element

HTML_LIMIT = 2 << 20


@dataclass(frozen=True, slots=True)
class Form:
    """A form: where it posts, and its named fields with their values (hidden ones).

    `method` is in lower case. `hidden` is set where nothing in it is for a person to fill in.
    """

    action: str
    fields: dict[str, str]  # names in lower case
    method: str = "get"
    hidden: bool = False


_UNSEEN = ("hidden", "submit", "button", "image")


def forms(html: str) -> list[Form]:
    """All forms of a page; empty where the text has none or is too large."""
    if len(html) > HTML_LIMIT or not any(tag in html for tag in ("<form", "<FORM", "<Form")):
        return []
    root = _html(html)
    if root is None:
        return []
    found = []
    for form in root.iter("form"):
        fields = {}
        hidden = True
        for item in form.iter("input", "textarea", "select"):
            if item.tag != "input" or (item.get("type") or "text").lower() not in _UNSEEN:
                hidden = False
            name = item.get("name")
            if name:
                fields[name.lower()] = item.get("value") or item.text or ""
        method = (form.get("method") or "get").lower()
        found.append(Form(form.get("action") or "", fields, method, hidden and bool(fields)))
    return found


def refresh(html: str) -> str | None:
    """The address of a page's `<meta http-equiv="refresh">`, or None."""
    lower = html[:HTML_LIMIT].lower()
    if len(html) > HTML_LIMIT or "<meta" not in lower or "refresh" not in lower:
        return None
    root = _html(html)
    if root is None:
        return None
    for item in root.iter("meta"):
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

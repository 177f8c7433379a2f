"""XML written anew, each text and attribute judged by its name and place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dissect.model import UNKNOWN, Secret
from dissect.redaction import forms, markup
from dissect.redaction.judge import Judge, Part
from dissect.redaction.kinds import kind_by_words, kind_of

if TYPE_CHECKING:
    from lxml.etree import _Element

MAX_DEPTH = 60

SECRETS = {
    "binarysecret": "binary_secret",
    "binarysecuritytoken": "binary_security_token",
    "password": "password",
    "signaturevalue": "signature",
    "digestvalue": "signature",
    "requestedprooftoken": "binary_secret",
    "ciphervalue": "assertion",
    "x509certificate": "opaque_value",
    "nonce": "nonce",
    "cardid": "token",
}
_IDS = ("id", "assertionid", "inresponseto", "responseid")
_NAMING = ("name", "key", "id", "n", "param", "parameter", "field", "attributename", "fieldname")
_VALUED = ("value", "val", "v", "data", "content")
# Elements that say nothing of what they hold: their neighbours or parents do.
_GENERIC = frozenset(
    {"value", "attributevalue", "string", "val", "v", "content", "data", "item", "entry", "text"}
)
_WHOLE = frozenset({"password", "one_time_code", "private_key", "api_key", "client_secret"})


def judged(judge: Judge, root: _Element) -> Iterator[Part]:
    """The element and all below it as indented text."""
    return _element(judge, root, 0, "", None)


def _element(
    judge: Judge, element: _Element, depth: int, context: str, kind: str | None
) -> Iterator[Part]:
    name = markup.local(element)
    if not name:
        return  # comments and processing instructions are not shown
    indent = "  " * depth
    if depth > MAX_DEPTH:
        yield f"{indent}…\n"
        return
    yield f"{indent}<{name}"
    named = _named(element)
    for key, value in element.attrib.items():
        attribute = str(key).rpartition("}")[2]
        yield f' {attribute}="'
        yield from _attribute(judge, name, attribute, str(value), named, kind)
        yield '"'
    children = [child for child in element if markup.local(child)]
    content = (element.text or "").strip()
    if not children and not content:
        yield "/>\n"
        return
    yield ">"
    reported = _meaning(name, named, context)
    if content:
        yield from _text(judge, name, reported, content, kind)
    if children:
        yield "\n"
        below = kind or _whole(reported if name.lower() in _GENERIC else name)
        sibling = _sibling_name(children)
        for child in children:
            yield from _element(
                judge, child, depth + 1, sibling or named or (reported if named else name), below
            )
        yield indent
    yield f"</{name}>\n"


def _named(element: _Element) -> str:
    """What an attribute calls the element's value; empty where none does."""
    for key, value in element.attrib.items():
        text = str(value)
        if str(key).rpartition("}")[2].lower() in _NAMING and 0 < len(text) <= 200:
            last = text.rstrip("/").rpartition("/")[2] if "://" in text else text
            return "" if forms.looks_like_token(last) else last
    return ""


def _meaning(name: str, named: str, context: str) -> str:
    """The name by which an element's text is judged."""
    if name.lower() not in _GENERIC:
        return named if named and name.lower() in ("add", "param", "parameter", "setting") else name
    return named or context or name


def _sibling_name(children: list[_Element]) -> str:
    """`<key>password</key><value>…</value>`: the text of the one names the other."""
    if len(children) > 4 or not any(markup.local(c).lower() in _VALUED for c in children):
        return ""
    for child in children:
        if markup.local(child).lower() in _NAMING and not len(child):
            text = (child.text or "").strip()
            return text if len(text) <= 100 and not forms.looks_like_token(text) else ""
    return ""


def _attribute(
    judge: Judge, element: str, attribute: str, value: str, named: str, kind: str | None
) -> Iterator[Part]:
    lower = attribute.lower()
    if lower in _IDS and len(value) >= 16:
        yield Secret("web_ticket", value)
    elif lower in _NAMING or (lower == "token" and element == "Link"):
        plain = len(value) <= 200 and not forms.has_jwt(value) and forms.PEM not in value
        if (
            plain
            and (named or lower in ("name", "attributename", "token"))
            and not _unusual_name(lower, value)
        ):
            yield value  # a name
        else:
            yield from judge.value("xml", attribute, value)
    elif kind is not None and value.lower() not in forms.BOOLEANS:
        yield Secret(kind, value) if value else ""
    elif lower in _VALUED and named:
        yield from _valued(judge, named, value)
    else:
        known = SECRETS.get(lower) if lower != "nonce" else None
        yield from (
            [Secret(known, value)] if known and value else judge.value("xml", attribute, value)
        )


def _unusual_name(lower: str, value: str) -> bool:
    """A key or id that is alone may be a value: names are made of words."""
    return lower in ("key", "id") and any(
        len(part) > 3 and _mixed(part) for part in value.split(".")
    )


def _mixed(part: str) -> bool:
    return forms.looks_like_token(part)


def _valued(judge: Judge, name: str, value: str) -> Iterator[Part]:
    yield from judge.value("xml", name, value)


def _text(judge: Judge, name: str, text: str, content: str, kind: str | None) -> Iterator[Part]:
    own = SECRETS.get(name.lower())
    if own or kind:
        yield Secret(own or kind or UNKNOWN, content)
    elif name.lower() in _NAMING and text == name and name.lower() != "id":
        yield content if _is_name(content) else Secret(UNKNOWN, content)
    else:
        yield from judge.value("xml", text, content)


def _is_name(content: str) -> bool:
    return len(content) <= 100 and "\n" not in content and not forms.looks_like_token(content)


def _whole(name: str) -> str | None:
    """The kind that everything below an element of this name is of."""
    kind = kind_of(name) or kind_by_words(name)
    return kind if kind in _WHOLE and not forms.by_last_word(name, "1") else None


def is_message(content: str, root: _Element) -> bool:
    """Whether there is nothing but elements, no text behind one, and none too deep."""
    start = content.lstrip("\ufeff \t\r\n")
    declared = start.partition("?>")[2] if start.startswith("<?xml ") else start
    if "<!" in declared or "<?" in declared:
        return False
    spaces = {str(uri) for element in root.iter() for uri in element.nsmap.values()}
    if not all(forms.is_url(uri) and "?" not in uri for uri in spaces):
        return False
    open_elements = max(sum(1 for _ in element.iterancestors()) for element in root.iter())
    return open_elements < MAX_DEPTH and not any((e.tail or "").strip() for e in root.iter())

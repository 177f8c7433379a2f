"""Bodies of messages as text that may be shown: form, JSON, XML, HTML; of others their size.

A body is taken apart by its grammar and written anew, so that what isn't understood isn't
shown. HTML is reduced to what a person saw: title, text, forms; scripts are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dissect.model import Body, Secret, Text
from dissect.protocols import multipart
from dissect.report.fields import Part, named, text, words
from dissect.signin import markup, redaction

if TYPE_CHECKING:
    from lxml.etree import _Element

MAX_BODY = 512 * 1024  # of a body that is taken apart
MAX_SHOWN = 16 * 1024  # characters shown of one body
MAX_DEPTH = 60
MAX_PAGE_TEXT = 2000

XML_SECRETS = {
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
_XML_IDS = ("id", "assertionid", "inresponseto", "responseid")


def shown(body: Body, content_type: str | None) -> tuple[Text | None, str]:
    """What may be shown of a body, and a note on it (its size and kind); None: nothing."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    size = len(body.data)
    note = f"{size:,} bytes{f' of {kind}' if kind else ''}"
    if body.wire_size != size:
        note += f", {body.wire_size:,} on the wire"
    if body.problem:
        note += f"; {body.problem}"
    if not size or size > MAX_BODY:
        return None, note
    parts = _parts(body.text, kind)
    if parts is None and kind.startswith("multipart/"):
        parts = _multipart(body.text, content_type)
    if parts is None:
        return None, f"{note}; not shown: no kind of which the secrets are known"
    kept, cut = _bounded(parts)
    return text(kept), f"{note}; only its beginning is shown" if cut else note


def whole(body: Body, content_type: str | None) -> bool:
    """Whether `shown` tells of every byte of a body, so that what it wraps is all there is to
    hide. Of a page, of several parts and of what is cut it never does."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    content = body.text
    parts = _parts(content, kind) if len(body.data) <= MAX_BODY else None
    if parts is None or _bounded(parts)[1]:
        return False
    if _looks_json(content, kind):
        return _json_told(content)
    if _looks_html(content, kind):
        return False
    return not _looks_xml(content, kind) or _xml_told(content)


def _json_told(content: str) -> bool:
    """Whether no name stands twice in an object, and none too deep."""
    twice = False

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal twice
        twice |= len(dict(pairs)) < len(pairs)
        return dict(pairs)

    value = json.loads(content.lstrip("\ufeff"), object_pairs_hook=members)
    return not twice and _depth(value) <= MAX_DEPTH


def _depth(value: Any) -> int:
    level, depth = [value], 0
    while level and depth <= MAX_DEPTH:
        inner = (item.values() if isinstance(item, dict) else item for item in level)
        level = [child for items in inner for child in items if isinstance(child, dict | list)]
        depth += 1
    return depth


def _xml_told(content: str) -> bool:
    """Whether there is nothing but elements, no text behind one, and none too deep."""
    root = markup.xml(content)
    start = content.lstrip("\ufeff \t\r\n")
    declared = start.partition("?>")[2] if start.startswith("<?xml ") else start
    if root is None or "<!" in declared or "<?" in declared:
        return False
    open_elements = max(sum(1 for _ in element.iterancestors()) for element in root.iter())
    return open_elements < MAX_DEPTH and not any((e.tail or "").strip() for e in root.iter())


def _bounded(parts: Iterator[Part]) -> tuple[list[Part], bool]:
    kept: list[Part] = []
    used = 0
    for part in parts:
        length = 16 if isinstance(part, Secret) else len(part)
        if used + length > MAX_SHOWN:
            if isinstance(part, str):
                kept.append(part[: MAX_SHOWN - used])
            return kept, True
        kept.append(part)
        used += length
    return kept, False


def _parts(content: str, kind: str) -> Iterator[Part] | None:
    """The body by its declared kind, else by what it looks like; None: neither tells."""
    if _looks_json(content, kind):
        return _json(content)
    if _looks_html(content, kind):
        return _html(content)
    if _looks_xml(content, kind):
        return _xml(content)
    if "urlencoded" in kind:
        return _form(content)
    if kind == "application/sdp":
        return _sdp(content)
    return None


def _start(content: str) -> str:
    return content[:256].lstrip("\ufeff \t\r\n")


def _looks_json(content: str, kind: str) -> bool:
    return "json" in kind or _start(content)[:1] in ("{", "[")


def _looks_html(content: str, kind: str) -> bool:
    start = _start(content)[:15].lower()
    return "html" in kind or start.startswith(("<!doctype html", "<html"))


def _looks_xml(content: str, kind: str) -> bool:
    return "xml" in kind or _start(content).startswith("<")


def _form(content: str) -> Iterator[Part]:
    for index, (name, value) in enumerate(redaction.pairs(content.strip())):
        yield ("\n" if index else "") + name + " = "
        yield from _value(name, value)


def _value(name: str, value: str) -> Iterator[Part]:
    wrapped = named(name, value)
    if isinstance(wrapped, Secret):
        yield wrapped
    else:
        yield from words(value)


# ------------------------------------------------------------------ JSON


def _json(content: str) -> Iterator[Part] | None:
    try:
        value = json.loads(content.lstrip("\ufeff"))
    except (ValueError, RecursionError):
        return None
    return _json_value(value, "", 0)


def _json_value(value: Any, name: str, depth: int) -> Iterator[Part]:
    if depth > MAX_DEPTH:
        yield "…"
    elif isinstance(value, dict):
        pairs = ((_json_key(str(key)), str(key), item) for key, item in value.items())
        yield from _json_items("{", "}", pairs, depth)
    elif isinstance(value, list):
        yield from _json_items("[", "]", (((), name, item) for item in value), depth)
    elif isinstance(value, str):
        yield '"'
        for part in _value(name, value):
            yield part if isinstance(part, Secret) else json.dumps(part, ensure_ascii=False)[1:-1]
        yield '"'
    else:
        literal = json.dumps(value)
        # A number can be a PIN; true, false and null are not.
        wrapped = named(name, literal) if isinstance(value, int | float) else literal
        yield literal if isinstance(value, bool) else wrapped


def _json_key(key: str) -> tuple[Part, ...]:
    """A key with its quotes; one that looks like a token is wrapped."""
    wrapped = redaction.wrap("", key)
    if isinstance(wrapped, Secret):
        return '"', wrapped, '": '
    return (json.dumps(key, ensure_ascii=False) + ": ",)


def _json_items(
    opening: str, closing: str, items: Iterator[tuple[tuple[Part, ...], str, Any]], depth: int
) -> Iterator[Part]:
    yield opening
    empty = True
    for lead, name, item in items:
        yield ("\n" if empty else ",\n") + "  " * (depth + 1)
        yield from lead
        yield from _json_value(item, name, depth + 1)
        empty = False
    yield closing if empty else "\n" + "  " * depth + closing


# ------------------------------------------------------------------ XML


def _xml(content: str) -> Iterator[Part] | None:
    root = markup.xml(content)
    return None if root is None else _element(root, 0)


def _element(element: _Element, depth: int) -> Iterator[Part]:
    name = markup.local(element)
    if not name or depth > MAX_DEPTH:
        return  # comments and processing instructions are not shown
    indent = "  " * depth
    yield f"{indent}<{name}"
    for key, value in element.attrib.items():
        attribute = str(key).rpartition("}")[2]
        yield f' {attribute}="'
        if attribute.lower() in _XML_IDS and len(str(value)) >= 16:
            yield Secret("web_ticket", str(value))
        else:
            yield from _value(attribute, str(value))
        yield '"'
    children = [child for child in element if markup.local(child)]
    content = (element.text or "").strip()
    if not children and not content:
        yield "/>\n"
        return
    yield ">"
    if content:
        kind = XML_SECRETS.get(name.lower())
        if kind:
            yield Secret(kind, content)
        else:
            yield from _value(name, content)
    if children:
        yield "\n"
        for child in children:
            yield from _element(child, depth + 1)
        yield indent
    yield f"</{name}>\n"


# ------------------------------------------------------------------ several parts


def _multipart(content: str, content_type: str | None) -> Iterator[Part] | None:
    found = multipart.parts(content_type, content)
    return _each(found) if found else None


def _each(found: list[tuple[str, str]]) -> Iterator[Part]:
    for index, (content_type, inner) in enumerate(found):
        kind = content_type.partition(";")[0].strip().lower()
        yield ("\n" if index else "") + f"Part {index + 1}, "
        yield from words(kind)
        parts = _parts(inner, kind)
        if parts is None:
            yield f": {len(inner)} characters, not shown: no kind of which the secrets are known\n"
            continue
        yield ":\n"
        yield from parts


# ------------------------------------------------------------------ HTML and SDP


def _html(content: str) -> Iterator[Part] | None:
    page = markup.visible_text(content)
    forms = markup.forms(content)
    return _page(page, forms) if page or forms else None


def _page(page: str, forms: list[markup.Form]) -> Iterator[Part]:
    yield "Text of the page: "
    yield from words(page[:MAX_PAGE_TEXT])
    if len(page) > MAX_PAGE_TEXT:
        yield " …"
    for form in forms:
        yield "\n\nForm posting to "
        yield from redaction.redact_url(form.action).parts
        for name, value in form.fields.items():
            yield f"\n  {name} = "
            yield from _value(name, value)


def _sdp(content: str) -> Iterator[Part]:
    """A session description (RFC 8866); keys of media streams (RFC 4568, RFC 8839) wrapped."""
    for line in content.splitlines():
        name, colon, value = line.partition(":")
        if line.startswith("k=") or name.lower() in ("a=crypto", "a=ice-pwd", "a=key-mgmt"):
            yield name + colon
            yield Secret("token", value or line[2:])
        else:
            yield line
        yield "\n"

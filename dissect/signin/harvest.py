"""Finds every secret of a message, whatever rule reads it, so that none can slip through.

Fields, cookies, parameters, JSON keys and XML elements are known by name; tokens of
unknown name by their shape. What is found goes into the `SecretBook`, which masks it in
every text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from dissect.model import Headers, HttpRequest, HttpResponse, Secret, SipMessage, Text, wire_text
from dissect.signin import markup, redaction, saml
from dissect.signin.redaction import SecretBook
from dissect.signin.secret_names import SETTING

BODY_LIMIT = 1 << 20  # a sign-in's page is some hundred KB; beyond that only its start is read

# Every pattern here is tried from each of its openers, so none may run on past the next one:
# a thousand openers without an end would cost a million steps (tests/patterns).
_INPUT = re.compile(r"<input(?=[\s/\"'])", re.I)
# One attribute of a tag, with its value if it has one. A tag without an end stops where the
# next one starts, or at a quotation mark that is in no place for one.
_ATTRIBUTE = re.compile(
    r"[\s/]*+((?:[^\s/<>=\"']|<(?!input))++)"
    r"(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|((?:[^\s<>\"']|<(?!input))++)))?+",
    re.I,
)
_JSON_STRING = re.compile(r'"([\w.:-]++)"\s*+:\s*+"((?:[^"\\]|\\.)*+)"')
_SAML = ("samlresponse", "samlrequest")
_XML_SECRET = re.compile(
    r"<(?:[\w-]++:)?(BinarySecret|BinarySecurityToken|Password|SignatureValue|RequestedProofToken|CipherValue|Artifact)\b[^<>]*+>([^<]++)<"
)
# A setting of a phone (secret_names.SETTING), as an attribute or an element. A word is tried
# once, from its start: from each of its letters, base64 would take quadratic time.
_XML_SETTING = re.compile(
    r"(?<![\w.:-])([\w.:-]++)\s*=\s*(?:\"([^\"<]{1,400})\"|'([^'<]{1,400})')"
    r"|<([\w.-]{1,120})(?:\s[^<>]{0,200})?>([^<]{1,400})</"
)
_ASSERTION_TAG = re.compile(
    r"<(?:[\w-]++:)?(?:Encrypted)?Assertion\b|(</(?:[\w-]++:)?(?:Encrypted)?Assertion\s*+>)"
)
_ASSERTION_ID = re.compile(r"\b(?:AssertionID|ID)=\"([^\"]{16,}+)\"")
_URL = re.compile(r"https?://[^\s\"'<>]++")
_SIP_PARAMETER = re.compile(
    r"\b(gssapi-data|response|rspauth|opaque|crand|srand|nonce|cnonce)\s*+=\s*+\"?([^\",\s]++)",
    re.I,
)


def http(message: HttpRequest | HttpResponse, book: SecretBook) -> None:
    """Note the secrets of a request or response."""
    capture = message.place.connection.capture
    frame = message.place.span.first_frame
    found: list[Secret] = []
    if isinstance(message, HttpRequest):
        found += _secrets(redaction.redact_url(wire_text(message.target)))
    found += _header_secrets(message.headers)
    found += body(message.body.text[:BODY_LIMIT], message.headers.get("content-type") or "")
    for secret in found:
        book.learn(secret, capture, frame)


def sip(message: SipMessage, book: SecretBook) -> None:
    """Note the secrets of a SIP message: what its authentication fields carry."""
    capture = message.place.connection.capture
    frame = message.place.span.first_frame
    for name in (
        "authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate",
        "authentication-info", "proxy-authentication-info",
    ):  # fmt: skip
        for value in message.header_all(name):
            for parameter, text in _SIP_PARAMETER.findall(value):
                kind = redaction.kind_of(parameter) or "nonce"
                book.learn(Secret(kind, text), capture, frame)


def path(request: HttpRequest) -> Text:
    """The request's path without its query, token-like segments wrapped."""
    return Text(tuple(redaction.redact_path(request.path)))


def target(request: HttpRequest) -> Text:
    """The request target with its query, secrets wrapped; absolute form as sent."""
    return redaction.redact_url(wire_text(request.target))


def _header_secrets(headers: Headers) -> Iterator[Secret]:
    for raw_name, raw_value in headers:
        name = raw_name.decode("latin-1").lower()
        value = wire_text(raw_value)
        if name in ("authorization", "proxy-authorization"):
            yield redaction.authorization(value)
        elif name == "cookie":
            yield from (secret for _, secret in redaction.cookies(value))
        elif name == "set-cookie":
            named = redaction.set_cookie(value)
            if named:
                yield named[1]
        elif name in ("www-authenticate", "proxy-authenticate"):
            blob = redaction.challenge(value)
            if blob:
                yield blob
        elif name == "authentication":
            yield redaction.authorization(value.replace("=", " ", 1))
        elif redaction.kind_of(name):
            # X-MS-WebTicket and other fields that carry a token by themselves.
            yield Secret(redaction.kind_of(name) or "token", value)
        elif name in ("location", "referer", "content-location"):
            yield from _secrets(redaction.redact_url(value))


def body(text: str, content_type: str) -> Iterator[Secret]:
    """The secrets of a body, by what it looks like: form, JSON, HTML, XML."""
    start = text[:256].lstrip("\ufeff \t\r\n")
    kind = content_type.lower()
    if not start:
        return
    if "json" in kind or start[:1] in "{[":
        yield from _json(text)
    elif start[:1] == "<" or "html" in kind or "xml" in kind:
        yield from _markup(text)
    elif "urlencoded" in kind or re.match(r"[\w.%-]+=", start):
        for name, value in redaction.pairs(text.strip()):
            yield from _named(name, value)
            if value[:1] == "<":
                yield from _markup(value)
            if name.lower() in _SAML:
                yield from _inside_saml(value)


def _inside_saml(value: str) -> Iterator[Secret]:
    """What a SAML message holds once it is decoded: an assertion, a signature."""
    text = saml.decode(value)
    if text:
        yield from _markup(text[:BODY_LIMIT])


def _json(text: str) -> Iterator[Secret]:
    try:
        yield from _walk(json.loads(text.lstrip("\ufeff")), "")
    except (ValueError, RecursionError):
        # Cut short, or JSON in all but name: the strings of it that can be read count.
        for name, value in _JSON_STRING.findall(text):
            yield from _named(name, markup.unescaped(value))


def _walk(value: Any, name: str) -> Iterator[Secret]:
    if isinstance(value, dict):
        explained = any(str(key).lower() == "message" for key in value)
        for key, item in value.items():
            if explained and str(key).lower() == "code" and _is_words(item):
                continue  # the code of an error is no authorization code
            yield from _walk(item, str(key))
    elif isinstance(value, list):
        for item in value:
            yield from _walk(item, name)
    elif isinstance(value, str):
        yield from _named(name, value)


def _is_words(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[A-Za-z][A-Za-z_.]{2,79}", value) is not None


def _named(name: str, value: str) -> Iterator[Secret]:
    wrapped = redaction.wrap(name, value)
    if isinstance(wrapped, Secret):
        yield wrapped
    elif "://" in value:
        for url in _URL.findall(value):
            yield from _secrets(redaction.redact_url(url))


def _markup(text: str) -> Iterator[Secret]:
    for name, value in _inputs(text):
        yield from _named(name, markup.html_unescaped(value))
        if name.lower() in _SAML:
            yield from _inside_saml(markup.html_unescaped(value))
    for name, value in _JSON_STRING.findall(text):
        yield from _named(name, markup.unescaped(value))
    plain = markup.html_unescaped(text) if "&lt;" in text else text
    for name, value in _XML_SECRET.findall(plain):
        yield Secret(redaction.kind_of(name) or "binary_secret", value.strip())
    settings = () if "<html" in text[:1024].lower() else _XML_SETTING.findall(text)
    for attribute, double, single, element, content in settings:
        if SETTING.search(attribute or element):
            yield Secret("password", markup.html_unescaped(double or single or content).strip())
    for assertion in _assertions(plain):
        yield Secret("assertion", assertion)
        yield from (
            Secret("web_ticket", ident) for ident in _ASSERTION_ID.findall(assertion[:2048])
        )
    for url in _URL.findall(markup.html_unescaped(plain)):
        yield from _secrets(redaction.redact_url(url))


def _inputs(text: str) -> Iterator[tuple[str, str]]:
    """Name and value, as written, of each `<input>` that has both; the order is free."""
    for start in _INPUT.finditer(text):
        found: dict[str, str] = {}
        at = start.end()
        while attribute := _ATTRIBUTE.match(text, at):
            name, double, single, bare = attribute.groups()
            found.setdefault(name.lower(), double or single or bare or "")
            at = attribute.end()
        if found.get("name") and found.get("value"):
            yield found["name"], found["value"]


def _assertions(text: str) -> Iterator[str]:
    """Every assertion from its start tag to the next end tag of one."""
    begun = None
    for tag in _ASSERTION_TAG.finditer(text):
        if begun is None:
            begun = None if tag[1] else tag.start()
        elif tag[1]:
            yield text[begun : tag.end()]
            begun = None


def _secrets(text: Text) -> list[Secret]:
    return [part for part in text.parts if isinstance(part, Secret)]

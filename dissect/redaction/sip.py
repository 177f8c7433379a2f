"""SIP addresses, URIs and their parameters (RFC 3261 §20, §19.1).

Display names, users and hosts are shown; of parameters those that `harmless.SIP` has. A password
in a URI and the push id of RFC 8599 never are, nor a user part that is no user's: of a route it may
be a signed token (RFC 5626 §5.2), of a temporary GRUU an encrypted one (RFC 5627 §3.1.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

from dissect.model import UNKNOWN, Secret
from dissect.redaction import forms
from dissect.redaction.harmless import SIP
from dissect.redaction.judging import Judging, Part
from dissect.redaction.kinds import kind_of
from dissect.redaction.plain import plain

# A quoted string, an address in angle brackets, a separator, anything else.
_TOKEN = re.compile(r"\"(?:[^\"\\]|\\.)*+\"?|<[^<>]*+>?|[;,]|[^\";,<]++")
_BARE_URI = re.compile(r"\s*+(?:sips?|tel|im|pres|https?|cid|urn):", re.I)


# Where the user part of an address is a route's.
ROUTES = frozenset({"route", "record-route", "path", "service-route"})
# Which begin with the Call-ID of another dialog (RFC 3891, 3911, 4538, RFC 3261 §20.21).
DIALOGS = frozenset({"replaces", "join", "target-dialog", "in-reply-to"})
# Whose URLs open what they lead to (RFC 6442 §3.3: whoever has one learns a location).
REFERENCES = frozenset({"geolocation"})
# Ids by their grammar: RFC 7989 §5 (a UUID of version 4 or 5 without its hyphens), Cisco's.
IDS = {
    "session-id": re.compile(r"[0-9a-f]{12}[45][0-9a-f]{3}[89ab][0-9a-f]{15}|0{32}"),
    "cisco-guid": re.compile(r"\d{1,10}(?:-\d{1,10}){3}"),
}
_ROLES = frozenset({"orig", "term", "mo", "mt"})  # of a session in IMS (3GPP TS 24.229)
# RFC 5626 §4.1, RFC 7254; a push service of RFC 8599 §12.1.
_INSTANCE = re.compile(
    r"urn:uuid:[0-9a-f]{1,8}(?:-[0-9a-f]{1,12}){1,4}|urn:gsma:imei:[\d-]{1,20}", re.I
)
_NAME = re.compile(r"[A-Za-z0-9.!%*_+`'~-]{1,64}")  # a token (RFC 3261 §25.1)
_SERVICE = re.compile(r"[a-z]{2,8}(?:[.-][a-z]{2,8})?")


def addresses(judge: Judging, value: str, *, field: str = "") -> Iterator[Part]:
    """The addresses, or words, with parameters that a field has; lossless."""
    fresh = True  # what comes next is an address or the first word of a member
    named = ""  # the parameter whose quoted value comes next
    for match in _TOKEN.finditer(value):
        token = match[0]
        if named and token[0] in '"<':
            yield from _quoted(judge, named, token)
            named = ""
            continue
        named = token.rstrip()[:-1].strip() if token.rstrip()[-1:] == "=" else ""
        if token in (";", ","):
            yield token
            fresh = token == ","
        elif token[0] == "<":
            closed = token[-1:] == ">"
            inner = uri(judge, token[1 : -1 if closed else None], field=field)
            yield from ("<", *inner, ">" if closed else "")
        elif token[0] == '"' or fresh:
            bare = token.strip()
            if fresh and _BARE_URI.match(token):
                start = token.find(bare)
                inner = uri(judge, bare, field=field)
                yield from (token[:start], *inner, token[start + len(bare) :])
            elif "=" in bare and token[0] != '"':
                yield from _parameter(judge, token)
            elif not fresh:
                yield Secret(UNKNOWN, token)  # a quotation mark within a value
            elif field in DIALOGS and bare and bare not in judge.calls:
                yield Secret(UNKNOWN, token)
            else:
                yield from judge.words(token) if len(bare) > 40 and " " in bare else plain(token)
            fresh = fresh and token[0] == '"'
        else:
            yield from _parameter(judge, token)


def identifier(judge: Judging, field: str, value: str) -> Iterator[Part]:
    """An id of a session, the other end's behind it (RFC 7989 §5: `;remote=`)."""
    for index, item in enumerate(value.split(";")):
        yield ";" if index else ""
        name, equals, found = item.partition("=") if index else ("", "", item)
        yield name + equals if equals else ""
        found = found if equals or not index else item
        plain = not found.strip() or IDS[field].fullmatch(found.strip())
        yield found if plain else Secret(UNKNOWN, found)


def _quoted(judge: Judging, name: str, token: str) -> Iterator[Part]:
    """The value of a parameter in quotation marks."""
    closing = {'"': '"', "<": ">"}[token[0]]
    closed = len(token) > 1 and token[-1] == closing
    inner = token[1:-1] if closed else token[1:]
    yield token[0]
    if inner:
        yield from parameter(judge, name.lower(), inner)
    yield closing if closed else ""


def _parameter(judge: Judging, token: str) -> Iterator[Part]:
    """`name`, or `name=value`, the value maybe behind it in a quoted string of its own."""
    name, equals, value = token.partition("=")
    if not equals:
        yield judge.flag(token)
        return
    if forms.padded(token.strip()) or not _NAME.fullmatch(name.strip()):
        yield Secret(UNKNOWN, token)  # base64, its padding taken for the sign after a name
        return
    bare = name.strip().lower()
    content = value.strip()
    start = value.find(content) if content else 0
    yield from (name + equals, value[:start])
    if content:
        yield from parameter(judge, bare, content)
    yield value[start + len(content) :]


_FORMS = {"+sip.instance": _INSTANCE, "sip.instance": _INSTANCE, "pn-provider": _SERVICE}
_FREE_TEXT = frozenset({"text", "reason", "source", "description"})


def parameter(judge: Judging, name: str, value: str) -> Iterator[Part]:
    """The value of a parameter of a URI or a header field."""
    if name == "opaque" and value.lower().startswith(("user:epid:", "app:", "srvr:")):
        yield value  # [MS-SIPRE] 2.2.1: which of a user's endpoints, as in a GRUU
        return
    kind = kind_of(name)
    form = _FORMS.get(name)
    if form is not None and name not in judge.shown_names:
        bare = value[1:-1] if value[0] == "<" and value[-1] == ">" else value
        yield value if form.fullmatch(bare) else Secret(UNKNOWN, value)
    elif name == "temp-gruu" and value.lower().startswith(("sip:", "sips:")):
        yield from uri(judge, value, field="route")
    elif kind is None and name in SIP:
        if name in _FREE_TEXT:
            yield from judge.words(value)
        elif forms.is_url(value):
            yield from judge.url(value).parts
        elif forms.has_jwt(value) or ("%" in value and judge.inside(value)):
            yield Secret("opaque_value", value)
        else:
            yield value
    else:
        yield from judge.value("sip", name, unquote(value) if "%" in value else value, value)


def uri(judge: Judging, text: str, *, field: str = "") -> Iterator[Part]:
    """A SIP, SIPS, TEL or other URI with its parameters and headers (RFC 3261 §19.1)."""
    scheme, colon, rest = text.partition(":")
    if scheme.lower() not in ("sip", "sips", "tel", "im", "pres"):
        if field in REFERENCES:
            yield from _reference(text)
        elif "://" in text:
            yield from judge.url(text).parts
        else:
            yield text if forms.harmless(text) else Secret(UNKNOWN, text)
        return
    yield scheme + colon
    body, mark, headers = _split_headers(rest)
    user, at, where = body.rpartition("@")
    host, *parameters = where.split(";")
    if at:
        name, separator, password = user.partition(":")
        if (field in ROUTES and name not in _ROLES) or "gr" in parameters:
            yield Secret(UNKNOWN, name) if name else ""
        else:
            yield from _user(judge, name)
        yield separator
        yield Secret("password", password) if password else ""
        yield at
    yield host
    for item in parameters:
        yield ";"
        yield from _parameter(judge, item) if item else ("",)
    if mark:
        yield from (mark, *judge.query(headers, 1, place="field").parts)


def _reference(text: str) -> Iterator[Part]:
    """Of a URL that opens something only scheme and host."""
    scheme, colon, rest = text.partition(":")
    slashes, after = rest[:2], rest[2:]
    host, slash, path = after.partition("/") if slashes == "//" else ("", "", rest)
    plain = slashes == "//" and (forms.host(host.lower()) or forms.is_address(host))
    yield from (scheme + colon, slashes) if slashes == "//" else (scheme + colon,)
    yield host if plain or not host else Secret(UNKNOWN, host)
    yield slash
    yield Secret(UNKNOWN, path) if path else ""


def _split_headers(rest: str) -> tuple[str, str, str]:
    """A question mark belongs to the user part if an @ comes behind it (RFC 3261 §25.1)."""
    at = rest.find("@")
    mark = rest.find("?", at + 1 if at >= 0 else 0)
    return (rest, "", "") if mark < 0 else (rest[:mark], "?", rest[mark + 1 :])


def _user(judge: Judging, name: str) -> Iterator[Part]:
    """The user part; a telephone number may have parameters."""
    if ";" not in name:
        yield Secret("opaque_value", name) if forms.has_jwt(name) else name
        return
    first, *parameters = name.split(";")
    yield first
    for item in parameters:
        yield ";"
        yield from _parameter(judge, item)

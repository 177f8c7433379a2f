"""SIP addresses, URIs and their parameters (RFC 3261 §20, §19.1), and session descriptions.

Display names, users and hosts are shown; of parameters those that `harmless.SIP` has. A password
in a URI, the push id of RFC 8599 and keys of media streams (RFC 4568, 8839) never are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

from dissect.model import UNKNOWN, Secret
from dissect.redaction import forms
from dissect.redaction.field_names import SDP_ATTRIBUTES
from dissect.redaction.harmless import SIP
from dissect.redaction.judging import Judging, Part
from dissect.redaction.kinds import kind_by_words, kind_of

# A quoted string, an address in angle brackets, a separator, anything else.
_TOKEN = re.compile(r"\"(?:[^\"\\]|\\.)*+\"?|<[^<>]*+>?|[;,]|[^\";,<]++")
_BARE_URI = re.compile(r"\s*+(?:sips?|tel|im|pres|https?|cid|urn):", re.I)
_KEYED = frozenset({"crypto", "ice-pwd", "key-mgmt", "zrtp-hash", "ekt", "3ge2ae", "psk"})
# Lines of a description that only tell of the session (RFC 8866 §5).
_LINES = frozenset("vostrzbmc")


def addresses(judge: Judging, value: str) -> Iterator[Part]:
    """A list of addresses, or of words, with parameters; lossless."""
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
            yield from ("<", *uri(judge, token[1 : -1 if closed else None]), ">" if closed else "")
        elif token[0] == '"' or fresh:
            bare = token.strip()
            if fresh and _BARE_URI.match(token):
                start = token.find(bare)
                yield from (token[:start], *uri(judge, bare), token[start + len(bare) :])
            elif "=" in bare and token[0] != '"':
                yield from _parameter(judge, token)
            elif not fresh:
                yield Secret(UNKNOWN, token)  # a quotation mark within a value
            else:
                yield from judge.words(token) if len(bare) > 40 and " " in bare else [_word(token)]
            fresh = fresh and token[0] == '"'
        else:
            yield from _parameter(judge, token)


def _quoted(judge: Judging, name: str, token: str) -> Iterator[Part]:
    """The value of a parameter in quotation marks."""
    closing = {'"': '"', "<": ">"}[token[0]]
    closed = len(token) > 1 and token[-1] == closing
    inner = token[1:-1] if closed else token[1:]
    yield token[0]
    if inner:
        yield from parameter(judge, name.lower(), inner)
    yield closing if closed else ""


def _word(token: str) -> Part:
    """A display name, a transport and sent-by, an event package, a dialog's id."""
    return Secret("opaque_value", token) if forms.has_jwt(token) else token


def _parameter(judge: Judging, token: str) -> Iterator[Part]:
    """`name`, or `name=value`, the value maybe behind it in a quoted string of its own."""
    name, equals, value = token.partition("=")
    if not equals:
        yield judge.flag(token)
        return
    bare = name.strip().lower()
    content = value.strip()
    start = value.find(content) if content else 0
    yield from (name + equals, value[:start])
    if content:
        yield from parameter(judge, bare, content)
    yield value[start + len(content) :]


_SAID = frozenset({"text", "reason", "source", "description"})


def parameter(judge: Judging, name: str, value: str) -> Iterator[Part]:
    """The value of a parameter of a URI or a header field."""
    if name == "opaque" and value.lower().startswith(("user:epid:", "app:", "srvr:")):
        yield value  # [MS-SIPRE] 2.2.1: which of a user's endpoints, as in a GRUU
        return
    kind = kind_of(name)
    if kind is None and name in SIP:
        if name in _SAID:
            yield from judge.words(value)
        elif forms.is_url(value):
            yield from judge.url(value).parts
        elif forms.has_jwt(value) or ("%" in value and judge.inside(value)):
            yield Secret("opaque_value", value)
        else:
            yield value
    else:
        yield from judge.value("sip", name, unquote(value) if "%" in value else value, value)


def uri(judge: Judging, text: str) -> Iterator[Part]:
    """A SIP, SIPS, TEL or other URI with its parameters and headers (RFC 3261 §19.1)."""
    scheme, colon, rest = text.partition(":")
    if scheme.lower() not in ("sip", "sips", "tel", "im", "pres"):
        if "://" in text:
            yield from judge.url(text).parts
        else:
            yield text if forms.harmless(text) else Secret(UNKNOWN, text)
        return
    yield scheme + colon
    body, mark, headers = _split_headers(rest)
    user, at, where = body.rpartition("@")
    if at:
        name, separator, password = user.partition(":")
        yield from _user(judge, name)
        yield separator
        yield Secret("password", password) if password else ""
        yield at
    host, *parameters = where.split(";")
    yield host
    for item in parameters:
        yield ";"
        yield from _parameter(judge, item) if item else ("",)
    if mark:
        yield from (mark, *judge.query(headers, 1).parts)


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


def sdp(judge: Judging, content: str) -> Iterator[Part]:
    """A session description (RFC 8866): what it says of media; keys and unknown values wrapped."""
    for line in content.splitlines():
        kind, equals, value = line.partition("=")
        if not equals or len(kind) != 1:
            yield Secret(UNKNOWN, line) if line else ""
        elif kind == "k":
            yield from (kind + equals, Secret("token", value))
        elif kind == "a":
            yield from _attribute(judge, value)
        elif kind in _LINES:
            yield from (kind + equals, *judge.words(value)) if kind == "s" else (line,)
        elif kind == "u":
            yield from (kind + equals, *judge.url(value).parts)
        elif kind in "ipe":
            yield from (kind + equals, *judge.value("sip", kind, value))
        else:
            yield from (kind + equals, Secret(UNKNOWN, value))
        yield "\n"


def _attribute(judge: Judging, value: str) -> Iterator[Part]:
    name, colon, content = value.partition(":")
    lower = name.lower()
    yield from ("a=", judge.name(name), colon)
    if not content:
        return
    if lower in _KEYED or kind_of(name):
        yield Secret(kind_of(name) or "token", content)
    elif lower in SDP_ATTRIBUTES and kind_by_words(name) is None:
        yield content
    else:
        yield from judge.value("sip", name, content)

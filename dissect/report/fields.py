"""Header fields of HTTP and SIP, and free text, with every secret in them wrapped.

Fields that carry credentials are taken apart by their grammar, and of those only what is
known to be harmless stays; of the others every word that looks like a token is wrapped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from operator import itemgetter

from dissect.model import Headers, Secret, Text, wire_text
from dissect.signin import redaction

Part = str | Secret

MAX_VALUE = 4096  # characters shown of one value

URL_FIELDS = frozenset(
    {"location", "referer", "content-location", "origin", "refresh", "link", "sip-uri"}
)
CREDENTIAL_FIELDS = frozenset(
    {
        "authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate",
        "authentication-info", "proxy-authentication-info",
    }
)  # fmt: skip
# Parameters of those that open no door.
HARMLESS_PARAMETERS = frozenset(
    {
        "realm", "qop", "algorithm", "charset", "error", "error_description", "scope", "stale",
        "client_id", "targetname", "version", "username", "authorization_uri", "trusted_issuers",
        "sts-uri", "snum", "cnum", "nc", "uri", "type", "grant_type",
    }
)  # fmt: skip
# SIP's fields of routing and dialogs: their odd-looking words are how messages are found.
PLAIN_FIELDS = frozenset(
    {
        "via", "v", "from", "f", "to", "t", "call-id", "i", "cseq", "contact", "m", "route",
        "record-route", "max-forwards", "user-agent", "server", "date", "content-type", "c",
        "content-length", "l", "allow", "supported", "k", "expires", "event", "o", "accept",
        "cache-control", "host", "accept-language", "accept-encoding", "etag", "vary", "age",
        "last-modified", "client-request-id", "x-ms-request-id", "request-id", "p3p",
    }
)  # fmt: skip
_SENSITIVE = re.compile(
    r"passw|pwd|secret|token|ticket|cookie|session|credential|assertion|signature|saml|api-?key"
    r"|auth(?!ority|or\b)|otp|canary|csrf|xsrf",
    re.I,
)
_PARAMETER = re.compile(r"(?<![\w.-])([\w.-]++)\s*+=\s*+(?:\"((?:[^\"\\]|\\.)*+)\"|([^\s,;\"]*+))")
# RFC 9110 §11.2; its padding must not be taken for the sign after a parameter's name.
_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_SCHEME = re.compile(r"\s*([A-Za-z][\w-]{0,30})(?:\s+|$)")
_WORD = re.compile(
    r"(?P<url>\b[a-z][a-z0-9+.-]{1,20}://[^\s\"'<>]+)"
    r"|(?P<name>[A-Za-z][\w.-]{0,60})(?P<is>\s{0,2}[=:]\s{0,2}[\"']?)(?P<value>[^\s,;&\"'<>]{1,4096})"
    r"|(?P<word>[A-Za-z0-9+/=_.~!*-]{8,})",
    re.I,
)
# "Error code: 50126" is a sentence, "code=0.AX…" a parameter.
_PROSE = frozenset({"code", "state", "response", "opaque", "sid", "nonce", "ctx"})
# Without its "@" it is none, but is passed over: no other one can begin in it.
_SIP_PASSWORD = re.compile(r"(\bsips?:[^\s:@;<>]++):([^\s@;<>]++)(@?)", re.I)
# A server's name, such as ms-diagnostics has; tokens with dots have longer parts.
_HOST = re.compile(r"(?:[A-Za-z0-9-]{1,24}\.){2,6}[A-Za-z]{2,12}")
# What a pairing page shows a user to type: letters and digits in capitals, no word.
_USER_CODE = re.compile(r"(?=[A-Z0-9-]*\d)(?=[A-Z0-9-]*[A-Z])[A-Z0-9]{8,9}|[A-Z0-9]{4}-[A-Z0-9]{4}")


def text(parts: Iterable[Part]) -> Text:
    return Text(tuple(part for part in parts if part != ""))


def words(value: str) -> Iterator[Part]:
    """Free text: URLs redacted, named values and token-like words wrapped."""
    end = 0
    for match in _WORD.finditer(value):
        yield value[end : match.start()]
        end = match.end()
        if match["url"]:
            yield from redaction.redact_url(match["url"]).parts
        elif match["name"]:
            yield match["name"] + match["is"]
            prose = ":" in match["is"] and match["name"].lower() in _PROSE
            yield from _named("" if prose else match["name"], match["value"])
        else:
            yield from _word(match["word"])
    yield value[end:]


def _named(name: str, value: str) -> Iterator[Part]:
    if "://" in value:
        yield from redaction.redact_url(value).parts
        return
    if _HOST.fullmatch(value) and not _SENSITIVE.search(name):
        yield value
        return
    wrapped = named(name, value)
    if isinstance(wrapped, Secret):
        yield wrapped
    else:
        yield from _word(value)


def _word(word: str) -> Iterator[Part]:
    if _USER_CODE.fullmatch(word):
        yield Secret("user_code", word)
    elif _HOST.fullmatch(word):
        yield word
    else:
        yield redaction.wrap("", word)


def named(name: str, value: str) -> Part:
    """A value as a secret if its name says so, in a wider sense than `redaction.wrap`."""
    wrapped = redaction.wrap(name, value)
    if isinstance(wrapped, Secret) or not value or name.lower() in redaction.HARMLESS:
        return wrapped
    if redaction.USER_SETTING.search(name):
        return wrapped  # reg.1.auth.userId: a name, though it speaks of auth
    return redaction.secret("token", value) if _SENSITIVE.search(name) else wrapped


def header(name: str, value: str) -> Text:
    """A field's value, secrets wrapped."""
    field = name.lower()
    value, rest = value[:MAX_VALUE], len(value) - MAX_VALUE
    parts = list(_header(field, value))
    if rest > 0:
        parts.append(f" … and {rest} more characters")
    return text(parts)


def _header(field: str, value: str) -> Iterator[Part]:
    if field in CREDENTIAL_FIELDS:
        yield from _credentials(value)
    elif field == "cookie":
        for index, item in enumerate(value.split(";")):
            name, equals, content = item.strip().partition("=")
            yield "; " if index else ""
            if equals:
                yield name + "="
                yield Secret("cookie", content) if content else ""
            elif name:
                yield Secret("cookie", name)
    elif field == "set-cookie":
        first, semicolon, attributes = value.partition(";")
        name, _, content = first.strip().partition("=")
        yield name + "="
        yield Secret("cookie", content) if content else ""
        yield semicolon + attributes
    elif field in URL_FIELDS:
        yield from redaction.redact_url(value).parts
    elif field in PLAIN_FIELDS:
        end = 0
        for match in filter(itemgetter(3), _SIP_PASSWORD.finditer(value)):
            yield value[end : match.start()] + match[1] + ":"
            yield Secret("password", match[2])
            yield "@"
            end = match.end()
        yield value[end:]
    elif redaction.kind_of(field) or _SENSITIVE.search(field):
        yield Secret(redaction.kind_of(field) or "token", value)
    else:
        yield from words(value)


def _credentials(value: str) -> Iterator[Part]:
    """Scheme and harmless parameters of a challenge or of credentials; the rest is secret."""
    scheme = _SCHEME.match(value)
    start = 0
    if scheme is not None and value[scheme.end() : scheme.end() + 1] != "=":
        yield scheme[0]
        start = scheme.end()
    rest = value[start:]
    found = list(_PARAMETER.finditer(rest))
    if not found or found[0].start() > 2 or _TOKEN68.fullmatch(rest.strip()):
        # The whole is the credential, as in Bearer, Basic, NTLM.
        yield redaction.authorization(value) if rest.strip() else ""
        return
    for index, match in enumerate(found):
        name, content = match[1], match[2] if match[2] is not None else match[3]
        yield (", " if index else "") + name + "="
        quote = '"' if match[2] is not None else ""
        yield quote
        if name.lower() in HARMLESS_PARAMETERS:
            yield from words(content)
        elif content:
            yield Secret(redaction.kind_of(name) or "authorization", content)
        yield quote


def fields(headers: Headers) -> Iterator[tuple[str, Text]]:
    """Name and value of each field in wire order."""
    for raw_name, raw_value in headers:
        name = wire_text(raw_name)
        yield name, header(name, wire_text(raw_value))

"""Header fields of HTTP and SIP: which of a field's parts are shown.

Fields that carry credentials are taken apart by their grammar, and of those only what is known to
be harmless stays; the others are shown if `field_names` has them, else by the form of their values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from dissect.model import UNKNOWN, Headers, Secret, Text, wire_text
from dissect.redaction import field_names, field_values, forms, sip
from dissect.redaction.judge import Judge, Part, texts
from dissect.redaction.kinds import kind_by_words, kind_of
from dissect.redaction.plain import plain
from dissect.redaction.structured import PARAMETER, diagnostics, structured

MAX_VALUE = 4096  # characters shown of one value

# RFC 9110 §11.2; its padding must not be taken for the sign after a parameter's name.
_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]++=*+")
_SCHEME = re.compile(r"\s*+([A-Za-z][\w.-]{0,30})(?:\s++|$)")
_ITEM = re.compile(r"[^,;]++|[,;]")


def header(judge: Judge, name: str, value: str, sip_message: bool = False) -> Text:
    """A field's value, what is not known to be harmless in it wrapped."""
    field = name.lower()
    value, rest = value[:MAX_VALUE], len(value) - MAX_VALUE
    parts = list(_asked_for(judge, name, field, value, sip_message))
    if rest > 0:
        parts.append(f" … and {rest} more characters")
    return texts(parts)


def fields(judge: Judge, headers: Headers, sip_message: bool = False) -> Iterator[tuple[str, Text]]:
    """Name and value of each field in wire order."""
    for raw_name, raw_value in headers:
        name = wire_text(raw_name)
        yield name, header(judge, name, wire_text(raw_value), sip_message)


def _asked_for(
    judge: Judge, name: str, field: str, value: str, sip_message: bool
) -> Iterable[Part]:
    if field in judge.shown_names:
        if known_kind(name) is None:
            return (value,)
        judge.kept.add(field)
    return _header(judge, name, field, value, sip_message)


def known_kind(name: str) -> str | None:
    """The kind of secret that a name is known to be of, in whatever place; None for none."""
    lower = name.lower()
    if lower in field_names.CREDENTIALS:
        return "authorization"
    if lower in ("cookie", "set-cookie", "set-cookie2"):
        return "cookie"
    return kind_of(name) or kind_by_words(name)


def _header(judge: Judge, name: str, field: str, value: str, sip_message: bool) -> Iterable[Part]:
    if field in field_names.CREDENTIALS or field == "authentication":
        return credentials(judge, value, challenge="authenticate" in field)
    if field == "cookie":
        return _cookie(value)
    if field in ("set-cookie", "set-cookie2"):
        return _set_cookie(judge, value)
    if field == "sec-websocket-protocol":
        return subprotocols(value)
    if sip_message and field in field_names.ADDRESSES:
        return sip.addresses(judge, value, field=field)
    if sip_message and field in sip.IDS:
        return sip.identifier(judge, field, value)
    if field in field_names.URLS:
        return _urls(judge, field, value)
    if field in field_names.DIAGNOSTICS:
        return diagnostics(judge, value)
    if field in field_names.STRUCTURED:
        return structured(judge, field, value)
    if sip_message and field in field_names.SIP_PLAIN:
        return plain(value)
    if field in field_names.PLAIN:
        return field_values.value(field, value)
    if field in field_names.SENTENCES:
        return judge.words(value)
    return _unknown(judge, name, value)


def _urls(judge: Judge, field: str, value: str) -> Iterator[Part]:
    if field == "link":  # RFC 8288 §3
        for item in re.split(r"(<[^<>]{0,4096}>)", value):
            if item[:1] == "<" and item[-1:] == ">":
                yield from ("<", *judge.url(item[1:-1]).parts, ">")
            else:
                yield from _items(judge, "link", item)
    elif field == "refresh":
        delay, url, address = re.split(r"((?i:url\s{0,4}=\s{0,4})|$)", value, maxsplit=1)
        yield delay if re.fullmatch(r"[\s\d.;,]{0,20}", delay) else Secret(UNKNOWN, delay)
        yield from (url, *judge.url(address).parts)
    elif value in ("*", "null"):  # of the Fetch standard's fields
        yield value
    elif field == "soapaction" and value[:1] == '"' == value[-1:] and len(value) > 1:
        yield from ('"', *judge.url(value[1:-1]).parts, '"')
    elif _ADDRESS.match(value):
        yield from judge.url(value).parts
    else:
        yield from judge.value("field", field, value)


_ADDRESS = re.compile(r"\s{0,8}(?:[/?#.]|[A-Za-z][A-Za-z0-9+.-]{0,30}:|[^\s/?#]{1,200}[/?#])")


def _unknown(judge: Judge, name: str, value: str) -> Iterator[Part]:
    """A field that nobody knows: by the form of its value, or of each of its parts."""
    kind = kind_of(name) or kind_by_words(name)
    if kind is not None and not forms.by_last_word(name, value):
        yield Secret(kind, value) if value else ""
    elif "=" not in value or forms.is_url(value):
        yield from judge.value("field", name, value)
    else:
        yield from _items(judge, name, value)


def _items(judge: Judge, name: str, value: str) -> Iterator[Part]:
    """Words, and parameters with values, between commas and semicolons."""
    for match in _ITEM.finditer(value):
        item = match[0]
        bare = item.strip()
        parameter, equals, content = bare.partition("=")
        lead, tail = (
            item[: len(item) - len(item.lstrip())],
            item[len(item.rstrip()) :] if bare else "",
        )
        yield lead
        if bare in ("", ",", ";"):
            yield bare
        elif equals and re.fullmatch(r"[\w.*-]{1,60}", parameter) and not forms.padded(bare):
            quote = '"' if content[:1] == '"' and content[-1:] == '"' and len(content) > 1 else ""
            inner = content[1:-1] if quote else content
            yield from (judge.name(parameter), "=", quote)
            yield from judge.value("query", parameter, inner)
            yield quote
        else:
            yield from judge.value("field", name, bare)
        yield tail


# RFC 6265 §4.1.1: a token; and what browsers take besides.
_COOKIE_NAME = re.compile(r"[\w!#$%&'*+.^`|~:@/()\[\]-]{1,256}")


def _cookie(value: str) -> Iterator[Part]:
    for index, item in enumerate(value.split(";")):
        name, equals, content = item.strip().partition("=")
        yield "; " if index else ""
        if equals and _COOKIE_NAME.fullmatch(name) and not forms.padded(item.strip()):
            yield name + "="
            yield Secret("cookie", content) if content else ""
        elif name:
            yield Secret("cookie", item.strip())


def _set_cookie(judge: Judge, value: str) -> Iterator[Part]:
    first, semicolon, attributes = value.partition(";")
    bare = first.strip()
    start = first.find(bare)
    name, equals, content = bare.partition("=")
    yield first[:start]
    if not equals or not _COOKIE_NAME.fullmatch(name) or forms.padded(bare):
        yield Secret("cookie", bare) if bare else ""  # a value without a name (RFC 6265bis §5.6)
    else:
        yield name + "="
        yield Secret("cookie", content) if content else ""
    yield first[start + len(bare) :] + semicolon
    for index, item in enumerate(attributes.split(";") if attributes else ()):
        yield ";" if index else ""
        attribute, equals, inner = item.partition("=")
        known = attribute.strip().lower()
        yield attribute + equals if equals else judge.flag(attribute)
        if known == "path":
            for piece, known_path in judge.paths.pieces(inner):
                yield from judge.path(piece) if known_path else [Secret(UNKNOWN, piece)]
        elif inner and not _is_attribute(known, inner.strip(' "')):
            yield Secret(UNKNOWN, inner)
        else:
            yield inner


def _is_attribute(name: str, content: str) -> bool:
    """Whether an attribute of a cookie has the value that RFC 6265 §4.1 gives it."""
    if name not in field_names.COOKIE_ATTRIBUTES:
        return False
    if name == "max-age":
        return re.fullmatch(r"-?\d{0,12}", content) is not None
    domain = name == "domain" and forms.host(content.lower().removeprefix("."))
    return domain or content.lower() in _COOKIE_WORDS or forms.harmless(content)


_COOKIE_WORDS = frozenset({"", "lax", "strict", "none", "low", "medium", "high"})


def subprotocols(value: str) -> Iterator[Part]:
    """Sec-WebSocket-Protocol (RFC 6455 §11.3.4): the protocols that are known. Browsers can set no
    Authorization, so programs carry tokens here, as a member or behind a word and a dot."""
    before = ""
    for index, item in enumerate(value.split(",")):
        yield "," if index else ""
        bare = item.strip()
        start = item.find(bare)
        yield item[:start]
        yield subprotocol(bare, before)
        yield item[start + len(bare) :]
        before = bare


def subprotocol(word: str, before: str = "") -> Part:
    """One member, and the one before it, which may be the name of a pair."""
    lower = word.lower()
    if not word or lower in field_names.SUBPROTOCOLS or lower in _PAIR_NAMES:
        return word
    token = before.lower() in _PAIR_NAMES or any(name in lower for name in _PAIR_NAMES)
    return Secret("bearer_token" if token or forms.looks_like_token(word) else UNKNOWN, word)


_PAIR_NAMES = frozenset(
    {"bearer", "authorization", "access_token", "token", "auth", "jwt", "id_token", "access-token"}
)


def credentials(judge: Judge, value: str, challenge: bool = False) -> Iterator[Part]:
    """Scheme and harmless parameters of a challenge or of credentials; the rest is secret."""
    scheme = _SCHEME.match(value)
    start, known = 0, False
    if scheme is not None and value[scheme.end() : scheme.end() + 1] != "=":
        known = is_scheme(scheme[1], challenge)
        if known:
            yield scheme[0]
            start = scheme.end()
    rest = value[start:]
    found = list(PARAMETER.finditer(rest))
    if not known or not found or found[0].start() > 2 or _TOKEN68.fullmatch(rest.strip()):
        # The whole is the credential, as in Bearer, Basic, NTLM.
        yield authorization(value) if rest.strip() else ""
        return
    end = 0
    for match in found:
        between = rest[end : match.start()]
        yield between if _between(between) else Secret("authorization", between)
        name = match[1]
        group = 2 if match[2] is not None else 3
        content = match[group]
        yield rest[match.start() : match.start(group)]
        if content and name.lower() in field_names.AUTHENTICATION:
            yield from judge.words(content)
        elif content:
            yield from _parameter(judge, name, content)
        yield rest[match.end(group) : match.end()]
        end = match.end()
    yield Secret("authorization", rest[end:]) if rest[end:].strip(" ,;") else rest[end:]


def _between(text: str) -> bool:
    """What may stand between parameters: a comma, and the scheme of the next challenge."""
    words = text.replace(",", " ").replace(";", " ").split()
    return all(word.lower() in field_names.SCHEMES for word in words)


def _parameter(judge: Judge, name: str, content: str) -> Iterator[Part]:
    if name.lower() in judge.shown_names and kind_of(name) is None and kind_by_words(name) is None:
        yield content
    else:
        yield Secret(kind_of(name) or "authorization", content)


def is_scheme(word: str, challenge: bool = False) -> bool:
    """Whether a word is the name of an authentication scheme, and not a credential by itself. A
    server's challenge holds none: there any word without digits may name one."""
    lower = word.lower()
    return lower in field_names.SCHEMES or (
        challenge and re.fullmatch(r"[a-z-]{2,30}", lower) is not None
    )


def authorization(value: str) -> Secret:
    """The credentials of an Authorization field, its scheme, if it has one, left out."""
    scheme, _, rest = value.strip().partition(" ")
    if not is_scheme(scheme):
        return Secret("authorization", value.strip())
    kind = {"bearer": "bearer_token", "basic": "basic_credentials"}.get(scheme.lower())
    return Secret(kind or "authorization", rest.strip() or scheme)


def challenge(value: str) -> Secret | None:
    """The blob of a WWW-Authenticate field (NTLM, Negotiate), which answers can be tried on
    offline; None where the field only names a scheme or has parameters."""
    scheme, _, rest = value.strip().partition(" ")
    blob = rest.strip()
    if scheme.lower() in ("ntlm", "negotiate", "kerberos") and len(blob) > 8 and " " not in blob:
        return Secret("authorization", blob)
    return None


def cookies(value: str) -> Iterator[tuple[str, Secret]]:
    """Name and value of each cookie in a Cookie field; the value is always secret."""
    for item in value.split(";"):
        name, equals, content = item.strip().partition("=")
        named = _COOKIE_NAME.fullmatch(name) and not forms.padded(item.strip())
        if equals and content and named:
            yield name, Secret("cookie", content)


def set_cookie(value: str) -> tuple[str, Secret] | None:
    """Name and value of a Set-Cookie field, attributes dropped; None where it clears one."""
    name, equals, content = value.partition(";")[0].strip().partition("=")
    return (name, Secret("cookie", content)) if equals and content else None

"""URLs and their paths (RFC 3986): user information, segments and fragments made safe."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote, unquote_plus

from dissect.model import UNKNOWN, Secret, Text
from dissect.redaction import encodings, forms, sip
from dissect.redaction.judging import Judging, Part
from dissect.redaction.kinds import kind_by_words

MAX_URL = 64 * 1024  # characters of a URL that is taken apart; a longer one is hidden
_ENCODED = 16  # characters; a shorter word may be base64 of a text by chance

# What these lead is no address: anything may be in it.
_OPENING = ("data:", "javascript:", "blob:", "vbscript:")
# A host with a port (RFC 3986 §3.2), also in letters of other languages; templates of phones.
_AUTHORITY = re.compile(r"(?:[\w.{}$~-]{1,253}|\[[0-9A-Fa-f:.%]{2,60}\])?(?::\d{0,5})?")
_NAMESPACES = ("www.w3.org/", "docs.oasis-open.org/", "schemas.", "uri.etsi.org/")


def path_parts(judge: Judging, path: str, depth: int = 0) -> list[Part]:
    """A path whose token-like segments and parameters are judged (RFC 3986 section 3.3: some
    services put tokens there, or `;jsessionid=`)."""
    parts: list[Part] = []
    for index, segment in enumerate(path.split("/")):
        parts.append("/" if index else "")
        for place, item in enumerate(segment.split(";")):
            parts.append(";" if place else "")
            name, equals, raw = item.partition("=")
            value = unquote_plus(raw) if "%" in raw else raw
            if equals and (not forms.is_segment(name) or forms.padded(item)):
                parts.append(Secret(UNKNOWN, item))
            elif equals:
                wire = raw if value != raw else ""
                parts += [
                    judge.name(name),
                    "=",
                    *judge.value("query", name, value, wire, depth=depth),
                ]
            elif place and item:
                parts.append(Secret(UNKNOWN, item))  # a parameter without a name
            else:
                parts += _with_user(item) or [_segment(item)]
    return [part for part in parts if part != ""]


def _with_user(item: str) -> list[Part]:
    """A segment that is an authority with user information, as where a scheme is missing or is
    followed by backslashes, or that names a secret; nothing for others."""
    plain = unquote(item) if "%" in item else item
    name, colon, value = plain.partition(":")
    if not colon or not value:
        return []
    if "@" in value:
        place = forms.user_info(plain)
        if place is None:
            return []
        if plain != item:
            return [_credentials(item)]
        return [
            item[: place[0]],
            Secret("basic_credentials", item[slice(*place)]),
            item[place[1] :],
        ]
    kind = kind_by_words(name)
    return [Secret(kind, item)] if kind is not None and not forms.harmless(value) else []


def _segment(item: str) -> Part:
    if forms.looks_like_token(item):
        return Secret("opaque_value", item)
    encoded = len(item) >= _ENCODED and encodings.holds_text(item)
    named = forms.is_segment(item) or forms.is_address(item)
    return item if named and not encoded else Secret(UNKNOWN, item)


def url_text(judge: Judging, url: str, depth: int = 0) -> Text:
    """A URL or request target with user info, path, query and fragment made safe."""
    if url[:12].lower().lstrip().startswith(_OPENING) or len(url) > MAX_URL:
        return Text((Secret(UNKNOWN, url),))
    if url[:5].lower() in ("sip:", "sips:") or url[:4].lower() in ("sip:", "tel:"):
        return Text(tuple(sip.uri(judge, url)))
    rest, hash_, fragment = url.partition("#")
    rest, mark, query = rest.partition("?")
    parts: list[Part] = []
    scheme, separator, after = rest.partition("://")
    if separator:
        authority, slash, path = after.partition("/")
        if not _AUTHORITY.fullmatch(authority) and "@" in path:
            # A password with a slash in it, that nobody encoded.
            inner, _, path = path.rpartition("@")
            rest_of_host, slash, path = path.partition("/")
            authority += f"/{inner}@{rest_of_host}"
        user, at, host = authority.rpartition("@")
        parts.append(scheme + separator)
        if at:
            parts += [Secret("basic_credentials", user), "@"]
        parts += [*_host(host), *path_parts(judge, slash + path, depth)]
    else:
        parts += path_parts(judge, rest, depth)
    if mark:
        parts += ["?", *judge.query(query, depth).parts]
    if hash_ and after.startswith(_NAMESPACES) and "=" not in fragment:
        parts += ["#", *path_parts(judge, fragment, depth)]  # of a name, as in XML signatures
    elif hash_:
        parts += ["#", *_fragment(judge, fragment, depth)]
    return Text(tuple(parts))


def _host(host: str) -> list[Part]:
    if "%" in host and "@" in unquote(host):
        return [_credentials(host)]
    if host and not _AUTHORITY.fullmatch(host):
        return [Secret(UNKNOWN, host)]
    long = len(host) >= forms.TOKEN_LENGTH
    unusual = long and any(forms.looks_like_token(label) for label in host.split("."))
    return [Secret("opaque_value", host) if unusual else host]


def _fragment(judge: Judging, fragment: str, depth: int) -> Iterable[Part]:
    if "?" in fragment:  # the address of a page inside of a page (RFC 3986 has one query)
        path, _, query = fragment.partition("?")
        return [*path_parts(judge, path, depth), "?", *judge.query(query, depth).parts]
    if "=" in fragment:
        return judge.query(fragment, depth).parts
    return (
        path_parts(judge, fragment, depth) if "/" in fragment else [judge.bare(fragment, fragment)]
    )


def _credentials(wire: str) -> Secret:
    return Secret("basic_credentials", unquote(wire), wire)

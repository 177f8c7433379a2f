"""Decides on one value by its name, its place and its form, and on queries.

What is shown comes back as text, what is not as a `Secret` of its kind; the parts of a value,
put together, are the value as it was sent (but for URLs that were encoded inside of another).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from urllib.parse import unquote_plus

from dissect.model import UNKNOWN, Secret, Text
from dissect.redaction import encodings, forms, judging, server_text, urls
from dissect.redaction.bounds import Bounds
from dissect.redaction.field_names import FLAGS
from dissect.redaction.harmless import HARMLESS, NAMES, NOT_TYPED, TEXT, Place, known, no_secret
from dissect.redaction.kinds import kind_by_words
from dissect.redaction.paths import Paths

Part = judging.Part

_NO_NAME = re.compile(r"[\"<>{}\\]|(?:%[0-9A-Fa-f]{2}){3}")
_ENCODED = 16  # characters; a shorter word may be base64 of a text by chance


def pairs(query: str) -> Iterator[tuple[str, str]]:
    """Names and values of a query or form, percent-decoded, order kept, never raising."""
    for item in query.split("&") if query else ():
        name, _, value = item.partition("=")
        yield unquote_plus(name), unquote_plus(value)


# "+sip.instance", "+g.3gpp.icsi-ref": words of letters between dots.
_SCOPES = frozenset({"scope", "scopes", "scp", "resource", "audience"})
_SCOPE_WORD = re.compile(r"[A-Za-z][A-Za-z._:-]{0,39}")
_TAG = re.compile(r"\+[a-z]{1,12}(?:[.!][a-z0-9-]{1,24}){1,5}")
_SWITCHES = frozenset({"wsdl", "singlewsdl", "disco", "xsd", "mex", "wadl", "_", "top", "main"})


class Judge:
    """Says of each value what may be shown. `shown_names` are names that the user wants to see, in
    any place, in any case; `kept` becomes those of them that are of a known kind, and stay hidden;
    `calls` are the Call-IDs that were met, which other fields may name."""

    def __init__(self, shown_names: Iterable[str] = ()) -> None:
        self.shown_names = frozenset(name.lower() for name in shown_names)
        self.kept: set[str] = set()
        self.calls: set[str] = set()
        self.paths = Paths()
        self.bounds = Bounds()
        self.room = encodings.Room(self.bounds)

    # ------------------------------------------------------------- values

    def value(
        self,
        place: Place,
        name: str,
        value: str,
        wire: str = "",
        typed: bool = False,
        depth: int = 0,
    ) -> list[Part]:
        """The parts of one value. `wire` is the value as it was sent, if that is encoded;
        `typed`: it stands where a person may have typed it."""
        raw = wire or value
        if not value:
            return [raw]
        lower = name.lower()
        kind, flags = known(place, lower)
        if self.shown_names and lower in self.shown_names:
            if kind is None and kind_by_words(name) is None:
                return [raw]
            self.kept.add(lower)
        if kind is not None:
            if no_secret(kind, lower, value, place, typed):
                return [raw]
            return [Secret(kind, value.replace("\r\n", "\n"), wire)]
        if flags & HARMLESS and not (typed and lower in NOT_TYPED):
            if lower in _SCOPES and " " in value and self._harmless_list(flags, value, depth):
                return [raw]
            return self._harmless(flags, value, raw, wire, depth)
        return self._unnamed(name, value, raw, wire, typed, depth)

    def _harmless(self, flags: int, value: str, raw: str, wire: str, depth: int) -> list[Part]:
        if forms.is_url(value) or (value[0] == "/" and "?" in value):
            return self.inner_url(value, raw, wire, depth)
        if flags & TEXT:
            found = list(self.words(value, depth))
            return found if any(isinstance(part, Secret) for part in found) else [raw]
        if len(value) > forms.TOKEN_LENGTH and (forms.has_jwt(value) or forms.PEM in value):
            return [Secret("opaque_value", value, wire)]
        unusual = "%" in value or forms.looks_like_token(value)
        if unusual and self.inside(value, depth + 1):
            return [Secret(UNKNOWN, value, wire)]
        return [raw]

    def _harmless_list(self, flags: int, value: str, depth: int) -> bool:
        """Whether all of a list with blanks between are harmless: URLs, and words as of a scope
        (RFC 6749 §3.3: `https://graph.example/User.Read openid`)."""
        return all(
            _SCOPE_WORD.fullmatch(item)
            or (
                (forms.is_url(item) or item.startswith("api://"))
                and self._harmless(flags, item, item, "", depth) == [item]
            )
            for item in value.split(" ")
        )

    def _unnamed(
        self, name: str, value: str, raw: str, wire: str, typed: bool, depth: int
    ) -> list[Part]:
        """By the form of a value whose name is on no list."""
        if forms.by_last_word(name, value, typed):
            return [raw]
        if forms.is_pem_key(value):
            return [Secret("private_key", value, wire)]
        kind = kind_by_words(name)
        url = forms.is_url(value) or (value[0] == "/" and "/" in value[1:] and " " not in value)
        if url and not typed and kind in (None, "token", "session", "authorization"):
            return self.inner_url(value, raw, wire, depth)
        if kind is not None:
            if value.lower() in forms.BOOLEANS:
                return [raw]
            return [Secret(kind, value.replace("\r\n", "\n"), wire)]
        if forms.harmless(value, typed):
            return [raw]
        if forms.looks_like_token(value):
            return [Secret("opaque_value", value, wire)]
        return [Secret(UNKNOWN, value, wire)]

    def inner_url(self, value: str, raw: str, wire: str, depth: int) -> list[Part]:
        """A URL inside a value (a return address, say) may hold secrets of its own."""
        if depth >= encodings.DEPTH or len(value) > urls.MAX_URL:
            return [Secret(UNKNOWN, value, wire)]
        inner = self.url(value, depth + 1).parts
        return list(inner) if any(isinstance(part, Secret) for part in inner) else [raw]

    def inside(self, value: str, depth: int = 0) -> bool:
        """Whether a layer of a value, taken off, shows a secret of a known kind, or may."""
        found = next(self.found_inside(value, depth), None) is not None
        return found or self.room.full

    def found_inside(self, value: str, depth: int = 0) -> Iterator[Secret]:
        """The secrets of known kinds in what is encoded inside a value; none where nothing is."""
        if depth > encodings.DEPTH:
            return
        for text in encodings.inner(value, self.room):
            yield from self._structured(text, depth + 1)
            if text != value:
                yield from self.found_inside(text, depth + 1)

    def _structured(self, text: str, depth: int) -> Iterator[Secret]:
        found: Iterable[Part] = ()
        kind = encodings.structured(text)
        if kind == "url":
            found = self.url(text, depth).parts
        elif kind == "form" or "&" in text:
            found = self.query(text, depth).parts
        elif "=" in text:
            found = self.words(text, depth)
        yield from (part for part in found if isinstance(part, Secret) and part.kind != UNKNOWN)

    # ------------------------------------------------------------- URLs

    def query(self, query: str, depth: int = 0, place: Place = "query") -> Text:
        """A query or form with the values in it judged; names stay as they were sent."""
        parts: list[Part] = []
        hashed = "code_challenge_method=S256" in query
        for index, item in enumerate(query.split("&")) if query else ():
            name, equals, raw = item.partition("=")
            parts.append("&" if index else "")
            decoded = unquote_plus(name) if "%" in name or "+" in name else name
            if not equals and decoded != name and "=" in decoded:
                inner = (
                    self.query(decoded, depth + 1).parts
                    if depth < encodings.DEPTH
                    else (Secret(UNKNOWN, item),)
                )
                whole = Secret(UNKNOWN, decoded, item)
                parts.append(whole if any(isinstance(part, Secret) for part in inner) else item)
                continue
            if not equals:
                parts.append(self.bare(decoded, item))
                continue
            parts += [self.name(decoded, name), equals]
            value = unquote_plus(raw) if "%" in raw or "+" in raw else raw
            if hashed and decoded == "code_challenge":
                parts.append(raw)  # RFC 7636 §4.2: a hash, no secret
            else:
                parts += self.value(place, decoded, value, raw if raw != value else "", depth=depth)
        return Text(tuple(part for part in parts if part != ""))

    def items(self, query: str) -> Iterator[tuple[Part, list[Part]]]:
        """Names and values of a query, percent-decoded, each as it may be shown."""
        for item, (name, value) in zip(query.split("&"), pairs(query), strict=False):
            if "=" in item:
                yield self.name(name), self.value("query", name, value)
            else:
                yield self.bare(name, name), []

    def bare(self, name: str, wire: str) -> Part:
        """What stands in a query without a value: a switch that is known (`?wsdl`)."""
        known_name = name.lower() in NAMES["query"] or name.lower() in _SWITCHES
        if not name or known_name or name.lower() in self.shown_names:
            return wire
        return Secret(UNKNOWN, name, wire if wire != name else "")

    def name(self, name: str, wire: str = "") -> Part:
        """A name; one that looks like a token is none, nor is one that is JSON, or encoded."""
        if _NO_NAME.search(name) or (len(name) >= _ENCODED and encodings.holds_text(name)):
            return Secret(UNKNOWN, name, wire if wire != name else "")
        if len(name) >= forms.TOKEN_LENGTH and forms.looks_like_token(name):
            return Secret("opaque_value", name, wire if wire != name else "")
        return wire or name

    def flag(self, word: str) -> Part:
        """A parameter without a value, blanks around it: one that the standards have, a feature
        tag (RFC 3840 §9), or the rest of a value that was not quoted."""
        bare = word.strip().lower()
        known = not bare or bare in FLAGS or (bare[0] == "+" and _TAG.fullmatch(bare) is not None)
        return word if known else Secret(UNKNOWN, word)

    def path(self, path: str, depth: int = 0) -> list[Part]:
        """A path whose token-like segments and parameters are judged, as `urls.path_parts`."""
        return urls.path_parts(self, path, depth)

    def url(self, url: str, depth: int = 0) -> Text:
        """A URL or request target with user info, path, query and fragment made safe."""
        return urls.url_text(self, url, depth)

    def words(self, value: str, depth: int = 0) -> Iterator[Part]:
        """A server's own words, as `sentences.words`."""
        return server_text.words(self, value, depth)


def texts(found: Iterable[Part]) -> Text:
    return Text(tuple(part for part in found if part != ""))


def as_sent(part: Part) -> str:
    """A part as it was on the wire."""
    return (part.wire or part.value) if isinstance(part, Secret) else part


def rewired(part: Part, wire: str) -> Part:
    return replace(part, wire=wire) if isinstance(part, Secret) else part

"""The rules of the redaction policy, one a row, each with a way to remove it.

A build without one of them must not pass the canary: `test_rules` removes each and looks whether
a canary gets out that stays in otherwise. `places` are the positions that the rule is for.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

PACKAGE = "dissect.redaction"
Patch = pytest.MonkeyPatch


class Every(frozenset[str]):
    """A list of names that has every name."""

    def __contains__(self, name: object) -> bool:
        return True


@dataclass(frozen=True)
class Rule:
    """`removed` takes the rule away; `places` (patterns) are positions that then get out."""

    removed: Callable[[Patch], None]
    places: tuple[str, ...]
    shape: str = "word"


def _seam(path: str) -> tuple[Any, str]:
    """The object that holds a name: `module:attribute` or `module:Class.attribute`."""
    module, _, names = path.partition(":")
    holder: Any = importlib.import_module(f"{PACKAGE}.{module}")
    *outer, last = names.split(".")
    for name in outer:
        holder = getattr(holder, name)
    return holder, last


def replaced(path: str, value: Any) -> Callable[[Patch], None]:
    """`value` stands in place of what is at `path`, which has to be there."""

    def removed(patch: Patch) -> None:
        holder, name = _seam(path)
        patch.setattr(holder, name, value)

    return removed


def _widened(place: str) -> Callable[[Patch], None]:
    """The list of harmless names of a place has every name."""

    def removed(patch: Patch) -> None:
        harmless = importlib.import_module(f"{PACKAGE}.harmless")
        patch.setitem(harmless.NAMES, place, Every())
        harmless.known.cache_clear()

    return removed


def _no_kinds(patch: Patch) -> None:
    """No name is a secret's."""
    harmless = importlib.import_module(f"{PACKAGE}.harmless")
    harmless.known.cache_clear()
    for module in (
        "harmless",
        "judge",
        "typed",
        "fields",
        "secret_collection",
        "xmls",
        "jsons",
        "server_text",
    ):
        holder = importlib.import_module(f"{PACKAGE}.{module}")
        for name in ("kind_of", "kind_by_words"):
            if hasattr(holder, name):
                patch.setattr(holder, name, lambda *_: None)


def _free_fields(patch: Patch) -> None:
    """Every header field is one for names of programs, which are free."""
    for name in ("PLAIN", "PRODUCTS"):
        replaced(f"field_names:{name}", Every())(patch)


def _as_sent(*arguments: Any, **_: Any) -> Iterator[str]:
    """A decider that shows all: the value is the last of its texts."""
    yield [item for item in arguments if isinstance(item, str)][-1]


def _form_as_sent(judge: Any, served: Any, items: Any, place: str) -> list[list[str]]:
    return [[item.wire or item.value] for item in items]


RULES: dict[str, Rule] = {
    "harmless names of queries": Rule(_widened("query"), ("http1 target.query.zeta", "http1 response.Location.query")),
    "harmless names of forms": Rule(_widened("form"), ("http1 request.body.form.zeta", "http1 response.body.html.hidden")),
    "harmless names of JSON": Rule(_widened("json"), ("http1 response.body.json.key.zeta",)),
    "harmless names of XML": Rule(_widened("xml"), ("http1 response.body.xml.unknown",)),
    "harmless parameters of SIP": Rule(_widened("sip"), ("sip request.From.unknown", "sip request.Contact.unknown")),
    "harmless header fields": Rule(_free_fields, ("http1 request.X-Zeta", "http1 response.X-Zeta-Answer")),
    "harmless forms of values": Rule(replaced("forms:harmless", lambda *_, **__: True), ("http1 target.query.zeta", "http1 response.body.json.key.zeta")),
    "forms by the last word of a name": Rule(replaced("forms:by_last_word", lambda *_, **__: True), ("http1 target.query.zeta", "http1 request.X-Zeta")),
    "kinds of secrets": Rule(_no_kinds, ("http1 response.body.json.key.p*", "http1 response.body.xml.pass*"), "host"),
    "credentials by their grammar": Rule(replaced("fields:credentials", _as_sent), ("http1 authorization.*",)),
    "values of harmless fields": Rule(replaced("field_values:value", _as_sent), ("http1 response.Vary", "http1 response.X-Amz-Cf-Id")),
    "words of header fields": Rule(replaced("field_words:VOCABULARY", Every()), ("http1 response.Vary",)),
    "parameters of fields": Rule(replaced("structured:_parameter", _as_sent), ("http1 request.Cache-Control", "http1 request.Content-Disposition")),
    "paths of cookies": Rule(replaced("paths:Paths.pieces", lambda self, path: [(path, True)]), ("http1 response.Set-Cookie.path",)),
    "bare words of queries": Rule(replaced("judge:Judge.bare", lambda self, name, wire: wire), ("http1 target.query.bare",)),
    "fragments of URLs": Rule(replaced("urls:_fragment", lambda judge, fragment, depth: [fragment]), ("http1 response.Location.fragment-unknown",)),
    "named secrets where no grammar has them": Rule(replaced("plain:_spots", lambda value: []), ("http1 request.User-Agent.named",)),
    "unknown header fields": Rule(replaced("fields:_unknown", _as_sent), ("http1 request.X-Zeta",)),
    "cookies": Rule(replaced("fields:_cookie", _as_sent), ("http1 request.Cookie*",)),
    "set cookies": Rule(replaced("fields:_set_cookie", _as_sent), ("http1 response.Set-Cookie",)),
    "fields that are URLs": Rule(replaced("fields:_urls", _as_sent), ("http1 request.Referer.query",)),
    "subprotocols of WebSocket": Rule(replaced("fields:subprotocols", _as_sent), ("http1 request.Sec-WebSocket-Protocol",)),
    "what was typed into a form": Rule(replaced("typed:form", _form_as_sent), ("http1 request.body.form.*",)),
    "pages quote what they say": Rule(replaced("markup:statements", lambda page: [re.sub(r"<[^>]*>", " ", page)]), ("http1 response.body.html.paragraph",)),
    "SIP addresses": Rule(replaced("sip:addresses", _as_sent), ("sip request.From.*", "sip request.Contact.*")),
    "SIP URIs": Rule(replaced("sip:uri", _as_sent), ("sip uri.*",)),
    "session descriptions": Rule(replaced("sdp:judged", _as_sent), ("sip sdp.*",)),
    "DHCP options": Rule(replaced("options:option", lambda judge, place, value: value if isinstance(value, str) else value.decode()), ("dhcp.offer.43.1",)),
    "DNS answers": Rule(replaced("options:answer", lambda judge, kind, data: data), ("dns.txt.*",)),
    "facts of events": Rule(replaced("event_facts:fact", lambda judge, name, value: value), ("vvx.website", "dns.txt.*", "dhcp.offer.43.1")),
    "sentences": Rule(replaced("server_text:words", lambda judge, value, depth=0: iter([value])), ("http1 response.body.json.said.*",)),
    "XML by its names": Rule(replaced("xmls:_text", _as_sent), ("http1 response.body.xml.*", "http1 response.body.soap.*")),
    "known secrets in all texts": Rule(replaced("book:SecretBook.scrub", lambda self, text: text), ("http1 echo.*", "sip echo.*")),
    "the book's label": Rule(replaced("book:SecretBook._label", lambda self, secret: secret.value), ("http1 authorization.Bearer",)),
    "URLs in URLs": Rule(replaced("judge:Judge.inner_url", lambda self, value, raw, wire, depth: [raw]), ("http1 target.query.redirect_uri.query",)),
    "queries": Rule(replaced("judge:Judge.query", _query := lambda self, query, depth=0, place="query": importlib.import_module("dissect.model").Text((query,))), ("http1 target.query.*",)),
}  # fmt: skip

"""Redirect chains: how a sign-in goes from host to host.

By Location, Refresh, meta refresh, forms that post themselves, and scripts; a script's
address counts only if the same client then asked for it, since a script may never run.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urljoin, urlsplit

from dissect.model import wire_text
from dissect.redaction import markup
from dissect.redaction.fields import set_cookie
from dissect.redaction.judge import Judge, pairs
from dissect.signin.exchange import Exchange

Kind = Literal["location", "refresh", "meta", "form", "script"]

FOLLOWED_NS = 600 * 1_000_000_000  # a redirect that nobody followed within ten minutes was not
AT_ONCE_NS = 15 * 1_000_000_000  # a form that is posted later was posted by a person
TEXT_LIMIT = 2 << 20  # of a page that is searched for scripts
SCRIPTS_LIMIT = 50  # addresses in a page's scripts that are looked at

_SCRIPT = re.compile(
    r"location(?:\.href)?\s*=\s*[\"']([^\"'\s]{1,8000})[\"']"
    r"|location\.(?:replace|assign)\(\s*[\"']([^\"'\s]{1,8000})[\"']"
    r"|\"(?:FederationRedirectUrl|redirectUrl|redirect_url|urlLogin|urlRedirect)\"\s*:\s*"
    r"\"([^\"\s]{1,8000})\""
)

# Parameters that say why, in the order in which they are named; * shows the value, too.
_REASONS = (
    "*wa", "samlrequest", "samlresponse", "samlart", "wresult", "code", "id_token",
    "access_token", "*error", "*response_type", "user_code", "otc",
)  # fmt: skip


@dataclass(slots=True, eq=False)
class Hop:
    """One step of a chain. `url` is where it leads, absolute, and may hold secrets; `fields`
    are those of a form; `target` is the exchange that followed it, if the captures show it."""

    exchange: Exchange
    kind: Kind
    url: str = field(repr=False)
    fields: dict[str, str] = field(default_factory=dict, repr=False)
    method: str = "GET"
    target: Exchange | None = None
    chain: int = 0
    number: int = 0

    @property
    def why(self) -> list[str]:
        """What the hop carries, by name: `wa=wsignin1.0`, `SAMLRequest`, `code`."""
        address, _, fragment = self.url.partition("#")
        given = [
            *pairs(address.partition("?")[2]), *pairs(fragment), *self.fields.items()
        ]  # fmt: skip
        values = {name.lower(): (name, value) for name, value in given if value}
        found = []
        for wanted in _REASONS:
            if wanted.lstrip("*") in values:
                name, value = values[wanted.lstrip("*")]
                spelt = _SPELT.get(name.lower(), name)
                found.append(_with_value(spelt, value) if wanted.startswith("*") else spelt)
        if not found and self.kind == "location":
            found = _plain(self)
        return found

    @property
    def cookies(self) -> list[str]:
        """Names of the cookies that the answer sets."""
        if self.exchange.response is None:
            return []
        named = map(set_cookie, self.exchange.response.headers.all("set-cookie"))
        return list(dict.fromkeys(item[0] for item in named if item))


_SPELT = {"samlrequest": "SAMLRequest", "samlresponse": "SAMLResponse", "samlart": "SAMLart"}


def _with_value(name: str, value: str) -> str:
    shown = Judge().value("query", name, value[:60])
    return f"{name}={''.join(map(str, shown))}"


def _plain(hop: Hop) -> list[str]:
    old, new = urlsplit(url_of(hop.exchange)), urlsplit(hop.url)
    if old.scheme == "http" and new.scheme == "https" and old.hostname == new.hostname:
        return ["to https"]
    return ["moved for good"] if hop.exchange.status in (301, 308) else []


def url_of(exchange: Exchange) -> str:
    """The absolute URL that a request asks for; empty without a request. May hold secrets."""
    request = exchange.request
    if request is None:
        return ""
    target = wire_text(request.target)
    if "://" in target[:12]:
        return target
    return f"{request.scheme}://{request.host or exchange.host or ''}{target}"


def hops(exchanges: Iterable[Exchange]) -> list[Hop]:
    """All hops in time order, with chain numbers from 1 and numbers within the chain."""
    ordered = sorted(exchanges, key=_start)
    by_client: dict[tuple[int, str], list[Exchange]] = defaultdict(list)
    for exchange in ordered:
        if exchange.request is not None:
            by_client[_client(exchange)].append(exchange)
    found: list[Hop] = []
    taken: set[int] = set()
    for exchange in sorted(ordered, key=_answered):
        options = _options(exchange)
        later = _after(exchange, by_client[_client(exchange)])
        for hop in options:
            hop.target = next((e for e in later if id(e) not in taken and _follows(e, hop)), None)
            if hop.target is not None:
                taken.add(id(hop.target))
            elif hop.kind == "script" or (hop.kind == "form" and not hop.why):
                continue
            found.append(hop)
            if hop.target is not None:
                break  # one answer leads to one place
    _number(found, by_client)
    return found


def _start(exchange: Exchange) -> tuple[int, int]:
    span = exchange.place.span
    return span.first_ns, span.first_frame


def _answered(exchange: Exchange) -> tuple[int, int]:
    span = (exchange.response or exchange.request or exchange.interim[0]).place.span
    return span.first_ns, span.first_frame


def _client(exchange: Exchange) -> tuple[int, str]:
    connection = exchange.place.connection
    return connection.capture, connection.client.address


def _after(exchange: Exchange, all_: Sequence[Exchange]) -> list[Exchange]:
    if exchange.response is None:
        return []
    at_ns = exchange.response.place.span.first_ns
    return [e for e in all_ if at_ns <= e.place.span.first_ns <= at_ns + FOLLOWED_NS]


def _options(exchange: Exchange) -> list[Hop]:
    """Where an answer may lead, the surest way first."""
    if exchange.response is None or exchange.request is None:
        return []
    here = url_of(exchange)
    found: list[Hop] = []

    def add(kind: Kind, url: str | None, **more: dict[str, str] | str) -> None:
        address = _join(here, url) if url is not None else ""
        if address:
            found.append(Hop(exchange, kind, address, **more))  # type: ignore[arg-type]

    if exchange.location and 300 <= exchange.status < 400:
        add("location", exchange.location)
        return found
    header = exchange.response_header("refresh")
    if header:
        add("refresh", markup.refresh_target(header))
    text = exchange.response_text
    if not text or len(text) > TEXT_LIMIT:
        return found
    kind = exchange.response_type
    if kind in ("text/html", "application/xhtml+xml", ""):
        add("meta", markup.refresh(text))
        if "submit" in text:
            for form in exchange.forms:
                if form.hidden:
                    method = "POST" if form.method == "post" else "GET"
                    add("form", form.action or here, fields=form.fields, method=method)
    if kind in ("text/html", "application/json", "") and exchange.status == 200:
        for match in list(_SCRIPT.finditer(text))[:SCRIPTS_LIMIT]:
            address = next(group for group in match.groups() if group)
            add("script", markup.unescaped(address))
    return found


def _join(here: str, url: str) -> str:
    try:
        joined = urljoin(here, url)
        return joined if urlsplit(joined).scheme in ("http", "https") else ""
    except ValueError:
        return ""  # a broken address leads nowhere


def _follows(exchange: Exchange, hop: Hop) -> bool:
    """Whether a request is the one that a hop leads to."""
    try:
        wanted, asked = urlsplit(hop.url), urlsplit(url_of(exchange))
        same = (wanted.hostname, wanted.path or "/") == (asked.hostname, asked.path or "/")
    except ValueError:
        return False
    if not same:
        return False
    if hop.kind == "form":
        began = _answered(hop.exchange)[0]
        if exchange.method != hop.method or exchange.place.span.first_ns > began + AT_ONCE_NS:
            return False
        sent = exchange.form if hop.method == "POST" else exchange.query
        return not hop.fields or set(hop.fields) <= set(sent)
    if hop.exchange.status in (307, 308) and exchange.method != hop.exchange.method:
        return False
    # A page may add parameters (a user name); those that it was given stay.
    given = dict(pairs(asked.query))
    return all(given.get(name) == value for name, value in pairs(wanted.query) if name)


def _number(found: list[Hop], by_client: dict[tuple[int, str], list[Exchange]]) -> None:
    """Chains: a hop goes on from the exchange that a hop led to, or from a page whose form
    or script asked for it (the Referer says so)."""
    place: dict[int, int] = {}  # exchange → its chain
    counts: dict[int, int] = defaultdict(int)
    leads = {id(hop.target): hop for hop in found if hop.target is not None}
    starts = {id(hop.exchange): hop for hop in found}
    chains = 0
    for exchanges in by_client.values():
        latest: dict[str, Exchange] = {}  # URL → its latest exchange
        for exchange in exchanges:
            before = leads.get(id(exchange))
            source = before.exchange if before else latest.get(_referer(exchange))
            chain = place.get(id(source)) if source is not None else None
            if chain is not None:
                place[id(exchange)] = chain
            hop = starts.get(id(exchange))
            if hop is not None and chain is None:
                chains += 1
                place[id(exchange)] = chains
                if source is not None:
                    place.setdefault(id(source), chains)
            latest[url_of(exchange).partition("#")[0]] = exchange
    for hop in found:
        hop.chain = place[id(hop.exchange)]
        counts[hop.chain] += 1
        hop.number = counts[hop.chain]


def _referer(exchange: Exchange) -> str:
    return (exchange.request_header("referer") or "").partition("#")[0]

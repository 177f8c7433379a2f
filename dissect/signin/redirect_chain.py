"""Redirect chains: how a sign-in goes from host to host.

By Location, Refresh, meta refresh, forms that post themselves, and scripts; a script's
address counts only if the same client then asked for it, since a script may never run.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from urllib.parse import SplitResult, urlsplit

from dissect.redaction.judge import pairs
from dissect.signin.exchange import Exchange
from dissect.signin.leads import SCRIPTS_LIMIT, TEXT_LIMIT, Redirect, leads, url_of

__all__ = ["SCRIPTS_LIMIT", "TEXT_LIMIT", "Redirect", "follow_redirects", "url_of"]

FOLLOWED_NS = 600 * 1_000_000_000  # a redirect that nobody followed within ten minutes was not
AT_ONCE_NS = 15 * 1_000_000_000  # a form that is posted later was posted by a person
MAX_LOOKED = 300  # requests of a page that are looked at for the one that followed a redirect


def follow_redirects(
    exchanges: Iterable[Exchange], warnings: list[str] | None = None
) -> list[Redirect]:
    """All redirects in time order, with chain numbers from 1 and numbers within the chain. A bound
    that was reached is added to `warnings`."""
    ordered = sorted(exchanges, key=_start)
    by_client: dict[tuple[int, str], list[Exchange]] = defaultdict(list)
    pages: dict[_Page, _Requests] = defaultdict(_Requests)
    for exchange in ordered:
        if exchange.request is not None:
            by_client[_client(exchange)].append(exchange)
            asked = _split(url_of(exchange))
            if asked is not None:
                pages[_page(exchange, asked)].add(exchange, asked)
    found: list[Redirect] = []
    bounded: Redirect | None = None
    unread: list[Exchange] = []
    for exchange in sorted(ordered, key=_answered):
        for redirect in leads(exchange, unread):
            wanted = _split(redirect.url)
            requests = pages.get(_page(exchange, wanted)) if wanted is not None else None
            if requests is not None and wanted is not None:
                redirect.target, whole = requests.follower(redirect, wanted)
                bounded = bounded or (None if whole else redirect)
            if redirect.target is None and (
                redirect.kind == "script" or (redirect.kind == "form" and not redirect.why)
            ):
                continue
            found.append(redirect)
            if redirect.target is not None:
                break  # one answer leads to one place
    _number(found, by_client)
    if bounded is not None and warnings is not None:
        warnings.append(
            f"more than {MAX_LOOKED} requests could have followed the redirect of frame "
            f"{bounded.exchange.place.span.first_frame}; which did was looked for among these"
        )
    if unread and warnings is not None:
        warnings.append(
            f"{len(unread)} pages, the first in frame {unread[0].place.span.first_frame}, have "
            f"more than {TEXT_LIMIT >> 20} MB or {SCRIPTS_LIMIT} addresses in scripts: where they "
            "lead beyond that was not looked for"
        )
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


_Page = tuple[int, str, str | None, str]
"""Capture and address of a client, host and path of what it asks for."""


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.hostname
    except ValueError:
        return None  # a broken address leads nowhere
    return parts


def _page(exchange: Exchange, url: SplitResult) -> _Page:
    return *_client(exchange), url.hostname, url.path or "/"


class _Requests:
    """A client's requests for one page, in time order; each follows one redirect at most."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._asked: list[tuple[Exchange, str]] = []  # and its query
        self._given: dict[int, dict[str, str]] = {}  # the queries taken apart so far
        self._free: list[int] = []  # for each request it or a later one, which may be free

    def add(self, exchange: Exchange, url: SplitResult) -> None:
        self._free.append(len(self._starts))
        self._starts.append(exchange.place.span.first_ns)
        self._asked.append((exchange, url.query))

    def follower(self, redirect: Redirect, url: SplitResult) -> tuple[Exchange | None, bool]:
        """The first request that a redirect leads to, which is taken with that; and whether all
        that may be were looked at."""
        if redirect.exchange.response is None:
            return None, True
        at_ns = redirect.exchange.response.place.span.first_ns
        number = self._next(bisect_left(self._starts, at_ns))
        wanted = [(name, value) for name, value in pairs(url.query) if name]
        for _ in range(MAX_LOOKED):
            if number >= len(self._starts) or self._starts[number] > at_ns + FOLLOWED_NS:
                return None, True
            exchange = self._asked[number][0]
            if _follows(exchange, redirect, wanted, self._query(number)):
                self._free[number] = number + 1
                return exchange, True
            number = self._next(number + 1)
        return None, False

    def _query(self, number: int) -> dict[str, str]:
        given = self._given.get(number)
        if given is None:
            given = self._given[number] = dict(pairs(self._asked[number][1]))
        return given

    def _next(self, number: int) -> int:
        """The first request from this one on that no redirect has taken."""
        free, start = self._free, number
        while number < len(free) and free[number] != number:
            number = free[number]
        while start < len(free) and free[start] != start:  # the next look is shorter
            free[start], start = number, free[start]
        return number


def _follows(
    exchange: Exchange, redirect: Redirect, wanted: Sequence[tuple[str, str]], given: dict[str, str]
) -> bool:
    """Whether a request for a redirect's page, with the query `given`, is the one it leads to."""
    if redirect.kind == "form":
        began = _answered(redirect.exchange)[0]
        if exchange.method != redirect.method or exchange.place.span.first_ns > began + AT_ONCE_NS:
            return False
        sent = exchange.form if redirect.method == "POST" else exchange.query
        return not redirect.fields or set(redirect.fields) <= set(sent)
    if redirect.exchange.status in (307, 308) and exchange.method != redirect.exchange.method:
        return False
    # A page may add parameters (a user name); those that it was given stay.
    return all(given.get(name) == value for name, value in wanted)


def _number(found: list[Redirect], by_client: dict[tuple[int, str], list[Exchange]]) -> None:
    """Chains: a redirect goes on from the exchange that a redirect led to, or from a page whose
    form or script asked for it (the Referer says so)."""
    place: dict[int, int] = {}  # exchange → its chain
    counts: dict[int, int] = defaultdict(int)
    leads = {id(redirect.target): redirect for redirect in found if redirect.target is not None}
    starts = {id(redirect.exchange): redirect for redirect in found}
    chains = 0
    for exchanges in by_client.values():
        latest: dict[str, Exchange] = {}  # URL → its latest exchange
        for exchange in exchanges:
            before = leads.get(id(exchange))
            source = before.exchange if before else latest.get(_referer(exchange))
            chain = place.get(id(source)) if source is not None else None
            if chain is not None:
                place[id(exchange)] = chain
            redirect = starts.get(id(exchange))
            if redirect is not None and chain is None:
                chains += 1
                place[id(exchange)] = chains
                if source is not None:
                    place.setdefault(id(source), chains)
            latest[url_of(exchange).partition("#")[0]] = exchange
    for redirect in found:
        redirect.chain = place[id(redirect.exchange)]
        counts[redirect.chain] += 1
        redirect.number = counts[redirect.chain]


def _referer(exchange: Exchange) -> str:
    return (exchange.request_header("referer") or "").partition("#")[0]

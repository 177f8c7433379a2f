"""Where an answer may lead a browser: each a redirect that somebody may have followed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal
from urllib.parse import urljoin, urlsplit

from dissect.model import wire_text
from dissect.redaction import markup
from dissect.redaction.fields import set_cookie
from dissect.redaction.judge import Judge, pairs
from dissect.signin.exchange import Exchange

Kind = Literal["location", "refresh", "meta", "form", "script"]

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
class Redirect:
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
        """What the redirect carries, by name: `wa=wsignin1.0`, `SAMLRequest`, `code`."""
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


def _plain(redirect: Redirect) -> list[str]:
    old, new = urlsplit(url_of(redirect.exchange)), urlsplit(redirect.url)
    if old.scheme == "http" and new.scheme == "https" and old.hostname == new.hostname:
        return ["to https"]
    return ["moved for good"] if redirect.exchange.status in (301, 308) else []


def url_of(exchange: Exchange) -> str:
    """The absolute URL that a request asks for; empty without a request. May hold secrets."""
    request = exchange.request
    if request is None:
        return ""
    target = wire_text(request.target)
    if "://" in target[:12]:
        return target
    return f"{request.scheme}://{request.host or exchange.host or ''}{target}"


def leads(exchange: Exchange, unread: list[Exchange]) -> list[Redirect]:
    """Where an answer may lead, the surest way first; a page that is not read whole is added to
    `unread`."""
    if exchange.response is None or exchange.request is None:
        return []
    here = url_of(exchange)
    found: list[Redirect] = []

    def add(kind: Kind, url: str | None, **more: dict[str, str] | str) -> None:
        address = _join(here, url) if url is not None else ""
        if address:
            found.append(Redirect(exchange, kind, address, **more))  # type: ignore[arg-type]

    if exchange.location and 300 <= exchange.status < 400:
        add("location", exchange.location)
        return found
    header = exchange.response_header("refresh")
    if header:
        add("refresh", markup.refresh_target(header))
    text = exchange.response_text
    if not text or len(text) > TEXT_LIMIT:
        unread += [exchange] if text else []
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
        scripts = list(islice(_SCRIPT.finditer(text), SCRIPTS_LIMIT + 1))
        unread += [exchange] if len(scripts) > SCRIPTS_LIMIT else []
        for match in scripts[:SCRIPTS_LIMIT]:
            address = next(group for group in match.groups() if group)
            add("script", markup.unescaped(address))
    return found


def _join(here: str, url: str) -> str:
    try:
        joined = urljoin(here, url)
        return joined if urlsplit(joined).scheme in ("http", "https") else ""
    except ValueError:
        return ""  # a broken address leads nowhere

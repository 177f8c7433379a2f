"""Pages of identity providers, whoever made them, by their structure (HTML §4.10): a form with a
password, what was posted from it, and what came back: the same form with an error, an error page
without a form, or an answer that leads on."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dissect.model import Secret
from dissect.redaction import markup
from dissect.redaction.cuts import cut
from dissect.redaction.kinds import kind_by_words, kind_of
from dissect.redaction.markup import Form
from dissect.signin.exchange import Exchange
from dissect.signin.rule import FactValue, Found, got, sent

_USUAL = frozenset({"password", "passwd"})  # ADFS's and others', Azure AD's
_USER = re.compile(r"user|mail|login|account|identifier|upn", re.I)
# "Error: app_not_configured_for_user": the words that are a provider's name for what is wrong.
_NAMED = re.compile(
    r"[Ee]rror(?: code)?\s{0,3}[:=]\s{0,3}([a-z]{2,30}+(?:_[a-z]{1,30}+){1,8}+)(?![a-z0-9_])"
)
# What a page's title or heading says when something is wrong, in English.
_TROUBLE = re.compile(
    r"\b(?:not|no|unable|cannot|can't|error|fail(?:ed|ure)?|denied|invalid|unsupported|unknown"
    r"|expired|forbidden|blocked|locked|refused|wrong|missing|problem|sorry|rejected|stale)\b",
    re.I,
)
_MSIS = re.compile(r"\bMSIS\d{4}")  # a number of ADFS, told by its own rule
_BROWSERS_OWN = re.compile(r"\.(?:css|js|ico|png|svg|gif|jpe?g|woff2?|json)$")


def sign_in(exchange: Exchange) -> Iterator[Found]:
    """A form that was shown, a password that was posted, an error page for a sign-in request."""
    form = exchange.form
    if {"username", "password"} <= form.keys() or {"login", "passwd"} <= form.keys():
        return  # told by the rules that know these names
    given = _password(exchange)
    if given is not None:
        yield from _posted(exchange, given)
    elif exchange.response is not None and _asks(exchange):
        yield from _shown(exchange)


def _posted(exchange: Exchange, given: str) -> Iterator[Found]:
    facts: dict[str, FactValue] = {}
    user = next((value for name, value in exchange.form.items() if _is_user(name) and value), "")
    if user:
        facts["user"] = user.lower()
    if exchange.response is None:
        yield sent("idp.password.sent", password=Secret("password", given), **facts)
        return
    if exchange.response_json:
        return  # told by `json_pages`
    yield sent("idp.password.sent", password=Secret("password", given), **facts)
    pages = exchange.forms
    if any(form.fields.keys() & {"samlresponse", "wresult"} for form in pages):
        yield got("idp.password.accepted", **facts)
    elif any(map(_for_password, pages)):
        yield got(
            "idp.password.refused",
            status=exchange.status,
            text=_words(exchange.response_text),
            **facts,
        )
    elif exchange.status >= 400:
        yield got("idp.error.shown", **_error(exchange), **facts)
    elif 300 <= exchange.status < 400 and _leads_on(exchange):
        yield got("idp.password.accepted", **facts)


def _shown(exchange: Exchange) -> Iterator[Found]:
    pages = exchange.forms
    if _MSIS.search(exchange.response_text):
        return
    # One with the usual names is told by the rules for these.
    if any(_for_password(form) and not form.fields.keys() & _USUAL for form in pages):
        yield got("idp.form.shown")
        return
    refused = 400 <= exchange.status < 500 and not exchange.response_header("www-authenticate")
    if refused or (exchange.status == 200 and not pages and _is_error(exchange.response_text)):
        yield got("idp.error.shown", **_error(exchange))


def _asks(exchange: Exchange) -> bool:
    """Whether a request is one for a sign-in: AuthnRequest, wsignin1.0, or a page of the same
    site that answers with a form for a password."""
    if exchange.method not in ("GET", "POST") or _BROWSERS_OWN.search(exchange.path):
        return False
    fields = exchange.query.keys() | exchange.form.keys()
    if "samlresponse" in fields or "wresult" in fields:
        return False
    if "samlrequest" in fields or exchange.query.get("wa") == "wsignin1.0":
        return True
    return exchange.status == 200 and any(map(_for_password, exchange.forms))


def _error(exchange: Exchange) -> dict[str, FactValue]:
    page = exchange.response_text
    named = _NAMED.search(markup.visible_text(page[:65536]))
    return {
        "status": exchange.status,
        "text": _words(page),
        "error": named[1] if named else "",
    }


def _is_error(page: str) -> bool:
    """Whether a page without a form says that something is wrong. What stands in the error elements
    of a page that a script fills may be there for later."""
    if any(map(_TROUBLE.search, markup.statements(page))):
        return True
    return "<script" not in page.lower() and bool(markup.statements(page, markup.is_error_text))


def _words(page: str) -> str:
    """What a page says of the matter: its first error element, else the first of its title and
    headings that says that something is wrong, else its title."""
    errors, others = markup.statements(page, markup.is_error_text), markup.statements(page)
    telling = next(filter(_TROUBLE.search, others), "")
    return cut(next(iter([*errors, *filter(None, [telling]), *others]), ""), 300)


def _leads_on(exchange: Exchange) -> bool:
    """A redirect to the page's own address shows the form again, with an error or without."""
    target = (exchange.location or "").partition("?")[0].lower()
    return not target.endswith(exchange.path.partition("?")[0])


def _password(exchange: Exchange) -> str | None:
    """The password that a form was posted with."""
    if exchange.method != "POST" or "grant_type" in exchange.form:
        return None
    asked = {name for form in exchange.forms for name in form.passwords}
    for name, value in exchange.form.items():
        if value and (name in asked or _is_password(name)):
            return value
    return None


def _is_password(name: str) -> bool:
    return "password" in (kind_of(name), kind_by_words(name))


def _is_user(name: str) -> bool:
    return _USER.search(name) is not None and not _is_password(name)


def _for_password(form: Form) -> bool:
    return bool(form.passwords)


RULES = (sign_in,)

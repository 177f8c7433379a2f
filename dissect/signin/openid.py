"""The authorization endpoint of OAuth 2 and OpenID Connect, and what comes back from it:
in a redirect's query, in its fragment, or in a form that posts itself (RFC 6749 §4.1, §4.2,
RFC 7636, OpenID Connect Core §3, Form Post Response Mode). Discovery as well."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from dissect.model import Fact, Secret
from dissect.redaction import markup
from dissect.redaction.cuts import cut
from dissect.redaction.judge import pairs
from dissect.signin import jwt
from dissect.signin.azuread_errors import NUMBER
from dissect.signin.directory import application, resource_of
from dissect.signin.exchange import Exchange
from dissect.signin.rule import FactValue, Found, got, sent

_AUTHORIZE = re.compile(r"/(?:oauth2|oauth|adfs/oauth2|connect)/(?:v2\.0/)?authori[sz]e/?$")
# RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6: what else is called an error in an address may
# be an application's own word. One that comes with the request's state is the server's.
_ERRORS = frozenset(
    {
        "invalid_request", "unauthorized_client", "access_denied", "unsupported_response_type",
        "invalid_scope", "server_error", "temporarily_unavailable", "interaction_required",
        "login_required", "account_selection_required", "consent_required",
        "invalid_request_uri", "invalid_request_object", "request_not_supported",
        "request_uri_not_supported", "registration_not_supported",
    }
)  # fmt: skip
MAX_QUOTED = 3  # elements of an error page
_TOKENS = ("id_token", "access_token")


def authorize(exchange: Exchange) -> Iterator[Found]:
    """The browser at the authorization endpoint, with the user's address."""
    asked = exchange.query if exchange.method == "GET" else {**exchange.query, **exchange.form}
    standard = "client_id" in asked and "response_type" in asked
    if exchange.method not in ("GET", "POST") or not (_AUTHORIZE.search(exchange.path) or standard):
        return
    if {"passwd", "password", "grant_type"} & asked.keys():
        return
    hint = asked.get("login_hint") or asked.get("username") or ""
    kinds = asked.get("response_type", "").split()
    facts: dict[str, Fact | None] = {
        "user": hint.lower(),
        "client_id": asked.get("client_id"),
        "application": application(asked.get("client_id")),
        "response_type": " ".join(kinds),
        "response_mode": asked.get("response_mode"),
        "resource": asked.get("resource"),
        "scope": asked.get("scope"),
        "prompt": asked.get("prompt"),
        "return_host": markup.host_of(asked.get("redirect_uri")),
        "flow": _flow(kinds),
        "pkce": asked.get("code_challenge_method", "plain") if "code_challenge" in asked else None,
        "code_challenge": _challenge(asked),
        "state": Secret("state", asked["state"]) if asked.get("state") else None,
    }
    yield sent("oauth.authorize.requested", **facts)
    if exchange.response is not None and exchange.status >= 400:
        yield from _failed(exchange, asked)


def _failed(exchange: Exchange, asked: Mapping[str, str]) -> Iterator[Found]:
    """An error that is shown, and not sent back to the application (RFC 6749 §4.1.2.1)."""
    if exchange.status in (401, 407) and exchange.response_header("www-authenticate"):
        return  # it asks for credentials in HTTP
    if NUMBER.search(exchange.response_text):
        return  # Azure AD's own errors
    answer = exchange.response_json
    error, text = answer.get("error"), answer.get("error_description") or answer.get("message")
    reported = [text] if isinstance(text, str) else markup.problems(exchange.response_text)
    yield got(
        "oauth.authorize.failed",
        status=exchange.status,
        error=cut(error, 100) if isinstance(error, str) else None,
        text=cut("” “".join(reported[:MAX_QUOTED]), 300) if reported else None,
        client_id=asked.get("client_id"),
        **_state(asked),
    )


def error_page(exchange: Exchange) -> Iterator[Found]:
    """The page to which a server sends the browser to show an error of a request."""
    path = exchange.path.rstrip("/").lower()
    if exchange.response is None or exchange.status < 400 or "client_id" not in exchange.query:
        return
    if exchange.method == "GET" and path.endswith(("/error", "/errors")):
        yield from _failed(exchange, exchange.query)


def _challenge(asked: Mapping[str, str]) -> str | None:
    """What a request for tokens can be determined by to belong to this one (RFC 7636 §4.2)."""
    if asked.get("code_challenge_method", "plain") == "S256":
        return asked.get("code_challenge") or None
    return None  # a plain challenge is the verifier itself: a secret


def _flow(kinds: list[str]) -> str | None:
    if kinds == ["code"]:
        return "code"
    if "code" in kinds:
        return "hybrid"
    return "implicit" if "token" in kinds or "id_token" in kinds else None


def answered(exchange: Exchange) -> Iterator[Found]:
    """What the authorization endpoint gives back: in a redirect, or a form that posts itself."""
    if exchange.response is None:
        return
    at_ns = exchange.response.place.span.first_ns
    location = exchange.location
    if location and 300 <= exchange.status < 400:
        address, _, fragment = location.partition("#")
        query = _lower(address.partition("?")[2])
        inside = _lower(fragment)
        for mode, fields in (("query", query), ("fragment", inside)):
            yield from _answer(exchange, fields, mode, markup.host_of(location), at_ns)
    html = exchange.response_text
    if "id_token" in html or "state" in html:
        for form in exchange.forms:
            if "state" in form.fields or "id_token" in form.fields:
                host = markup.host_of(form.action)
                yield from _answer(exchange, form.fields, "form_post", host, at_ns)


def _answer(
    exchange: Exchange, fields: Mapping[str, str], mode: str, host: str | None, at_ns: int
) -> Iterator[Found]:
    error = fields.get("error")
    if error and "wa" not in fields and ("state" in fields or error in _ERRORS):
        text = fields.get("error_description", "")
        number = re.search(r"AADSTS(\d{5,7})", text)
        yield got(
            "oauth.authorize.refused",
            error=error[:100],
            code=number.group(1) if number else None,
            text=cut(re.sub(r"^AADSTS\d+: ?", "", text.partition("\r\n")[0]), 300),
            suberror=fields.get("error_subcode"),
            response_mode=mode,
            return_host=host,
            **_state(fields),
        )
        return
    facts = _handed(fields, at_ns)
    if facts:
        yield got("oauth.authorize.answered", response_mode=mode, return_host=host, **facts)


def _handed(fields: Mapping[str, str], at_ns: int) -> dict[str, FactValue]:
    """Code and tokens among some fields; empty where there is neither."""
    facts: dict[str, FactValue] = {}
    given = [name for name in ("code", *_TOKENS) if fields.get(name)]
    # A "code" alone is many things; with its state or session it is an authorization code.
    if not given or (given == ["code"] and not ({"state", "session_state"} & set(fields))):
        return facts
    facts["given"] = tuple(given)
    for name in given:
        # "code" is the number of an error in other events.
        fact = "authorization_code" if name == "code" else name
        facts[fact] = Secret(name, fields[name])
    facts.update(_state(fields))
    for name in _TOKENS:
        if name in given:
            for key, claim in jwt.facts(fields[name]).items():
                facts.setdefault(key, claim)
    # That of the access token counts: it is what the next step uses.
    state = jwt.valid([fields[name] for name in reversed(_TOKENS) if name in given], at_ns)
    if state is not None:
        facts["validity"] = state
    return facts


def _state(fields: Mapping[str, str]) -> dict[str, Fact]:
    """The state that ties answer and request (RFC 6749 §4.1.2)."""
    return {"state": Secret("state", fields["state"])} if fields.get("state") else {}


def returned(exchange: Exchange) -> Iterator[Found]:
    """Code or tokens on their way to the application, and what it made of them."""
    posted = exchange.method == "POST"
    fields = exchange.form if posted else exchange.query
    if "grant_type" in fields or not fields:
        return
    at_ns = exchange.place.span.first_ns
    facts = _handed(fields, at_ns)
    if "error" in fields and ("state" in fields or "error_description" in fields):
        yield sent("oauth.return.posted", error=fields["error"][:100])
        return
    if not facts:
        return
    mode = "form_post" if posted else "query"
    yield sent("oauth.return.posted", response_mode=mode, **facts)
    if exchange.response is not None and exchange.status >= 400:
        yield got("oauth.return.refused", status=exchange.status)


def discovery(exchange: Exchange) -> Iterator[Found]:
    """OpenID Connect discovery (/.well-known/openid-configuration), and the keys' document."""
    path = exchange.path
    if path.endswith(("/.well-known/openid-configuration", "/oauth-authorization-server")):
        yield sent("openid.discovery.requested")
        if exchange.response is None:
            return
        answer = exchange.response_json
        if exchange.status == 200 and answer.get("issuer"):
            facts: dict[str, Fact | None] = {"issuer": cut(str(answer["issuer"]), 300)}
            for key, name in (
                ("authorization_endpoint", "authorize_host"),
                ("token_endpoint", "token_host"),
                ("device_authorization_endpoint", "device_host"),
                ("jwks_uri", "keys_host"),
            ):
                facts[name] = markup.host_of(answer.get(key))
            yield got("openid.discovery.answered", **facts)
        else:
            yield got("openid.discovery.failed", status=exchange.status)
    elif path.endswith(("/discovery/keys", "/discovery/v2.0/keys", "/.well-known/jwks.json")):
        yield sent("openid.keys.requested")
        keys = exchange.response_json.get("keys")
        if exchange.status == 200 and isinstance(keys, list):
            yield got("openid.keys.answered", keys=len(keys))


def bearer(exchange: Exchange) -> Iterator[Found]:
    """An access token brought to a service, taken or refused, and in what words (RFC 6750 §3)."""
    scheme, _, value = (exchange.request_header("authorization") or "").partition(" ")
    token = value.strip()
    if scheme.lower() != "bearer" or not token:
        return
    yield sent("oauth.bearer.sent", access_token=Secret("access_token", token))
    if exchange.response is None:
        return
    if exchange.status < 400:
        yield got(
            "oauth.bearer.accepted",
            status=exchange.status,
            access_token=Secret("access_token", token),
        )
    if exchange.status not in (401, 403):
        return
    challenge = exchange.response_header("www-authenticate") or ""
    words = dict(re.findall(r'(?<![a-z_])([a-z_]++)="([^"]*+)"', challenge))
    facts = jwt.facts(token)
    state = jwt.valid([token], exchange.response.place.span.first_ns)
    yield got(
        "oauth.bearer.refused",
        status=exchange.status,
        access_token=Secret("access_token", token),
        error=words.get("error"),
        text=words.get("error_description"),
        validity=state,
        aud_name=resource_of(facts.get("aud")),
        **{name: facts[name] for name in ("aud", "appid", "user") if name in facts},
    )


def _lower(query: str) -> dict[str, str]:
    return {name.lower(): value for name, value in pairs(query)}


RULES = (authorize, error_page, answered, returned, discovery, bearer)

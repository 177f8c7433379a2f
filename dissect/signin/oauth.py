"""OAuth 2: device code (RFC 8628, and Azure AD's v1 of it), and the token endpoint with every
grant (RFC 6749 §3.2, RFC 7521 for assertions, Azure AD's on-behalf-of)."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from dissect.model import Fact, Secret
from dissect.redaction import markup
from dissect.redaction.cuts import cut
from dissect.redaction.judge import pairs
from dissect.signin import jwt
from dissect.signin.azuread_errors import error_facts
from dissect.signin.directory import application, resource_of, sfb_phone
from dissect.signin.exchange import Exchange
from dissect.signin.rule import FactValue, Found, got, sent
from dissect.signin.user_codes import user_code

MAX_ANSWER = 65536  # characters of an answer that is a form
DEVICE_GRANTS = ("device_code", "urn:ietf:params:oauth:grant-type:device_code")
_DEVICE_ENDPOINT = re.compile(
    r"/(?:oauth2/)?(?:v2\.0/)?(?:devicecode|device_authorization|device/code)$"
)

_HUMP = re.compile(r"(?<=[a-z])[A-Z]")
_FORM = re.compile(r"[a-z_]{2,40}=[^\s<>{}]{0,4000}(?:&|$)")

# Two names for one thing: v1 says code_expired, RFC 8628 expired_token.
_SAME = {"code_expired": "expired_token"}


def device_code(exchange: Exchange) -> Iterator[Found]:
    """The device authorization request and response (RFC 8628 §3.1, §3.2)."""
    answer = _answer(exchange)
    issued = bool(answer.get("device_code")) and bool(answer.get("user_code"))
    if exchange.method != "POST" or not (issued or _DEVICE_ENDPOINT.search(exchange.path)):
        return
    form = _asking(exchange)
    asker: dict[str, Fact | None] = {
        "client_id": form.get("client_id"),
        "application": application(form.get("client_id")),
        **_phone(exchange),
    }
    yield sent(
        "oauth.device_code.requested",
        resource=form.get("resource"),
        scope=form.get("scope"),
        **asker,
    )
    if exchange.response is None:
        return
    if issued:
        yield got(
            "oauth.device_code.issued",
            device_code=Secret("device_code", str(answer["device_code"])),
            user_code=user_code(str(answer["user_code"])),
            verification=_text(answer, "verification_url") or _text(answer, "verification_uri"),
            expires_in=_number(answer.get("expires_in")),
            interval=_number(answer.get("interval")),
            version="v1" if "verification_url" in answer else "v2",
            resource=form.get("resource"),
            scope=form.get("scope"),
            **asker,
        )
    else:
        yield got("oauth.device_code.refused", **{**asker, **refusal(exchange)})


def _phone(exchange: Exchange) -> dict[str, Fact]:
    """`paired` where the request itself tells that a phone of Skype for Business sent it, or that
    the tokens are for Skype for Business."""
    form = _asking(exchange)
    reported = sfb_phone(form.get("client_id"), exchange.request_header("user-agent"))
    return {"paired": True} if reported or _for_sfb(form) else {}


def _for_sfb(form: Mapping[str, str]) -> bool:
    wanted = [form.get("resource") or "", *(form.get("scope") or "").split()]
    hosts = [(markup.host_of(item) or "") for item in wanted]
    return any(host == "lync.com" or host.endswith(".lync.com") for host in hosts)


def token(exchange: Exchange) -> Iterator[Found]:
    """The token endpoint (RFC 6749 §3.2): which grant, and what came of it."""
    form = _asking(exchange)
    grant = form.get("grant_type")
    if exchange.method != "POST" or grant is None:
        return
    facts = _asked(form, grant)
    polled = grant in DEVICE_GRANTS
    if polled or grant in ("refresh_token", "password"):
        facts.update(_phone(exchange))
    yield sent("oauth.token.polled" if polled else "oauth.token.requested", **facts)
    if exchange.response is None:
        return
    answer = _answer(exchange)
    if exchange.status == 200 and (answer.get("access_token") or answer.get("id_token")):
        issued = {**facts, **_tokens(answer, exchange.response.place.span.first_ns)}
        yield got("oauth.token.issued", **issued)
        return
    refused = refusal(exchange)
    pending = refused.get("error") in ("authorization_pending", "slow_down")
    name = "oauth.token.pending" if polled and pending else "oauth.token.refused"
    yield got(name, **{**facts, **refused})


def _asked(form: Mapping[str, str], grant: str) -> dict[str, Fact]:
    """The grant and what the request brings for it."""
    facts: dict[str, Fact] = {"grant": grant.rpartition(":")[2]}
    for name in ("client_id", "resource", "scope"):
        if form.get(name):
            facts[name] = form[name]
    title = application(form.get("client_id"))
    if title:
        facts["application"] = title
    facts.update(_credential(form, grant))
    if form.get("requested_token_use") == "on_behalf_of" or "token-exchange" in grant:
        facts["on_behalf_of"] = True
    for name, proof in (("client_assertion", "assertion"), ("client_secret", "secret")):
        if form.get(name):
            facts["client_proof"] = proof
            break
    proofs = [
        text
        for name, text in (
            ("code_verifier", "with code verifier"),
            ("client_secret", "with client secret"),
            ("client_assertion", "with client assertion"),
        )
        if form.get(name)
    ]
    if proofs:
        facts["proven_by"] = ", ".join(proofs)
    return facts


def _credential(form: Mapping[str, str], grant: str) -> dict[str, Fact]:
    """What the grant is founded on: a code, a refresh token, a password, an assertion."""
    facts: dict[str, Fact] = {}
    if grant in DEVICE_GRANTS:
        # v1 calls the device code "code" (RFC 8628 §3.4: "device_code").
        code = form.get("device_code") or form.get("code")
        if code:
            facts["device_code"] = Secret("device_code", code)
    elif grant == "refresh_token" and form.get("refresh_token"):
        facts["refresh_token"] = Secret("refresh_token", form["refresh_token"])
    elif grant == "password":
        facts["user"] = form.get("username", "").lower()
    elif grant == "authorization_code":
        if form.get("code"):
            facts["authorization_code"] = Secret("code", form["code"])
        facts["pkce"] = bool(form.get("code_verifier"))
        if form.get("code_verifier"):
            facts["code_challenge"] = code_challenge(form["code_verifier"])
    elif form.get("assertion"):
        # jwt-bearer is on-behalf-of where it says so, saml1_1-bearer a federated password.
        facts["assertion"] = Secret("assertion", form["assertion"])
        user = jwt.facts(form["assertion"]).get("user")
        if user:
            facts["user"] = user
    return facts


def code_challenge(verifier: str) -> str:
    """The S256 challenge of a code verifier (RFC 7636 §4.2): what the authorization request
    held, and no secret."""
    digest = hashlib.sha256(verifier.encode("utf-8", "replace")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _tokens(answer: dict[str, Any], at_ns: int) -> dict[str, FactValue]:
    facts: dict[str, FactValue] = {}
    tokens: list[str] = []
    for name in ("access_token", "refresh_token", "id_token"):
        value = answer.get(name)
        if isinstance(value, str) and value:
            facts[name] = Secret(name, value)
            if name != "refresh_token":
                # The access token's claims win: it is the one that the next step uses.
                for key, claim in jwt.facts(value).items():
                    facts.setdefault(key, claim)
                tokens.append(value)
    state = jwt.valid(tokens, at_ns)
    if state is not None:
        facts["validity"] = state
    for name in ("token_type", "resource", "scope"):
        if isinstance(answer.get(name), str):
            facts["issued_" + name if name != "token_type" else name] = answer[name]
    lifetime = _number(answer.get("expires_in"))
    if lifetime is not None:
        facts["expires_in"] = lifetime
    audience = resource_of(facts.get("aud"))
    if audience:
        facts["aud_name"] = audience
    return facts


def refusal(exchange: Exchange) -> dict[str, Fact]:
    """What an error response says; `error` first, then its text, then its number."""
    answer = _answer(exchange)
    error = _text(answer, "error") or _text(answer, "error_code")
    description = _text(answer, "error_description") or _text(answer, "error_summary")
    facts = error_facts(description or exchange.response_text)
    facts.pop("interrupt", None)
    if description and "code" not in facts:
        facts["text"] = cut(" ".join(description.split()), 300)
    codes = answer.get("error_codes")
    if isinstance(codes, list) and codes:
        facts.setdefault("code", str(codes[0]))
    suberror = _text(answer, "suberror")
    if suberror:
        facts["suberror"] = suberror[:100]
    for name in ("trace_id", "correlation_id"):
        if isinstance(answer.get(name), str):
            facts[name] = answer[name]
    if error:
        facts["error"] = _SAME.get(error, error)
        if error in _SAME:
            facts["error_sent"] = error
    elif not facts:
        facts["error"] = f"http_{exchange.status}"
    facts["status"] = exchange.status
    return facts


def _asking(exchange: Exchange) -> Mapping[str, str]:
    """What is asked for: a form (RFC 6749 §3.2), or, at servers of their own kind, JSON."""
    if exchange.form or not exchange.request_json:
        return exchange.form
    asked = _standard(exchange.request_json)
    return {name: value for name, value in asked.items() if isinstance(value, str)}


def _answer(exchange: Exchange) -> dict[str, Any]:
    """What an endpoint answers: JSON, or, as some servers unless asked for JSON, a form."""
    text = exchange.response_text
    kind = exchange.response_type
    if kind == "application/x-www-form-urlencoded" or (
        kind in ("", "text/plain") and _FORM.match(text)
    ):
        return dict(pairs(text[:MAX_ANSWER]))
    return _standard(exchange.response_json)


def _standard(document: Mapping[str, Any]) -> dict[str, Any]:
    """Names in camel case as the standard spells them: `deviceCode` is `device_code`."""
    return {
        _HUMP.sub(lambda match: "_" + match[0].lower(), name): value
        for name, value in document.items()
    }


def _text(answer: dict[str, Any], name: str) -> str | None:
    value = answer.get(name)
    return value if isinstance(value, str) else None


def _number(value: object) -> int | None:
    """v1 writes numbers as strings; both are accepted."""
    try:
        return int(str(value))
    except ValueError:
        return None


RULES = (device_code, token)

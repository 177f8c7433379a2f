"""Services beside the sign-in proper (`services.toml`): Exchange autodiscover, Graph, device
registration, Intune, Teams."""

from __future__ import annotations

from collections.abc import Iterator

from dissect.model import Fact, Secret
from dissect.redaction import markup
from dissect.redaction.cuts import cut
from dissect.signin import jwt
from dissect.signin.directory import application, directory
from dissect.signin.exchange import Exchange
from dissect.signin.rule import Found, got, sent


def calls(exchange: Exchange) -> Iterator[Found]:
    """A call of one of the services, and how it was answered."""
    if exchange.request is None or "/autodiscoverservice.svc" in exchange.path:
        return
    service = next(
        (s for s in directory().services if s.serves(exchange.host, exchange.path)), None
    )
    if service is None:
        return
    facts: dict[str, Fact] = {"service": service.title, "with_token": False}
    if "/enrollmentserver/" in exchange.path:
        # Whole: of what is cut nobody could tell any more whether it is a token.
        facts["call"] = exchange.path.partition("#")[0].rstrip("/").rpartition("/")[2]
    scheme, _, token = (exchange.request_header("authorization") or "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        facts["with_token"] = True
        facts["access_token"] = Secret("access_token", token.strip())
        for name in ("aud", "appid", "user", "deviceid"):
            claim = jwt.facts(token.strip()).get(name)
            if claim is not None:
                facts[name] = claim
        title = application(facts.get("appid"))
        if title:
            facts["application"] = title
    yield sent(f"{service.event}.requested", **facts)
    if exchange.response is None:
        return
    if exchange.status < 400:
        yield got(f"{service.event}.answered", status=exchange.status, **facts, **_answer(exchange))
    else:
        yield got(f"{service.event}.refused", status=exchange.status, **facts, **_problem(exchange))


def _answer(exchange: Exchange) -> dict[str, Fact]:
    """Where the answer leads, as far as host names tell it."""
    facts: dict[str, Fact] = {}
    host = markup.host_of(exchange.location)
    if host:
        facts["to_host"] = host
    text = exchange.response_text
    if exchange.path.startswith("/autodiscover/") and text:
        url = exchange.response_json.get("Url")
        root = markup.xml(text) if text.lstrip()[:1] == "<" else None
        for name, value in (
            ("ews_host", url or markup.text_of(root, "EwsUrl")),
            ("redirect_user", markup.text_of(root, "RedirectAddr").lower()),
            ("to_host", markup.text_of(root, "RedirectUrl")),
        ):
            known = value if name == "redirect_user" else markup.host_of(value)
            if isinstance(known, str) and known:
                facts[name] = known
        code = markup.text_of(root, "ErrorCode")
        if code and code not in ("0", "NoError"):
            facts["problem"] = f"error code {code[:40]} inside an answer of {exchange.status}"
    return facts


def _problem(exchange: Exchange) -> dict[str, Fact]:
    """The code and sentence of an error: Graph's and Teams's JSON, or a SOAP fault."""
    # Names in lower case: device registration writes ErrorType and Message, Teams errorCode.
    answer = {name.lower(): value for name, value in exchange.response_json.items()}
    error = answer.get("error")
    facts: dict[str, Fact] = {}
    if isinstance(error, dict):
        code, text = error.get("code"), error.get("message")
    else:
        code = error or answer.get("errorcode") or answer.get("errortype")
        # Device registration says invalid_request to everything; its subcode says what.
        code = code or answer.get("subcode") or answer.get("code")
        text = answer.get("error_description") or answer.get("message")
        for name in ("traceid", "requestid", "request-id"):
            if isinstance(answer.get(name), str):
                facts["trace_id"] = answer[name][:100]
    if isinstance(code, str | int):
        facts["error"] = str(code)[:100]
    if isinstance(text, str) and text:
        facts["text"] = cut(" ".join(text.split()), 300)
    if exchange.response_text.lstrip()[:1] == "<" and "Fault" in exchange.response_text:
        root = markup.xml(exchange.response_text)
        reason = markup.text_of(root, "faultstring") or markup.text_of(root, "Text")
        if reason:
            facts["text"] = cut(" ".join(reason.split()), 300)
        sub = markup.text_of(root, "ErrorType") or markup.text_of(root, "Subcode")
        if sub:
            facts["error"] = " ".join(sub.split())[:100]
    return facts


RULES = (calls,)

"""SAML 2.0 messages on their way through a browser, or fetched by reference (SAML bindings 3.4
to 3.6), and what the service provider made of a response."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dissect.model import Secret
from dissect.redaction import markup
from dissect.redaction.judge import pairs
from dissect.signin import saml
from dissect.signin.azuread_errors import error_facts
from dissect.signin.exchange import Exchange
from dissect.signin.rule import FactValue, Found, got, sent


def browser(exchange: Exchange) -> Iterator[Found]:
    """SAML messages that a browser carries: in a query, in a form that it posts."""
    fields, binding = (
        (exchange.form, "post")
        if "samlrequest" in exchange.form or "samlresponse" in exchange.form
        else (exchange.query, "redirect")
    )
    artifact = fields.get("samlart") or exchange.form.get("samlart")
    if artifact:
        facts: dict[str, FactValue] = {
            "binding": "artifact",
            "artifact": Secret("saml_artifact", artifact),
        }
        yield sent("saml.artifact.sent", **facts)
        if exchange.response is not None:
            yield from _outcome(exchange, {"binding": "artifact"})
        return
    at_ns = exchange.place.span.first_ns
    for name in ("samlrequest", "samlresponse"):
        value = fields.get(name)
        if value is None or (binding == "redirect" and exchange.method == "POST"):
            continue  # a form that was posted to the address of the page: what it asks is known
        facts = saml.read(name, value, binding, at_ns)
        signature = fields.get("sigalg")
        if signature:
            facts["signature"] = saml.last_part(signature)
        if name == "samlrequest":
            yield sent("saml.request.sent", **facts)
        else:
            yield sent("saml.response.posted", **facts)
            if exchange.response is not None:
                yield from _outcome(exchange, facts)


def issued(exchange: Exchange) -> Iterator[Found]:
    """SAML messages in what a server answers: a redirect, or a form that posts itself."""
    if exchange.response is None:
        return
    at_ns = exchange.response.place.span.first_ns
    location = exchange.location
    if location and 300 <= exchange.status < 400:
        query = {name.lower(): value for name, value in pairs(location.partition("?")[2])}
        for name in ("samlrequest", "samlresponse"):
            if name in query:
                yield from _issued(name, query[name], "redirect", location, at_ns)
    html = exchange.response_text
    lower = html.lower() if "saml" in html or "SAML" in html else ""
    if "samlrequest" not in lower and "samlresponse" not in lower:
        return
    for form in exchange.forms:
        for name in ("samlrequest", "samlresponse"):
            if form.fields.get(name):
                yield from _issued(name, form.fields[name], "post", form.action, at_ns)


def _issued(name: str, value: str, binding: str, target: str, at_ns: int) -> Iterator[Found]:
    """A message that a server hands to the browser, and the request that made it do so."""
    facts = saml.read(name, value, binding, at_ns)
    if name == "samlrequest":
        yield sent("saml.page.requested", request_id=facts.get("request_id"))
        yield got("saml.request.issued", to_host=markup.host_of(target), **facts)
    else:
        yield got("saml.response.issued", to_host=markup.host_of(target), **facts)


def _outcome(exchange: Exchange, facts: Mapping[str, FactValue]) -> Iterator[Found]:
    """What the service provider made of a response.

    A page of status 200 that sets no cookie says neither: it may hold the provider's error.
    """
    names = ("user", "request_id")
    known: dict[str, FactValue] = {name: facts[name] for name in names if name in facts}
    problem = error_facts(exchange.response_text)
    failed = facts.get("status_code") not in (None, "Success")
    if (problem and not problem["interrupt"]) or exchange.status >= 400:
        refused: dict[str, FactValue] = {**known, **problem}
        refused.setdefault("text", _title(exchange.response_text))
        yield got("saml.response.refused", status=exchange.status, **refused)
    elif not failed and (exchange.status >= 300 or exchange.response_header("set-cookie")):
        yield got("saml.response.accepted", **known)
    elif not failed:
        yield got("saml.response.answered", **known)


def _title(html: str) -> str:
    """What an error page says first: its title or heading."""
    return markup.heading(html[:65536])


def artifact_resolution(exchange: Exchange) -> Iterator[Found]:
    """The back channel of the artifact binding: ArtifactResolve by SOAP, and its answer."""
    if exchange.method != "POST" or exchange.request is None:
        return
    asked = exchange.request.body.text
    if "ArtifactResolve" not in asked[:65536]:
        return
    root = markup.xml(asked)
    artifact = markup.text_of(root, "Artifact")
    if markup.find(root, "ArtifactResolve") is None:
        return
    yield sent(
        "saml.artifact.resolve.requested",
        artifact=Secret("saml_artifact", artifact) if artifact else None,
    )
    answer = markup.xml(exchange.response_text) if exchange.response is not None else None
    if exchange.response is None:
        return
    inner = markup.find(answer, "Response")
    if exchange.status == 200 and inner is not None:
        facts = saml.assertion_facts(inner, exchange.response.place.span.first_ns)
        yield got("saml.artifact.resolved", **facts)
    else:
        yield got("saml.artifact.refused", status=exchange.status)


RULES = (browser, issued, artifact_resolution)

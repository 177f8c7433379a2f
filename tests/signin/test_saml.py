"""SAML bindings and assertions, WS-Federation's token, WS-Trust (66; SAML bindings 3.4–3.6)."""

from __future__ import annotations

import base64
import html
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

import pytest

from dissect.model import Secret
from dissect.redaction import encodings
from dissect.signin import saml, saml_bindings, wstrust
from dissect.signin.exchange import Exchange
from dissect.signin.rule import Found, Rule, settled
from tests.signin.build import exchange, play

REQUEST = (
    '<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_1" Version="2.0" '
    'IssueInstant="2026-01-01T00:00:00Z" Destination="https://idp.test/sso" '
    'ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" '
    'AssertionConsumerServiceURL="https://sp.test/acs">'
    '<saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">https://sp.test</saml:Issuer>'
    '<samlp:NameIDPolicy Format="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"/>'
    "</samlp:AuthnRequest>"
)
SIGNATURE = (
    '<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo>'
    '<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>'
    '<ds:Reference><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/></ds:Reference>'
    "</ds:SignedInfo><ds:SignatureValue>c2lnbmF0dXJlLXZhbHVlLTEyMzQ1Njc4OTA=</ds:SignatureValue></ds:Signature>"
)
ASSERTION = (
    '<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a" Version="2.0">'
    "<saml:Issuer>http://sts.test/adfs/services/trust</saml:Issuer>" + SIGNATURE +
    '<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">V@x.test</saml:NameID></saml:Subject>'
    '<saml:Conditions NotBefore="2026-01-01T00:00:00Z" NotOnOrAfter="2026-01-01T01:00:00.000Z">'
    "<saml:AudienceRestriction><saml:Audience>https://sp.test</saml:Audience></saml:AudienceRestriction></saml:Conditions>"
    "<saml:AuthnStatement><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
    "</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement></saml:Assertion>"
)  # fmt: skip
RESPONSE = (
    '<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" Destination="https://sp.test/acs">'
    '<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:{status}">{inner}</samlp:StatusCode></samlp:Status>'
    "{content}</samlp:Response>"
)
GOOD = RESPONSE.format(status="Success", inner="", content=ASSERTION)
NOON = datetime(2026, 1, 1, 0, 30, tzinfo=UTC).timestamp()


def found(rules: tuple[Rule, ...], pair: Exchange) -> dict[str, Found]:
    every = (item for rule in rules for item in rule(pair))
    return {item.name: replace(item, facts=settled(item.facts)) for item in every}


def deflated(text: str) -> str:
    packer = zlib.compressobj(wbits=-15)
    return base64.b64encode(packer.compress(text.encode()) + packer.flush()).decode()


def lines(text: str) -> str:
    """Base64 with line breaks, as some senders post it."""
    return base64.encodebytes(text.encode()).decode().replace("\n", "\r\n")


def test_request_by_redirect() -> None:
    query = urlencode({"SAMLRequest": deflated(REQUEST), "RelayState": "r", "SigAlg":
                       "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "Signature": "abc"})  # fmt: skip
    facts = found(saml_bindings.RULES, exchange(url=f"https://idp.test/sso?{query}"))[
        "saml.request.sent"
    ].facts
    assert facts["binding"] == "redirect"
    assert facts["message"] == "AuthnRequest"
    assert facts["issuer"] == "https://sp.test"
    assert facts["consumer"] == "https://sp.test/acs"
    assert facts["name_id_format"] == "emailAddress"
    assert facts["signature"] == "rsa-sha256"


def test_request_by_redirect_is_seen_where_it_is_issued() -> None:
    location = "https://idp.test/sso?" + urlencode({"SAMLRequest": deflated(REQUEST)})
    facts = found(saml_bindings.RULES, exchange(url="https://sp.test/", status=302, response_headers={"Location": location}))[
        "saml.request.issued"
    ].facts  # fmt: skip
    assert facts["to_host"] == "idp.test"
    assert facts["issuer"] == "https://sp.test"


@pytest.mark.parametrize("encode", [lines, lambda t: base64.b64encode(t.encode()).decode()])
def test_response_by_post_with_and_without_line_breaks(encode: object) -> None:
    value = encode(GOOD)  # type: ignore[operator]
    events = found(saml_bindings.RULES, exchange("POST", "https://sp.test/acs", form={"SAMLResponse": value},
                                        status=302, at=NOON))  # fmt: skip
    facts = events["saml.response.posted"].facts
    assert facts["status_code"] == "Success"
    assert facts["issuer"] == "http://sts.test/adfs/services/trust"
    assert facts["audience"] == "https://sp.test"
    assert facts["name_id_format"] == "persistent"
    assert facts["signature"] == "rsa-sha256"
    assert facts["digest"] == "sha256"
    assert facts["user"] == "v@x.test"
    assert facts["validity"] == "valid"
    assert facts["authn_method"] == "PasswordProtectedTransport"
    assert isinstance(facts["saml_response"], Secret)
    assert "saml.response.accepted" in events


def test_page_and_post_are_the_same_secret() -> None:
    value = lines(GOOD)
    page = f'<form method="post" action="https://sp.test/acs"><input type="hidden" name="SAMLResponse" value="{html.escape(value)}"></form>'
    issued = found(saml_bindings.RULES, exchange(url="https://idp.test/sso", body=page))[
        "saml.response.issued"
    ].facts
    posted = found(
        saml_bindings.RULES, exchange("POST", "https://sp.test/acs", form={"SAMLResponse": value})
    )["saml.response.posted"].facts
    assert issued["saml_response"] == posted["saml_response"]
    assert issued["to_host"] == "sp.test"


@pytest.mark.parametrize(
    ("moment", "validity", "off_by"),
    [("2026-01-01T01:04:59+00:00", "valid", None), ("2026-01-01T01:10:00+00:00", "expired", 600),
     ("2025-12-31T23:56:00+00:00", "valid", None), ("2025-12-31T23:50:00+00:00", "not_yet_valid", 600)],
)  # fmt: skip
def test_conditions_against_the_time_of_the_capture(
    moment: str, validity: str, off_by: int | None
) -> None:
    at_ns = round(datetime.fromisoformat(moment).timestamp()) * 10**9
    facts = settled(saml.message_facts(GOOD, at_ns))
    assert settled(saml.message_facts(GOOD, at_ns - 7), 7) == facts, "a clock that was moved"
    assert facts["validity"] == validity
    assert facts.get("off_by") == off_by


def test_encrypted_assertion_is_named_as_such() -> None:
    content = '<EncryptedAssertion xmlns="urn:oasis:names:tc:SAML:2.0:assertion"><x/></EncryptedAssertion>'
    facts = saml.message_facts(RESPONSE.format(status="Success", inner="", content=content), 0)
    assert facts["encrypted"] is True
    assert "issuer" not in facts


def test_status_of_a_refusal() -> None:
    inner = '<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:AuthnFailed"/>'
    text = RESPONSE.format(
        status="Responder", inner=inner, content="<samlp:StatusMessage>no</samlp:StatusMessage>"
    )
    facts = saml.message_facts(text, 0)
    assert (facts["status_code"], facts["substatus"], facts["text"]) == (
        "Responder",
        "AuthnFailed",
        "no",
    )
    value = base64.b64encode(text.encode()).decode()
    events = found(
        saml_bindings.RULES, exchange("POST", "https://sp.test/acs", form={"SAMLResponse": value})
    )
    assert "saml.response.accepted" not in events


def test_service_provider_refuses() -> None:
    value = base64.b64encode(GOOD.encode()).decode()
    pair = exchange("POST", "https://login.test/login.srf", form={"SAMLResponse": value},
                    body="<p>AADSTS50008: SAML token is invalid.</p>")  # fmt: skip
    refused = next(e for e in play(pair) if e.name == "saml.response.refused")
    assert refused.facts["code"] == "50008"
    assert "SAML assertion" in str(refused.facts["meaning"])


def test_artifact() -> None:
    sent = found(
        saml_bindings.RULES,
        exchange(
            url="https://sp.test/acs?SAMLart=AAQAAMh48%2F1oXIM%2Bsdo7Dh2qMp1HM4IF5DaRNmDj6RdUmllwn9jJHyEgIi8%3D"
        ),
    )
    assert sent["saml.artifact.sent"].facts["binding"] == "artifact"
    ask = ('<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><ArtifactResolve '
           'xmlns="urn:oasis:names:tc:SAML:2.0:protocol"><Artifact>AAQ</Artifact></ArtifactResolve></s:Body></s:Envelope>')  # fmt: skip
    answer = f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{GOOD}</s:Body></s:Envelope>'
    back = found(
        saml_bindings.RULES,
        exchange("POST", "https://idp.test/artifact", request_body=ask, body=answer),
    )
    assert back["saml.artifact.resolved"].facts["audience"] == "https://sp.test"


@pytest.mark.parametrize("value", ["", "not base64 !!", "AAAA", base64.b64encode(b"<cut").decode()])
def test_what_is_no_saml_is_reported_as_none(value: str) -> None:
    facts = saml.read("samlresponse", value, "post", 0)
    assert "problem" in facts


def test_a_bomb_is_cut() -> None:
    text = encodings.saml(deflated("<x>" + "A" * (20 << 20)))
    assert text is not None
    assert len(text) <= encodings.MESSAGE_LIMIT


def test_no_secret_of_a_saml_message_stays_readable() -> None:
    from dissect.redaction.book import SecretBook

    book = SecretBook()
    value = lines(GOOD)
    play(
        exchange(
            "POST",
            "https://sp.test/acs",
            form={"SAMLResponse": value, "RelayState": "relay-123456"},
        ),
        book=book,
    )
    for text in (
        value.replace("\r\n", "\n"),
        "c2lnbmF0dXJlLXZhbHVlLTEyMzQ1Njc4OTA=",
        "relay-123456",
        ASSERTION,
    ):
        assert text not in book.show(f"see {text} here")
    assert quote(value.replace("\r\n", "\n"), safe="") not in book.show(
        quote(value.replace("\r\n", "\n"), safe="")
    )


SAML11 = (
    '<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:1.0:assertion" MajorVersion="1" MinorVersion="1" Issuer="http://sts.test/adfs/services/trust">'
    '<saml:Conditions NotBefore="2026-01-01T00:00:00Z" NotOnOrAfter="2026-01-01T01:00:00Z"><saml:AudienceRestrictionCondition>'
    "<saml:Audience>urn:federation:MicrosoftOnline</saml:Audience></saml:AudienceRestrictionCondition></saml:Conditions>"
    '<saml:AuthenticationStatement AuthenticationMethod="urn:oasis:names:tc:SAML:1.0:am:password"><saml:Subject>'
    '<saml:NameIdentifier Format="urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified">aW1tdXRhYmxl</saml:NameIdentifier>'
    "</saml:Subject></saml:AuthenticationStatement></saml:Assertion>"
)
RSTR = '<t:RequestSecurityTokenResponse xmlns:t="{ns}"><t:RequestedSecurityToken>{token}</t:RequestedSecurityToken></t:RequestSecurityTokenResponse>'


@pytest.mark.parametrize(
    "namespace",
    [
        "http://schemas.xmlsoap.org/ws/2005/02/trust",
        "http://docs.oasis-open.org/ws-sx/ws-trust/200512",
    ],
)
def test_ws_federation_token_of_both_namespaces(namespace: str) -> None:
    token = RSTR.format(ns=namespace, token=SAML11)
    facts = settled(saml.token_facts(token, round(NOON * 1e9)))
    assert facts["saml"] == "1.1"
    assert facts["issuer"] == "http://sts.test/adfs/services/trust"
    assert facts["authn_method"] == "password"
    assert facts["name_id_format"] == "unspecified"
    assert facts["validity"] == "valid"


SOAP = "<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope'><s:Header>{head}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
ASK = SOAP.format(
    head="<o:Security xmlns:o='urn:o'><o:UsernameToken><o:Username>V@x.test</o:Username><o:Password>pw-of-vera-1</o:Password></o:UsernameToken></o:Security>",
    body="<RequestSecurityToken xmlns='urn:t'><AppliesTo xmlns='urn:p'><Address xmlns='urn:a'>urn:federation:MicrosoftOnline</Address></AppliesTo></RequestSecurityToken>",
)


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/adfs/services/trust/2005/usernamemixed", "usernamemixed (WS-Trust 2005)"),
        ("/adfs/services/trust/13/usernamemixed", "usernamemixed (WS-Trust 1.3)"),
        ("/RST2.srf", "rst2.srf"),
        ("/app/office365/exk1/sso/wsfed/active", "active"),
    ],
)
def test_active_endpoints(path: str, endpoint: str) -> None:
    answer = SOAP.format(head="", body=RSTR.format(ns="urn:t", token=SAML11))
    pair = exchange("POST", f"https://sts.test{path}", request_body=ASK, body=answer, at=NOON)
    events = found(wstrust.RULES, pair)
    asked = events["wstrust.requested"].facts
    assert asked["endpoint"] == endpoint
    assert asked["credential"] == "password"
    assert asked["user"] == "v@x.test"
    assert asked["audience"] == "urn:federation:MicrosoftOnline"
    assert asked["password"] == Secret("password", "pw-of-vera-1")
    issued = events["wstrust.issued"].facts
    assert issued["issuer"] == "http://sts.test/adfs/services/trust"
    assert isinstance(issued["assertion"], Secret)


def test_active_endpoint_refuses() -> None:
    fault = (
        "<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>wst:FailedAuthentication</s:Value></s:Subcode></s:Code>"
        "<s:Reason><s:Text>AADSTS50126: Invalid username or password.</s:Text></s:Reason>"
        "<s:Detail><psf:error xmlns:psf='urn:psf'><psf:value>0x80048821</psf:value><psf:internalerror><psf:code>0x80041012</psf:code>"
        "</psf:internalerror></psf:error></s:Detail></s:Fault>"
    )
    pair = exchange("POST", "https://login.test/RST2.srf", request_body=ASK, status=500,
                    body=SOAP.format(head="", body=fault))  # fmt: skip
    (refused,) = [e for e in play(pair) if e.name == "wstrust.refused"]
    assert refused.facts["fault"] == "FailedAuthentication"
    assert refused.facts["code"] == "50126"
    assert "password" in str(refused.facts["meaning"])


def test_metadata_exchange_names_the_issuer_of_tickets() -> None:
    page = (
        "<wsdl:definitions xmlns:wsdl='urn:w' xmlns:sp='urn:sp' xmlns:a='urn:a'><sp:IssuedToken><sp:Issuer>"
        "<a:Address>https://pool.test/WebTicket/WebTicketService.svc</a:Address></sp:Issuer></sp:IssuedToken>"
        "<wsdl:service><wsdl:port name='WsFedBearer'/><wsdl:port name='WebTicketServiceWinNegotiate'/></wsdl:service></wsdl:definitions>"
    )
    facts = found(wstrust.RULES, exchange(url="https://pool.test/CertProv/CertProvisioningService.svc/mex", body=page))[
        "mex.answered"
    ].facts  # fmt: skip
    assert facts["ticket_host"] == "pool.test"
    assert facts["ports"] == ("WsFedBearer", "WebTicketServiceWinNegotiate")


def test_login_srf_refuses_the_posted_token() -> None:
    wresult = RSTR.format(ns="http://schemas.xmlsoap.org/ws/2005/02/trust", token=SAML11)
    pair = exchange("POST", "https://login.test/login.srf", form={"wa": "wsignin1.0", "wresult": wresult},
                    body="<p>AADSTS90013: Invalid input received from the user.</p>", at=NOON)  # fmt: skip
    refused = next(e for e in play(pair) if e.name == "wsfed.token.refused")
    assert refused.facts["code"] == "90013"
    assert "can't be used" in str(refused.facts["meaning"])

"""The rules on messages as public sources describe them (numbers of `troubles.md`)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dissect.model import Secret
from dissect.signin import adfs, azuread, lync, oauth, saml, wsfed
from dissect.signin.exchange import Exchange
from dissect.signin.rule import Found, Rule, settled
from tests.signin.build import exchange

DEVICE = {"client_id": "9ba1a5c7-f17a-4de9-a1f1-6178c8d51223"}
GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def found(rules: tuple[Rule, ...], pair: Exchange) -> dict[str, Found]:
    every = (item for rule in rules for item in rule(pair))
    return {item.name: replace(item, facts=settled(item.facts)) for item in every}


# One recogniser for both forms of the device code flow.
V1 = ("https://login.test/common/oauth2/devicecode?api-version=1.0", {"resource": "https://r.test"})
V2 = ("https://login.test/t/oauth2/v2.0/devicecode", {"scope": "openid"})


@pytest.mark.parametrize(
    ("url", "extra", "answer"),
    [
        (
            *V1,
            {
                "verification_url": "https://aka.ms/devicelogin",
                "expires_in": "900",
                "interval": "5",
            },
        ),
        (
            *V2,
            {
                "verification_uri": "https://microsoft.com/devicelogin",
                "expires_in": 900,
                "interval": 5,
            },
        ),
    ],
    ids=["v1", "v2"],
)
def test_device_code(url: str, extra: dict[str, str], answer: dict[str, object]) -> None:
    """Public case 54: v1 and v2 of the device code, v1 with numbers as strings."""
    pair = exchange(
        "POST", url, form={**DEVICE, **extra},
        body={"user_code": "ABCD-EFGHI", "device_code": "D" * 40, **answer},
    )  # fmt: skip
    events = found(oauth.RULES, pair)
    issued = events["oauth.device_code.issued"].facts
    assert "oauth.device_code.requested" in events
    assert issued["expires_in"] == 900
    assert issued["interval"] == 5
    assert issued["user_code"] == Secret("user_code", "ABCDEFGHI")
    assert issued["verification"] == next(v for k, v in answer.items() if k.startswith("veri"))


@pytest.mark.parametrize(
    "form",
    [{"code": "D1", "grant_type": "device_code"}, {"device_code": "D1", "grant_type": GRANT}],
)
def test_pending_is_not_failure(form: dict[str, str]) -> None:
    body = {
        "error": "authorization_pending",
        "error_description": "AADSTS70016: Pending end-user authorization.\r\nTrace ID: "
        "6f1ed0ae-a1b2-4c3d-8e4f-0123456789ab\r\nCorrelation ID: 11111111-2222-3333-4444-555555555555",
        "error_codes": [70016],
    }
    pair = exchange(
        "POST",
        "https://login.test/common/oauth2/token",
        form={**DEVICE, **form},
        status=400,
        body=body,
    )
    events = found(oauth.RULES, pair)
    pending = events["oauth.token.pending"].facts
    assert pending["code"] == "70016"
    assert pending["text"] == "Pending end-user authorization."
    assert pending["trace_id"] == "6f1ed0ae-a1b2-4c3d-8e4f-0123456789ab"
    assert pending["correlation_id"] == "11111111-2222-3333-4444-555555555555"
    assert pending["device_code"] == Secret("device_code", "D1")
    assert "oauth.token.refused" not in events


@pytest.mark.parametrize("error", ["expired_token", "code_expired"])
def test_two_names_for_expiry(error: str) -> None:
    """Public case 58: two names for expiry."""
    form = {**DEVICE, "grant_type": GRANT, "device_code": "D1"}
    pair = exchange(
        "POST", "https://login.test/oauth2/token", form=form, status=400, body={"error": error}
    )
    assert found(oauth.RULES, pair)["oauth.token.refused"].facts["error"] == "expired_token"


def test_poll_without_answer_is_a_poll() -> None:
    form = {**DEVICE, "grant_type": GRANT, "device_code": "D1"}
    pair = exchange("POST", "https://login.test/oauth2/token", form=form, status=None)
    assert set(found(oauth.RULES, pair)) == {"oauth.token.polled"}


def test_password_grant_is_not_a_poll() -> None:
    """Public case 60: sign-in by user id."""
    form = {**DEVICE, "grant_type": "password", "username": "U@x.test", "password": "pw-123456"}
    pair = exchange(
        "POST",
        "https://login.test/oauth2/token",
        form=form,
        status=400,
        body={"error": "invalid_grant"},
    )
    events = found(oauth.RULES, pair)
    assert events["oauth.token.requested"].facts["grant"] == "password"
    assert events["oauth.token.requested"].facts["user"] == "u@x.test"
    assert "oauth.token.polled" not in events


PAGE_53003 = """<html><script>//<![CDATA[
$Config={"strServiceExceptionMessage":"AADSTS53003: Access has been blocked by Conditional Access policies.",
"iErrorCode":53003,"correlationId":"99999999-8888-7777-6666-555555555555"};</script>
<body>You cannot access this right now. Request Id: 12345678-1234-1234-1234-123456789abc</body></html>"""


def test_error_page_with_status_200() -> None:
    """Public case 65: policy blocks the browser."""
    refused = found(azuread.RULES, exchange(body=PAGE_53003))["azuread.signin.refused"].facts
    assert refused["code"] == "53003"
    assert refused["text"] == "Access has been blocked by Conditional Access policies."
    assert refused["correlation_id"] == "99999999-8888-7777-6666-555555555555"
    assert refused["trace_id"] == "12345678-1234-1234-1234-123456789abc"


def test_an_interrupt_is_no_refusal() -> None:
    page = PAGE_53003.replace("53003", "50058")
    assert "azuread.signin.refused" not in found(azuread.RULES, exchange(body=page))


@pytest.mark.parametrize(
    ("answer", "namespace", "host"),
    [
        ({"Credentials": {"FederationRedirectUrl": "https://sts.x.test/adfs/ls/?wa=wsignin1.0"}}, "federated", "sts.x.test"),
        ({"EstsProperties": {"DomainType": 4}}, "federated", None),
        ({"IfExistsResult": 0, "EstsProperties": {"DomainType": 3}}, "managed", None),
        ({"IfExistsResult": 1}, "unknown", None),
    ],
)  # fmt: skip
def test_home_realm_by_get_credential_type(
    answer: dict[str, object], namespace: str, host: str | None
) -> None:
    url = "https://login.test/common/GetCredentialType?mkt=en-US"
    pair = exchange("POST", url, body=answer, request_body='{"username": "A@X.test"}')
    events = found(azuread.RULES, pair)
    assert events["hrd.requested"].facts["user"] == "a@x.test"
    assert events["hrd.answered"].facts["namespace"] == namespace
    assert events["hrd.answered"].facts.get("idp_host") == host


@pytest.mark.parametrize(
    "url",
    [
        "https://login.test/common/userrealm/a%40x.test?api-version=2.0",
        "https://login.test/GetUserRealm.srf?login=a%40x.test",
    ],
)
def test_home_realm_by_user_realm(url: str) -> None:
    answer = {"NameSpaceType": "Federated", "AuthURL": "https://sts.x.test/adfs/ls/?username=a"}
    events = found(azuread.RULES, exchange(url=url, body=answer))
    assert events["hrd.answered"].facts["namespace"] == "federated"
    assert events["hrd.answered"].facts["idp_host"] == "sts.x.test"
    assert events["hrd.requested"].facts["user"] == "a@x.test"


ADFS = "https://sts.x.test/adfs/ls/?wa=wsignin1.0&wtrealm=urn%3afederation%3aMicrosoftOnline"
FORM = '<form method=post><input name="UserName"><input name="Password" type="password"></form>'
GIVEN = {"UserName": "x\\vera", "Password": "wrong-1234", "AuthMethod": "FormsAuthentication"}
NAMESPACES = (
    "http://schemas.xmlsoap.org/ws/2005/02/trust",
    "http://docs.oasis-open.org/ws-sx/ws-trust/200512",
)


def rstr(namespace: str, inner: str) -> str:
    return (
        f'<t:RequestSecurityTokenResponse xmlns:t="{namespace}"><t:RequestedSecurityToken>{inner}'
        "</t:RequestedSecurityToken></t:RequestSecurityTokenResponse>"
    )


ASSERTION = (
    '<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:1.0:assertion" Issuer="http://sts.x.test/adfs/services/trust">'
    '<saml:Conditions NotOnOrAfter="2026-01-01T01:00:00Z"><saml:AudienceRestrictionCondition>'
    "<saml:Audience>urn:federation:MicrosoftOnline</saml:Audience></saml:AudienceRestrictionCondition></saml:Conditions>"
    '<saml:AttributeStatement><saml:Attribute AttributeName="UPN" AttributeNamespace="http://schemas.xmlsoap.org/claims">'
    "<saml:AttributeValue>Vera@x.test</saml:AttributeValue></saml:Attribute></saml:AttributeStatement></saml:Assertion>"
)


def test_adfs_shows_its_form() -> None:
    events = found(adfs.RULES, exchange(url=ADFS, body=FORM))
    assert set(events) == {"wsfed.signin.requested", "adfs.form.shown"}


def test_adfs_rejects_with_status_200() -> None:
    page = '<span id="errorText">Incorrect user ID or password.</span>' + FORM
    events = found(adfs.RULES, exchange("POST", ADFS, form=GIVEN, body=page))
    assert events["adfs.credentials.rejected"].facts["text"] == "Incorrect user ID or password."
    assert events["adfs.credentials.rejected"].facts["user"] == "x\\vera"


def test_adfs_accepts_with_its_cookie() -> None:
    cookie = {"Set-Cookie": "MSISAuth=abcdef; path=/adfs", "Location": ADFS}
    events = found(
        adfs.RULES, exchange("POST", ADFS, form=GIVEN, status=302, response_headers=cookie)
    )
    assert "adfs.credentials.accepted" in events


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_claims_token_in_a_form_that_posts_itself(namespace: str) -> None:
    """Public case 66: wresult with RSTR in both namespaces, escaped in a form that posts itself."""
    import html

    value = html.escape(rstr(namespace, ASSERTION))
    page = f'<form action="https://login.test/login.srf"><input type=hidden name="wresult" value="{value}"></form>'
    issued = found(adfs.RULES, exchange("POST", ADFS, form=GIVEN, body=page))[
        "wsfed.token.issued"
    ].facts
    assert issued["issuer"] == "http://sts.x.test/adfs/services/trust"
    assert issued["audience"] == "urn:federation:MicrosoftOnline"
    assert issued["user"] == "vera@x.test"
    posted = found(
        wsfed.RULES,
        exchange("POST", "https://login.test/login.srf", form={"wa": "wsignin1.0", "wresult": rstr(namespace, ASSERTION)}, status=302),
    )  # fmt: skip
    assert posted["wsfed.token.posted"].facts["wresult"] == issued["wresult"]
    assert "wsfed.token.accepted" in posted


def test_encrypted_assertion_is_named_as_such() -> None:
    token = rstr(NAMESPACES[1], '<EncryptedAssertion xmlns="urn:x"><d/></EncryptedAssertion>')
    assert saml.token_facts(token, 0)["encrypted"] is True


def test_adfs_error_page() -> None:
    page = "<p>An error occurred. Activity ID: 00000000-0000-0000-5d00-0080000000fa</p><p>MSIS7042: loop</p>"
    error = found(adfs.RULES, exchange(url=ADFS, body=page))["adfs.error"].facts
    assert error["code"] == "MSIS7042"
    assert error["activity_id"] == "00000000-0000-0000-5d00-0080000000fa"


AUTODISCOVER = "https://webdir.test/Autodiscover/AutodiscoverService.svc/root/oauth/user"


@pytest.mark.parametrize(
    ("headers", "status", "answer", "name"),
    [
        ({}, 401, {"X-MS-WebTicketURL": "https://pool.test/WebTicket/WebTicketService.svc"}, "autodiscover.challenged"),
        ({"Authorization": "Bearer abc.def"}, 401, {}, "autodiscover.failed"),
        ({}, 404, {}, "autodiscover.failed"),
        ({"X-MS-WebTicket": "opaque=abc"}, 200, {}, "autodiscover.answered"),
    ],
)  # fmt: skip
def test_autodiscover_distinguished(  # 64
    headers: dict[str, str], status: int, answer: dict[str, str], name: str
) -> None:
    pair = exchange(url=AUTODISCOVER, headers=headers, status=status, response_headers=answer)
    assert set(found(lync.RULES, pair)) == {"autodiscover.requested", name}


SOAP = '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{}</s:Body></s:Envelope>'


def test_web_ticket_fault() -> None:
    """Public case 61: the same bearer refused again."""
    fault = (
        "<s:Fault><faultcode>s:Client</faultcode><faultstring>Unauthorized</faultstring><detail>"
        "<OCSDiagnosticsFault><Ms-Diagnostics-Fault><ErrorId>28032</ErrorId><Reason>The web ticket is invalid.</Reason>"
        "</Ms-Diagnostics-Fault></OCSDiagnosticsFault></detail></s:Fault>"
    )
    url = "https://pool.test/WebTicket/WebTicketService.svc/WsFed_bearer"
    refused = found(lync.RULES, exchange("POST", url, status=500, body=SOAP.format(fault)))[
        "webticket.refused"
    ].facts
    assert refused["ms_error"] == "28032"
    assert refused["text"] == "The web ticket is invalid."


CERTIFICATE = "https://pool.test/CertProv/CertProvisioningService.svc"
ASK = SOAP.format('<GetAndPublishCert xmlns="urn:x" Entity="sip:A@x.test"/>')


def test_error_info_in_a_200_is_a_failure() -> None:
    """Public case 62: ErrorInfo in a 200."""
    answer = SOAP.format(
        '<GetAndPublishCertResponse xmlns="urn:x"><ErrorInfo>store unavailable</ErrorInfo></GetAndPublishCertResponse>'
    )
    events = found(lync.RULES, exchange("POST", CERTIFICATE, request_body=ASK, body=answer))
    assert events["certprov.refused"].facts["code"] == "error_info"
    assert events["certprov.refused"].facts["text"] == "store unavailable"
    assert events["certprov.requested"].facts["user"] == "a@x.test"


@pytest.mark.parametrize(
    "header",
    [
        '28020;source="pool.x.test";reason="No valid security token.";faultcode="wsse:InvalidSecurityToken"',
        '28020;"pool.x.test";"No valid security token.";"wsse:InvalidSecurityToken"',
    ],
)
def test_ms_diagnostics_named_or_by_position(header: str) -> None:
    pair = exchange(
        "POST",
        CERTIFICATE,
        request_body=ASK,
        status=401,
        response_headers={"X-Ms-diagnostics": header},
    )
    refused = found(lync.RULES, pair)["certprov.refused"].facts
    assert refused["ms_error"] == "28020"
    assert refused["text"] == "No valid security token."


def test_xml_with_entities_is_not_expanded() -> None:
    bomb = (
        '<!DOCTYPE x [<!ENTITY a "AAAAAAAAAA"><!ENTITY b "&a;&a;&a;&a;">'
        '<!ENTITY f SYSTEM "file:///etc/hostname">]><x><Reason>&b;&f;</Reason></x>'
    )
    from dissect.redaction import markup

    text = markup.text_of(markup.xml(bomb), "Reason")
    assert "A" not in text
    assert set(text) <= set("&;bf")


def test_a_bare_status_is_no_aadsts_number() -> None:
    """A proxy's 500 to the claims token has no AADSTS number, and must not be given one."""
    token = {"wa": "wsignin1.0", "wresult": rstr(NAMESPACES[0], ASSERTION)}
    pair = exchange(
        "POST", "https://login.test/login.srf", form=token, status=500, body="<p>oh</p>"
    )
    refused = found(wsfed.RULES, pair)["wsfed.token.refused"]
    assert "code" not in refused.facts
    typed = exchange("POST", "https://login.test/deviceauth", form={"otc": "ABCDEFGHI"}, status=502)
    assert "code" not in found(azuread.RULES, typed)["deviceauth.code.refused"].facts


@pytest.mark.parametrize(
    ("location", "name"),
    [("https://sts.x.test/adfs/ls/?wa=wsignin1.0", "wsfed.redirected"),
     ("https://login.test/adfs/ls/wia?wa=wsignin1.0", "wsfed.moved"), ("/adfs/ls/wia?wa=wsignin1.0", "wsfed.moved")],
)  # fmt: skip
def test_a_redirect_within_the_identity_provider_is_no_step(location: str, name: str) -> None:
    pair = exchange(url="https://login.test/x", status=302, response_headers={"Location": location})
    assert [n for n in found(azuread.RULES, pair) if n.startswith("wsfed.")] == [name]

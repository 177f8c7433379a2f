"""The flows that are shipped, on messages by hand: each step, each way to fail that the lab does
not provoke, and what they are distinguished by. Endpoints and names are those of public sources."""

from __future__ import annotations

import base64
import hashlib
import zlib
from dataclasses import replace
from urllib.parse import quote, urlencode

import pytest

from dissect.flow.definition import built_in
from dissect.flow.match import match
from dissect.model import Event, Fact, Place, SequenceChart, Source
from dissect.redaction.book import SecretBook
from dissect.signin.exchange import Exchange
from tests.signin.build import CONNECTION, exchange, jwt, play

LOGIN = "https://login.microsoftonline.com"
APP, BROWSER = "192.0.2.10", "192.0.2.20"
CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"  # Azure CLI
BROKER = "29d9ed98-a469-4536-ade2-f981bc1d605e"  # Microsoft Authentication Broker
POLYCOM = "a850aaae-d5a5-4e82-877c-ce54ff916282"


def charts(*pairs: Exchange) -> list[SequenceChart]:
    book = SecretBook()
    return match(list(built_in().values()), play(*pairs, book=book), book.show)


def said(*pairs: Exchange) -> list[tuple[str, str, int | None, str | None]]:
    return [
        (c.flow, c.status, c.stopped_at, c.cause.code if c.cause else None) for c in charts(*pairs)
    ]


# ------------------------------------------------------------------ device codes of all kinds

CODE = {"user_code": "ABCDEFGHI", "device_code": "D" * 40, "expires_in": 900, "interval": 5,
        "verification_uri": "https://microsoft.com/devicelogin"}  # fmt: skip
GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def device(client: str, agent: str = "") -> list[Exchange]:
    headers = {"User-Agent": agent} if agent else {}
    form = {"client_id": client, "scope": "openid"}
    asked = exchange("POST", f"{LOGIN}/common/oauth2/v2.0/devicecode", form=form, body=CODE,
                     headers=headers, at=1, client=APP)  # fmt: skip
    return [asked, poll(client, 6, 400, {"error": "authorization_pending"}, headers)]


def poll(
    client: str, at: float, status: int, body: dict[str, object], headers: dict[str, str]
) -> Exchange:
    form = {"grant_type": GRANT, "client_id": client, "device_code": "D" * 40}
    return exchange("POST", f"{LOGIN}/common/oauth2/v2.0/token", form=form, status=status, body=body,
                    headers=headers, at=at, client=APP)  # fmt: skip


TOKENS: dict[str, object] = {"access_token": jwt({"upn": "v@x.test"}), "token_type": "Bearer"}


@pytest.mark.parametrize(
    ("client", "agent", "flow"),
    [
        (CLI, "python-requests/2", "device-code"),
        ("11111111-2222-3333-4444-555555555555", "tv/1", "device-code"),
        (BROKER, "Dalvik/2.1.0", "teams-phone-signin"),
        (POLYCOM, "", "vvx-web-signin"),
        ("11111111-2222-3333-4444-555555555555",
         "Polycom/5.5.1.11526 PolycomVVX-VVX_600-UA/5.5.1.11526", "vvx-web-signin"),
    ],
)  # fmt: skip
def test_whose_code_it_is(client: str, agent: str, flow: str) -> None:
    """The same requests (RFC 8628), distinguished by who sends them; never two flows."""
    ((found, *_),) = said(*device(client, agent))
    assert found == flow


def test_a_command_line_is_blocked_by_conditional_access() -> None:
    """Public case 65 with a client that is no phone: the browser's error is the cause."""
    typed = exchange("POST", f"{LOGIN}/common/oauth2/deviceauth", form={"otc": "ABCDEFGHI"},
                     body="<p>Sign in</p>", at=10, client=BROWSER)  # fmt: skip
    blocked = exchange("POST", f"{LOGIN}/common/login", form={"login": "v@x.test", "passwd": "pw-12345678"},
                       body="<p>AADSTS53003: Access has been blocked.</p>", at=20, client=BROWSER)  # fmt: skip
    (chart,) = charts(*device(CLI), typed, blocked)
    assert (chart.flow, chart.status, chart.stopped_at) == ("device-code", "failed", 2)
    assert chart.cause is not None
    assert chart.cause.code == "azuread.53003"
    assert "conditional access" in chart.cause.text


def test_a_mistyped_password_is_forgotten_once_it_was_right() -> None:
    typed = exchange("POST", f"{LOGIN}/common/oauth2/deviceauth", form={"otc": "ABCDEFGHI"},
                     body="<p>Sign in</p>", at=10, client=BROWSER)  # fmt: skip
    tries = [
        exchange("POST", f"{LOGIN}/common/login", form={"login": "v@x.test", "passwd": "pw-12345678"},
                 body=body, at=20 + n, client=BROWSER)
        for n, body in enumerate(["<p>AADSTS50126: Error validating credentials.</p>", "<p>ok</p>"])
    ]  # fmt: skip
    done = poll(CLI, 30, 200, TOKENS, {})
    assert said(*device(CLI), typed, *tries, done) == [("device-code", "complete", None, None)]


# ------------------------------------------------------------------ Teams phones

DRS = "https://enterpriseregistration.windows.net/EnrollmentServer"


def bearer(audience: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {jwt({'aud': audience, 'upn': 'v@x.test'})}"}


def teams(*more: Exchange) -> list[tuple[str, str, int | None, str | None]]:
    return said(*device(BROKER), poll(BROKER, 20, 200, TOKENS, {}), *more)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"ErrorType": "DirectoryQuotaExceeded", "Message": "Too many.", "TraceId": "t"}, "drs.DirectoryQuotaExceeded"),
        ({"code": "authorization_error", "message": "No."}, "drs.authorization_error"),
        ("", "drs.http_403"),
    ],
)  # fmt: skip
def test_device_registration_refuses(body: dict[str, object] | str, code: str) -> None:
    refused = exchange("POST", f"{DRS}/device/?api-version=1.0", headers=bearer("urn:ms-drs:x"),
                       status=403, body=body, at=25, client=APP)  # fmt: skip
    assert teams(refused) == [("teams-phone-signin", "failed", 5, code)]


def test_discovery_alone_registers_and_enrols_nothing() -> None:
    discovered = [
        exchange(url=f"{DRS}/Discover?api-version=1.6", body={"a": 1}, at=25, client=APP),
        exchange("POST", "https://enrollment.manage.microsoft.com/EnrollmentServer/Discovery.svc",
                 body="<Envelope/>", at=26, client=APP),
        exchange(url="https://config.teams.microsoft.com/config/v1/x", body={}, at=27, client=APP),
    ]  # fmt: skip
    assert teams(*discovered) == [("teams-phone-signin", "incomplete", 5, None)]


def test_teams_refuses_and_a_missing_photo_does_not_matter() -> None:
    photo = exchange(url="https://graph.microsoft.com/v1.0/me/photo", status=404, at=30, client=APP,
                     headers=bearer("https://graph.microsoft.com"), body={"error": {"code": "ImageNotFound"}})  # fmt: skip
    authz = "https://teams.microsoft.com/api/authsvc/v1.0/authz"
    ok = exchange("POST", authz, headers=bearer("https://api.spaces.skype.com"), body={}, at=29, client=APP)  # fmt: skip
    assert teams(ok, photo)[0][1:] == ("complete", None, None)
    no = exchange("POST", authz, headers=bearer("https://api.spaces.skype.com"), status=403,
                  body={"errorCode": "UserLicenseNotPresentForbidden"}, at=29, client=APP)  # fmt: skip
    assert teams(no)[0][1:] == ("failed", 7, "teams.UserLicenseNotPresentForbidden")


# ------------------------------------------------------------------ authorization code with PKCE

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # RFC 7636 appendix B
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
RETURN = "http://127.0.0.1:51004/cb"


def authorize_url(**more: str) -> str:
    query = {"client_id": "app", "response_type": "code", "redirect_uri": RETURN, "state": "st-1234",
             "code_challenge": CHALLENGE, "code_challenge_method": "S256", **more}  # fmt: skip
    return f"https://as.test/oauth2/authorize?{urlencode(query)}"


def authorize(at: float = 1) -> Exchange:
    return exchange(url=authorize_url(), at=at, client=BROWSER,
                    body='<form action="/login"><input name="username"><input type="password" name="password"></form>')  # fmt: skip


def login(location: str = "", at: float = 5) -> Exchange:
    page = '<p id="error">Wrong user name or password</p><form><input name="username"><input name="password"></form>'
    return exchange("POST", "https://as.test/login", form={"username": "v@x.test", "password": "pw-12345678"},
                    status=302 if location else 200, response_headers={"Location": location} if location else {},
                    body="" if location else page, at=at, client=BROWSER)  # fmt: skip


def redeem(status: int, body: dict[str, object], verifier: str = VERIFIER) -> Exchange:
    form = {"grant_type": "authorization_code", "client_id": "app", "code": "AUTH-CODE-1", "redirect_uri": RETURN,
            "code_verifier": verifier}  # fmt: skip
    return exchange(
        "POST",
        "https://as.test/oauth2/token",
        form=form,
        status=status,
        body=body,
        at=7,
        client=APP,
    )


TOKEN = jwt({"aud": "https://api.test", "upn": "v@x.test"})
GOOD: dict[str, object] = {"access_token": TOKEN, "token_type": "Bearer"}


def resource(status: int = 200) -> Exchange:
    return exchange(url="https://api.test/me", headers={"Authorization": f"Bearer {TOKEN}"}, status=status,
                    response_headers={"WWW-Authenticate": 'Bearer error="insufficient_scope"'} if status == 403 else {},
                    body={}, at=8, client=APP)  # fmt: skip


BACK = f"{RETURN}?code=AUTH-CODE-1&state=st-1234"


def test_the_challenge_is_that_of_the_rfc() -> None:
    digest = hashlib.sha256(VERIFIER.encode()).digest()
    assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == CHALLENGE


def test_code_with_pkce() -> None:
    (chart,) = charts(authorize(), login(BACK), redeem(200, GOOD), resource())
    assert (chart.flow, chart.status) == ("oauth-code", "complete")
    assert [step.status for step in chart.steps] == ["done"] * 5
    assert {a.ident: a.addresses for a in chart.actors}["client"] == (APP,)


def test_the_exchange_is_tied_by_its_challenge_alone() -> None:
    """No answer with the code was captured; two sign-ins at once stay apart."""
    other = exchange("POST", "https://as.test/oauth2/token", at=6, client="192.0.2.30", body={"error": "invalid_grant"},
                     status=400, form={"grant_type": "authorization_code", "code": "AUTH-CODE-2", "code_verifier": "x" * 43})  # fmt: skip
    found = charts(authorize(), redeem(200, GOOD), other)
    assert [(c.status, c.stopped_at) for c in found] == [("incomplete", 5), ("failed", 4)]
    assert [step.status for step in found[0].steps] == ["done", "missing", "inferred", "done", "missing"]  # fmt: skip


@pytest.mark.parametrize(
    ("pairs", "stopped_at", "code"),
    [
        ([authorize(), login()], 2, "adfs.credentials_rejected"),
        ([authorize(), login(f"{RETURN}?error=access_denied&state=st-1234")], 3, "oauth.access_denied"),
        ([authorize(), login(BACK), redeem(400, {"error": "invalid_grant"})], 4, "oauth.invalid_grant"),
        ([authorize(), login(BACK), redeem(400, {"error": "invalid_grant", "error_codes": [70008]})], 4, "azuread.70008"),
        ([authorize(), login(BACK), redeem(200, GOOD), resource(403)], 5, "resource.403"),
    ],
)  # fmt: skip
def test_where_a_code_flow_fails(pairs: list[Exchange], stopped_at: int, code: str) -> None:
    assert said(*pairs) == [("oauth-code", "failed", stopped_at, code)]


def test_a_silent_request_that_needs_the_user_is_no_failure() -> None:
    """OpenID Connect Core §3.1.2.6: prompt=none is answered login_required, and asked again."""
    silent = exchange(url=authorize_url(prompt="none", state="st-0000"), at=1, client=BROWSER, status=302,
                      response_headers={"Location": f"{RETURN}?error=login_required&state=st-0000"})  # fmt: skip
    (alone,) = charts(silent)
    assert (alone.status, alone.stopped_at) == ("incomplete", 2)
    assert (
        said(silent, authorize(at=2), login(BACK), redeem(200, GOOD), resource())[0][1]
        == "complete"
    )


def test_a_code_flow_needs_no_pkce() -> None:
    """RFC 6749 §4.1; a code verifier is an addition to it (RFC 7636)."""
    query = urlencode(
        {"client_id": "web", "response_type": "code", "state": "s", "redirect_uri": RETURN}
    )
    plain = exchange(url=f"https://as.test/oauth2/authorize?{query}", at=1, client=BROWSER)
    assert said(plain) == [("oauth-code", "incomplete", 2, None)]


# ------------------------------------------------------------------ SAML

NS = 'xmlns="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion"'
REQUEST = f'<AuthnRequest {NS} ID="_r1"><a:Issuer>https://sp.test</a:Issuer></AuthnRequest>'


def response(*status: str, ident: str = "_r1") -> str:
    codes = "".join(
        f'<StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:{word}">' for word in status
    )
    closed = codes + "</StatusCode>" * len(status)
    assertion = "<a:Assertion><a:Subject><a:NameID>v@x.test</a:NameID></a:Subject></a:Assertion>"
    text = f'<Response {NS} InResponseTo="{ident}"><Status>{closed}</Status>{assertion if len(status) == 1 else ""}</Response>'
    return base64.b64encode(text.encode()).decode()


def packed(text: str) -> str:
    packer = zlib.compressobj(wbits=-15)
    return base64.b64encode(packer.compress(text.encode()) + packer.flush()).decode()


IDP = "https://idp.test/sso"
PAGE = '<form><input name="username"><input type="password" name="password"></form>'


def sp_opened(ident: str = "_r1") -> list[Exchange]:
    address = f"{IDP}?SAMLRequest={quote(packed(REQUEST.replace('_r1', ident)), safe='')}"
    return [
        exchange(url="https://sp.test/", status=302, response_headers={"Location": address}, at=1, client=BROWSER),
        exchange(url=address, body=PAGE, at=2, client=BROWSER),
    ]  # fmt: skip


def idp_answered(value: str) -> Exchange:
    page = f'<form method="post" action="https://sp.test/acs"><input type="hidden" name="SAMLResponse" value="{value}"></form>'
    return exchange("POST", IDP, form={"username": "v@x.test", "password": "pw-12345678"}, body=page, at=5,
                    client=BROWSER)  # fmt: skip


def acs(value: str, status: int, body: str = "", **headers: str) -> Exchange:
    return exchange("POST", "https://sp.test/acs", form={"SAMLResponse": value}, status=status, body=body, at=6,
                    response_headers=headers, client=BROWSER)  # fmt: skip


def test_saml_by_redirect_and_post() -> None:
    """Public case 66: a GET AuthnRequest is not missed, the Response is tied by InResponseTo."""
    value = response("Success")
    (chart,) = charts(*sp_opened(), idp_answered(value), acs(value, 302, Location="/"))
    assert (chart.flow, chart.status, chart.subject) == ("saml-sp-initiated", "complete", "v@x.test")  # fmt: skip
    assert [step.status for step in chart.steps] == ["done"] * 5


@pytest.mark.parametrize(
    ("pairs", "verdict"),
    [
        ([idp_answered(response("Responder", "AuthnFailed"))], ("failed", 4, "saml.AuthnFailed")),
        ([idp_answered(response("Success")), acs(response("Success"), 403, "<h1>No access</h1>")], ("failed", 5, "saml.response_refused")),
        # A page of status 200 without a cookie may hold the provider's error: nothing is claimed.
        ([idp_answered(response("Success")), acs(response("Success"), 200, "<h1>Hello</h1>")], ("incomplete", 5, None)),
        ([exchange("POST", IDP, form={"username": "v", "password": "pw-12345678"}, body=PAGE, at=4, client=BROWSER)], ("failed", 3, "adfs.credentials_rejected")),
    ],
)  # fmt: skip
def test_where_saml_stops(
    pairs: list[Exchange], verdict: tuple[str, int | None, str | None]
) -> None:
    assert said(*sp_opened(), *pairs) == [("saml-sp-initiated", *verdict)]


def test_an_artifact_is_fetched_by_the_service_provider() -> None:
    art = exchange(url="https://sp.test/acs?SAMLart=AAQAAMFbLinlXaCM", status=302, at=6, client=BROWSER,
                   response_headers={"Location": "/"})  # fmt: skip
    assert said(*sp_opened(), art)[0][:2] == ("saml-sp-initiated", "complete")


# ------------------------------------------------------------------ token for another resource


def test_a_token_for_another_resource_is_named_where_it_is_refused() -> None:
    """Public case 59: the code was asked for A, the token for B; the web ticket's cause says so."""
    token = jwt({"aud": "https://b.test", "upn": "v@x.test"})
    v1 = {"client_id": POLYCOM, "resource": "https://webdir.online.lync.com"}
    code = exchange(
        "POST", f"{LOGIN}/common/oauth2/devicecode", form=v1, body=CODE, at=1, client=APP
    )
    got = exchange("POST", f"{LOGIN}/common/oauth2/token", at=6, client=APP, body={"access_token": token, "resource": "https://b.test"},
                   form={**v1, "resource": "https://b.test", "grant_type": "device_code", "code": "D" * 40})  # fmt: skip
    ticket = exchange("POST", "https://webpool1.infra.lync.com/WebTicket/WebTicketService.svc", status=401, at=8,
                      client=APP, headers={"Authorization": f"Bearer {token}"}, request_body="<Envelope/>")  # fmt: skip
    (chart,) = charts(code, got, ticket)
    assert (chart.stopped_at, chart.cause.code if chart.cause else "") == (7, "webticket.refused")
    assert chart.cause is not None
    assert "asked for https://webdir.online.lync.com, the token for https://b.test" in chart.cause.text  # fmt: skip
    assert token not in chart.cause.text


@pytest.mark.parametrize("number", ["50020", "65001", "90072", "700016"])
def test_second_tenant_and_missing_consent_name_number_and_remedy(number: str) -> None:
    refused = exchange("POST", f"{LOGIN}/common/login", form={"login": "v@other.test", "passwd": "pw-12345678"},
                       body=f"<p>AADSTS{number}: Words of the page.</p>", at=20, client=BROWSER)  # fmt: skip
    (chart,) = charts(*device(POLYCOM), refused)
    assert chart.cause is not None
    assert chart.cause.code == f"azuread.{number}"
    # The catalogue's own words stand before the page's.
    assert chart.cause.text.index(f"AADSTS{number}, ") < chart.cause.text.index("Words of the page")


def undecrypted(name: str, host: str, at: float, **facts: Fact) -> Event:
    ends = CONNECTION
    stream = round(at)
    return Event(name, round(at * 1e9), ends.client.address, ends.server.address, host,
                 Source("phone.pcapng", stream, stream, stream), facts, ends.client, ends.server)  # fmt: skip


def test_a_teams_phone_without_keys_is_inferred_by_its_polls_and_servers() -> None:
    """Only a client that registers itself as a device, too: others poll as well."""
    shape: dict[str, Fact] = {"count": 9, "interval": 5, "bytes_up": 700, "bytes_down": 900}
    polls = undecrypted(
        "tls.polling", "login.microsoftonline.com", 5, **shape, ended="larger answer"
    )
    after = [
        undecrypted("tls.hidden", host, 60 + n, sentence="no key log was given")
        for n, host in enumerate(
            ["enterpriseregistration.windows.net", "enrollment.manage.microsoft.com",
             "teams.microsoft.com"]
        )
    ]  # fmt: skip
    book = SecretBook()
    (chart,) = match([built_in()["teams-phone-signin"]], [polls, *after], book.show)
    assert chart.status == "incomplete"
    assert [step.status for step in chart.steps] == [
        "inferred", "missing", "missing", "inferred", "hidden", "hidden", "hidden",
    ]  # fmt: skip
    assert match([built_in()["teams-phone-signin"]], [polls, *after[1:]], book.show) == []


@pytest.mark.parametrize("apart", [0.0, 0.5, 60.0])
def test_two_saml_sign_ins_never_mix(apart: float) -> None:
    """Two browsers at one identity provider: one gets in, the other is refused."""
    good, bad = response("Success"), response("Responder", "AuthnFailed", ident="_r2")
    first = [*sp_opened(), idp_answered(good), acs(good, 302, Location="/")]
    second = [_moved(pair, apart) for pair in [*sp_opened("_r2"), idp_answered(bad)]]
    found = sorted((c.status, c.stopped_at, c.actors[1].addresses) for c in charts(*first, *second))
    assert found == [("complete", None, (BROWSER,)), ("failed", 4, ("192.0.2.21",))]


def _moved(pair: Exchange, seconds: float) -> Exchange:
    """The exchange of another browser, some seconds later."""

    def place(where: Place) -> Place:
        client = replace(where.connection.client, address="192.0.2.21")
        connection = replace(where.connection, client=client, stream=where.connection.stream + 50)
        later = round(seconds * 1e9)
        span = where.span._replace(
            first_ns=where.span.first_ns + later, last_ns=where.span.last_ns + later
        )
        return replace(where, connection=connection, span=span)

    assert pair.request is not None
    moved = Exchange(replace(pair.request, place=place(pair.request.place)))
    if pair.response is not None:
        moved.response = replace(pair.response, place=place(pair.response.place))
    return moved

"""Token endpoint, authorization endpoint, tokens in place (54, 55, 59, 60; RFC 6749, OIDC)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dissect.model import Secret
from dissect.signin import jwt, oauth, openid
from dissect.signin.exchange import Exchange
from dissect.signin.rule import Found, Rule, settled
from tests.signin import build
from tests.signin.build import exchange, play

CLIENT = "29d9ed98-a469-4536-ade2-f981bc1d605e"
TOKEN = "https://login.test/common/oauth2/token"
AUTHORIZE = "https://login.test/common/oauth2/v2.0/authorize"


def found(rules: tuple[Rule, ...], pair: Exchange) -> dict[str, Found]:
    every = (item for rule in rules for item in rule(pair))
    return {item.name: replace(item, facts=settled(item.facts)) for item in every}


# RFC 7519 §3.1
RFC_JWT = (
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
    ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)
# RFC 7516 §3.3, its header; the rest does not matter to a reader without keys.
RFC_JWE = (
    "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.OKOawDo13gRp2ojaHV7LFpZcgV7T6DVZKTyKOMTYUmKoTCVJRgckCL9kiMT03JGe"
    ".48V1_ALb6US04U3b.5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6ji.XFBoMYUZodetZdvTiFvSkQ"
)


def test_claims_of_the_rfcs_token() -> None:
    assert jwt.facts(RFC_JWT) == {"alg": "HS256", "iss": "joe", "exp": 1300819380}
    assert jwt.validity(RFC_JWT, 1300819380 * 10**9) is None
    assert jwt.validity(RFC_JWT, 1300819380 * 10**9 + 301 * 10**9) == "expired"


def test_an_encrypted_token_is_named_as_such() -> None:
    assert jwt.facts(RFC_JWE) == {"token_form": "encrypted"}


@pytest.mark.parametrize(
    "text", ["", "a.b.c", "....", "eyJ.eyJ.", "e30.W10.", "e30.bnVsbA.", "é.é.é"]
)
def test_what_is_no_token_has_no_claims(text: str) -> None:
    assert jwt.facts(text) == {}


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"grant_type": "authorization_code", "code": "C-1", "code_verifier": "V"}, {"grant": "authorization_code", "pkce": True, "authorization_code": Secret("code", "C-1")}),
        ({"grant_type": "authorization_code", "code": "C-1"}, {"pkce": False}),
        ({"grant_type": "refresh_token", "refresh_token": "R-1"}, {"grant": "refresh_token", "refresh_token": Secret("refresh_token", "R-1")}),
        ({"grant_type": "client_credentials", "client_secret": "S"}, {"grant": "client_credentials", "client_proof": "secret"}),
        ({"grant_type": "client_credentials", "client_assertion": "S"}, {"client_proof": "assertion"}),
        ({"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": build.jwt({"upn": "A@x.test"}), "requested_token_use": "on_behalf_of"}, {"grant": "jwt-bearer", "on_behalf_of": True, "user": "a@x.test"}),
        ({"grant_type": "urn:ietf:params:oauth:grant-type:saml1_1-bearer", "assertion": "PHNhbWw+"}, {"grant": "saml1_1-bearer", "assertion": Secret("assertion", "PHNhbWw+")}),
        ({"grant_type": "password", "username": "U@x.test", "password": "p"}, {"grant": "password", "user": "u@x.test"}),
    ],
)  # fmt: skip
def test_grants(form: dict[str, str], expected: dict[str, object]) -> None:
    pair = exchange("POST", TOKEN, form={"client_id": CLIENT, **form}, status=None)
    facts = found(oauth.RULES, pair)["oauth.token.requested"].facts
    assert {name: facts.get(name) for name in expected} == expected
    assert facts["application"] == "Microsoft Authentication Broker"


def test_tokens_are_read_in_place_and_never_shown() -> None:
    access = build.jwt({"aud": "https://graph.microsoft.com", "scp": "User.Read", "upn": "V@x.test",
                        "exp": 2000, "nbf": 1000})  # fmt: skip
    pair = exchange(
        "POST", TOKEN, form={"grant_type": "refresh_token", "refresh_token": "R" * 30},
        body={"access_token": access, "id_token": build.jwt({"aud": CLIENT, "preferred_username": "v@x.test"}),
              "token_type": "Bearer", "expires_in": "3599"}, at=1500,
    )  # fmt: skip
    issued = play(pair)[-1].facts
    assert issued["aud"] == "https://graph.microsoft.com"
    assert issued["aud_name"] == "Microsoft Graph"
    assert issued["scp"] == "User.Read"
    assert issued["user"] == "v@x.test"
    assert issued["expires_in"] == 3599
    assert "validity" not in issued
    assert access not in repr(issued)


def test_an_access_token_that_came_expired() -> None:
    pair = exchange(
        "POST", TOKEN, form={"grant_type": "refresh_token", "refresh_token": "R"},
        body={"access_token": build.jwt({"exp": 1000})}, at=1000 + 301,
    )  # fmt: skip
    assert play(pair)[-1].facts["validity"] == "expired"


def authorize(**query: str) -> Exchange:
    from urllib.parse import urlencode

    asked = {"client_id": CLIENT, "redirect_uri": "https://app.test/cb", "state": "s", **query}
    return exchange(url=f"{AUTHORIZE}?{urlencode(asked)}")


@pytest.mark.parametrize(
    ("kind", "flow"),
    [("code", "code"), ("id_token", "implicit"), ("token", "implicit"), ("id_token token", "implicit"),
     ("code id_token", "hybrid")],
)  # fmt: skip
def test_authorization_request(kind: str, flow: str) -> None:
    pair = authorize(response_type=kind, code_challenge="x" * 43, code_challenge_method="S256",
                     login_hint="V@x.test", response_mode="form_post")  # fmt: skip
    facts = found(openid.RULES, pair)["oauth.authorize.requested"].facts
    assert facts["flow"] == flow
    assert facts["pkce"] == "S256"
    assert facts["return_host"] == "app.test"
    assert facts["user"] == "v@x.test"
    assert facts["response_mode"] == "form_post"


def test_code_in_a_query() -> None:
    headers = {"Location": "https://app.test/cb?code=CODE-1&state=s"}
    facts = found(openid.RULES, exchange(url=AUTHORIZE, status=302, response_headers=headers))[
        "oauth.authorize.answered"
    ].facts
    assert facts["given"] == ("code",)
    assert facts["authorization_code"] == Secret("code", "CODE-1")
    assert facts["response_mode"] == "query"
    assert facts["return_host"] == "app.test"


def test_id_token_in_a_fragment() -> None:
    token = build.jwt({"aud": CLIENT, "upn": "V@x.test"})
    headers = {"Location": f"https://app.test/cb#id_token={token}&state=s"}
    facts = found(openid.RULES, exchange(url=AUTHORIZE, status=302, response_headers=headers))[
        "oauth.authorize.answered"
    ].facts
    assert (facts["response_mode"], facts["given"]) == ("fragment", ("id_token",))
    assert facts["user"] == "v@x.test"


def test_form_post_and_what_becomes_of_it() -> None:
    token = build.jwt({"aud": CLIENT, "upn": "V@x.test"})
    page = (
        '<form method="POST" action="https://app.test/cb"><input type="hidden" name="code" value="C1"/>'
        f'<input type="hidden" name="id_token" value="{token}"/><input type="hidden" name="state" value="s"/></form>'
    )
    given = found(
        openid.RULES,
        exchange("POST", "https://login.test/common/login", form={"login": "x"}, body=page),
    )
    assert given["oauth.authorize.answered"].facts["response_mode"] == "form_post"
    assert given["oauth.authorize.answered"].facts["given"] == ("code", "id_token")
    posted = found(
        openid.RULES,
        exchange("POST", "https://app.test/cb", form={"code": "C1", "id_token": token, "state": "s"}, status=403),
    )  # fmt: skip
    assert posted["oauth.return.posted"].facts["id_token"] == Secret("id_token", token)
    assert posted["oauth.return.refused"].facts["status"] == 403


def test_an_error_given_back() -> None:
    headers = {
        "Location": "https://app.test/cb?error=access_denied&error_description="
        "AADSTS65004%3a+User+declined+to+consent.%0d%0aTrace+ID%3a+x&state=s"
    }
    (event,) = [
        e for e in play(exchange(url=AUTHORIZE, status=302, response_headers=headers))
        if e.name == "oauth.authorize.refused"
    ]  # fmt: skip
    assert event.facts["error"] == "access_denied"
    assert event.facts["code"] == "65004"
    assert event.facts["text"] == "User declined to consent."
    assert "declined" in str(event.facts["meaning"])


def test_discovery() -> None:
    url = "https://login.test/common/v2.0/.well-known/openid-configuration"
    answer = {
        "issuer": "https://login.test/{tenantid}/v2.0",
        "token_endpoint": "https://token.test/t",
        "jwks_uri": "https://keys.test/k",
    }
    facts = found(openid.RULES, exchange(url=url, body=answer))["openid.discovery.answered"].facts
    assert facts["token_host"] == "token.test"
    assert facts["keys_host"] == "keys.test"
    assert "openid.discovery.failed" in found(openid.RULES, exchange(url=url, status=404))


def test_a_bearer_token_that_a_service_refuses() -> None:
    token = build.jwt({"aud": "https://api.spaces.skype.com", "exp": 1000})
    pair = exchange(
        url="https://graph.microsoft.com/v1.0/me", headers={"Authorization": f"Bearer {token}"},
        status=401, at=5000,
        response_headers={"WWW-Authenticate": 'Bearer error="invalid_token", error_description="The access token expired"'},
    )  # fmt: skip
    facts = found(openid.RULES, pair)["oauth.bearer.refused"].facts
    assert facts["error"] == "invalid_token"
    assert facts["validity"] == "expired"
    assert facts["aud_name"] == "Microsoft Teams"

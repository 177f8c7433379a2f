"""Answers that look alike and mean different things: ADFS, the token endpoint, registrars."""

from __future__ import annotations

import pytest

from dissect.model import Fact
from dissect.signin import adfs, oauth
from dissect.signin.exchange import Exchange
from dissect.signin.rule import Found, Rule
from tests.signin.build import exchange
from tests.signin.test_registration import REGISTER, SIGNED, answer, leg, play, sip

# ------------------------------------------------------------------ ADFS

ADFS = "https://sts.x.test/adfs/ls/?wa=wsignin1.0&wtrealm=urn:r"
GIVEN = {"UserName": "x\\vera", "Password": "pw-123456", "AuthMethod": "FormsAuthentication"}
FORM = '<form method="post"><input name="UserName"><input type="password" name="Password"></form>'
COOKIE = {"Set-Cookie": "MSISAuth=abcdef; path=/adfs"}
SAML = '<form method="post" action="https://b.test/acs"><input type="hidden" name="SAMLResponse" value="PHg+"></form>'


def names(rules: tuple[Rule, ...], pair: Exchange) -> list[str]:
    found: list[Found] = [item for rule in rules for item in rule(pair)]
    return [item.name for item in found]


def said(pair: Exchange) -> str:
    """What became of it: the last event."""
    return names(adfs.RULES, pair)[-1]


def posted(**more: object) -> Exchange:
    return exchange("POST", ADFS, form=GIVEN, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [200, 302])
@pytest.mark.parametrize(
    "cookie",
    ["MSISAuth=a", "MSISAuthenticated=a", "MSISAUTH=a", "MSISAuth1=a"],
)
def test_who_gets_the_cookie_of_a_session_is_signed_in_whatever_the_page_shows(
    cookie: str, status: int
) -> None:
    """ADFS keeps a session in its MSISAuth cookie, which it sets for nobody else; a
    page may still hold a password field, such as that for a second factor or of a custom theme."""
    pair = posted(status=status, body=FORM, response_headers={"Set-Cookie": f"{cookie}; path=/"})
    assert said(pair) == "adfs.credentials.accepted"


@pytest.mark.parametrize(
    "cookie", ["", "MSISSamlRequest=a", "MSISLoopDetectionCookie=a", "Auth=MSISAuth"]
)
def test_the_form_again_without_that_cookie_is_a_refusal(cookie: str) -> None:
    headers = {"Set-Cookie": f"{cookie}; path=/"} if cookie else {}
    assert said(posted(body=FORM, response_headers=headers)) == "adfs.credentials.rejected"


def test_answers_to_credentials() -> None:
    assert said(posted(body=SAML)) == "adfs.credentials.accepted"
    assert (
        said(posted(status=302, response_headers={"Location": ADFS})) == "adfs.credentials.accepted"
    )
    assert said(posted(status=399)) == "adfs.credentials.accepted"
    assert said(posted(status=500, body=FORM)) == "adfs.unavailable"
    assert said(posted(status=503)) == "adfs.unavailable"
    assert said(posted(status=499, body=FORM)) == "adfs.credentials.rejected"
    assert said(posted(body="<p>MSIS7042</p>" + FORM)) == "adfs.error"
    # A page without any sign says nothing of the credentials.
    assert said(posted(body="<p>Welcome</p>")) == "adfs.credentials.sent"
    assert said(posted(status=400)) == "adfs.credentials.sent"


def test_an_expired_password_is_recognised_by_where_the_answer_leads() -> None:
    page = {"Location": "https://sts.x.test/adfs/portal/updatepassword/?username=vera"}
    assert said(posted(status=302, response_headers=page)) == "adfs.password.expired"
    # Signed in, and sent there to change it by choice.
    both = {**page, **COOKIE}
    assert said(posted(status=302, response_headers=both)) == "adfs.credentials.accepted"


def test_answers_to_a_browser_that_gave_nothing() -> None:
    def asked(**more: object) -> str:
        return said(exchange(url=ADFS, **more))  # type: ignore[arg-type]

    assert asked(body=FORM) == "adfs.form.shown"
    assert asked(body=FORM, response_headers=COOKIE) == "adfs.form.shown"
    assert (
        asked(status=401, response_headers={"WWW-Authenticate": "Negotiate"})
        == "adfs.credentials.asked"
    )
    assert asked(status=302, response_headers={"Location": "/x"}) == "wsfed.signin.requested"
    assert asked(body=SAML) == "wsfed.signin.requested"
    assert asked(status=500, body=FORM) == "adfs.unavailable"
    assert asked(status=None) == "wsfed.signin.requested"


# ------------------------------------------------------------------ the token endpoint

TOKEN = "https://login.test/oauth2/token"
WAITING = ["authorization_pending", "slow_down"]
DEVICE = ["device_code", "urn:ietf:params:oauth:grant-type:device_code"]
OTHERS = [
    "authorization_code",
    "refresh_token",
    "password",
    "client_credentials",
    "urn:ietf:params:oauth:grant-type:jwt-bearer",
    "urn:ietf:params:oauth:grant-type:saml1_1-bearer",
    "urn:ietf:params:oauth:grant-type:token-exchange",
]


def asked_for_token(grant: str, status: int = 400, **answer: object) -> Exchange:
    form = {"grant_type": grant, "client_id": "c", "device_code": "D1", "username": "v@x.test"}
    return exchange("POST", TOKEN, form=form, status=status, body=answer)


@pytest.mark.parametrize("error", WAITING)
@pytest.mark.parametrize("grant", DEVICE)
def test_waiting_is_an_answer_to_the_device_grant(grant: str, error: str) -> None:
    """RFC 8628 §3.5: the client goes on polling."""
    expected = ["oauth.token.polled", "oauth.token.pending"]
    assert names(oauth.RULES, asked_for_token(grant, error=error)) == expected


@pytest.mark.parametrize("error", WAITING)
@pytest.mark.parametrize("grant", OTHERS)
def test_to_any_other_grant_it_is_a_refusal(grant: str, error: str) -> None:
    """RFC 8628 §3.5 extends the errors of RFC 6749 §5.2 for the device grant alone: nobody polls
    here, and who gets it has no token."""
    expected = ["oauth.token.requested", "oauth.token.refused"]
    assert names(oauth.RULES, asked_for_token(grant, error=error)) == expected


@pytest.mark.parametrize(
    "error", ["access_denied", "expired_token", "invalid_grant", "Slow_Down", ""]
)
def test_other_errors_end_the_polling(error: str) -> None:
    expected = ["oauth.token.polled", "oauth.token.refused"]
    assert names(oauth.RULES, asked_for_token(DEVICE[0], error=error)) == expected


@pytest.mark.parametrize(
    ("status", "answer", "issued"),
    [
        (200, {"access_token": "a"}, True),
        (200, {"id_token": "a"}, True),
        (200, {"access_token": ""}, False),
        (200, {"refresh_token": "a"}, False),
        (201, {"access_token": "a"}, False),
        (400, {"access_token": "a"}, False),
        (200, {}, False),
    ],
)
def test_a_token_is_issued_by_a_200_that_holds_one(
    status: int, answer: dict[str, str], issued: bool
) -> None:
    """RFC 6749 §5.1: status 200 and `access_token` (OpenID Connect Core §3.1.3.3: `id_token`)."""
    last = names(oauth.RULES, asked_for_token("password", status, **answer))[-1]
    assert last == ("oauth.token.issued" if issued else "oauth.token.refused")


@pytest.mark.parametrize(("method", "form"), [("GET", {"grant_type": "password"}), ("POST", {})])
def test_what_is_no_request_for_a_token(method: str, form: dict[str, str]) -> None:
    assert names(oauth.RULES, exchange(method, TOKEN, form=form, body={"error": "x"})) == []


def refused(**answer: object) -> dict[str, Fact]:
    return dict(oauth.refusal(exchange("POST", TOKEN, status=400, body=answer)))


def test_what_a_refusal_says() -> None:
    """RFC 6749 §5.2, and the fields that Azure AD adds."""
    assert refused(error="invalid_grant") == {"error": "invalid_grant", "status": 400}
    assert refused() == {"error": "http_400", "status": 400}
    codes = refused(error="invalid_grant", error_codes=[50126, 1], suberror="bad" * 50)
    assert (codes["code"], codes["suberror"]) == ("50126", ("bad" * 50)[:100])
    assert "code" not in refused(error="x", error_codes=[])
    same = refused(error="code_expired")
    assert (same["error"], same["error_sent"]) == ("expired_token", "code_expired")
    assert "error_sent" not in refused(error="expired_token")
    # Without `error`, what the text says is enough, and no status stands in for it.
    reported = refused(error_description="AADSTS50126: Invalid username or password.")
    assert reported["code"] == "50126"
    assert "error" not in reported
    ids = refused(error="x", trace_id="T", correlation_id="C")
    assert (ids["trace_id"], ids["correlation_id"]) == ("T", "C")
    assert "trace_id" not in refused(error="x", trace_id=7)


# ------------------------------------------------------------------ registrars and proxies

DIGEST = 'Digest username="a", realm="b.test", nonce="n1", uri="sip:b.test", response="00ff"'
KINDS = {
    401: ("WWW-Authenticate", "Authorization"),
    407: ("Proxy-Authenticate", "Proxy-Authorization"),
}


def challenged(status: int, stale: str | None) -> tuple[str, Fact, Fact]:
    """(event, stale, code) of an answer to a signed REGISTER."""
    asks, answers = KINDS[status]
    value = 'Digest realm="b.test", nonce="n2"' + (f", stale={stale}" if stale else "")
    signed = sip(REGISTER, {"CSeq": "2 REGISTER", answers: DIGEST})
    *_, last = play(signed, answer(2, f"SIP/2.0 {status} No", (asks, value)))
    return last.name.rpartition(".")[2], last.facts.get("stale"), last.facts.get("code")


@pytest.mark.parametrize("status", [401, 407])
@pytest.mark.parametrize("stale", ["true", "TRUE", "True", '"true"'])
def test_a_stale_nonce_is_no_refusal_by_registrar_or_proxy(status: int, stale: str) -> None:
    """RFC 2617 §3.2.1, RFC 3261 §22.3 (a proxy challenges by 407): only the nonce was old."""
    assert challenged(status, stale) == ("challenged", True, None)


@pytest.mark.parametrize("status", [401, 407])
@pytest.mark.parametrize("stale", [None, "false", '"FALSE"', "1"])
def test_any_other_challenge_to_a_signed_request_refuses_it(status: int, stale: str | None) -> None:
    assert challenged(status, stale) == ("refused", None, str(status))


@pytest.mark.parametrize("status", [401, 407])
def test_a_challenge_to_a_request_without_credentials_is_normal(status: int) -> None:
    asks, _ = KINDS[status]
    fields = (asks, 'Digest realm="b.test", nonce="n2"')
    *_, last = play(leg(1), answer(1, f"SIP/2.0 {status} No", fields))
    assert (last.name, last.facts["leg"]) == ("sip.register.challenged", "open")
    # Without the request nothing tells that it was signed.
    (alone,) = play(answer(1, f"SIP/2.0 {status} No", fields))
    assert (alone.name, alone.facts["leg"]) == ("sip.register.challenged", "unknown")


@pytest.mark.parametrize(
    ("status", "name", "code"),
    [
        (100, "progress", None),
        (199, "progress", None),
        (200, "accepted", None),
        (202, "accepted", None),
        (299, "accepted", None),
        (300, "redirected", None),
        (301, "redirected", None),
        (399, "redirected", None),
        (400, "refused", "400"),
        (403, "refused", "403"),
        (402, "refused", "402"),
        (406, "refused", "406"),
        (408, "refused", "408"),
        (500, "refused", "500"),
        (603, "refused", "603"),
    ],
)
def test_classes_of_answers(status: int, name: str, code: str | None) -> None:
    """RFC 3261 §7.2, §10.2: 1xx goes on, 2xx is success, 3xx elsewhere, the rest a refusal."""
    *_, last = play(leg(4, SIGNED), answer(4, f"SIP/2.0 {status} Whatever"))
    assert (last.name, last.facts.get("code")) == (f"sip.register.{name}", code)
    assert last.facts["status"] == status


def test_what_a_device_asks_for_and_is_given() -> None:
    """RFC 8628 §3.1, §3.2, and Azure AD's v1 of it, which says verification_url."""
    for name, version in (("verification_uri", "v2"), ("verification_url", "v1")):
        body = {"device_code": "D", "user_code": "U", name: "https://x.test/"}
        form = {"client_id": "c", "scope": "openid"}
        pair = exchange("POST", "https://x.test/devicecode", form=form, body=body)
        asked, given = oauth.device_code(pair)
        assert (asked.facts["scope"], given.facts["scope"]) == ("openid", "openid")
        assert (given.facts["version"], given.facts["verification"]) == (version, "https://x.test/")


def test_the_challenge_of_a_verifier_and_the_token_that_names_the_user() -> None:
    """RFC 7636 Appendix B; OpenID Connect Core §3.1.3.3."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    form = {"grant_type": "authorization_code", "code": "x", "code_verifier": verifier}
    pair = exchange("POST", TOKEN, form=form, body={"id_token": "t1", "access_token": "t2"})
    asked, given = oauth.token(pair)
    assert asked.facts["pkce"] is True
    assert asked.facts["code_challenge"] == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert "id_token" in given.facts
    without = exchange("POST", TOKEN, form={**form, "code_verifier": ""}, body={"error": "x"})
    assert next(oauth.token(without)).facts["pkce"] is False


def test_the_words_of_a_refusal_are_its_description() -> None:
    reported = refused(error="x", error_description="AADSTS50126: Invalid username.")
    assert (reported["code"], reported["text"]) == ("50126", "Invalid username.")
    note, text = "AADSTS90002: Tenant not found.", "AADSTS50126: No."
    other = refused(note=note, error="x", error_description=text)
    assert (other["code"], other["text"]) == ("50126", "No.")

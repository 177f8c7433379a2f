"""Pages of identity providers by their structure: the shapes of Shibboleth, PingFederate, Keycloak
and SimpleSAMLphp, rebuilt by hand; which of them refuse, and which lead on."""

from __future__ import annotations

import pytest

from dissect.model import Event, Secret
from dissect.signin.exchange import Exchange
from tests.signin.build import exchange, play

ASKED = "https://idp.test/sso?SAMLRequest=fZA%3D"
POSTED = {"j_username": "Alice@a.test", "j_password": "hunter2!pw"}


def page(inner: str, title: str = "Sign in") -> str:
    return f"<html><head><title>{title}</title></head><body>{inner}</body></html>"


def form(inner: str = "", user: str = "j_username", password: str = "j_password") -> str:
    fields = f"<input name={user}><input type=password name={password}>"
    return f"<form method=post action=/sso>{inner}{fields}</form>"


def told(*pairs: Exchange) -> dict[str, Event]:
    return {event.name: event for event in play(*pairs) if event.name.startswith("idp.")}


def test_a_form_is_shown() -> None:
    assert list(told(exchange(url=ASKED, body=page(form())))) == ["idp.form.shown"]
    assert list(told(exchange(url="https://idp.test/next", body=page(form())))) == [
        "idp.form.shown"
    ]


@pytest.mark.parametrize(
    ("status", "inner", "text"),
    [
        (200, form('<p class="form-error">Wrong password.</p>'), "Wrong password."),
        (200, '<div role="alert">Locked <b>out</b></div>' + form(), "Locked out"),
        (401, form(user="pf.username", password="pf.pass"), "Sign in"),
    ],
)
def test_the_same_form_again_is_a_refusal(status: int, inner: str, text: str) -> None:
    pair = exchange("POST", "https://idp.test/sso", POSTED, status, body=page(inner))
    found = told(pair)
    assert list(found) == ["idp.password.sent", "idp.password.refused"]
    sent, refused = found.values()
    assert sent.facts["password"] == Secret("password", "hunter2!pw")
    assert refused.facts["user"] == "alice@a.test"
    assert str(refused.facts["text"]) == text


def test_a_field_that_the_next_page_calls_a_password_was_one() -> None:
    fields = {"id": "bob", "secret-words": "hunter2!pw"}
    again = page(form(user="id", password="secret-words"))
    found = told(exchange("POST", "https://idp.test/login", fields, body=again))
    assert list(found) == ["idp.password.sent", "idp.password.refused"]


@pytest.mark.parametrize(
    ("status", "location", "body", "accepted"),
    [
        (200, "", "<form action=https://sp.test/acs><input type=hidden name=SAMLResponse value=x></form>", True),
        (302, "https://sp.test/acs?code=1", "", True),
        (302, "/sso/consent", "", True),
        (302, "https://idp.test/sso?execution=e1s2", "", False),  # to itself: the form again
        (200, "", page("<p>Enter the code that was sent to you"), False),  # neither is said
    ],
)  # fmt: skip
def test_what_leads_on_accepts(status: int, location: str, body: str, accepted: bool) -> None:
    headers = {"Location": location} if location else {}
    pair = exchange(
        "POST", "https://idp.test/sso", POSTED, status, response_headers=headers, body=body
    )
    assert ("idp.password.accepted" in told(pair)) is accepted
    assert "idp.password.refused" not in told(pair)


@pytest.mark.parametrize(
    ("status", "title", "inner", "text", "error"),
    [
        (403, "acme - 403", "<h3>App Not Assigned</h3>", "App Not Assigned", None),
        (400, "Web Login Service", "<p>x", "Web Login Service", None),
        (403, "Error 403", "<p>Error: app_not_configured_for_user<p>Tell", "Error 403", "app_not_configured_for_user"),
        (200, "Metadata not found", "<h2>Help</h2><script>1</script>", "Metadata not found", None),
        (200, "Login", "<p id=error>Request expired", "Request expired", None),
    ],
)  # fmt: skip
def test_an_error_page_in_place_of_a_sign_in(
    status: int, title: str, inner: str, text: str, error: str | None
) -> None:
    found = told(exchange(url=ASKED, status=status, body=page(inner, title)))
    assert list(found) == ["idp.error.shown"]
    facts = found["idp.error.shown"].facts
    assert (facts["status"], str(facts["text"]), facts.get("error")) == (status, text, error)


@pytest.mark.parametrize(
    ("url", "status", "headers", "body"),
    [
        (ASKED, 200, {}, page("<div id=login></div><script>start()</script>")),  # a script's page
        (ASKED, 200, {}, page("<div id=error></div><p role=alert>x<script>1</script>")),
        (ASKED, 401, {"WWW-Authenticate": "Negotiate"}, page("", "Not signed in")),
        (ASKED, 403, {}, page("MSIS7042: the same client", "Error")),  # told by the rule of ADFS
        ("https://idp.test/favicon.ico", 404, {}, page("", "Not found")),
        ("https://shop.test/basket", 404, {}, page("", "Not found")),
        ("https://sp.test/acs?SAMLResponse=x", 403, {}, page("", "Not allowed")),
    ],
)
def test_no_error_page(url: str, status: int, headers: dict[str, str], body: str) -> None:
    assert told(exchange(url=url, status=status, response_headers=headers, body=body)) == {}


def test_names_that_other_rules_know_are_theirs() -> None:
    fields = {"username": "bob", "password": "hunter2!pw"}
    assert told(exchange("POST", "https://idp.test/sso", fields, body=page(form()))) == {}
    grant = {"grant_type": "password", "j_password": "hunter2!pw", "j_username": "bob"}
    assert told(exchange("POST", "https://idp.test/token", grant, body="{}")) == {}

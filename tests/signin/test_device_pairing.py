"""Whose device code it is: a phone's of Skype for Business, or any other device's (RFC 8628)."""

from __future__ import annotations

from dissect.model import Event
from dissect.signin.exchange import Exchange
from tests.signin.build import exchange, play

LOGIN = "https://login.test/common/oauth2"
PHONE, BROWSER = "192.0.2.10", "192.0.2.20"
CONFIGURATION = {"AadEndpointUrl": "https://login.test/", "ClientId": "client-of-the-service",
                 "DevicePairingWebsiteUrl": "https://pair.test/phone", "AutoDiscoverUrl": "https://a.test/"}  # fmt: skip


def configured(at: float) -> Exchange:
    return exchange(url="https://boot.test/api/DeviceConfig/Maker/Default", body=CONFIGURATION, at=at, client=PHONE)  # fmt: skip


def code(client: str, at: float = 2) -> Exchange:
    body = {"user_code": "ABCDEFGHI", "device_code": "D" * 40, "verification_uri": "https://m.test"}
    return exchange("POST", f"{LOGIN}/devicecode", form={"client_id": client}, body=body, at=at, client=PHONE)  # fmt: skip


def typed(at: float = 5) -> Exchange:
    return exchange("POST", f"{LOGIN}/deviceauth", form={"otc": "abcd-efghi"}, body="ok", at=at, client=BROWSER)  # fmt: skip


def visited(host: str) -> Exchange:
    return exchange(url=f"https://{host}/", status=302, response_headers={"Location": LOGIN}, at=1, client=BROWSER)  # fmt: skip


def paired(events: list[Event], name: str) -> object:
    return next(event for event in events if event.name == name).facts.get("paired")


def test_the_id_that_the_pairing_service_gave_out_tells_it() -> None:
    """Also where two captures' clocks put the configuration after its use."""
    for at in (1, 9):
        events = play(configured(at), code("client-of-the-service"), typed())
        assert paired(events, "oauth.device_code.issued") is True
        assert paired(events, "deviceauth.code.entered") is True


def test_another_id_is_another_device() -> None:
    events = play(configured(1), code("some-television"), typed())
    assert paired(events, "oauth.device_code.issued") is False
    assert paired(events, "deviceauth.code.entered") is False


def test_a_browser_alone_tells_by_where_it_came_from() -> None:
    assert paired(play(typed()), "deviceauth.code.entered") is None
    page = "websignin.pinauth.services.skypeforbusiness.com"
    assert paired(play(visited(page), typed()), "deviceauth.code.entered") is True
    assert paired(play(visited("elsewhere.test"), typed()), "deviceauth.code.entered") is None
    # What is known of the code goes before where the browser was.
    events = play(visited(page), code("some-television"), typed())
    assert paired(events, "deviceauth.code.entered") is False


def at_a_page(*, posted: bool = True, led: bool = True) -> list[Exchange]:
    """A browser at a site under any name: it gives its address, signs in by OAuth, comes back,
    and is sent through a short link to the page that takes a code."""
    site, link = "https://enrol.test", "https://go.test/code"
    asked = f"{LOGIN}/authorize?client_id=site&response_type=code&login_hint=u%40x.test&redirect_uri=https%3A%2F%2Fenrol.test%2Fback"  # fmt: skip
    form = {"login_hint": "u@x.test"} if posted else None
    to = {"Location": link if led else "https://enrol.test/home"}
    return [
        exchange("POST" if posted else "GET", f"{site}/verify", form=form, status=302, response_headers={"Location": asked}, at=1, client=BROWSER),
        exchange(url=asked, at=2, client=BROWSER),
        exchange(url=f"{site}/back?code=c&state=s", status=302, response_headers=to, at=3, client=BROWSER),
        exchange(url=link, status=301, response_headers={"Location": f"{LOGIN}/deviceauth"}, at=4, client=BROWSER),
        exchange(url=f"{LOGIN}/deviceauth", at=4.5, client=BROWSER),
    ]  # fmt: skip


def test_the_page_of_the_service_is_recognised_by_what_it_does() -> None:
    events = play(*at_a_page(), typed())
    assert paired(events, "deviceauth.code.entered") is True
    asked = next(event for event in events if event.name == "oauth.authorize.requested")
    assert asked.facts.get("pairing_host") == "enrol.test"


def test_a_site_that_does_only_half_of_it_tells_nothing() -> None:
    """A web application asks for the address as well; anybody may open the page for codes."""
    for pages in (at_a_page(led=False), at_a_page(posted=False)):
        events = play(*pages, typed())
        assert paired(events, "deviceauth.code.entered") is None
        assert not any("pairing_host" in event.facts for event in events)


def finished(text: str, at: float = 6) -> Exchange:
    return exchange(url=f"{LOGIN}/done", body=f"<html><body><p>{text}</p></body></html>",
                    response_headers={"Content-Type": "text/html"}, at=at, client=BROWSER)  # fmt: skip


def test_the_name_of_the_application_tells() -> None:
    phone = "Skype for Business Certified Phone"
    for text, told in (
        (f"You have signed in to the {phone} application on your device.", True),
        (f"Are you trying to sign in to Polycom - {phone}?", True),
        ("AADSTS53003: Blocked.</p><p>App name: Any</p><p>App id: a850aaae-d5a5-4e82-877c-ce54ff916282", True),
        ("AADSTS65001: consent to use the application with ID 'a850aaae-d5a5-4e82-877c-ce54ff916282' named 'x'", True),
        ("You have signed in to the Microsoft Azure CLI application on your device.", False),
        ("Are you trying to sign in to Living-room TV?", None),
        ("Are you trying to sign in to Skype for Business Remote PowerShell?", None),
    ):  # fmt: skip
        assert paired(play(typed(), finished(text)), "deviceauth.code.entered") is told, text


def test_another_application_s_name_goes_before_where_the_browser_was() -> None:
    text = "You have signed in to the Microsoft Azure CLI application on your device."
    events = play(*at_a_page(), typed(), finished(text))
    assert paired(events, "deviceauth.code.entered") is False
    # What is named before any code is typed says nothing of it.
    assert paired(play(finished(text, at=4), typed()), "deviceauth.code.entered") is None


def test_an_authorization_request_of_the_phones_application_tells() -> None:
    asked = f"{LOGIN}/authorize?response_type=code&client_id="
    for client, reported in (("a850aaae-d5a5-4e82-877c-ce54ff916282", True), ("another", None)):
        events = play(exchange(url=asked + client, at=1, client=BROWSER), typed())
        assert paired(events, "deviceauth.code.entered") is reported

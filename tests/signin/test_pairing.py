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

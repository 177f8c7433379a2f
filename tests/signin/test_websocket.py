"""The opening of a WebSocket, with the examples of RFC 6455 §1.3 and RFC 7118 §8.1."""

from __future__ import annotations

import pytest

from dissect.signin import websocket
from dissect.signin.rule import Found
from tests.signin.build import exchange

ASKED = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
         "Sec-WebSocket-Protocol": "sip", "Sec-WebSocket-Version": "13"}  # fmt: skip


def found(status: int | None, asked: dict[str, str], **answer: str) -> dict[str, Found]:
    headers = {name.replace("_", "-"): value for name, value in answer.items()}
    pair = exchange(url="https://sip-ws.example.com/", headers=asked, status=status, response_headers=headers)  # fmt: skip
    return {item.name: item for item in websocket.opening(pair)}


def test_a_socket_for_sip() -> None:
    events = found(101, ASKED, Sec_WebSocket_Protocol="sip")
    assert events["websocket.requested"].facts["offered"] == ("sip",)
    assert events["websocket.opened"].facts["protocol"] == "sip"


@pytest.mark.parametrize(
    ("status", "code"),
    [(101, "no_protocol"), (403, "403"), (426, "426"), (200, "200")],
)
def test_no_socket_for_sip(status: int, code: str) -> None:
    assert found(status, ASKED)["websocket.refused"].facts["code"] == code


def test_a_socket_for_something_else_and_none_at_all() -> None:
    plain = {name: value for name, value in ASKED.items() if "Protocol" not in name}
    assert "websocket.opened" in found(101, plain)
    assert found(200, {}) == {}
    assert set(found(None, ASKED)) == {"websocket.requested"}

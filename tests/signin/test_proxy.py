"""CONNECT at a proxy: which 407 is a refusal and which a leg of signing in (RFC 9110 §15.5.8,
[MS-NLMP] §1.3.1: negotiate, challenge, authenticate)."""

from __future__ import annotations

from dissect.signin.exchange import Exchange
from tests.signin.build import exchange, play

CHALLENGE = "NTLM TlRMTVNTUAACAAAA"


def connect(at: float, status: int | None, offer: str = "", host: str = "a.test") -> Exchange:
    answer = {"Proxy-Authenticate": offer} if offer else {}
    return exchange(
        "CONNECT", f"https://{host}/", status=status, response_headers=answer, at=at,
        client="10.0.0.1", port=3128,
    )  # fmt: skip


def names(*pairs: Exchange) -> list[str]:
    return [
        event.name.removeprefix("proxy.connect.")
        for event in play(*pairs)
        if event.name.startswith("proxy.connect.") and not event.name.endswith("requested")
    ]


def test_three_legs_and_a_tunnel() -> None:
    assert names(connect(1, 407, "NTLM"), connect(2, 407, CHALLENGE), connect(3, 200)) == [
        "challenged", "challenged", "granted",
    ]  # fmt: skip


def test_the_last_word_is_407() -> None:
    legs = connect(1, 407, "NTLM"), connect(2, 407, CHALLENGE), connect(3, 407, "NTLM")
    assert names(*legs) == ["refused", "challenged", "refused"]


def test_a_tunnel_to_another_host_settles_nothing() -> None:
    assert names(connect(1, 407, "Basic"), connect(2, 200, host="b.test")) == ["refused", "granted"]


def test_403_is_no_leg() -> None:
    assert names(connect(1, 403), connect(2, 200)) == ["refused", "granted"]
    assert names(connect(1, None)) == []

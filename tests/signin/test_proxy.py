"""CONNECT at a proxy: which 407 is a refusal and which a leg of signing in (RFC 9110 §15.5.8,
[MS-NLMP] §1.3.1: negotiate, challenge, authenticate)."""

from __future__ import annotations

from typing import Literal

import pytest

from dissect.model import TcpConnection
from dissect.redaction.book import SecretBook
from dissect.signin.exchange import Exchange
from dissect.signin.recogniser import Recogniser
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


@pytest.mark.parametrize(
    ("after_s", "outcome", "last"),
    [
        (0.5, "open", "challenged"),
        (1.9, "open", "challenged"),
        (2.1, "open", "refused"),
        (0.5, "closed", "refused"),
        (0.5, "reset", "refused"),
    ],
)
def test_a_capture_that_ends_before_the_client_could_answer(
    after_s: float, outcome: Literal["open", "closed", "reset"], last: str
) -> None:
    pair = connect(1, 407, "NTLM")
    assert pair.request is not None
    assert pair.response is not None
    recogniser = Recogniser(["capture.pcapng"], SecretBook())
    for message in (pair.request, pair.response, TcpConnection(pair.request.place, outcome)):
        recogniser.add(message)
    ends = {"capture.pcapng": pair.response.place.span.first_ns + int(after_s * 1e9)}
    events = [event.name for event in recogniser.finish(ends=ends)]
    assert events == ["proxy.connect.requested", f"proxy.connect.{last}"]

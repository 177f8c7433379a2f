"""SIP messages of the lab against what the phones themselves wrote down: over UDP (also in
fragments and sent again), TCP, TLS and WebSocket; registrations, calls, TLS-DSK."""

from __future__ import annotations

from collections import Counter

import pytest

from dissect.model import SipMessage
from dissect.pipeline import RunOptions, Session
from tests.lab import ALL, FIRST, scenario

SIP = [
    name
    for name in ALL
    if scenario(name).has_keys or name.startswith("sip-")
    if any(m["kind"] == "sip" and m["actor"] == "phone" for m in scenario(name).truth["messages"])
]
QUICK = {*FIRST, "sip-websocket", "sip-fragments", "sip-call-reinvite"}
pytestmark = pytest.mark.skipif(not ALL, reason="no lab scenario is recorded in captures/")


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.long) for n in SIP]
)
def test_messages_are_those_that_the_phone_sent_and_got(name: str) -> None:
    item = scenario(name)
    reported = Counter(
        (m["direction"], m["method"], m.get("status"), m["cseq"])
        for m in item.truth["messages"]
        if m["kind"] == "sip" and m["actor"] == "phone"
    )
    read = Counter(
        (
            "received" if message.place.direction else "sent",
            (message.header("cseq") or " ").split()[-1],
            message.status,
            message.header("cseq"),
        )
        for message in Session(RunOptions((item.phone,))).messages
        if isinstance(message, SipMessage)
    )
    assert reported
    assert read == reported

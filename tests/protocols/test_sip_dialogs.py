"""Transactions and dialogs: the flows of RFC 3261 §24 and RFC 3665, forking, MS clients."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from dissect.model import SipMessage
from dissect.protocols.sip_dialogs import MAX_OPEN, DialogTracker, Position, branch, calls, tag, uri

from .drive import C, Part, S, drive
from .test_sip import message, sip, sips

ALICE, BOB = "<sip:alice@atlanta.example>", "<sip:bob@biloxi.example>"
SDP = b"v=0\r\nc=IN IP4 192.0.2.101\r\nm=audio 49172 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"


def sip_message(
    first: str,
    cseq: str,
    via: str,
    ends: tuple[str, str] = (f"{ALICE};tag=a", BOB),
    body: bytes = b"",
    call: str = "c1",
    *more: str,
) -> bytes:
    kind = ["Content-Type: application/sdp"] if body else []
    return message(
        first,
        f"Via: SIP/2.0/TLS client.atlanta.example:5061;branch={via}",
        f"From: {ends[0]}",
        f"To: {ends[1]}",
        f"Call-ID: {call}",
        f"CSeq: {cseq}",
        *kind,
        *more,
        body=body,
    )


TAGGED = (f"{ALICE};tag=a", f"{BOB};tag=b")
INVITE = "INVITE sip:bob@biloxi.example SIP/2.0"
ACK, BYE = "ACK sip:bob@b SIP/2.0", "BYE sip:alice@a SIP/2.0"
# RFC 3665 §3.1, Successful Session Establishment; Bob hangs up.
SESSION: list[Part] = [
    (C, sip_message(INVITE, "1 INVITE", "z9hG4bK74bf9", body=SDP)),
    (S, sip_message("SIP/2.0 100 Trying", "1 INVITE", "z9hG4bK74bf9")),
    (S, sip_message("SIP/2.0 180 Ringing", "1 INVITE", "z9hG4bK74bf9", TAGGED)),
    (S, sip_message("SIP/2.0 200 OK", "1 INVITE", "z9hG4bK74bf9", TAGGED, SDP)),
    (C, sip_message(ACK, "1 ACK", "z9hG4bK74bd5", TAGGED)),
    (S, sip_message(BYE, "1 BYE", "z9hG4bKnashds7", TAGGED[::-1])),
    (C, sip_message("SIP/2.0 200 OK", "1 BYE", "z9hG4bKnashds7", TAGGED[::-1])),
]


def positions(parts: list[Part]) -> list[tuple[int, int | None]]:
    ladder = DialogTracker()
    return [_pair(ladder.add(item)) for item in read(parts)]


def _pair(position: Position) -> tuple[int, int | None]:
    return position.transaction, position.dialog


def read(parts: list[Part]) -> list[SipMessage]:
    return sips(drive(sip(), parts))


def test_a_session() -> None:
    # The ACK to a 2xx is a transaction of its own (RFC 3261 §17).
    assert positions(SESSION) == [(1, 1), (1, 1), (1, 1), (1, 1), (2, 1), (3, 1), (3, 1)]
    (call,) = calls(read(SESSION))
    assert (call.caller, call.callee) == ("sip:alice@atlanta.example", "sip:bob@biloxi.example")
    assert (call.state, call.status, call.ended_by, call.messages) == ("ended", 200, "callee", 7)
    assert (call.start_ns, call.answered_ns, call.ended_ns) == (1000, 4000, 6000)
    assert call.media == ["audio 192.0.2.101:49172 RTP/AVP PCMU/8000 sendrecv"]


def test_a_challenge_is_not_the_end_and_its_ack_belongs_to_the_invite() -> None:
    """RFC 3665 §3.2: 407, ACK with the INVITE's branch, INVITE again."""
    parts: list[Part] = [
        SESSION[0],
        (S, sip_message("SIP/2.0 407 Proxy Authentication Required", "1 INVITE", "z9hG4bK74bf9",
                        (TAGGED[0], f"{BOB};tag=3flal12sf"))),
        (C, sip_message(ACK, "1 ACK", "z9hG4bK74bf9", (TAGGED[0], f"{BOB};tag=3flal12sf"))),
        (C, sip_message(INVITE, "2 INVITE", "z9hG4bK74bf0", body=SDP)),
        (S, sip_message("SIP/2.0 200 OK", "2 INVITE", "z9hG4bK74bf0", TAGGED, SDP)),
    ]  # fmt: skip
    assert positions(parts) == [(1, 1), (1, 1), (1, 1), (2, 1), (2, 1)]
    (call,) = calls(read(parts))
    assert (call.state, call.status) == ("confirmed", 200)


def test_refused() -> None:
    parts = [
        SESSION[0],
        (S, sip_message("SIP/2.0 486 Busy Here", "1 INVITE", "z9hG4bK74bf9", TAGGED)),
    ]
    (call,) = calls(read(parts))  # type: ignore[arg-type]
    assert (call.state, call.status, call.ended_ns) == ("failed", 486, 2000)


def test_cancel_is_a_transaction_of_its_own() -> None:
    """RFC 3261 §9.1: the same branch, another method."""
    cancel = sip_message("CANCEL sip:bob@b SIP/2.0", "1 CANCEL", "z9hG4bK74bf9")
    done = sip_message("SIP/2.0 487 Request Terminated", "1 INVITE", "z9hG4bK74bf9", TAGGED)
    assert positions([SESSION[0], (C, cancel), (S, done)]) == [(1, 1), (2, 1), (1, 1)]


def test_forked_answers_are_dialogs_of_their_own() -> None:
    """RFC 3261 §12.1: each answer with another To tag makes a dialog."""
    other = (TAGGED[0], f"{BOB};tag=other")
    parts: list[Part] = [
        *SESSION[:3],
        (S, sip_message("SIP/2.0 180 Ringing", "1 INVITE", "z9hG4bK74bf9", other)),
        (S, sip_message("SIP/2.0 200 OK", "1 INVITE", "z9hG4bK74bf9", other, SDP)),
    ]
    assert positions(parts) == [(1, 1), (1, 1), (1, 1), (1, 2), (1, 2)]
    assert [call.state for call in calls(read(parts))] == ["early", "confirmed"]


def test_notify_may_overtake_the_answer_to_its_subscribe() -> None:
    """RFC 6665 §4.4.1."""
    parts: list[Part] = [
        (C, sip_message("SUBSCRIBE sip:bob@b SIP/2.0", "1 SUBSCRIBE", "z9hG4bKs")),
        (S, sip_message("NOTIFY sip:alice@a SIP/2.0", "1 NOTIFY", "z9hG4bKn", TAGGED[::-1])),
        (S, sip_message("SIP/2.0 200 OK", "1 SUBSCRIBE", "z9hG4bKs", TAGGED)),
        (
            S,
            sip_message(
                "NOTIFY sip:alice@a SIP/2.0",
                "2 NOTIFY",
                "z9hG4bKo",
                TAGGED[::-1],
                b"",
                "c1",
                "Subscription-State: terminated;reason=timeout",
            ),
        ),
    ]
    assert positions(parts) == [(1, 1), (2, 1), (1, 1), (3, 1)]
    (call,) = calls(read(parts))
    assert (call.method, call.state, call.ended_by) == ("SUBSCRIBE", "ended", "callee")


def test_register_makes_no_dialog_and_lync_sends_no_branch() -> None:
    def bare(first: str, cseq: str) -> bytes:
        return sip_message(first, cseq, "").replace(b";branch=", b"")

    parts: list[Part] = [
        (C, bare("REGISTER sip:a SIP/2.0", "1 REGISTER")),
        (S, bare("SIP/2.0 401 Unauthorized", "1 REGISTER")),
        (C, bare("REGISTER sip:a SIP/2.0", "2 REGISTER")),
        (S, bare("SIP/2.0 200 OK", "2 REGISTER")),
    ]
    assert positions(parts) == [(1, None), (1, None), (2, None), (2, None)]


def test_both_sides_of_a_proxy_are_one_dialog() -> None:
    onward = sip_message(INVITE, "1 INVITE", "z9hG4bKproxy").replace(
        b"Via: SIP/2.0/TLS client", b"Via: SIP/2.0/TLS proxy"
    )
    assert positions([SESSION[0], (C, onward)]) == [(1, 1), (2, 1)]


def test_retransmissions_do_not_count() -> None:
    (call,) = calls(read([SESSION[0], SESSION[0]]))
    assert call.messages == 1


def test_fields() -> None:
    (register,) = read([SESSION[0]])
    assert branch(register) == "z9hG4bK74bf9"
    # A tag inside the URI is the URI's (RFC 3261 §20).
    assert tag("<sip:a@b;tag=no>;epid=1;tag=yes") == "yes"
    assert tag("sip:a@b;tag=bare") == "bare"
    assert tag("<sip:a@b;tag=no>") == ""
    assert uri('"Anna; x" <sip:a@b;transport=tls?x=y>;tag=1') == "sip:a@b"
    assert uri("sip:a@b;tag=1") == "sip:a@b"


def test_memory_is_bounded() -> None:
    (first,) = read([SESSION[0]])
    ladder = DialogTracker()
    for number in range(MAX_OPEN + 500):
        call = f"{number}".encode()
        headers = type(first.headers).of(
            [(bytes(n), call if n == b"Call-ID" else bytes(v) + call) for n, v in first.headers]
        )
        ladder.add(replace(first, headers=headers))
    assert len(ladder._transactions) <= MAX_OPEN
    assert len(ladder._known) <= MAX_OPEN


@settings(max_examples=60, deadline=None)
@given(st.permutations(SESSION))
def test_any_order_raises_nothing_and_keeps_one_transaction_each(parts: list[Part]) -> None:
    found = positions(parts)
    assert {number for number, _ in found} == {1, 2, 3}

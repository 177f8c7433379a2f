"""A wrong clock as the cause of a failure: with grounds, and never without (public case 57)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from dissect.flow.definition import built_in
from dissect.flow.match import match
from dissect.model import Event, Fact, NtpMessage, Secret, Source
from dissect.redaction.book import SecretBook
from dissect.signin import skew
from dissect.signin.recogniser import Recogniser
from tests.signin.build import CONNECTION, exchange, place, play

DAY = 86400
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC).timestamp()
VALID = {
    "certificate_from": "2025-06-01T00:00:00+00:00",
    "certificate_until": "2026-06-01T00:00:00+00:00",
}


def event(name: str, at: float = NOW, client: str = "192.0.2.1", **facts: object) -> Event:
    return Event(
        name=name, time_ns=round(at * 1e9), sender=client, receiver="192.0.2.2", host="sts.test",
        source=Source("capture.pcapng", 7, 7, 0), facts=facts,  # type: ignore[arg-type]
        client=replace(CONNECTION.client, address=client), server=CONNECTION.server,
    )  # fmt: skip


def alert(name: str = "certificate_expired", at: float = NOW + 10, **facts: object) -> Event:
    return event("tls.alert", at, alert=name, by="client", **facts)


def asked(days: float, at: float = NOW) -> Event:
    """A question to a time server that told the client's time."""
    return event("ntp.clock_wrong", at, seconds=round(days * DAY), measured="by the question")


def blamed(*events: Event) -> bool:
    found = [e for e in skew.blamed(events) if e.facts.get("clock_code") == "clock.skew"]
    assert all("clock" in e.facts and "clock_remedy" in e.facts for e in found)
    return bool(found)


@pytest.mark.parametrize(
    ("days", "name", "dates", "wanted"),
    [
        (730, "certificate_expired", VALID, True),
        (-730, "bad_certificate", VALID, True),  # OpenSSL's alert for "not yet valid"
        (30, "certificate_expired", VALID, False),  # by this clock it is valid, too
        (730, "certificate_expired", {}, True),  # TLS 1.3 without keys: its dates are hidden
        (-730, "certificate_expired", {}, True),
        (730, "bad_certificate", {}, False),
        (730, "unknown_ca", VALID, False),
        (730, "certificate_expired", {**VALID, "certificate_until": "2026-01-01T00:00:00+00:00"}, False),
    ],
)  # fmt: skip
def test_an_alert_is_the_clocks_fault_if_the_certificate_is_good(
    days: int, name: str, dates: dict[str, object], wanted: bool
) -> None:
    assert blamed(asked(days), alert(name, **dates)) is wanted


def test_without_grounds_no_clock_is_blamed() -> None:
    assert not blamed(alert(**VALID))
    assert not blamed(
        event("ntp.clock_wrong", client="192.0.2.99", seconds=730 * DAY), alert(**VALID)
    )


def test_a_clock_that_was_set_is_no_cause_any_more() -> None:
    answered = event("ntp.clock_wrong", NOW + 1, seconds=730 * DAY, measured="by the server")
    assert not blamed(asked(730), answered, alert(at=NOW + 10, **VALID))
    assert blamed(asked(730), answered, alert(at=NOW + 0.5, **VALID))
    (reported,) = skew.warnings([asked(730), answered])
    assert "730 days ahead" in reported
    assert reported.endswith("then a time server told it better")


def test_the_captures_own_clock_counts_if_several_servers_say_so() -> None:
    """A capture made on the phone has the phone's clock: Date fields tell how wrong it is."""
    off = event("clock.skew", seconds=730 * DAY, suspect="the capture's clock")
    dates = {
        "certificate_from": "2023-06-01T00:00:00+00:00",
        "certificate_until": "2024-06-01T00:00:00+00:00",
    }
    assert blamed(off, alert(**dates))
    assert not blamed(
        event("clock.skew", seconds=730 * DAY, suspect="one of the two clocks"), alert(**dates)
    )


def test_a_fresh_assertion_with_wrong_times_is_its_issuers_clock() -> None:
    times = {"validity": "not_yet_valid", "off_by": 3600, "not_before": "2026-01-15T13:00:00Z",
             "issuer": "http://sts.test/adfs/services/trust", "wresult": "w"}  # fmt: skip
    issued, posted = event("wsfed.token.issued", **times), event("wsfed.token.posted", **times)
    refused = event("wsfed.token.refused", code="50008")
    found = skew.blamed([issued, posted, refused])[-1].facts
    assert found["clock_code"] == "clock.skew"
    assert "sts.test" in str(found["clock"])
    # An old assertion that is posted late says nothing of clocks.
    old = event("wsfed.token.posted", **{**times, "validity": "expired"})
    assert not blamed(event("wsfed.token.issued", **{**times, "validity": "valid"}), old, refused)
    assert not blamed(
        event("clock.skew", seconds=900, suspect="one of the two clocks"), issued, posted, refused
    )


@pytest.mark.parametrize(
    ("text", "wanted"), [("The token has expired.", True), ("Not for you.", False)]
)
def test_a_ticket_refused_for_its_times(text: str, wanted: bool) -> None:
    assert blamed(asked(1), event("webticket.refused", NOW + 5, text=text)) is wanted


STAMP = "<wsu:Timestamp><wsu:Created>{}</wsu:Created></wsu:Timestamp>"


@pytest.mark.parametrize(
    ("created", "seconds"),
    [("2026-01-15T13:00:00Z", 3600), ("2026-01-15T12:04:59Z", None), ("soon, I hope!", None)],
)
def test_a_requests_own_time_stamp(created: str, seconds: int | None) -> None:
    """[WSS] §10: the sender's clock, against the time of the frame."""
    body = f"<s:Envelope xmlns:s='x'>{STAMP.format(created)}</s:Envelope>"
    pair = exchange(
        "POST", "https://pool.test/WebTicket/WebTicketService.svc", request_body=body, at=NOW
    )
    found = [e.facts["seconds"] for e in play(pair) if e.name == "clock.client_wrong"]
    assert found == ([] if seconds is None else [seconds])


def test_a_question_to_a_time_server_tells_the_clients_clock() -> None:
    """RFC 4330 §5: SNTP clients send their own time; those that hide it (None) tell nothing."""
    where = place(at=NOW)
    message = NtpMessage(where, "client", 3, 0, transmit_ns=round((NOW + 730 * DAY) * 1e9))
    assert wrong_by(message) == [730 * DAY]
    assert wrong_by(replace(message, transmit_ns=None)) == []
    assert wrong_by(replace(message, transmit_ns=round(NOW * 1e9))) == []


def wrong_by(message: NtpMessage) -> list[Fact]:
    recogniser = Recogniser(["capture.pcapng"], SecretBook())
    recogniser.add(message)
    return [e.facts["seconds"] for e in recogniser.finish() if e.name == "ntp.clock_wrong"]


def test_the_verdict_of_a_flow_names_clock_and_remedy() -> None:
    book = SecretBook()
    found = exchange(
        "POST", "https://login.microsoftonline.com/common/oauth2/devicecode", at=NOW, client="192.0.2.1", status=None,
        form={"client_id": "a850aaae-d5a5-4e82-877c-ce54ff916282"},
    )  # fmt: skip
    failing = replace(alert(at=NOW + 5, **VALID), host="login.microsoftonline.com")
    events = skew.blamed([*play(found, book=book), asked(730), failing])
    (chart,) = match([built_in()["device-code"]], events, book.show)
    assert chart.cause is not None
    assert chart.cause.code == "clock.skew"
    assert "730 days ahead" in chart.cause.text
    assert "right time" in chart.cause.remedy


def test_a_phones_own_log_tells_its_clock() -> None:
    """A log has local time: quarters of an hour up to 14 hours may be its zone, more may not."""
    code = Secret("device_code", "D" * 40)
    packets = [event("oauth.device_code.issued", device_code=code), alert(**VALID)]
    log = [event("oauth.device_code.issued", device_code=code)]
    for hours in (8, -9.5, 0.05):
        assert skew.by_log(packets, log, round(-hours * 3600 * 1e9)) == []
    (stamp,) = skew.by_log(packets, log, -730 * DAY * 10**9)
    assert stamp.facts["seconds"] == 730 * DAY
    assert blamed(*packets, stamp)
    assert skew.by_log([alert(**VALID)], log, -730 * DAY * 10**9) == []  # not this client's log
    (late,) = skew.by_log(packets, log, -(8 * 3600 + 440) * 10**9)
    assert late.facts["seconds"] == 440


def test_a_wrong_clock_is_warned_of_though_nothing_failed() -> None:
    off = event("clock.skew", seconds=-900, suspect="the capture's clock")
    assert skew.warnings([off, event("dns.queried")]) == [
        "capture.pcapng: its clock is 900 s behind, by the Date of several servers"
    ]
    (reported,) = skew.warnings([asked(-3)])
    assert (
        reported
        == "the clock of 192.0.2.1 is wrong: it is 3 days behind (its NTP time stamp, frame 7)"
    )

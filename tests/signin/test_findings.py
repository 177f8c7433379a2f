"""What only several exchanges tell together: public cases 56–61, 65."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from dissect.flow.definition import load
from dissect.flow.match import match
from dissect.model import Event, SequenceChart
from dissect.pipeline import RunOptions, Session
from dissect.redaction.book import SecretBook
from dissect.signin import clock
from dissect.signin.exchange import Exchange
from tests.lab import tshark_fields
from tests.signin import build
from tests.signin.build import exchange, play

LOGIN = "https://login.microsoftonline.com"
PHONE, BROWSER = "192.0.2.10", "192.0.2.20"
# A VVX's application id (C.1 of the reference): its code is that of a Web Sign-in.
POLYCOM = "a850aaae-d5a5-4e82-877c-ce54ff916282"
CODE = {"user_code": "ABCDEFGHI", "device_code": "D" * 40, "expires_in": "900", "interval": "5",
        "verification_url": "https://aka.ms/devicelogin"}  # fmt: skip
POLL = {"grant_type": "device_code", "client_id": POLYCOM, "code": "D" * 40}


def code(at: float = 0, resource: str = "https://a.test") -> Exchange:
    return exchange(
        "POST", f"{LOGIN}/common/oauth2/devicecode", form={"client_id": POLYCOM, "resource": resource},
        body=CODE, at=at, client=PHONE,
    )  # fmt: skip


def poll(at: float, body: dict[str, object], status: int = 400, **more: str) -> Exchange:
    return exchange(
        "POST", f"{LOGIN}/common/oauth2/token", form={**POLL, **more}, body=body, status=status,
        at=at, client=PHONE,
    )  # fmt: skip


PENDING: dict[str, object] = {"error": "authorization_pending", "error_codes": [70016]}


def named(events: list[Event], name: str) -> list[Event]:
    return [event for event in events if event.name == name]


def chart(*pairs: Exchange) -> SequenceChart:
    book = SecretBook()
    (found,) = match([load("vvx-web-signin")], play(*pairs, book=book), book.show)
    return found


def test_loop_breaker_shows_the_gap_against_the_interval() -> None:
    """Public case 56: loop breaker."""
    loop = {"error": "invalid_grant", "error_codes": [50196],
            "error_description": "AADSTS50196: The server terminated an operation because it encountered a client request loop."}  # fmt: skip
    pairs = [code(), *(poll(10 + n, PENDING) for n in range(5)), poll(15, loop)]
    events = play(*pairs)
    polls = named(events, "oauth.token.polled")
    assert [e.facts.get("gap_ms") for e in polls] == [None, 1000, 1000, 1000, 1000, 1000]
    assert all(e.facts["too_fast"] is True for e in polls[1:])
    (refused,) = named(events, "oauth.token.refused")
    assert refused.facts["pace"] == "it polled every 1.0 s instead of 5 s"
    assert "again and again" in str(refused.facts["meaning"])
    cause = chart(*pairs).cause
    assert cause is not None
    assert "every 1.0 s instead of 5 s" in cause.text


def test_a_device_that_keeps_its_interval_is_not_blamed() -> None:
    events = play(
        code(), *(poll(5 * n, PENDING) for n in range(1, 5)), poll(25, {"error": "invalid_grant"})
    )
    assert not any("too_fast" in e.facts for e in named(events, "oauth.token.polled"))
    assert "pace" not in named(events, "oauth.token.refused")[0].facts


def test_slow_down_adds_five_seconds() -> None:
    events = play(code(), poll(5, {"error": "slow_down"}), poll(10, PENDING))
    assert named(events, "oauth.token.polled")[1].facts["too_fast"] is True


def test_code_refused_in_the_browser_while_the_phone_is_pending() -> None:
    """Public case 57: refused in the browser while the phone is pending."""
    page = "<p>AADSTS70019: Verification code expired.</p>Trace ID: 6f1ed0ae-a1b2-4c3d-8e4f-0123456789ab"
    browser = exchange("POST", f"{LOGIN}/common/oauth2/deviceauth", form={"otc": "abcd-efghi"}, body=page,
                       at=310, client=BROWSER)  # fmt: skip
    pairs = [code(), poll(300, PENDING), browser, poll(320, PENDING)]
    (refused,) = named(play(*pairs), "deviceauth.code.refused")
    assert refused.facts["age"] == 310
    assert refused.facts["lifetime"] == 900
    cause = chart(*pairs).cause
    assert cause is not None
    assert cause.code == "azuread.70019"
    assert "310 s old and valid for 900 s" in cause.text


def dated(seconds: float, date: str, host: str = "a.test", **headers: str) -> Exchange:
    return exchange(url=f"https://{host}/", at=seconds, response_headers={"Date": date, **headers},
                    client=PHONE)  # fmt: skip


def test_clock_skew_beyond_five_minutes() -> None:
    """Public case 57: refused in the browser while the phone is pending."""
    # 1 January 2026 00:00:00 UTC is 1767225600.
    date = "Thu, 01 Jan 2026 00:00:00 GMT"
    (event,) = named(play(dated(1767225600 + 3600, date)), "clock.skew")
    assert event.facts["seconds"] == 3600
    assert event.facts["suspect"] == "one of the two clocks"
    (behind,) = named(play(dated(1767225600 - 400, date)), "clock.skew")
    assert "400 s behind" in str(behind.facts["text"])


def test_no_skew_within_five_minutes_nor_from_a_cache_nor_from_nonsense() -> None:
    date = "Thu, 01 Jan 2026 00:00:00 GMT"
    assert named(play(dated(1767225600 + 299, date)), "clock.skew") == []
    assert named(play(dated(1767225600 + 3600, date, Age="3600")), "clock.skew") == []
    assert named(play(dated(0, "yesterday")), "clock.skew") == []


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone can't be set in the process")
@pytest.mark.parametrize(
    "date",
    ["Thu Jan  1 00:00:00 2026", "Thu, 01 Jan 2026 00:00:00 -0000", "Thu, 01 Jan 2026 00:00:00"],
)
def test_a_date_without_zone_is_gmt_on_every_machine(
    date: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 9110 §5.6.7: asctime's form names no zone, and means GMT."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert clock.moment(date) == 1767225600
        assert clock.moment("Fri, 31 Dec 9999 23:59:59 -0000") == 253402300799
        assert named(play(dated(1767225600, date)), "clock.skew") == []
    finally:
        monkeypatch.undo()
        time.tzset()


def test_each_server_once_in_clock_skew() -> None:
    date = "Thu, 01 Jan 2026 00:00:00 GMT"
    events = play(*(dated(1767225600 + 3600 + n / 10, date) for n in range(4)))
    assert len(named(events, "clock.skew")) == 1


def test_age_and_lifetime_at_expiry() -> None:
    """Public case 58: two names for expiry."""
    for error in ("code_expired", "expired_token"):
        (refused,) = named(play(code(), poll(901, {"error": error})), "oauth.token.refused")
        assert refused.facts["error"] == "expired_token"
        assert refused.facts["age"] == 901
        assert refused.facts["lifetime"] == 900
        assert "expired" in str(refused.facts["meaning"])


def test_token_for_another_resource_than_asked() -> None:
    """Public case 59: token for another resource."""
    answer: dict[str, object] = {
        "access_token": build.jwt({"aud": "https://a.test"}),
        "resource": "https://a.test",
    }
    events = play(code(resource="https://a.test"), poll(5, answer, 200, resource="https://b.test/"))
    (issued,) = named(events, "oauth.token.issued")
    assert issued.facts["other_resource"] == "asked for https://b.test/, got https://a.test"
    same = play(code(resource="https://a.test/"), poll(5, answer, 200, resource="https://A.test"))
    assert "other_resource" not in named(same, "oauth.token.issued")[0].facts
    graph = {"access_token": build.jwt({"aud": "00000003-0000-0000-c000-000000000000"})}
    known = play(
        code(resource="https://graph.microsoft.com/"),
        poll(5, graph, 200, resource="https://graph.microsoft.com"),
    )
    assert "other_resource" not in named(known, "oauth.token.issued")[0].facts


def test_user_id_sign_in_is_distinguished_from_web_sign_in() -> None:
    """Public case 60: sign-in by user id."""
    grant = exchange(
        "POST", f"{LOGIN}/common/oauth2/token", status=400, body={"error": "invalid_grant"}, at=1, client=PHONE,
        form={"grant_type": "password", "username": "u@x.test", "password": "secret-pw-1"},
    )  # fmt: skip
    soap = ("<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope'><s:Header><Security><UsernameToken>"
            "<Username>u@x.test</Username><Password>secret-pw-1</Password></UsernameToken></Security></s:Header>"
            "<s:Body/></s:Envelope>")  # fmt: skip
    active = exchange("POST", "https://idp.test/app/office365/k1/sso/wsfed/active", request_body=soap,
                      status=401, at=2, client=PHONE)  # fmt: skip
    events = play(grant, active)
    (event,) = named(events, "signin.user_id.started")
    assert event.facts["by"] == "password grant"
    assert "no Web Sign-in" in str(event.facts["text"])
    assert named(events, "wstrust.refused")[0].facts["user"] == "u@x.test"
    assert match([load("vvx-web-signin")], events, SecretBook().show) == []


def test_the_same_assertion_refused_again_and_again() -> None:
    """Public case 61: the same bearer refused again."""
    ask = ("<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Header>"
           "<Assertion xmlns='urn:oasis:names:tc:SAML:1.0:assertion' AssertionID='_a1b2c3d4e5f6a7b8'/></s:Header>"
           "<s:Body/></s:Envelope>")  # fmt: skip
    fault = ("<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body><s:Fault><faultstring>x</faultstring>"
             "<detail><OCSDiagnosticsFault><Ms-Diagnostics-Fault><ErrorId>28032</ErrorId><Reason>The web ticket is invalid."
             "</Reason></Ms-Diagnostics-Fault></OCSDiagnosticsFault></detail></s:Fault></s:Body></s:Envelope>")  # fmt: skip
    url = "https://pool.test/WebTicket/WebTicketService.svc/WsFed_bearer"
    events = play(*(exchange("POST", url, request_body=ask, body=fault, status=500, at=n, client=PHONE)
                    for n in range(3)))  # fmt: skip
    refused = named(events, "webticket.refused")
    assert [e.facts.get("refusals") for e in refused] == [None, 2, 3]
    assert refused[2].facts["ms_error"] == "28032"
    assert refused[2].facts["text"] == "The web ticket is invalid."


def test_the_browsers_error_is_the_verdict_not_expiry() -> None:
    """Public case 65: policy blocks the browser."""
    for number, config in (
        ("53003", ""),
        ("530032", ""),
        ("53000", ""),
        ("50097", '"pgid":"ConvergedError",'),
    ):
        page = (
            f'<html><script>$Config={{{config}"iErrorCode":{number},"strServiceExceptionMessage":null}};</script>'
            "<div>Request Id: <span>12345678-1234-1234-1234-123456789abc</span></div>"
            "<div>Correlation Id:<br/>99999999-8888-7777-6666-555555555555</div></html>"
        )
        entered = exchange("POST", f"{LOGIN}/common/oauth2/deviceauth", form={"otc": "ABCDEFGHI"},
                           body="<html>ok</html>", at=20, client=BROWSER)  # fmt: skip
        blocked = exchange("POST", f"{LOGIN}/common/login", form={"login": "u@x.test", "passwd": "pw-12345678"},
                           body=page, at=30, client=BROWSER)  # fmt: skip
        found = chart(
            code(), poll(10, PENDING), entered, blocked, poll(905, {"error": "code_expired"})
        )
        assert found.cause is not None
        assert found.cause.code == f"azuread.{number}"
        assert found.cause.identifiers["trace_id"] == "12345678-1234-1234-1234-123456789abc"
        assert found.cause.identifiers["correlation_id"] == "99999999-8888-7777-6666-555555555555"


def test_skew_of_a_real_capture_is_what_tshark_reads(shared_captures: Path) -> None:
    capture = str(shared_captures / "sso" / "zeek-ntlm_sharepoint_in_erspan.pcap")
    fields = ("http.date", "frame.time_epoch")
    row = next(r for r in tshark_fields(capture, fields, "http.date") if r["http.date"])
    reported = parsedate_to_datetime(row["http.date"][0]).timestamp()
    (event,) = named(Session(RunOptions((capture,))).events, "clock.skew")
    assert event.facts["seconds"] == round(float(row["frame.time_epoch"][0]) - reported)


def test_pending_is_not_failure_and_the_last_answer_counts() -> None:
    """Public case 55: pending is not failure."""
    answer: dict[str, object] = {
        "access_token": build.jwt({"upn": "u@x.test"}),
        "token_type": "Bearer",
    }
    found = chart(code(), *(poll(5 * n, PENDING) for n in range(1, 21)), poll(105, answer, 200))
    step = next(step for step in found.steps if step.number == 6)
    assert step.status == "done"
    assert [arrow.count for arrow in step.arrows if arrow.status == "pending"] == [20]
    assert not [arrow for arrow in step.arrows if arrow.status == "failed"]


@pytest.mark.parametrize(
    ("number", "meaning", "remedy"),
    [
        ("53003", "conditional access policy blocks", "sign-in log"),
        ("50053", "account is locked", "still sends the old password"),
        ("50126", "user name or password is wrong", "same name and password"),
        ("65001", "nobody has consented", "grant consent"),
        ("99999", "AADSTS99999", "correlation id"),
    ],
)
def test_the_verdict_says_what_a_number_means(number: str, meaning: str, remedy: str) -> None:
    page = f"<p>AADSTS{number}: Words of the page.</p>"
    refused = exchange("POST", f"{LOGIN}/common/login", form={"login": "u@x.test", "passwd": "pw-12345678"},
                       body=page, at=30, client=BROWSER)  # fmt: skip
    cause = chart(code(), poll(10, PENDING), refused).cause
    assert cause is not None
    assert cause.code == f"azuread.{number}"
    assert meaning in cause.text
    assert "Words of the page." in cause.text
    assert remedy in cause.remedy

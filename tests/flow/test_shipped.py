"""The other shipped flows, on recordings of the lab and on captures that nobody here made."""

from __future__ import annotations

from pathlib import Path

import pytest

from dissect.flow.definition import built_in
from dissect.model import SequenceChart
from dissect.pipeline import RunOptions, Session
from tests.lab import ALL, scenario


def charts(*captures: str, flow: str = "") -> list[SequenceChart]:
    return Session(RunOptions(captures, flows=(flow,) if flow else ())).charts


# In this recording the phone has no token to renew, and the page's own script goes to ADFS:
# Azure AD answers the home realm question with the address, and there is no redirect.
FOUND = {
    "device-code": ["done"] * 3,
    "sfb-register": ["missing", *["done"] * 4],
    "sip-register": ["done"],
    "wsfed-passive": ["inferred", "done", "done"],
}


@pytest.mark.parametrize("flow", FOUND)
def test_each_is_found_in_the_web_sign_in(flow: str) -> None:
    (chart,) = charts(*scenario("web-signin").captures, flow=flow)
    assert chart.status == "complete"
    assert [step.status for step in chart.steps] == FOUND[flow]


def test_nested_ones_are_folded_into_the_more_specific() -> None:
    assert [c.flow for c in charts(*scenario("web-signin").captures)] == ["vvx-web-signin"]


@pytest.mark.parametrize(
    ("name", "flow", "stopped_at", "code"),
    [
        ("wrong-password", "wsfed-passive", 2, "adfs.credentials_rejected"),
        ("code-expired", "device-code", 3, "oauth.expired_token"),
        ("sip-forbidden", "sfb-register", 5, "sip.403"),
        ("sip-forbidden", "sip-register", 1, "sip.403"),
    ],
)
def test_failures_of_the_part_are_those_of_the_whole(
    name: str, flow: str, stopped_at: int, code: str
) -> None:
    (chart,) = charts(*scenario(name).captures, flow=flow)
    assert (chart.status, chart.stopped_at) == ("failed", stopped_at)
    assert chart.cause is not None
    assert chart.cause.code == code == scenario(name).truth["verdict"]["code"]


def test_a_real_registration(shared_captures: Path) -> None:
    (chart,) = charts(str(shared_captures / "sip" / "suricata-sip_tcp_register.pcap"))
    assert (chart.flow, chart.status) == ("sip-register", "complete")
    # tshark: REGISTER in frame 4 and 200 in frame 6 or later of the same stream (EXPECTED/).
    labels = [arrow.label for step in chart.steps for arrow in step.arrows]
    assert labels[0].startswith("REGISTER")
    assert labels[-1].startswith("200")


def test_a_real_call_is_drawn_from_who_sent_what(shared_captures: Path) -> None:
    """tshark: INVITE and 200 (BYE) from .197.103's side as EXPECTED lists the addresses."""
    (chart,) = charts(str(shared_captures / "sip" / "sngrep-sip_in_ipip.pcap"))
    assert (chart.flow, chart.status) == ("sip-call", "complete")
    ends = {arrow.label.split()[0]: (arrow.sender, arrow.receiver)
            for step in chart.steps for arrow in step.arrows}  # fmt: skip
    assert ends["INVITE"] == ("caller", "callee")
    assert ends["183"] == ("callee", "caller")
    # tshark: sip.from.addr and sip.to.addr of the INVITE.
    assert chart.subject == (
        "1bdaa608131517540000@10.15.197.103 → 1bdaa608131517540000@10.15.193.31"
    )
    labels = [arrow.label for step in chart.steps for arrow in step.arrows]
    assert [label for label in labels if "→" in label] == [f"INVITE {chart.subject}"]


def test_definitions_have_texts_for_every_failure() -> None:
    for definition in built_in().values():
        assert definition.about.strip()
        for step, arrow in definition.arrows:
            if arrow.fails is not None:
                assert arrow.fails.text, (definition.name, step.number)
                # "[{remedy}|A sentence.]" ends with its fallback's full stop.
                assert arrow.fails.remedy.rstrip("]").endswith("."), (definition.name, arrow.key)


# The quick two take part in every run.
RECORDED = [
    ("saml-sp", "saml-sp-initiated"),
    ("pin-auth", "pin-auth"),
    *(
        pytest.param(*pair, marks=pytest.mark.long)
        for pair in (
            ("oauth-pkce", "oauth-code"),
            ("teams-phone", "teams-phone-signin"),
            ("sip-websocket", "sip-over-websocket"),
            ("sip-call-reinvite", "sip-call"),
        )
    ),
]


@pytest.mark.parametrize(("name", "flow"), RECORDED)
def test_each_step_of_a_recording_is_proved(name: str, flow: str) -> None:
    captures = sorted(map(str, scenario(name).folder.glob("*.pcapng")))
    (chart,) = charts(*captures, flow=flow)
    assert chart.status == "complete"
    assert {step.status for step in chart.steps} == {"done"}
    for step in chart.steps:
        times = [arrow.time_ns for arrow in step.arrows if arrow.event != "gesture"]
        assert times == sorted(times), step.number


# Nothing in these browsers' packets says what device the code is for: the sign-in ends before a
# page names the application, and the user opened the page for codes directly.
UNTOLD = {"account-locked", "expired-password-portal", "wrong-code", "wrong-password-managed"}
BROWSERS = [
    name
    if name in ("web-signin-renamed", "wrong-code")
    else pytest.param(name, marks=pytest.mark.long)
    for name in ALL
    if (scenario(name).folder / "browser.pcapng").exists()
]


@pytest.mark.parametrize("name", BROWSERS)
def test_a_browser_alone_is_reported_as_what_it_takes_part_in(name: str) -> None:
    """Or less: a code for some device, where nothing tells which."""
    item = scenario(name)
    verdicts = item.truth.get("verdicts") or [item.truth["verdict"]]
    staged = {verdict.get("flow", "vvx-web-signin") for verdict in verdicts}
    untold = name in UNTOLD or "teams-phone-signin" in staged
    for chart in charts(str(item.folder / "browser.pcapng")):
        if name == "no-keys":
            staged = {"unknown-signin"}
        assert chart.flow == "device-code" if untold else chart.flow in staged


def test_credentials_for_a_saml_request_are_no_second_request() -> None:
    """The form is posted to the address with the AuthnRequest in its query (tshark: frame 60)."""
    (chart,) = charts(str(scenario("saml-sp").folder / "browser.pcapng"))
    drawn = [(step.number, arrow.event) for step in chart.steps for arrow in step.arrows]
    assert drawn.count((2, "saml.request.sent")) == 1
    assert (3, "adfs.credentials.sent") in drawn


def test_the_first_who_said_no_is_the_evidence() -> None:
    """tshark: the IdP's page with the Response in frames 62 to 64, posted on in 65 to 68."""
    (chart,) = charts(str(scenario("saml-sp-denied").folder / "browser.pcapng"))
    assert chart.cause is not None
    assert [source.first_frame for source in chart.cause.evidence] == [62, 65]
    (refused,) = [arrow for arrow in chart.steps[4].arrows if arrow.status == "failed"]
    assert refused.note == "Time sheets: not signed in"


def test_what_a_failed_sign_in_never_reached_is_not_for_want_of_a_capture() -> None:
    """The program runs on the browser's machine, and was given no code that it could use."""
    (chart,) = charts(str(scenario("oauth-pkce-denied").folder / "browser.pcapng"))
    reported = {chart.steps[number - 1].explanation for number in (4, 5)}
    assert reported == {"the sign-in ended before it: step 3 failed"}


def test_refused_passwords_are_one_arrow_and_one_advice() -> None:
    """tshark: 15 REGISTERs with credentials, each answered by 401 (sip.Status-Code == 401)."""
    (chart,) = charts(str(scenario("sip-digest-refused").folder / "phone.pcapng"))
    (step,) = chart.steps
    assert [(arrow.event, arrow.count) for arrow in step.arrows] == [
        ("sip.register.sent", 1),
        ("sip.register.challenged", 1),
        ("sip.register.sent", 15),
        ("sip.register.refused", 15),
    ]
    assert chart.cause is not None
    assert "password" in chart.cause.remedy
    assert "certificate" not in chart.cause.remedy

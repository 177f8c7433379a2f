"""Sign-ins of which nothing can be read: what names, ports and shapes tell, and no more.

Expectations come from the actors' truth files and from the names in tshark's `tls.handshake
.extensions_server_name` and `dns.qry.name` of the recordings.
"""

from __future__ import annotations

from cProfile import Profile
from dataclasses import replace
from pathlib import Path

import pytest

from dissect.flow.definition import built_in
from dissect.flow.match import match
from dissect.model import Endpoint, Event, Fact, SequenceChart, Source
from dissect.pipeline import RunOptions, Session
from dissect.redaction.book import SecretBook
from tests.certainty import LESS
from tests.lab import ALL, scenario

SECOND = 1_000_000_000
LOGIN = "login.microsoftonline.com"


def undecrypted(name: str, *flows: str) -> list[SequenceChart]:
    """The charts of a scenario's captures without key logs and phone logs."""
    paths = tuple(scenario(name).captures)
    return Session(RunOptions(paths, flows=flows, auto_keys=False)).charts


# scenario → the flows found, none of which claims more than that traffic is there
TOLD = {
    "pin-auth": ["pin-auth"],  # DHCP and the certificate chain are sent in clear
    "password-path": ["sfb-register"],  # phone to *.online.lync.com; a password is not shown
    "sip-call-busy": ["sip-register"],  # port 5061
    "web-signin-renamed": ["sip-register"],  # no name is known, but port 5061
    "late-start": ["vvx-web-signin"],  # polls at Azure AD of who talks to Skype for Business
    "teams-phone": ["unknown-signin", "unknown-signin"],  # a PC may talk to the same services
    "saml-sp": ["unknown-signin"],
    "oauth-pkce": ["unknown-signin"],
    "sip-websocket": [],  # port 443 of a host that anybody may have
}


@pytest.mark.parametrize("name", TOLD)
def test_what_cannot_be_read_is_hidden_or_inferred(name: str) -> None:
    charts = undecrypted(name)
    assert [chart.flow for chart in charts] == TOLD[name]
    for chart in charts:
        assert (chart.status, chart.cause) == ("incomplete", None)
        readable = {1, 2} if name == "pin-auth" else set()
        for step in chart.steps:
            assert step.number in readable or step.status in ("hidden", "inferred", "missing")
        if name != "pin-auth":
            assert any("nothing that could be read says which" in d for d in chart.diagnostics)


@pytest.mark.parametrize("name", ALL)
def test_a_flow_that_the_user_names_is_charted_and_says_nothing_else_than_the_whole(
    name: str,
) -> None:
    item = scenario(name)
    verdicts = item.truth.get("verdicts") or [item.truth["verdict"]]
    flow = verdicts[0].get("flow", "vvx-web-signin")
    if (name, flow) == ("sip-websocket-call", "sip-call") or name == "web-signin-renamed":
        pytest.skip("no name or port of it is known: --role has to tell")
    charts = undecrypted(name, flow)
    assert charts
    whole = Session(RunOptions(tuple(item.captures), flows=(flow,))).charts
    # A step may be hidden that the whole shows to be missing: undecrypted traffic may be anything.
    for chart in charts:
        assert any(
            all(
                step.status in LESS[known.status] | {"hidden"}
                for step, known in zip(chart.steps, full.steps, strict=True)
            )
            for full in whole
        ), [step.status for step in chart.steps]


def event(kind: str, at: float, host: str | None, port: int = 443, **facts: Fact) -> Event:
    ends = Endpoint("192.0.2.7", 50_000 + round(at)), Endpoint("198.51.100.9", port)
    frame = round(at) + 1
    return Event(kind, round(at * SECOND), ends[0].address, ends[1].address, host,
                 Source("a.pcap", frame, frame, frame), facts, *ends)  # fmt: skip


def charts(*events: Event, flows: tuple[str, ...] = ()) -> list[SequenceChart]:
    chosen = [built_in()[name] for name in flows] or list(built_in().values())
    spans = {"a.pcap": (0, 600 * SECOND)}
    return match(chosen, events, SecretBook().show, spans=spans, named=bool(flows))


FAILURES: list[tuple[Event, str, str]] = [
    (event("tcp.refused", 5, LOGIN, attempts=1), "unknown-signin", "tcp.refused"),
    (event("tcp.timeout", 5, "sts.contoso.test", attempts=4), "unknown-signin", "tcp.timeout"),
    (event("dns.failed", 5, None, 53, name="enterpriseregistration.windows.net", rcode="nxdomain"),
     "unknown-signin", "dns.nxdomain"),
    (event("tls.alert", 5, LOGIN, alert="unknown_ca", by="client"),
     "unknown-signin", "tls.alert.unknown_ca"),
    (event("tcp.refused", 5, None, 5061, attempts=1), "sip-register", "tcp.refused"),
    (event("tls.alert", 5, "pbx.contoso.test", 5061, alert="bad_certificate", by="client"),
     "sip-register", "tls.alert.bad_certificate"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "flow", "code"), FAILURES, ids=[f"{flow} {code}" for _, flow, code in FAILURES]
)
def test_what_fails_before_its_first_message_has_a_chart(
    wrong: Event, flow: str, code: str
) -> None:
    (chart,) = charts(wrong)
    assert (chart.flow, chart.status, chart.stopped_at) == (flow, "failed", 1)
    assert chart.cause is not None
    assert chart.cause.code == code
    assert chart.cause.remedy
    assert [source.first_frame for source in chart.cause.evidence] == [6]


def test_who_went_on_did_not_fail() -> None:
    refused = event("tcp.refused", 5, LOGIN, attempts=1)
    (chart,) = charts(refused, event("tls.hidden", 9, LOGIN, sentence="no key log was given"))
    assert (chart.flow, chart.status, chart.cause) == ("unknown-signin", "incomplete", None)


@pytest.mark.parametrize("kind", ["tls.hidden", "tcp.refused"])
def test_work_grows_with_the_clients_and_not_with_their_cube(kind: str) -> None:
    """At a firewall hundreds of clients ask Azure AD; the calls made are counted, not the time."""

    def calls(clients: int) -> int:
        events = []
        for number in range(clients):
            one = event(kind, number, LOGIN, attempts=1)
            own = Endpoint(f"10.0.{number // 256}.{number % 256}", 50_000)
            events.append(replace(one, client=own, sender=own.address))
        profile = Profile()
        found = profile.runcall(charts, *events, flows=("unknown-signin",))
        assert len(found) == clients
        return sum(entry.callcount for entry in profile.getstats())

    assert calls(160) < 16 * calls(40)  # as the square would; the cube is 64 times


def test_the_last_resort_is_silent_where_another_flow_is_found() -> None:
    hidden = event("tls.hidden", 3, LOGIN)
    invite = event("sip.register.sent", 9, None, 5060, user="2041@contoso.test", call_id="1")
    assert [chart.flow for chart in charts(hidden)] == ["unknown-signin"]
    assert [chart.flow for chart in charts(hidden, invite)] == ["sip-register"]


def test_a_failure_behind_undecrypted_traffic_names_no_step() -> None:
    """Web ticket, certificate and REGISTER go to the same servers: which of them failed, only the
    content would tell. The flow has the cause all the same."""
    found = event("tls.hidden", 3, "webdir.online.lync.com", sentence="no key log was given")
    reset = event("tcp.reset", 9, "sipdir.online.lync.com", by="server")
    (chart,) = charts(found, reset)
    assert (chart.flow, chart.status) == ("sfb-register", "incomplete")
    assert {step.status for step in chart.steps[1:]} == {"hidden"}
    assert chart.cause is not None
    assert chart.cause.code == "tcp.reset"
    assert "here or in a later step" in (chart.steps[1].explanation or "")


def test_traffic_that_only_shares_a_host_with_another_flow_is_not_taken_for_this_one() -> None:
    """A registrar teaches its name; what another client has shut there begins no sign-in."""
    register = event("sip.register.challenged", 3, "sip.contoso.test", schemes=("NTLM",))
    other = Endpoint("192.0.2.8", 50_009)
    hidden = replace(event("tls.hidden", 9, "sip.contoso.test"), client=other, sender=other.address)
    (chart,) = [chart for chart in charts(hidden, register) if chart.flow == "sfb-register"]
    assert other.address not in [a for actor in chart.actors for a in actor.addresses]
    assert charts(hidden) == []


def test_srv_records_tell_the_registrar() -> None:
    """RFC 3263 §4.2: the target of _sips._tcp; TLS to it is SIP, whatever its port."""
    answer = event("dns.answered", 1, None, 53, name="_sips._tcp.contoso.test",
                   sip_hosts=("edge.contoso.test",))  # fmt: skip
    hidden = event("tls.hidden", 3, "edge.contoso.test", 443)
    assert [chart.flow for chart in charts(answer, hidden)] == ["sip-register"]


def test_srv_answers_of_a_recording_name_their_targets() -> None:
    """tshark: dns.srv.target of the answers to _sips._tcp.talk.example."""
    (path,) = scenario("sip-call-busy").captures
    events = Session(RunOptions((path,), auto_keys=False)).events
    hosts = {e.facts["sip_hosts"] for e in events if "sip_hosts" in e.facts}
    assert hosts == {("sip.talk.example",)}


def test_a_token_that_is_renewed_again_and_again_is_no_poll() -> None:
    """The second phone of this recording: four equal requests, 2.6 s apart, of 1300 bytes."""
    item = scenario("old-refresh-token")
    run = Session(RunOptions(tuple(item.captures), auto_keys=False))
    other = item.truth["names"]["phone2"]["address"]
    assert [e for e in run.events if e.name == "tls.polling" and e.client is not None
            and e.client.address == other] == []  # fmt: skip
    assert any(e.name == "tls.polling" for e in run.events)


def test_nothing_is_found_in_captures_of_other_things(shared_captures: Path) -> None:
    """Shared captures with a sign-in that can't be read, all told by server names: one of Teams,
    and sign-ins at idp.lab.example over QUIC (their truth files: /authorize, then /signin)."""
    found = {}
    files = [p for p in shared_captures.rglob("*") if p.suffix in (".pcap", ".pcapng", ".cap")]
    for path in sorted(files):
        run = Session(RunOptions((str(path),), auto_keys=False))
        guessed = [c.flow for c in run.charts if any("which sign-in this is" in d
                                                     for d in c.diagnostics)]  # fmt: skip
        if guessed:
            found[path.name] = guessed
    assert found == {
        "derived-teams_login_streams.pcap": ["unknown-signin"],
        "chromium_hypercorn_sso.pcap": ["unknown-signin"],
        "sso_redirects.pcap": ["unknown-signin"],
    }

"""Each code that the lab's actors say they provoked has its entry, and the entry is met."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from dissect.model import Event
from dissect.pipeline import RunOptions, Session
from dissect.signin.error_catalogue import Advice, catalogue
from tests.lab import ALL, REST, SCENARIOS, scenario

pytestmark = pytest.mark.skipif(not ALL, reason="no lab scenario is recorded in captures/")

# The first word of a cause's code in truth.json → families that may explain it.
FAMILIES = {
    "azuread": ("aadsts",), "oauth": ("oauth", "aadsts"), "tls": ("tls",), "dns": ("dns",),
    "tcp": ("tcp",), "proxy": ("proxy",), "adfs": ("msis", "service", "wstrust"),
    "sip": ("sip", "diagnostics"), "webticket": ("diagnostics",), "certprov": ("service",),
    "saml": ("saml",), "intune": ("enrolment",), "clock": ("tls",), "pin": ("pin",),
    "drs": ("enrolment",),
}  # fmt: skip
# Codes that a flow definition explains itself, or that are no more than a page that says no.
ELSEWHERE = ("kerberos.", "saml.response_refused")


@cache
def events(name: str) -> list[Event]:
    captures = sorted(map(str, scenario(name).folder.glob("*.pcapng")))
    return list(Session(RunOptions(tuple(captures))).events)


def codes(name: str) -> set[str]:
    """The codes of the causes that were staged."""
    truth = scenario(name).truth
    verdicts: list[dict[str, Any]] = truth.get("verdicts") or [truth["verdict"]]
    return {item["code"] for item in verdicts if item["code"]}


def named(code: str) -> list[Advice]:
    """The entries of a cause's code, where the code is one of the catalogue's."""
    *_, word = code.split(".")
    known = catalogue()
    found = [known.get(family, word) for family in FAMILIES[code.partition(".")[0]]]
    return [entry for entry in found if entry is not None]


@pytest.mark.parametrize("name", [*SCENARIOS, *REST])
def test_what_was_provoked_is_explained(name: str) -> None:
    if not scenario(name).has_keys:
        pytest.skip("nothing of it can be read")
    known = catalogue()
    reported = [event for event in events(name) if "meaning" in event.facts]
    for event in reported:
        assert event.facts.get("remedy"), event.name
    texts = {str(event.facts["meaning"]) for event in reported}
    for code in codes(name):
        if code.startswith(ELSEWHERE):
            continue
        families = FAMILIES[code.partition(".")[0]]
        exact = named(code)
        possible = {entry.text for entry in exact if not entry.general} or {
            entry.text for family in families for entry in known.families[family].values()
        }
        if code.startswith("sip."):  # the ms-diagnostics number says more than the status
            possible |= {entry.text for entry in known.families["diagnostics"].values()}
        assert texts & possible, code


@pytest.mark.parametrize("name", [*SCENARIOS, *REST])
def test_no_failure_is_left_without_words(name: str) -> None:
    endings = (".refused", ".failed", ".error", ".rejected", ".unavailable", ".alert")
    for event in events(name):
        if event.name.endswith(endings) and _names_its_reason(event):
            assert event.facts.get("meaning"), (event.name, dict(event.facts))


def _names_its_reason(event: Event) -> bool:
    """Whether it says more than a bare HTTP status, which no catalogue can explain."""
    code = str(event.facts.get("error") or event.facts.get("code") or "")
    return event.name not in ("saml.response.refused", "provisioning.failed") or bool(code)


@pytest.mark.long
def test_the_entries_that_the_lab_provokes() -> None:
    """By name, so that a scenario that provokes nothing any more is noticed."""
    known = catalogue()
    by_text = {
        entry.text: f"{family}.{code}"
        for family, entries in known.families.items()
        for code, entry in entries.items()
    }
    met = {
        by_text.get(str(event.facts["meaning"]), "")
        for name in ALL
        for event in events(name)
        if "meaning" in event.facts
    }
    assert met >= {
        "aadsts.50053", "aadsts.50126", "aadsts.50132", "aadsts.53003", "aadsts.70018",
        "aadsts.90094", "oauth.authorization_declined", "oauth.expired_token",
        "oauth.invalid_token", "msis.MSIS7042", "service.credentials",
        "service.password_expired", "service.unavailable", "service.error_info",
        "wstrust.FailedAuthentication", "diagnostics.4004", "diagnostics.28000",
        "sip.tls_dsk_loop", "tls.certificate_expired", "tls.protocol_version", "tls.unknown_ca",
        "saml.RequestDenied", "enrolment.DeviceCapReached", "dns.nxdomain", "proxy.407",
        "tcp.refused", "tcp.reset", "tcp.timeout", "pin.IncorrectPin", "diagnostics.28055",
        "provisioning.404", "enrolment.error_directory_quota_exceeded",
    }  # fmt: skip

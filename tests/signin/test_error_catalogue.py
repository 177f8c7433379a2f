"""The error catalogue: complete by the reference's list, and the order of its lookup."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dissect.signin import error_catalogue
from dissect.signin.error_catalogue import catalogue

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference" / "sign-in-protocols.md"
MAKERS_LIST = Path(__file__).with_name("entra_codes.txt")


@pytest.fixture(scope="module")
def reference() -> str:
    if not REFERENCE.exists():
        pytest.skip("the reference (../shared/reference) is not here")
    return REFERENCE.read_text("utf-8")


def test_every_entry_says_what_why_and_what_to_do() -> None:
    for family, entries in catalogue().families.items():
        for code, entry in entries.items():
            where = f"{family}.{code}"
            assert entry.text, where
            assert not entry.text.endswith("."), where
            assert entry.text[0].islower() or entry.text.split()[0] in (
                "ADFS", "Active", "ADFS's", "TLS", "PIN",
            ), where  # fmt: skip
            assert entry.cause, where
            assert not entry.cause.endswith("."), where
            assert entry.remedy.endswith("."), where
            assert entry.source, where
            assert not set("[]{}|") & set(entry.text + entry.cause + entry.remedy), where


def test_numbers_and_names_are_those_of_the_makers_list() -> None:
    """An entry that names the maker's list as its source is in it, under that name; one that is
    in the list names no weaker source."""
    lines = MAKERS_LIST.read_text("utf-8").splitlines()
    listed = dict(line.split() for line in lines if not line.startswith("#"))
    entries = catalogue().families["aadsts"]
    from_list = {code for code, entry in entries.items() if "error codes" in entry.source}
    assert from_list == set(entries) & set(listed)
    assert {code: entries[code].name or "-" for code in from_list} == {
        code: listed[code] for code in from_list
    }
    # What only threads and clients' sources tell, and nothing else.
    assert set(entries) - from_list == {
        "500121", "530002", "530003", "530036", "53009", "70020",
    }  # fmt: skip


# Texts that servers send with these numbers, as [MS-OCER] and the Skype Web SDK list them.
@pytest.mark.parametrize(
    ("number", "reason", "words"),
    [
        ("1000", "Final handshake failed.", "handshake"),
        ("1003", "User does not exist.", "does not exist"),
        ("1007", "Temporarily cannot route.", "for the moment"),
        ("1008", "Unable to resolve DNS SRV record.", "SRV"),
        ("1010", "Certificate trust with next-hop server could not be established.", "trust"),
        ("1013", "Significant time skew detected during authentication.", "clocks"),
        ("4003", "From URI not enabled for remote access.", "outside"),
        (
            "4004",
            "Credentials provided are not authorized to act as specified from URI.",
            "another",
        ),
        ("4005", "Destination URI either not enabled for SIP or does not exist.", "SIP"),
        ("4006", "User not found in pool.", "pool"),
        ("17002", "Invalid protocol client version.", "version"),
        ("28032", "The web ticket is invalid.", "not valid"),
        ("28033", "The web ticket has expired.", "expired"),
        ("28055", "The OAuth token is invalid.", "OAuth token is not valid"),
        ("28056", "The OAuth token has expired.", "OAuth token has expired"),
        ("28077", "Invalid Audience in the web ticket.", "audience"),
    ],
)
def test_ms_diagnostics_numbers_mean_what_the_specification_says(
    number: str, reason: str, words: str
) -> None:
    entry = catalogue().get("diagnostics", number)
    assert entry is not None, reason
    assert words in entry.text, reason


def test_the_references_codes_are_all_there(reference: str) -> None:
    section = reference.partition("## C.3")[2].partition("**70020**")[0]
    section = re.sub(r"reference-aadsts-error-codes.*?copy|azure-docs#\d+", "", section)
    wanted = set(re.findall(r"\b\d{5,7}\b", re.sub(r"\b\d{5}-\d{5}\b", "", section)))
    assert len(wanted) > 60
    assert wanted - set(catalogue().families["aadsts"]) == set()
    for first, last in re.findall(r"\b(\d{5})-(\d{5})\b", section):
        inside = [c for c in catalogue().families["aadsts"] if first <= c <= last and len(c) == 5]
        assert len(inside) >= 3, (first, last)


def test_the_references_ms_diagnostics_ranges(reference: str) -> None:
    section = reference.partition("## C.7")[2]
    known = catalogue()
    for number, word in ((500, "share"), (1500, "SIP"), (2500, "presence"), (3999, "conferencing"),
                         (10005, "mediation"), (12001, "outbound"), (13001, "inbound"),
                         (15000, "Exchange"), (17000, "version")):  # fmt: skip
        assert str(number // 1000 * 1000) in section or number < 1000
        found = known.in_range(str(number))
        assert found is not None
        assert word in found.text
    assert known.in_range("16500") is None
    assert known.in_range("x") is None
    assert known.in_range("9" * 40) is None


def test_tls_alerts_are_those_of_rfc_8446() -> None:
    # RFC 8446 §6, less the two that close a connection and `user_canceled`.
    alerts = (
        "unexpected_message bad_record_mac record_overflow handshake_failure bad_certificate "
        "unsupported_certificate certificate_revoked certificate_expired certificate_unknown "
        "illegal_parameter unknown_ca access_denied decode_error decrypt_error protocol_version "
        "insufficient_security internal_error inappropriate_fallback missing_extension "
        "unsupported_extension unrecognized_name bad_certificate_status_response "
        "unknown_psk_identity certificate_required no_application_protocol"
    )
    assert set(catalogue().families["tls"]) == set(alerts.split())


# "read error first, text second, number third"
@pytest.mark.parametrize(
    ("error", "text", "number", "code"),
    [
        ("expired_token", "AADSTS70020: another meaning", "70018", "expired_token"),
        ("authorization_declined", "", "70020", "authorization_declined"),
        ("", "AADSTS70016: Pending end-user authorization.", "99999", "70016"),
        ("invalid_grant", "The provided value … This device code has expired.", "70020", "expired_token"),
        ("invalid_grant", "", "50126", "50126"),
        ("invalid_grant", "", "123456", "invalid_grant"),
        ("interaction_required", "", "50076", "50076"),
        ("", "", "53003", "53003"),
        ("", "0xCAA70004 is shown", "", "0xCAA70004"),
        ("", "MSIS7068: Access denied.", "", "MSIS7068"),
        ("access_denied", "MSIS9605: The client is not allowed to access …", "", "MSIS9605"),
    ],
)  # fmt: skip
def test_error_then_text_then_number(error: str, text: str, number: str, code: str) -> None:
    found = error_catalogue.sign_in(error, text, number)
    assert found is not None
    assert found.code == code


def test_nothing_known_is_nothing_said() -> None:
    assert error_catalogue.sign_in("made_up", "no", "12345") is None
    assert error_catalogue.of_event("azuread.signin.refused", {"code": "12345"}) == {}
    assert error_catalogue.of_event("oauth.token.issued", {"code": "50126"}) == {}
    assert error_catalogue.of_event("saml.response.posted", {"status_code": "Success"}) == {}
    assert error_catalogue.of_event("dns.failed", {"rcode": "rcode23"}) == {}


@pytest.mark.parametrize(
    ("name", "facts", "word"),
    [
        ("azuread.signin.refused", {"code": "50053"}, "locked"),
        ("azuread.signin.refused", {"code": "65001"}, "consented"),
        ("oauth.token.refused", {"error": "invalid_grant", "code": "50126"}, "password"),
        ("adfs.error", {"code": "MSIS7042"}, "loop"),
        ("tls.alert", {"alert": "unknown_ca"}, "not trusted"),
        ("sip.register.refused", {"code": "403", "status": 403}, "refuses"),
        ("sip.register.refused", {"code": "tls_dsk_loop", "status": 401}, "TLS-DSK"),
        ("sip.register.refused", {"code": "403", "status": 403, "ms_error": "4005"}, "SIP"),
        ("sip.register.refused", {"code": "504", "status": 504, "ms_error": "1234"}, "SIP stack"),
        ("sip.response.sent", {"status": 488}, "media"),
        ("certprov.refused", {"code": "error_info", "status": 200}, "certificate"),
        ("webticket.refused", {"ms_error": "28033", "status": 500}, "expired"),
        ("autodiscover.failed", {"ms_error": "28999", "status": 401}, "web services"),
        ("wstrust.refused", {"fault": "FailedAuthentication", "status": 500}, "authentication"),
        ("saml.response.posted", {"status_code": "Requester", "substatus": "NoPassive"}, "asked"),
        ("saml.response.issued", {"status_code": "Responder"}, "could not perform"),
        ("intune.enrolment.refused", {"error": "DeviceCapReached"}, "as many devices"),
        ("oauth.bearer.refused", {"status": 401}, "access token"),
        ("dns.failed", {"rcode": "nxdomain", "type": "A"}, "does not exist"),
        ("dns.failed", {"rcode": "nxdomain", "type": "HTTPS"}, "no HTTPS record"),
        ("proxy.connect.refused", {"status": 407}, "credentials"),
        ("provisioning.failed", {"http_status": 404}, "no such file"),
        ("tcp.timeout", {"attempts": 7}, "nobody answered"),
        ("adfs.unavailable", {"status": 503}, "can't serve"),
    ],
)
def test_events_of_failures_say_what_they_mean(
    name: str, facts: dict[str, str | int], word: str
) -> None:
    found = error_catalogue.of_event(name, facts)
    assert word in str(found["meaning"])


def test_a_sip_success_is_no_failure() -> None:
    assert error_catalogue.of_event("sip.response.sent", {"status": 200}) == {}

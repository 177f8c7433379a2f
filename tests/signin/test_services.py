"""ADFS's doors, home realms, autodiscover, and the services around a phone's sign-in."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest

from dissect.model import HttpRequest
from dissect.signin import adfs, azuread, directory, lync, ntlm, services
from dissect.signin.exchange import Exchange
from dissect.signin.rule import Found, Rule, settled
from tests.lab import tshark_fields
from tests.signin import build
from tests.signin.build import exchange, play


def found(rules: tuple[Rule, ...], pair: Exchange) -> dict[str, Found]:
    every = (item for rule in rules for item in rule(pair))
    return {item.name: replace(item, facts=settled(item.facts)) for item in every}


# ------------------------------------------------------------------ home realm

REALM_XML = (
    '<RealmInfo Success="true"><State>3</State><UserState>2</UserState><Login>a@x.test</Login>'
    "<NameSpaceType>Federated</NameSpaceType><DomainName>x.test</DomainName><IsFederatedNS>true</IsFederatedNS>"
    "<STSAuthURL>https://sts.x.test/adfs/services/trust/2005/usernamemixed</STSAuthURL>"
    "<FederationBrandName>X</FederationBrandName><MEXURL>https://sts.x.test/adfs/services/trust/mex</MEXURL>"
    "<AuthURL>https://sts.x.test/adfs/ls/?username=a%40x.test&amp;wa=wsignin1.0</AuthURL></RealmInfo>"
)


def test_home_realm_in_xml() -> None:
    pair = exchange(url="https://login.test/GetUserRealm.srf?login=a%40x.test&xml=1", body=REALM_XML,
                    response_headers={"Content-Type": "text/xml"})  # fmt: skip
    facts = found(azuread.RULES, pair)["hrd.answered"].facts
    assert facts["namespace"] == "federated"
    assert facts["idp_host"] == facts["active_host"] == facts["metadata_host"] == "sts.x.test"
    assert facts["domain"] == "x.test"
    assert facts["user"] == "a@x.test"


def test_user_realm_by_post_and_version_one() -> None:
    answer = {"account_type": "Federated", "federation_protocol": "WSTrust",
              "federation_active_auth_url": "https://sts.x.test/adfs/services/trust/2005/usernamemixed"}  # fmt: skip
    pair = exchange(url="https://login.test/common/UserRealm/a@x.test?api-version=1.0", body=answer)
    facts = found(azuread.RULES, pair)["hrd.answered"].facts
    assert facts["federation_protocol"] == "WSTrust"
    assert facts["idp_host"] == "sts.x.test"
    posted = exchange("POST", "https://login.test/GetUserRealm.srf", form={"login": "B@x.test"},
                      body={"NameSpaceType": "Managed"})  # fmt: skip
    assert found(azuread.RULES, posted)["hrd.answered"].facts == {
        "user": "b@x.test",
        "namespace": "managed",
    }


def test_credential_type_throttled() -> None:
    pair = exchange("POST", "https://login.test/common/GetCredentialType", request_body='{"username": "a@x.test"}',
                    body={"IfExistsResult": 4, "ThrottleStatus": 1})  # fmt: skip
    facts = found(azuread.RULES, pair)["hrd.answered"].facts
    assert (facts["exists"], facts["throttled"]) == ("throttled", True)


# ------------------------------------------------------------------ ADFS

ADFS = "https://sts.x.test/adfs/ls/?wa=wsignin1.0&wtrealm=urn%3afederation%3aMicrosoftOnline"
WIA = "https://sts.x.test/adfs/ls/wia?wa=wsignin1.0&wtrealm=urn%3afederation%3aMicrosoftOnline"


def test_windows_sign_in_asks_with_401() -> None:
    facts = found(adfs.RULES, exchange(url=WIA, status=401, response_headers={"WWW-Authenticate": "Negotiate"}))[
        "adfs.credentials.asked"
    ].facts  # fmt: skip
    assert (facts["scheme"], facts["leg"], facts["door"]) == ("Negotiate", "offer", "windows")


def test_windows_sign_in_with_kerberos() -> None:
    ticket = base64.b64encode(b"\x60\x82" + b"k" * 60).decode()
    pair = exchange(url=WIA, headers={"Authorization": f"Negotiate {ticket}"}, status=302,
                    response_headers={"Set-Cookie": "MSISAuth=abcdefgh"})  # fmt: skip
    events = found(adfs.RULES, pair)
    assert events["adfs.credentials.sent"].facts["auth_method"] == "Kerberos"
    assert "adfs.credentials.accepted" in events
    refused = exchange(url=WIA, headers={"Authorization": f"Negotiate {ticket}"}, status=401)
    assert "adfs.credentials.rejected" in found(adfs.RULES, refused)


def test_ntlm_names_as_tshark_reads_them(shared_captures: Path) -> None:
    from dissect.pipeline import RunOptions, Session

    capture = str(shared_captures / "sso" / "zeek-ntlm_sharepoint_in_erspan.pcap")
    rows = tshark_fields(
        capture, ("ntlmssp.auth.domain", "ntlmssp.auth.username"), "ntlmssp.messagetype==3"
    )
    wanted = {
        f"{r['ntlmssp.auth.domain'][0]}\\{r['ntlmssp.auth.username'][0]}".lower() for r in rows
    }
    legs = [
        ntlm.sent(Exchange(m))
        for m in Session(RunOptions((capture,))).messages
        if isinstance(m, HttpRequest)
    ]
    assert {leg.user for leg in legs if leg and leg.final} == wanted
    assert wanted


@pytest.mark.parametrize(
    "blob", ["", "!!", "TlRMTVNTUAA=", base64.b64encode(b"NTLMSSP\0\3" + b"\xff" * 80).decode()]
)
def test_broken_ntlm_has_no_name(blob: str) -> None:
    leg = ntlm.sent(exchange(headers={"Authorization": f"NTLM {blob}"}))
    assert leg is not None
    assert leg.user == ""


def test_certificate_door_and_proxy_headers() -> None:
    pair = exchange(url=ADFS, port=49443, headers={"X-MS-Proxy": "WAP01", "X-MS-Forwarded-Client-IP": "203.0.113.7",
                    "X-MS-Endpoint-Absolute-Path": "/adfs/ls/", "Cookie": "MSISLoopDetectionCookie=MjAyNg=="})  # fmt: skip
    facts = found(adfs.RULES, pair)["wsfed.signin.requested"].facts
    assert facts["door"] == "certificate"
    assert facts["proxy"] == "WAP01"
    assert facts["forwarded_for"] == "203.0.113.7"
    assert facts["proxy_path"] == "/adfs/ls/"
    assert facts["loop_detection"] is True


@pytest.mark.parametrize("status", [200, 500])
def test_error_page_in_words(status: int) -> None:
    page = ("<p>An error occurred</p><p>Activity ID: <b>00000000-0000-0000-5d00-0080000000fa</b></p>"
            "<p>Relying party: Microsoft Office 365 Identity Platform</p><p>MSIS7042: The same client browser</p>")  # fmt: skip
    (event,) = [
        e for e in play(exchange(url=ADFS, status=status, body=page)) if e.name == "adfs.error"
    ]
    assert event.facts["code"] == "MSIS7042"
    assert event.facts["activity_id"] == "00000000-0000-0000-5d00-0080000000fa"
    assert event.facts["relying_party"] == "Microsoft Office 365 Identity Platform"
    assert "loop" in str(event.facts["meaning"])


def test_error_page_elsewhere_in_adfs() -> None:
    pair = exchange(
        url="https://sts.x.test/adfs/oauth2/authorize?client_id=x&response_type=code",
        body="<p>MSIS9604: x</p>",
    )
    assert found(adfs.RULES, pair)["adfs.error"].facts["code"] == "MSIS9604"


def test_calls_of_a_proxy() -> None:
    pair = exchange(
        "POST", "https://sts.x.test/adfs/proxy/relyingpartytoken?api-version=1", status=401
    )
    events = found(adfs.RULES, pair)
    assert events["adfs.proxy.requested"].facts["call"] == "proxy/relyingpartytoken"
    assert events["adfs.proxy.failed"].facts["status"] == 401


# ------------------------------------------------------------------ Skype for Business

USER = "https://webdir1e.online.lync.com/Autodiscover/AutodiscoverService.svc/root/oauth/user"
GOOD, BAD = (build.jwt({"aud": f"https://{host}"}) for host in ("webdir.online.lync.com", "graph.microsoft.com"))  # fmt: skip


@pytest.mark.parametrize(
    ("headers", "status", "answer", "name", "why"),
    [
        ({}, 401, {"X-MS-WebTicketURL": "https://pool.test/WebTicket/WebTicketService.svc"}, "challenged", "no ticket yet"),
        ({}, 401, {}, "challenged", "no word of where"),
        ({"Authorization": f"Bearer {GOOD}"}, 401, {}, "failed", "the access token was refused"),
        ({"Authorization": f"Bearer {BAD}"}, 401, {}, "failed", "another audience"),
        ({"X-MS-WebTicket": "opaque=abcdefgh"}, 401, {}, "failed", "the web ticket was refused"),
        ({"Authorization": f"Bearer {GOOD}"}, 404, {}, "failed", "home is not known"),
    ],
)  # fmt: skip
def test_autodiscovers_refusals_distinguished(
    headers: dict[str, str], status: int, answer: dict[str, str], name: str, why: str
) -> None:
    """Public case 64: autodiscover's 401s."""
    pair = exchange(url=USER, headers=headers, status=status, response_headers=answer)
    facts = found(lync.RULES, pair)[f"autodiscover.{name}"].facts
    assert why in str(facts["why"])


@pytest.mark.parametrize(
    ("token", "why"), [(GOOD, None), (BAD, "the access token is for another audience")]
)
def test_a_fault_alone_refuses_no_token(token: str, why: str | None) -> None:
    """A server that can't serve (500) has not said that the token is the reason."""
    pair = exchange(url=USER, headers={"Authorization": f"Bearer {token}"}, status=500)
    facts = found(lync.RULES, pair)["autodiscover.failed"].facts
    assert facts.get("why") == why


def test_autodiscover_that_only_redirects() -> None:
    """Public case 64: autodiscover's 401s."""
    body = ('<AutodiscoverResponse AccessLocation="External"><Root><Link token="Redirect" '
            'href="https://webdir2a.online.lync.com/Autodiscover/AutodiscoverService.svc/root"/></Root></AutodiscoverResponse>')  # fmt: skip
    facts = found(lync.RULES, exchange(url=USER, body=body))["autodiscover.answered"].facts
    assert facts["redirected"] is True
    assert facts["hosts"] == ("webdir2a.online.lync.com",)
    assert facts["access_location"] == "External"


def test_autodiscover_names_the_sip_servers() -> None:
    body = ('<AutodiscoverResponse AccessLocation="External"><User><SipClientExternalAccess fqdn="sipdir.online.lync.com" port="443"/>'
            '<Link token="External/Ucwa" href="https://webpool.infra.lync.com/ucwa"/></User></AutodiscoverResponse>')  # fmt: skip
    facts = found(lync.RULES, exchange(url=USER, body=body))["autodiscover.answered"].facts
    assert set(facts["hosts"]) == {"sipdir.online.lync.com", "webpool.infra.lync.com"}
    assert "redirected" not in facts


def test_lyncdiscover_by_name() -> None:
    events = found(lync.RULES, exchange(url="https://LyncDiscover.x.test/?sipuri=a@x.test", status=302,
                                        response_headers={"Location": USER}))  # fmt: skip
    assert events["autodiscover.redirected"].facts["to_host"] == "webdir1e.online.lync.com"


# ------------------------------------------------------------------ services around


@pytest.mark.parametrize(
    ("url", "event"),
    [
        ("https://autodiscover.x.test/autodiscover/autodiscover.xml", "exchange.autodiscover"),
        ("https://outlook.office365.com/autodiscover/autodiscover.json/v1.0/a@x.test", "exchange.autodiscover"),
        ("https://graph.microsoft.com/v1.0/me", "graph"),
        ("https://enterpriseregistration.windows.net/EnrollmentServer/device/?api-version=1.0", "device.registration"),
        ("https://sts.x.test/EnrollmentServer/DeviceEnrollmentWebService.svc", "device.registration"),
        ("https://enrollment.manage.microsoft.com/enrollmentserver/discovery.svc", "intune.enrolment"),
        ("https://teams.microsoft.com/api/authsvc/v1.0/authz", "teams"),
    ],
)  # fmt: skip
def test_services_are_known(url: str, event: str) -> None:
    token = build.jwt(
        {"appid": "1fec8e78-bce4-4aaf-ab1b-5451cc387264", "upn": "V@x.test", "deviceid": "d-1"}
    )
    events = found(services.RULES, exchange(url=url, headers={"Authorization": f"Bearer {token}"}))
    facts = events[f"{event}.requested"].facts
    assert facts["application"] == "Microsoft Teams"
    assert facts["user"] == "v@x.test"
    assert facts["deviceid"] == "d-1"
    assert f"{event}.answered" in events


def test_skype_autodiscover_is_none_of_them() -> None:
    assert found(services.RULES, exchange(url=USER)) == {}


def test_a_services_error_is_read() -> None:
    body = {"error": {"code": "Authorization_RequestDenied", "message": "Insufficient privileges."}}
    facts = found(services.RULES, exchange(url="https://graph.microsoft.com/v1.0/users", status=403, body=body))[
        "graph.refused"
    ].facts  # fmt: skip
    assert (facts["error"], facts["text"]) == (
        "Authorization_RequestDenied",
        "Insufficient privileges.",
    )


def test_exchange_answers_200_with_an_error_inside() -> None:
    body = "<Autodiscover><Response><ErrorCode>InvalidUser</ErrorCode></Response></Autodiscover>"
    facts = found(services.RULES, exchange("POST", "https://x.test/autodiscover/autodiscover.svc", body=body))[
        "exchange.autodiscover.answered"
    ].facts  # fmt: skip
    assert "InvalidUser" in str(facts["problem"])


def test_applications_of_todays_phones() -> None:
    # C.1 of the reference.
    assert (
        directory.application("9ba1a5c7-f17a-4de9-a1f1-6178c8d51223")
        == "Microsoft Intune Company Portal"
    )
    assert (
        directory.application("29D9ED98-A469-4536-ADE2-F981BC1D605E")
        == "Microsoft Authentication Broker"
    )
    assert directory.application("a850aaae-d5a5-4e82-877c-ce54ff916282") is not None
    assert directory.application("11111111-1111-1111-1111-111111111111") is None


def test_resources_are_known_however_they_are_written() -> None:
    assert directory.resource_of("HTTPS://Graph.Microsoft.com/") == "Microsoft Graph"
    assert directory.resource_of("https://nowhere.test") is None


def test_where_a_hybrid_server_wants_its_token_from() -> None:
    """Hybrid modern authentication: the Bearer challenge of Skype for Business Server."""
    challenge = ('Bearer trusted_issuers="00000001-0000-0000-c000-000000000000@x.test", client_id="00000004-0000-0ff1-ce00-000000000000", '
                 'authorization_uri="https://login.windows.net/common/oauth2/authorize"')  # fmt: skip
    pair = exchange(url=USER, status=401, response_headers={"WWW-Authenticate": challenge, "X-MS-WebTicketURL":
                    "https://pool.test/WebTicket/WebTicketService.svc"})  # fmt: skip
    facts = found(lync.RULES, pair)["autodiscover.challenged"].facts
    assert facts["token_host"] == "login.windows.net"
    assert facts["trusted_issuers"] == "00000001-0000-0000-c000-000000000000@x.test"
    assert facts["ticket_host"] == "pool.test"

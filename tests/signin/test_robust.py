"""Whatever comes: rules raise nothing, name only events of the catalogue, and leak nothing."""

from __future__ import annotations

import base64
import re
import zlib
from pathlib import Path
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dissect.signin
from dissect.model import Secret
from dissect.redaction.book import SecretBook
from dissect.redaction.kinds import KINDS
from dissect.signin import saml
from dissect.signin.catalogue import EVENTS
from dissect.signin.redirect_chain import follow_redirects
from tests.signin import build
from tests.signin.build import exchange, play

SOURCE = Path(dissect.signin.__file__).parent

PATHS = (
    "/common/oauth2/token", "/common/oauth2/devicecode", "/common/oauth2/v2.0/authorize",
    "/common/GetCredentialType", "/GetUserRealm.srf?login=a@x.test&xml=1", "/adfs/ls/?wa=wsignin1.0",
    "/adfs/services/trust/13/usernamemixed", "/RST2.srf", "/login.srf", "/acs?SAMLResponse=PHg%2B",
    "/x?SAMLRequest=%3Cx", "/WebTicket/WebTicketService.svc", "/CertProv/CertProvisioningService.svc",
    "/CertProv/CertProvisioningService.svc/mex", "/autodiscover/autodiscoverservice.svc/root",
    "/autodiscover/autodiscover.xml", "/EnrollmentServer/Discovery.svc", "/.well-known/openid-configuration",
    "/common/oauth2/deviceauth", "/FederationMetadata/2007-06/FederationMetadata.xml", "/%",
)  # fmt: skip
PIECES = (
    "<html>", "<form method=post action='", "<input type=hidden name=wresult value='&lt;a", "'>", "</form>",
    "submit()", '{"access_token": "', '"error": "', '"error_codes": [', "AADSTS50126: no", "MSIS7042",
    "<s:Envelope xmlns:s='u'>", "<s:Fault>", "<RequestedSecurityToken>", "<Assertion AssertionID='_1234567890abcdef'>",
    "<Conditions NotOnOrAfter='x' NotBefore='2026'/>", "<StatusCode Value='", "<NameID>", "</x>", "location='", "\\u00",
    "<ErrorInfo>", "GetAndPublishCert", "ArtifactResolve", "Activity ID:", "1e999", "NaN", "\x00", "\\ud83d", '"}', "]]>",
    "<meta http-equiv=refresh content='0;url=", "https://[", "http://a.test:x/", "eyJhbGciOiJub25lIn0.e30.",
)  # fmt: skip
TEXT = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=12)), max_size=12).map("".join)
VALUES = st.one_of(TEXT, st.sampled_from(["password", "device_code", "client_credentials", "code"]))
FORMS = st.dictionaries(
    st.sampled_from(
        ["grant_type", "code", "device_code", "assertion", "username", "password", "login", "passwd",
         "otc", "wresult", "SAMLResponse", "SAMLRequest", "SAMLart", "state", "id_token", "error", "wa"]
    ),
    VALUES, max_size=5,
)  # fmt: skip
HEADERS = st.dictionaries(
    st.sampled_from(
        ["Authorization", "Cookie", "X-MS-WebTicket", "Content-Type", "SOAPAction", "Referer"]
    ),
    st.one_of(
        st.text(st.characters(exclude_characters="\r\n", exclude_categories=("Cs",)), max_size=30),
        st.sampled_from(
            ["Bearer a.b.c", "NTLM TlRMTVNTUAADAAAA", "Negotiate !", "application/json", "text/xml"]
        ),
    ),
    max_size=3,
)
ANSWERS = st.dictionaries(
    st.sampled_from(
        ["Location", "Content-Type", "WWW-Authenticate", "X-MS-WebTicketURL", "Date", "Age", "Refresh",
         "Set-Cookie", "X-Ms-diagnostics"]
    ),
    st.one_of(
        st.text(st.characters(exclude_characters="\r\n", exclude_categories=("Cs",)), max_size=30),
        st.sampled_from(
            ["https://a.test/?SAMLRequest=abc", "https://[::1/#id_token=x.y.z&state=1", "0; url=", "text/html",
             "Thu, 99 Foo 2026", "Thu, 01 Jan 0001 00:00:00 GMT", "application/json", "9" * 40]
        ),
    ),
    max_size=4,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(PATHS), st.sampled_from(["GET", "POST"]), FORMS, HEADERS, ANSWERS,
    st.sampled_from([None, 200, 302, 307, 400, 401, 404, 500]), TEXT, TEXT,
)  # fmt: skip
def test_any_exchange_is_read_without_an_error(
    path: str,
    method: str,
    form: dict[str, str],
    headers: dict[str, str],
    answer: dict[str, str],
    status: int | None,
    asked: str,
    body: str,
) -> None:
    pair = exchange(
        method, f"https://a.test{path}", form=form or None, headers=headers, status=status, body=body,
        request_body=asked, response_headers=answer, at=1,
    )  # fmt: skip
    book = SecretBook()
    for event in play(pair, book=book):
        assert event.name in EVENTS
        for fact in event.facts.values():
            assert not isinstance(fact, Secret) or fact.kind in KINDS
            book.show(fact)
    for hop in follow_redirects([pair]):
        assert all(isinstance(word, str) for word in [*hop.why, *hop.cookies])


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_as_a_saml_message(data: bytes, packed: bool) -> None:
    packer = zlib.compressobj(wbits=-15)
    raw = packer.compress(data) + packer.flush() if packed else data
    value = base64.b64encode(raw).decode()
    assert isinstance(saml.read("samlresponse", value, "post", 0), dict)
    assert isinstance(saml.read("samlrequest", value[:-3], "redirect", 0), dict)


def test_every_event_that_code_names_is_in_the_catalogue_and_the_other_way_round() -> None:
    code = "\n".join(
        path.read_text("utf-8") for path in SOURCE.glob("*.py") if path.stem != "catalogue"
    )
    named = set(re.findall(r'"([a-z]+\.[a-z_.]+[a-z])"', code))
    services = re.findall(r'event = "([^"]+)"', (SOURCE / "services.toml").read_text("utf-8"))
    for service in services:
        named |= {f"{service}.{end}" for end in ("requested", "answered", "refused")}
    named |= {"tcp.refused", "tcp.timeout"}  # made of the outcome's own word
    assert set(EVENTS) - named == set()
    rules = set(re.findall(r'(?:sent|got|FoundSip)\(\s*"([a-z._]+)"', code))
    assert rules - set(EVENTS) == set()


SECRETS = {
    "password": "pw-of-vera-42!", "code": "0.AXYA-code-value-1", "state": "state-value-123",
    "wctx": "estsrequest=rQIIAbc123def456", "client_secret": "cs~value.of.secret1",
}  # fmt: skip


@pytest.mark.parametrize(
    "pair",
    [
        exchange("POST", "https://l.test/t/oauth2/token", form={"grant_type": "password", "username": "u@x.test", **SECRETS}),
        exchange(url="https://l.test/cb?" + urlencode(SECRETS)),
        exchange(url="https://l.test/a", status=302, response_headers={"Location": "https://b.test/cb#" + "&".join(f"{k}={v}" for k, v in SECRETS.items())}),
        exchange(url="https://l.test/a", body="<form action='https://b.test/' method=post>" + "".join(f"<input type=hidden name={k} value='{v}'>" for k, v in SECRETS.items()) + "</form>submit"),
        exchange("POST", "https://l.test/a", headers={"Content-Type": "application/json"}, request_body=str(SECRETS).replace("'", '"')),
    ],
    ids=["form", "query", "fragment", "page", "json"],
)  # fmt: skip
def test_secrets_of_every_place_are_masked(pair: object) -> None:
    book = SecretBook()
    events = play(pair, book=book)  # type: ignore[arg-type]
    shown = " ".join(book.show(fact) for event in events for fact in event.facts.values())
    shown += book.show(f"free text with {' '.join(SECRETS.values())}")
    for value in SECRETS.values():
        assert value not in shown


def test_blobs_of_a_challenge_are_secret() -> None:
    blob = base64.b64encode(b"NTLMSSP\0\2" + b"challenge" * 4).decode()
    book = SecretBook()
    play(
        exchange(status=401, response_headers={"WWW-Authenticate": f"NTLM {blob}"}),
        book=book,
    )
    assert blob not in book.show(f"see {blob}")


def test_skype_tokens_and_jwt_in_odd_fields_are_secret() -> None:
    token = build.jwt({"skypeid": "x"})
    book = SecretBook()
    pair = exchange(
        url="https://api.spaces.skype.com/x", headers={"Authentication": f"skypetoken={token}", "X-Skypetoken": token}
    )  # fmt: skip
    play(pair, book=book)
    assert token not in book.show(f"see {token}")


def test_a_secret_in_a_script_is_known_without_its_escapes() -> None:
    book = SecretBook()
    page = '<html><script>$Config={"sFT":"AQAB\\u002d\\/abc123xyz\\x2fé","a":"\\q"}</script></html>'
    play(exchange(body=page), book=book)
    assert "abc123xyz" not in book.show("see AQAB-/abc123xyz/é")


def test_half_a_surrogate_pair_in_a_secret() -> None:
    book = SecretBook()
    for body in (
        '{"access_token": "abcdefgh\\ud83d"}',
        '<script>{"sFT":"xyzxyzxy\\ud83d"}</script>',
    ):
        play(exchange(body=body, response_headers={"Content-Type": "text/html"}), book=book)
    assert book.show("free text to scrub") == "free text to scrub"


def test_half_a_surrogate_pair_in_a_fact_can_be_written() -> None:
    body = {"error": "invalid_grant", "error_description": "no \ud83d and \U0001f600"}
    form = {"grant_type": "refresh_token", "refresh_token": "R"}
    events = play(exchange("POST", "https://l.test/token", form=form, status=400, body=body))
    shown = str([fact for event in events for fact in event.facts.values()])
    assert shown.encode("utf-8")
    json_text = exchange(body=body).response_json["error_description"]
    assert json_text == "no \ufffd and \U0001f600"

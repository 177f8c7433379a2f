"""What is shown of values by name, place and form; expectations from the issue and the RFCs."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissect.model import UNKNOWN, Body, Headers, Opaque, Secret, Text
from dissect.redaction import harmless, kinds
from dissect.redaction.policy import Policy

WORD = "Zander48gruen"


def url(target: str, *shown_names: str) -> str:
    return str(Policy(shown_names=shown_names).url(target))


def body(content: str, kind: str, posted: bool = True, policy: Policy | None = None) -> str:
    data = content.encode()
    shown, note = (policy or Policy()).body(Body(Opaque(data), len(data)), kind, posted)
    return str(shown) if shown is not None else note


def form(content: str, policy: Policy | None = None) -> str:
    return body(content, "application/x-www-form-urlencoded", policy=policy)


def test_unknown_names_are_shown_and_their_values_are_counted() -> None:
    assert url(f"/a?colour={WORD}") == "/a?colour=‹value, 13 characters›"
    assert url("/a?colour=x") == "/a?colour=‹value, 1 character›"


@pytest.mark.parametrize(
    "query",
    ["wa=wsignin1.0", "grant_type=device_code", "x=200", "x=true", "x=de-DE", "x=host.example",
     "x=192.0.2.1:5061", "x=text/html", "x=2026-01-01T00:00:00Z", "client_id=abc-def", "x=1.2.3",
     "error=odd_thing", "login_hint=vera@corp.example", "x=urn:oasis:names:tc:SAML:2.0:ac:classes:X509",
     "correlationId=7f1c4e2a-0000-4000-8000-1234567890ab", "pageSize=4000", "x=https://a.test/b/c",
     "scope=https%3A%2F%2Fgraph.example%2FUser.Read+openid+offline_access",
     "scope=openid+https://a.example/x%20https://b.example/y.z", "scope=api://7f1c/read openid"],
)  # fmt: skip
def test_what_is_harmless_stays(query: str) -> None:
    assert url("/a?" + query) == "/a?" + query


@pytest.mark.parametrize(
    "query",
    [f"scope=https://a.example/b+{WORD}9xk40sLm2",
     "redirect_uri=https://a.example/b+Tulip.Garden79", "x=1234", "x=correct", "x=Tulip.Garden79", "privateKey=de-DE", "pinCode=200", "x=7f1c4e2a-0000-4000-8000-1234567890ab",
     "x-amz-signature=abc", "myApiKey=true-or-not"],
)  # fmt: skip
def test_what_is_not_does_not(query: str) -> None:
    name, _, value = query.partition("=")
    assert value not in url("/a?" + query).replace(name, "")


@pytest.mark.parametrize(
    "name",
    ["pass", "pf.pass", "j_pass", "passCode", "credentials.passcode", "answer", "kennwort", "zugangswort",
     "mfaCode", "VerificationCode", "smscode", "callbacks[0].input[0].value", "q", "ctl00$Main$txtPw"],
)  # fmt: skip
@pytest.mark.parametrize("user", ["username", "email", "j_username", "user[login]", "benutzername"])
def test_what_stands_beside_a_user_name_is_a_credential(name: str, user: str) -> None:
    policy = Policy()
    shown = form(f"{user}=vera&{quote(name)}={WORD}&kmsi=on&lang=en", policy)
    assert WORD not in shown
    assert f"{user} = vera" in shown
    assert f"{name} = ‹" in shown
    assert "kmsi = on\nlang = en" in shown
    content = f"{user}=vera&{quote(name)}={WORD}"
    found = policy.secrets_of_body(
        Body(Opaque(content.encode())), "application/x-www-form-urlencoded", True
    )
    assert [secret.value for secret in found] == [WORD]
    assert found[0].kind in ("password", "one_time_code")


def test_a_form_with_a_password_field_says_what_was_typed() -> None:
    """Also a value that looks like a host, a date or a number, and one without a user name."""
    page = (
        "<form action=/in><input name=kundennr><input type=password name=wort><input name=frage>"
        "<input type=hidden name=ablauf value=s1></form>"
    )
    policy = Policy()
    policy.secrets_of_body(Body(Opaque(page.encode())), "text/html", False)
    shown = form("kundennr=4711&wort=mein.example&frage=2001-02-03&ablauf=s1s2", policy)
    assert shown == (
        "kundennr = 4711\nwort = ‹password›\nfrage = ‹one_time_code›\nablauf = ‹value, 4 characters›"
    )
    assert form("wort=123", policy) == "wort = ‹password›"


def test_a_description_in_json_says_it_too() -> None:
    policy = Policy()
    served = {"fields": [{"name": "eingabe", "secret": True}, {"name": "sprache"}]}
    policy.secrets_of_body(Body(Opaque(json.dumps(served).encode())), "application/json", False)
    assert '"eingabe": "‹password›"' in body(
        '{"x": {"eingabe": "abc"}}', "application/json", policy=policy
    )


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ({"name": "password", "value": WORD}, '"value": "‹password›"'),
        ({"key": "colour", "value": WORD}, '"value": "‹value, 13 characters›"'),
        ({"password": {"old": WORD, "ok": True}}, '"old": "‹password›",\n    "ok": true'),
        ({"privateKey": [WORD]}, '"privateKey": [\n    "‹private_key›"'),
        ({"code": "ResourceNotFound", "message": "No such thing"}, '"code": "ResourceNotFound"'),
        ({"pin": 1234, "count": 12, "big": 1234567}, '"pin": ‹password›,\n  "count": 12,\n  "big": ‹value'),
        ({"error_description": f"Wrong. password={WORD}"}, "Wrong. password=‹password›"),
        ({"message": json.dumps({"a": WORD})}, '"message": "‹value'),
        ({"type": "PasswordCallback", "input": [{"name": "IDToken2", "value": WORD}]}, "‹password›"),
    ],
)  # fmt: skip
def test_json(content: object, wanted: str) -> None:
    shown = body(json.dumps(content), "application/json", posted=False)
    assert wanted in shown
    assert WORD not in shown


@pytest.mark.parametrize(
    "content",
    [
        f"<a><pass>{WORD}</pass></a>",
        f'<a><add key="password" value="{WORD}"/></a>',
        f'<a><add key="colour" value="{WORD}"/></a>',
        f"<a><entry><key>password</key><value>{WORD}</value></entry></a>",
        f"<a><string name='pw'>{WORD}</string><x><![CDATA[<pw>{WORD}</pw>]]></x></a>",
        f"<a><password><alt>{WORD}</alt></password><b c='{WORD}'/></a>",
        f"<a><faultstring>&lt;pw&gt;{WORD}&lt;/pw&gt;</faultstring></a>",
    ],
)  # fmt: skip
def test_xml(content: str) -> None:
    shown = body(content, "text/xml", posted=False)
    assert WORD not in shown
    assert "‹" in shown


def layered(depth: int) -> list[str]:
    """A password, encoded so many times in each way."""
    plain = f"password={WORD}"
    found = []
    for encode in (
        lambda text: quote(text, safe=""),
        lambda text: base64.b64encode(text.encode()).decode(),
    ):
        text = plain
        for _ in range(depth):
            text = encode(text)
        found.append(text)
    return found


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_secret_inside_of_a_value_is_hidden_and_known(depth: int) -> None:
    for value in layered(depth):
        for name in ("colour", "redirect_uri", "error_description"):
            policy = Policy()
            content = f"{name}={quote(value)}"
            assert value not in form(content, policy)
            if name == "colour":
                met = policy.secrets_of_body(
                    Body(Opaque(content.encode())), "application/x-www-form-urlencoded", True
                )
                assert WORD in [secret.value for secret in met]


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("Authorization", WORD, "‹authorization›"),
        ("Authorization", f"geheim {WORD}", "‹authorization›"),
        ("Authorization", f"Bearer {WORD}", "Bearer ‹bearer_token›"),
        ("Ocp-Apim-Subscription-Key", "werk-sued", "‹api_key›"),
        ("X-Colour", WORD, "‹value, 13 characters›"),
        ("X-Colour", f"max=5; hue={WORD}", "max=5; hue=‹value, 13 characters›"),
        ("Sec-WebSocket-Protocol", f"access_token, {WORD}", "access_token, ‹bearer_token›"),
        ("Sec-WebSocket-Protocol", f"base64url.bearer.authorization.k8s.io.{WORD}", "‹bearer_token›"),
        ("Sec-WebSocket-Protocol", "sip", "sip"),
        ("Set-Cookie", f"a=b; Path=/x; hue={WORD}", "a=‹cookie›; Path=/x; hue=‹value, 13 characters›"),
        ("Cache-Control", f'private, max-age=0, hue="{WORD}"',
         'private, max-age=0, hue="‹value, 13 characters›"'),
        ("Accept", "text/html,application/xml;q=0.9,*/*;q=0.8", "text/html,application/xml;q=0.9,*/*;q=0.8"),
        ("Via", f"1.1 h.example ({WORD})", "1.1 h.example ‹value, 15 characters›"),
        ("Location", f"/a?{WORD}", "/a?‹value, 13 characters›"),
        ("Location", f"/a;{WORD}/b#{WORD}", "/a;‹value, 13 characters›/b#‹value, 13 characters›"),
        ("Location", "/a.svc?wsdl", "/a.svc?wsdl"),
        ("X-Original-URL", WORD, "‹value, 13 characters›"),
        ("ETag", f'"{WORD}"', "‹value, 15 characters›"),
        ("X-Ms-Diagnostics", f'1;reason="No.";hue={WORD}', '1;reason="No.";hue=‹value, 13 characters›'),
        ("X-Ms-Request-Id", "1f-2f", "1f-2f"),
        ("X-Ms-Diagnostics", f'28000;reason="No. token={WORD}"', '28000;reason="No. token=‹token›"'),
    ],
)  # fmt: skip
def test_header_fields(name: str, value: str, wanted: str) -> None:
    assert str(Policy().header(name, value)) == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (f"<sip:v@h.test;pn-provider=acme;pn-prid={WORD}>;expires=60",
         "<sip:v@h.test;pn-provider=acme;pn-prid=‹push_id›>;expires=60"),
        (f'"Vera" <sip:v:{WORD}@h.test>;tag=a1;hue="{WORD}"',
         '"Vera" <sip:v:‹password›@h.test>;tag=a1;hue="‹value, 13 characters›"'),
        ('<sip:v@h.test;opaque=user:epid:AbC;gruu>;+sip.instance="<urn:uuid:1-2>"',
         '<sip:v@h.test;opaque=user:epid:AbC;gruu>;+sip.instance="<urn:uuid:1-2>"'),
        (f"<sip:v@h.test?X-Hue={WORD}>", "<sip:v@h.test?X-Hue=‹value, 13 characters›>"),
    ],
)  # fmt: skip
def test_sip_addresses(value: str, wanted: str) -> None:
    assert str(Policy().header("Contact", value, sip_message=True)) == wanted


@pytest.mark.parametrize("place", ["43", "43.1", "43.2", "43.3", "66", "125", "156", "160", "242"])
def test_dhcp_options(place: str) -> None:
    policy = Policy()
    for value in (WORD, f"user:{WORD}@h.test", f"http://u:{WORD}@h.test/", f"A=1.2.3.4,B={WORD}"):
        assert WORD not in str(policy.option(place, value.encode()))
    assert str(policy.option("160", b"https://cfg.example/a")) == "https://cfg.example/a"
    assert str(policy.option("66", b"tftp1")) == "tftp1"
    assert str(policy.option("43.1", b"MS-UC-Client")) == "MS-UC-Client"


def test_dns_texts() -> None:
    policy = Policy()
    assert policy.answer("TXT", '"v=spf1 -all"') == '"v=spf1 -all"'
    assert str(policy.answer("TXT", f'"hue={WORD}"')) == '"hue=‹value, 13 characters›"'
    assert policy.answer("SRV", "1 2 3 a.test") == "1 2 3 a.test"


def test_of_a_page_title_headings_and_errors_are_quoted() -> None:
    page = (
        "<html><title>Sign in</title><h1>Welcome</h1><p>Your pet is Rex</p>"
        "<div role=alert>Wrong name</div><span class='field-validation-error'>Too short</span>"
        f"<input type=password name=a value={WORD}></html>"
    )
    shown = body(page, "text/html", posted=False)
    assert shown == "The page says: Sign in / Welcome / Wrong name / Too short"


def test_session_descriptions() -> None:
    content = f"v=0\r\ns=-\r\na=rtpmap:0 PCMU/8000\r\na=crypto:1 A inline:{WORD}\r\na=hue:{WORD}\r\nk=clear:{WORD}\r\n"
    assert body(content, "application/sdp") == (
        "v=0\ns=-\na=rtpmap:0 PCMU/8000\na=crypto:‹token›\na=hue:‹value, 13 characters›\nk=‹token›\n"
    )


def test_a_name_is_opened_in_every_place() -> None:
    assert (
        url(f"/a?Colour={WORD}&hue={WORD}", "colour")
        == f"/a?Colour={WORD}&hue=‹value, 13 characters›"
    )
    policy = Policy(shown_names=["x-colour", "colour"])
    assert str(policy.header("X-Colour", WORD)) == WORD
    assert body(f'{{"colour": "{WORD}"}}', "application/json", policy=policy).count(WORD) == 1
    assert policy.kept == []


@pytest.mark.parametrize(
    "name", ["password", "access_token", "passCode", "Ocp-Apim-Subscription-Key"]
)
def test_a_known_kind_of_secret_is_never_opened(name: str) -> None:
    policy = Policy(shown_names=[name])
    assert WORD not in str(policy.url(f"/a?{name}={WORD}"))
    assert WORD not in str(policy.header(name, WORD))
    assert policy.kept == [name.lower()]


def test_what_was_typed_is_never_opened() -> None:
    policy = Policy(shown_names=["frage"])
    assert form(f"username=vera&frage={WORD}", policy) == "username = vera\nfrage = ‹password›"
    assert policy.kept == ["frage"]


def test_hidden_values_have_no_number_and_reveal_shows_them() -> None:
    secret = Secret(UNKNOWN, WORD)
    policy = Policy()
    policy.book.learn(secret, 0, 1)
    assert policy.show(secret) == "‹value, 13 characters›"
    assert list(policy.book.known()) == []
    assert Policy(reveal=True).show(Text(("a=", secret))) == f"a={WORD}"


def test_no_harmless_name_is_a_secrets_name() -> None:
    for place, names in harmless.NAMES.items():
        assert [name for name in names if name in kinds.NAMES and name != "response"] == [], place


@given(st.text(max_size=60))
def test_header_values_add_up(value: str) -> None:
    """What is shown and what is hidden is the value: exports find its bytes by that."""
    for name in ("X-Colour", "Contact", "Via", "Sec-WebSocket-Protocol", "Warning"):
        parts = Policy().header(name, value, sip_message=True).parts
        joined = "".join(p.wire or p.value if isinstance(p, Secret) else p for p in parts)
        assert joined == value or "://" in value


@given(st.text(max_size=80))
def test_anything_is_read(value: str) -> None:
    policy = Policy()
    headers = Headers.of(
        [(b"X-" + value.encode("utf-8", "replace"), value.encode("utf-8", "replace"))]
    )
    assert len(list(policy.fields(headers))) == 1
    for kind in ("application/json", "text/xml", "text/html", "application/x-www-form-urlencoded",
                 "application/sdp", "multipart/form-data; boundary=a"):  # fmt: skip
        body(value, kind)
        policy.secrets_of_body(Body(Opaque(value.encode("utf-8", "replace"))), kind, True)
    policy.option("43", value.encode("utf-8", "replace"))
    policy.answer("TXT", value)
    policy.fact("text", value)


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("Forwarded", "for=192.0.2.9;proto=https;word", "for=192.0.2.9;proto=https;‹value, 4 characters›"),
        ("Set-Cookie", "a=1; HttpOnly; word", "a=‹cookie›; HttpOnly;‹value, 5 characters›"),
        ("Content-Type", "text/plain;word", "text/plain;‹value, 4 characters›"),
        ("Strict-Transport-Security", "max-age=1; preload", "max-age=1; preload"),
        ("ETag", "W/", "‹value, 2 characters›"),
    ],
)  # fmt: skip
def test_the_rest_of_a_value_is_no_parameter(name: str, value: str, shown: str) -> None:
    """A semicolon may stand in a value that was not quoted (HTML's entities end with one)."""
    assert "".join(map(str, Policy().header(name, value).parts)) == shown


def test_a_flag_of_sip_is_shown_and_no_other_word() -> None:
    shown = Policy().header("Contact", "<sip:a@b.test>;lr;+sip.ice;word", True)
    assert "".join(map(str, shown.parts)) == "<sip:a@b.test>;lr;+sip.ice;‹value, 4 characters›"


@pytest.mark.parametrize("value", [b"c2VjcmV0IHdvcmQ=", b"cGFzc3dvcmQxMjM0IQ=="])
def test_base64_with_its_padding_is_no_name_with_an_empty_value(value: bytes) -> None:
    shown = Policy().option("242", value)
    assert str(shown) == f"‹value, {len(value)} characters›"

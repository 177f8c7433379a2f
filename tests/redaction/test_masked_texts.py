"""Header fields and bodies: what is shown of them, and what never is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissect.model import Body, Opaque, Secret, Text
from dissect.redaction import shown_bodies
from dissect.redaction.judge import Judge
from dissect.redaction.policy import Policy

TOKEN = "0.AXkAq3yT8wZ1mVb5Kd0sLf7uNcR9hPgJxEo2iWnMtQaBzYeUvSd4"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJlLXZhbHVl"


def shown(found: Text | None) -> str:
    assert found is not None
    return str(found)


def body(content: str | bytes, kind: str) -> str:
    data = content if isinstance(content, bytes) else content.encode()
    return shown(Policy().body(Body(Opaque(data), len(data)), kind)[0])


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("Authorization", f"Bearer {JWT}", "Bearer ‹bearer_token›"),
        ("Authorization", "Basic dXNlcjpwYXNz", "Basic ‹basic_credentials›"),
        ("Authorization", "Basic dXNlcjpwYXN=", "Basic ‹basic_credentials›"),
        ("Proxy-Authorization", "Basic dXNlcjpwYX==", "Basic ‹basic_credentials›"),
        ("Authorization", "NTLM TlRMTVNTUAADAAAA", "NTLM ‹authorization›"),
        (
            "Authorization",
            'TLS-DSK qop="auth", realm="SIP Service", opaque="A1B2C3D4", targetname="fe.test", '
            'gssapi-data="FgMBAAEC", version=4',
            'TLS-DSK qop="auth", realm="SIP Service", opaque="‹opaque›", targetname="fe.test", '
            'gssapi-data="‹gssapi_data›", version=4',
        ),
        ("Proxy-Authorization", 'Digest username="u", response="abcd"',
         'Digest username="u", response="‹sip_response›"'),
        ("WWW-Authenticate", 'Bearer realm="", trusted_issuers="00000001@*", client_id="7"',
         'Bearer realm="", trusted_issuers="00000001@*", client_id="7"'),
        ("Cookie", "a=1; ESTSAUTH=xyz; lone", "a=‹cookie›; ESTSAUTH=‹cookie›; ‹cookie›"),
        ("Set-Cookie", "MSISAuth=AAAA; path=/adfs; HttpOnly", "MSISAuth=‹cookie›; path=/adfs; HttpOnly"),
        ("Location", f"https://u:p@h.test/a?code={TOKEN}&x=1#id_token=abc",
         "https://‹basic_credentials›@h.test/a?code=‹code›&x=1#id_token=‹id_token›"),
        ("X-Api-Key", "k1", "‹api_key›"),
        ("X-MS-WebTicket", "opaque=abc", "‹web_ticket›"),
        ("X-Custom", f"fine {TOKEN} fine", f"‹value, {len(TOKEN) + 10} characters›"),
        ("Warning", f"199 h.test \"fine {TOKEN} fine\"", "199 h.test \"fine ‹opaque_value› fine\""),
        ("X-Custom", f"token={TOKEN}; level=3", "token=‹token›; level=3"),
        ("Contact", "<sip:bob:hunter2@h.test>;expires=3600", "<sip:bob:‹password›@h.test>;expires=3600"),
        ("Call-ID", "8e5a2f9bZkQw1c7dR4tY@10.0.0.1", "8e5a2f9bZkQw1c7dR4tY@10.0.0.1"),
        ("Content-Type", "text/html; charset=utf-8", "text/html; charset=utf-8"),
    ],
)  # fmt: skip
def test_header_fields(name: str, value: str, wanted: str) -> None:
    assert str(Policy().header(name, value, sip_message=True)) == wanted


@pytest.mark.parametrize(
    ("content", "kind", "wanted"),
    [
        ("username=u%40x.test&Password=hunter2&kmsi=on", "application/x-www-form-urlencoded",
         "username = u@x.test\nPassword = ‹password›\nkmsi = on"),
        ('{"access_token": "abc", "expires_in": 3599, "pin": 1234, "ok": true, "x": [null, "a"]}',
         "application/json",
         '{\n  "access_token": "‹access_token›",\n  "expires_in": 3599,\n  "pin": ‹password›,\n'
         '  "ok": true,\n  "x": [\n    null,\n    "‹value, 1 character›"\n  ]\n}'),
        ('{"error": "invalid_grant", "url": "https://h.test/?code=abc"}', "text/plain",
         '{\n  "error": "invalid_grant",\n  "url": "https://h.test/?code=‹code›"\n}'),
        ('<s:Envelope xmlns:s="u"><o:Password Type="t">hunter2</o:Password><a ID="_0123456789abcdef">'
         "<b/>text</a></s:Envelope>".replace("o:", ""), "application/soap+xml",
         '<Envelope>\n  <Password Type="t">‹password›</Password>\n  <a ID="‹web_ticket›">\n    <b/>\n  </a>\n'
         "</Envelope>\n"),
        ("<html><title>Sign in</title>\n<script>var sFT='abc'</script><p>Your pet is called Rex</p>"
         '<form action="/p?ctx=abc"><input name="flowToken" value="AQAB"><input name="lang" value="en">'
         "</form></html>", "text/html",
         "The page says: Sign in\n\nForm posting to /p?ctx=‹flow_token›\n"
         "  flowtoken = ‹flow_token›\n  lang = en"),
        ("v=0\na=crypto:1 AES inline:abc\nm=audio 1 RTP/AVP 0\n", "application/sdp",
         "v=0\na=crypto:‹token›\nm=audio 1 RTP/AVP 0\n"),
    ],
)  # fmt: skip
def test_bodies(content: str, kind: str, wanted: str) -> None:
    assert body(content, kind) == wanted


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"secret stuff", "text/plain"),
        (b"\x89PNG\r\n", "image/png"),
        (b"var token='abc'", "application/javascript"),
        (b'{"access_token": "abc', "application/json"),
        (b"<a><Password>x</a>", "text/xml"),
        (b"whatever", ""),
    ],
)
def test_what_is_not_understood_is_not_shown(content: bytes, kind: str) -> None:
    found, note = Policy().body(Body(Opaque(content), len(content)), kind)
    assert found is None
    assert f"{len(content)} bytes" in note
    assert "not shown" in note


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
))  # fmt: skip
@settings(max_examples=150)
def test_json_keeps_its_meaning(value: object) -> None:
    """Where nothing is secret the rewritten JSON is the same value."""
    content = json.dumps(value)
    if content[:1] not in "{[":
        return
    found, _ = Policy().body(Body(Opaque(content.encode()), len(content)), "application/json")
    if found is not None and not any(isinstance(part, Secret) for part in found.parts):
        assert json.loads(str(found)) == value


@given(st.text(max_size=200))
@settings(max_examples=200)
def test_words_keep_what_they_show(value: str) -> None:
    parts = list(Judge().words(value))
    assert "".join(p.value if isinstance(p, Secret) else p for p in parts) == value or any(
        isinstance(p, Secret) and p.wire for p in parts
    )
    assert str(Text(tuple(parts))) is not None


@pytest.mark.parametrize(
    "value",
    [JWT, f"x {TOKEN} y", f"a={TOKEN}", f"https://h.test/p?code={TOKEN}", f'"password": "{TOKEN}"',
     f"https://h.test/#{TOKEN}"],
)  # fmt: skip
def test_tokens_in_free_text(value: str) -> None:
    found = str(Policy().words(value))
    assert TOKEN[3:] not in found
    assert JWT[3:] not in found


def test_long_bodies_are_cut() -> None:
    content = json.dumps({"list": ["word"] * 5000})
    found, note = Policy().body(Body(Opaque(content.encode()), len(content)), "application/json")
    assert len(shown(found)) <= shown_bodies.MAX_SHOWN
    assert "only its beginning" in note

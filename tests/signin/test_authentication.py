"""Legs of HTTP and SIP authentication; tokens are those of RFC 4559, [MS-NLMP] and RFC 4178."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissect.model import Headers
from dissect.signin.authentication import SignedIn, leg, legs, parse, schemes
from tests.protocols.drive import CONNECTION


def ntlm(kind: int) -> str:
    return base64.b64encode(b"NTLMSSP\0" + kind.to_bytes(4, "little") + bytes(20)).decode()


KRB5 = bytes.fromhex("06092a864886f712010202")
# [APPLICATION 0] { SPNEGO, negTokenInit { mechTypes { MS-KRB5, KRB5, NTLM }, mechToken } }.
SPNEGO_KERBEROS = base64.b64encode(
    bytes.fromhex("6082010006062b0601050502a08200f03081eda02e302c")
    + bytes.fromhex("06092a864882f712010202")
    + KRB5
    + bytes.fromhex("060a2b06010401823702020aa28200b90482")
    + bytes.fromhex("6081b5")
    + KRB5
    + b"\x01\x00"
    + bytes(40)
).decode()
SPNEGO_NTLM = base64.b64encode(
    bytes.fromhex("604806062b0601050502a03e303ca00e300c060a2b06010401823702020aa22a0428")
    + b"NTLMSSP\0\x01\0\0\0"
    + bytes(28)
).decode()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("WWW-Authenticate", "Negotiate, NTLM", ["Negotiate offer", "NTLM offer"]),
        ("WWW-Authenticate", "Negotiate", ["Negotiate offer"]),
        ("Authorization", f"NTLM {ntlm(1)}", ["NTLM negotiate"]),
        ("WWW-Authenticate", f"NTLM {ntlm(2)}", ["NTLM challenge"]),
        ("Authorization", f"NTLM {ntlm(3)}", ["NTLM authenticate"]),
        ("Proxy-Authorization", f"Negotiate {SPNEGO_NTLM}", ["Negotiate NTLM negotiate"]),
        ("Authorization", f"Negotiate {SPNEGO_KERBEROS}", ["Negotiate Kerberos authenticate"]),
        ("WWW-Authenticate", "Negotiate oRQwEqADCgEB", ["Negotiate challenge"]),
        ("Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", ["Basic credentials"]),
        # RFC 9110 §11.6.1's own example: two challenges in one field.
        (
            "WWW-Authenticate",
            'Basic realm="simple", Newauth realm="apps", type=1, title="Login to \\"apps\\""',
            ["Basic offer", "Newauth offer"],
        ),
        # RFC 2617 §3.5.
        (
            "WWW-Authenticate",
            'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd9", opaque="5ccc"',
            ["Digest offer"],
        ),
        (
            "Authorization",
            'Digest username="Mufasa", realm="x", uri="/dir/index.html", qop=auth, response="66"',
            ["Digest response"],
        ),
        (
            "WWW-Authenticate",
            'Digest realm="a", nonce="b", stale=true',
            ["Digest offer (stale nonce)"],
        ),
        ("Authorization", f'NTLM qop="auth", gssapi-data="{ntlm(3)}"', ["NTLM authenticate"]),
        ("Authorization", 'NTLM qop="auth", crand="1", response="0100000062"', ["NTLM signature"]),
        ("Authorization", 'NTLM qop="auth", realm="SIP", gssapi-data=""', ["NTLM open"]),
        ("WWW-Authenticate", 'TLS-DSK realm="SIP", sts-uri="https://p/C"', ["TLS-DSK offer"]),
    ],
)
def test_legs(name: str, value: str, expected: list[str]) -> None:
    headers = Headers.of([(name.encode(), value.encode())])
    assert [str(item) for item in legs(headers)] == expected


def test_tls_dsk_names_what_it_carries() -> None:
    value = b'TLS-DSK qop="auth", gssapi-data="FgMB"'
    headers = Headers.of([(b"Authorization", value)])
    assert [str(item) for item in legs(headers, ("client_hello",))] == [
        "TLS-DSK handshake (client_hello)"
    ]


def test_three_schemes_of_a_registrar_are_all_kept() -> None:
    """KimiNewt/pyshark#154: a repeated header."""
    headers = Headers.of(
        [
            (b"WWW-Authenticate", name + b' realm="SIP"')
            for name in (b"NTLM", b"Kerberos", b"TLS-DSK")
        ]
    )
    assert schemes(legs(headers)) == ["NTLM", "Kerberos", "TLS-DSK"]


def test_ntlm_signs_a_connection_in_until_it_is_refused() -> None:
    def asked(value: str) -> tuple[object, ...]:
        return legs(Headers.of([(b"Authorization", value.encode())] if value else []))

    signed = SignedIn()
    seen = [
        [str(item) for item in signed.exchange(CONNECTION, asked(value), status)]  # type: ignore[arg-type]
        for value, status in (
            ("", 401),
            (f"NTLM {ntlm(1)}", 401),
            (f"NTLM {ntlm(3)}", 200),
            ("", 200),
            ("", 401),
            ("", 401),
        )
    ]
    assert seen == [[], [], [], ["NTLM by connection"], [], []]


def test_credentials_show_no_value() -> None:
    (item,) = parse("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    assert "QWxh" not in f"{item!r} {leg(item, False)}"


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=80), st.text(alphabet='aN=", \\\t;T', max_size=80)))
def test_any_text_raises_nothing(value: str) -> None:
    for challenge in (True, False):
        for item in parse(value):
            assert item.scheme
            leg(item, challenge)

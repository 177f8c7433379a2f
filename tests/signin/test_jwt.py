"""JSON Web Tokens: the examples of RFC 7519 §3.1 and §6.1 and RFC 7516 A.1, and damage."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissect.signin import jwt

SIGNED = (
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)
UNSECURED = (
    "eyJhbGciOiJub25lIn0."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
)
# The header of RFC 7516 A.1.1 before parts that need no meaning here.
ENCRYPTED = "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.a.b.c.d"
EXPIRES_NS = 1300819380 * 10**9


@pytest.mark.parametrize(("token", "algorithm"), [(SIGNED, "HS256"), (UNSECURED, "none")])
def test_examples_of_the_rfc(token: str, algorithm: str) -> None:
    assert jwt.claims(token) == {
        "iss": "joe", "exp": 1300819380, "http://example.com/is_root": True,
    }  # fmt: skip
    assert jwt.facts(token) == {"alg": algorithm, "iss": "joe", "exp": 1300819380}
    assert not jwt.encrypted(token)


def test_an_encrypted_token_says_only_that() -> None:
    assert jwt.encrypted(ENCRYPTED)
    assert jwt.claims(ENCRYPTED) == {}
    assert jwt.facts(ENCRYPTED, "id_") == {"id_token_form": "encrypted"}


def test_validity_allows_for_five_minutes() -> None:
    assert jwt.validity(SIGNED, EXPIRES_NS) is None
    assert jwt.validity(SIGNED, EXPIRES_NS + 299 * 10**9) is None
    assert jwt.validity(SIGNED, EXPIRES_NS + 302 * 10**9) == "expired"


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_raises_nothing(data: st.DataObject) -> None:
    token = list(data.draw(st.sampled_from([SIGNED, UNSECURED, ENCRYPTED])))
    for _ in range(data.draw(st.integers(1, 4))):
        token[data.draw(st.integers(0, len(token) - 1))] = data.draw(st.characters())
    text = "".join(token)[data.draw(st.integers(0, 20)) :]
    for prefix in ("", "id_"):
        assert all(name.startswith(prefix) for name in jwt.facts(text, prefix))
    assert jwt.validity(text, EXPIRES_NS) in (None, "expired", "not_yet_valid")


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=120))
def test_any_text_raises_nothing(text: str) -> None:
    jwt.facts(text)
    jwt.validity(text, EXPIRES_NS)

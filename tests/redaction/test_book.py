"""What is taken for a secret, and how it is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissect.model import Secret, Text
from dissect.redaction.book import SecretBook, secret
from dissect.redaction.fields import set_cookie
from dissect.redaction.forms import looks_like_token
from dissect.redaction.judge import Judge, pairs

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL3gudGVzdCJ9.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "value",
    [
        JWT, "AQABAAEAAADRNYRQ3dhRSrm-4K-adpCJY", "rQIIAeNisFLJKCkpKLbS10",
        "VGhpcyBpcyBhIHNlY3JldA==",
        "0.AXYAnUzR8pVxpEeBvE2k", "9f86d081884c7d659a2feaa0c55ad015",
    ],
)  # fmt: skip
def test_tokens_are_known_by_their_shape(value: str) -> None:
    assert looks_like_token(value)


@pytest.mark.parametrize(
    "value",
    [
        "0004f2c05a17-user.cfg",  # a phone's own file
        "autodiscoverservice.svc", "CertProvisioningService.svc", "vvx@ucprimer.com", "en-US",
        "131c22db-3591-4fc8-a305-55444fa5ccd3", "GetCredentialType", "1.0",
        "urn:federation:MicrosoftOnline",
        "AutodiscoverService.svc", "device-registration-service", "2017-02-22T05:27:25Z",
    ],
)  # fmt: skip
def test_words_are_not(value: str) -> None:
    assert not looks_like_token(value)


def test_url_inside_a_url() -> None:
    text = Judge().url(
        f"https://a.test/cb?next=https%3A%2F%2Fb.test%2F%3Fcode%3DSECRET-1234&lc=1033#id_token={JWT}"
    )
    shown = str(text)
    assert "SECRET" not in shown
    assert JWT not in shown
    assert shown.startswith("https://a.test/cb?next=https://b.test/?code=‹code›&lc=1033#id_token=")


def test_user_info_of_a_url() -> None:
    assert (
        str(Judge().url("https://vera:hunter2@a.test/x")) == "https://‹basic_credentials›@a.test/x"
    )


def test_parameters_of_a_path_are_looked_at() -> None:
    """RFC 3986 section 3.3; servlet containers put the session there."""
    assert (
        str(Judge().url("http://a.test/list;jsessionid=A1B2C3;v=2/x"))
        == "http://a.test/list;jsessionid=‹session›;v=2/x"
    )


def test_ordinals_follow_capture_and_frame_not_the_order_of_learning() -> None:
    book = SecretBook()
    late, early, other = (
        Secret("cookie", value) for value in ("late-1234", "early-123", "other-12")
    )
    book.learn(late, 0, 9)
    book.learn(other, 1, 1)
    book.learn(early, 0, 2)
    book.learn(late, 0, 30)
    assert [book.show(item) for item in (early, late, other)] == [
        "‹cookie #1›",
        "‹cookie #2›",
        "‹cookie #3›",
    ]


def test_values_are_masked_in_free_text_longest_first() -> None:
    book = SecretBook()
    book.learn(Secret("code", "abc123xyz"), 0, 1)
    book.learn(Secret("token", "abc123xyz-and-more-99"), 0, 2)
    assert book.show("see abc123xyz-and-more-99, abc123xyz") == "see ‹token #1›, ‹code #1›"
    assert book.show("a%20b") == "a%20b"


def test_reveal_is_verbatim() -> None:
    book = SecretBook(reveal=True)
    url = "https://a.test/?state=a%2Fb%3D1&redirect_uri=https%3A%2F%2Fb.test%2Fx"
    assert book.show(Judge().url(url)) == url


def test_a_page_and_its_post_are_one_secret() -> None:
    assert secret("wresult", "<a>\r\n</a>") == secret("wresult", "<a>\n</a>")


def test_cleared_cookie_is_no_secret() -> None:
    assert set_cookie("MSISAuth=; expires=Thu, 01 Jan 1970 00:00:00 GMT") is None
    assert set_cookie("MSISAuth=abc; path=/") == ("MSISAuth", Secret("cookie", "abc"))


@given(st.text(max_size=80))
def test_any_query_is_read(query: str) -> None:
    assert all(isinstance(name, str) for name, _ in pairs(query))
    assert isinstance(Judge().query(query), Text)
    assert isinstance(Judge().url("https://h.test/" + query), Text)


@given(st.text(alphabet=st.characters(categories=("L", "N", "P")), min_size=6, max_size=40))
def test_a_password_never_shows(value: str) -> None:
    book = SecretBook()
    book.learn(Secret("password", value), 0, 1)
    assert value not in book.show(f"user said {value}!").replace("‹password #1›", "")


def test_a_credential_is_masked_though_it_is_a_word() -> None:
    book = SecretBook()
    book.learn(Secret("nonce", "quicksilver"), 0, 1)
    assert book.show("no quicksilver here") == "no quicksilver here"
    book.learn(Secret("nonce", "quicksilver"), 0, 2, credential=True)
    assert book.show("no quicksilver here") == "no ‹nonce #1› here"


def test_known_values_are_found_across_parts() -> None:
    book = SecretBook()
    book.learn(Secret("password", "open sesame now"), 0, 1)
    text = Text(("say open ", "sesame ", Secret("opaque_value", "now"), "!"))
    assert book.show(text) == "say ‹password #1›!"

"""Dates, user codes and Azure AD's errors, wherever they stand."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from dissect.signin.azuread_errors import error_facts, plain
from dissect.signin.dates import moment
from dissect.signin.user_codes import user_code

TRACE = "2a1c7b9e-0000-4000-8000-0123456789ab"
CORRELATION = "5f3c7b9e-1111-4111-8111-0123456789ab"


@pytest.fixture
def new_york() -> Iterator[None]:
    """The machine's own zone is no question of what a server says."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "America/New_York")
        if hasattr(time, "tzset"):  # Windows has none
            time.tzset()
        yield
    if hasattr(time, "tzset"):
        time.tzset()


@pytest.mark.parametrize(
    "date",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",  # RFC 9110 §5.6.7: IMF-fixdate
        "Sunday, 06-Nov-94 08:49:37 GMT",  # obsolete RFC 850 format
        "Sun Nov  6 08:49:37 1994",  # ANSI C's asctime()
        "Sun, 06 Nov 1994 08:49:37 -0000",
        "Sun, 06 Nov 1994 09:49:37 +0100",
    ],
)
@pytest.mark.usefixtures("new_york")
def test_the_three_forms_of_a_date(date: str) -> None:
    """784111777 is what `date -u -d '1994-11-06 08:49:37' +%s` prints, in any zone."""
    assert moment(date) == 784111777


@pytest.mark.parametrize("date", ["", "soon", "0", "Sun, 99 Nov 1994 08:49:37 GMT"])
def test_no_date(date: str) -> None:
    assert moment(date) is None


def test_user_codes_are_compared_without_what_people_add() -> None:
    """RFC 8628 §6.1: case and punctuation are not the code's."""
    assert user_code("WDJB-MJHT") == user_code("wdjb mjht") == user_code("WDJBMJHT")
    assert user_code("WDJB-MJHT") != user_code("WDJB-MJHX")
    assert "WDJB" not in repr(user_code("WDJB-MJHT"))


@pytest.mark.parametrize(
    "text",
    [
        # the token endpoint's JSON, where the lines end as Windows ends them
        (
            '{"error":"invalid_grant","error_description":"AADSTS50126: Error validating '
            f"credentials.\\r\\nTrace ID: {TRACE}\\r\\nCorrelation ID: {CORRELATION}"
            '\\r\\nTimestamp: 2024-04-01 10:00:00Z"}'
        ),
        # the redirect's, which begins the next sentence behind a blank
        f"AADSTS50126: Error validating credentials. Trace ID: {TRACE} Correlation ID: {CORRELATION}",
        # a page's
        (
            "<p>AADSTS50126: Error validating credentials.</p><span>Request Id:</span> "
            f"<b>{TRACE}</b><br>Correlation Id: &nbsp;{CORRELATION}"
        ),
    ],
)
def test_an_error_of_azure_ad_in_any_clothes(text: str) -> None:
    facts = error_facts(text)
    assert facts["code"] == "50126"
    assert facts["text"] == "Error validating credentials."
    assert (facts["trace_id"], facts["correlation_id"]) == (TRACE, CORRELATION)
    assert facts["interrupt"] is False


def test_an_error_that_only_asks_for_more() -> None:
    """50074 asks for a second factor; on the page that ends a sign-in it is an error."""
    assert error_facts("AADSTS50074: Strong Authentication is required.")["interrupt"] is True
    page = '{"pgid":"ConvergedError","x":"AADSTS50074: Strong Authentication is required."}'
    assert error_facts(page)["interrupt"] is False


def test_no_error() -> None:
    assert error_facts("") == {}
    assert error_facts("AADSTS12: too short a number, MSIS7042 is another maker's") == {}


def test_a_name_out_of_a_page() -> None:
    assert plain("Contoso&amp;Sons \r\n  Phone") == "Contoso&Sons Phone"

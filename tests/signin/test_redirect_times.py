"""Which request follows a hop: in time, by method, by what it brings; each takes one."""

from __future__ import annotations

import pytest

from dissect.signin.exchange import Exchange
from dissect.signin.redirect_chain import (
    MAX_LOOKED,
    SCRIPTS_LIMIT,
    TEXT_LIMIT,
    Redirect,
    follow_redirects,
)
from tests.signin.build import exchange

CLIENT = "192.0.2.20"
A, B = "https://a.test/", "https://b.test/"
FORM = (
    '<form method="post" action="https://b.test/acs"><input type="hidden" name="SAMLResponse" '
    'value="PHg+"/></form><script>document.forms[0].submit()</script>'
)
ANSWERED = 1.1  # when the page of a request at 1 s came


def get(url: str, at: float, **more: object) -> Exchange:
    return exchange(url=url, at=at, **{"client": CLIENT, **more})  # type: ignore[arg-type]


def redirect(status: int = 302, to: str = B, at: float = 1, **more: object) -> Exchange:
    return get(A, at, status=status, response_headers={"Location": to}, **more)


def post(at: float, url: str = B + "acs", **fields: str) -> Exchange:
    form = fields or {"SAMLResponse": "PHg+"}
    return exchange("POST", url, form=form, at=at, client=CLIENT)


def chain(*pairs: Exchange) -> list[Redirect]:
    return follow_redirects(pairs)


def followed(*pairs: Exchange) -> bool:
    """Whether the first hop, which is always shown here, was followed by the last exchange."""
    found = chain(*pairs)
    return bool(found) and found[0].target is pairs[-1]


# ------------------------------------------------------------------ times


@pytest.mark.parametrize(
    ("after_s", "itself"),
    [(0, True), (0.5, True), (14.9, True), (15, True), (15.001, False), (16, False), (59, False)],
)
def test_a_form_that_is_posted_later_was_posted_by_a_person(after_s: float, itself: bool) -> None:
    """A page posts its form when it is loaded; whoever reads it first takes longer."""
    assert followed(get(A, 1, body=FORM), post(ANSWERED + after_s)) == itself


@pytest.mark.parametrize(
    ("after_s", "goes"),
    [(0, True), (16, True), (599.9, True), (600, True), (600.001, False), (3600, False)],
)
def test_a_redirect_is_followed_within_ten_minutes(after_s: float, goes: bool) -> None:
    """A browser follows at once, or when its user comes back to the window that waited."""
    assert followed(redirect(), get(B, ANSWERED + after_s)) == goes


@pytest.mark.parametrize("at", [0.5, 1, 1.099])
def test_what_was_asked_before_the_answer_came_does_not_follow_it(at: float) -> None:
    assert not followed(redirect(), get(B, at))


# ------------------------------------------------------------------ methods and queries


@pytest.mark.parametrize("status", [301, 302, 303])
def test_after_most_redirects_the_method_may_change(status: int) -> None:
    """RFC 9110 §15.4: a POST may become a GET."""
    asked = exchange("POST", A, form={"a": "1"}, status=status, at=1, client=CLIENT,
                     response_headers={"Location": B})  # fmt: skip
    assert followed(asked, get(B, 2))
    assert followed(asked, post(2, B, a="1"))


@pytest.mark.parametrize("status", [307, 308])
def test_after_307_and_308_it_must_stay(status: int) -> None:
    """RFC 9110 §15.4.8, §15.4.9."""
    asked = exchange("POST", A, form={"a": "1"}, status=status, at=1, client=CLIENT,
                     response_headers={"Location": B})  # fmt: skip
    assert not followed(asked, get(B, 2))
    assert followed(asked, post(2, B, a="1"))
    assert followed(redirect(status), get(B, 2))
    assert not followed(redirect(status), post(2, B, a="1"))


@pytest.mark.parametrize(
    ("status", "leads"), [(299, False), (300, True), (399, True), (400, False)]
)
def test_location_leads_on_in_a_3xx_alone(status: int, leads: bool) -> None:
    """RFC 9110 §10.2.2: in a 201 it names what was made."""
    assert bool(chain(redirect(status), get(B, 2))) == leads


@pytest.mark.parametrize(
    ("asked", "goes"),
    [
        ("?code=1&state=s", True),
        ("?state=s&code=1&username=u", True),
        ("?code=1", False),
        ("?code=2&state=s", False),
        ("", False),
    ],
)
def test_a_page_may_add_parameters_but_keeps_those_it_was_given(asked: str, goes: bool) -> None:
    assert followed(redirect(to=B + "?code=1&state=s"), get(B + asked, 2)) == goes


@pytest.mark.parametrize(
    ("url", "goes"),
    [("https://b.test", True), ("https://b.test/#x", True), ("https://B.test/", True),
     ("https://b.test/other", False), ("https://c.test/", False)],
)  # fmt: skip
def test_the_page_must_be_the_one(url: str, goes: bool) -> None:
    """An empty path is "/", a fragment is never sent, names have no case (RFC 3986 §6.2)."""
    assert followed(redirect(to=url), get(B, 2)) == goes


def test_a_form_is_followed_by_its_method_and_with_its_fields() -> None:
    page = get(A, 1, body=FORM)
    assert followed(page, post(2))
    assert followed(page, post(2, RelayState="r", SAMLResponse="PHg+"))
    assert not followed(page, post(2, other="1"))
    assert not followed(page, get(B + "acs?SAMLResponse=PHg%2B", 2))
    by_get = get(A, 1, body=FORM.replace("post", "get"))
    assert followed(by_get, get(B + "acs?SAMLResponse=PHg%2B", 2))
    assert not followed(by_get, post(2))


# ------------------------------------------------------------------ one request, one hop


def test_each_request_follows_one_hop_and_the_first_that_it_may() -> None:
    first, second = redirect(at=1), redirect(at=1.5)
    one, two = get(B, 2), get(B, 3)
    found = chain(first, second, one, two)
    assert [hop.target for hop in found] == [one, two]
    found = chain(first, second, one)
    assert [hop.target for hop in found] == [one, None]


def test_another_client_does_not_follow() -> None:
    assert not followed(redirect(), get(B, 2, client="192.0.2.21"))


@pytest.mark.parametrize("others", [MAX_LOOKED - 1, MAX_LOOKED])
def test_how_many_requests_are_looked_at_is_bounded_and_said(others: int) -> None:
    wrong = [get(f"{B}?n={n}", 2 + n / 1000) for n in range(others)]
    right = get(f"{B}?code=1", 5)
    warnings: list[str] = []
    found = follow_redirects([redirect(to=f"{B}?code=1"), *wrong, right], warnings)
    within = others < MAX_LOOKED
    assert (found[0].target is right) == within
    assert len(warnings) == (not within)
    if warnings:
        assert f"more than {MAX_LOOKED} requests" in warnings[0]


@pytest.mark.parametrize("more", [0, 1])
def test_scripts_and_pages_are_searched_up_to_a_bound(more: int) -> None:
    links = [f'location.href = "https://x.test/{n}";' for n in range(SCRIPTS_LIMIT - 1 + more)]
    page = "<script>" + "\n".join([*links, f'location.href = "{B}";']) + "</script>"
    assert followed(get(A, 1, body=page), get(B, 2)) == (not more)
    head = f'<script>location.href = "{B}";</script>'
    long = head + " " * (TEXT_LIMIT + more - len(head))
    assert followed(get(A, 1, body=long), get(B, 2)) == (not more)


@pytest.mark.parametrize(("status", "leads"), [(200, True), (201, False), (404, False)])
def test_a_script_leads_on_from_a_page_that_is_shown(status: int, leads: bool) -> None:
    page = f'<script>location.href = "{B}";</script>'
    assert followed(get(A, 1, status=status, body=page), get(B, 2)) == leads


# ------------------------------------------------------------------ reasons and chains


@pytest.mark.parametrize(
    ("status", "here", "to", "why"),
    [
        (302, "http://a.test/", "https://a.test/", ["to https"]),
        (301, "http://a.test/", "https://a.test/x", ["to https"]),
        (302, "http://a.test/", "https://b.test/", []),
        (302, "https://a.test/", "http://a.test/x", []),
        (301, "https://a.test/", "https://b.test/", ["moved for good"]),
        (308, "https://a.test/", "https://b.test/", ["moved for good"]),
        (302, "https://a.test/", "https://b.test/", []),
        (307, "https://a.test/", "https://b.test/", []),
        (302, "https://a.test/", "https://b.test/?wa=wsignin1.0", ["wa=wsignin1.0"]),
        (302, "https://a.test/", "https://b.test/?CODE=x", ["CODE"]),
        (302, "https://a.test/", "https://b.test/?code=", []),
        (302, "https://a.test/", "https://b.test/#access_token=x", ["access_token"]),
        (302, "https://a.test/", "https://b.test/?samlrequest=x", ["SAMLRequest"]),
    ],
)
def test_why(status: int, here: str, to: str, why: list[str]) -> None:
    (hop,) = chain(get(here, 1, status=status, response_headers={"Location": to}))
    assert hop.why == why


def test_numbers_within_chains_and_a_chain_that_a_referer_goes_on_with() -> None:
    """A page asks for its next step by script or form: the Referer field names the page."""
    page = get(B, 2)
    back = get(
        B + "next",
        3,
        status=302,
        headers={"Referer": B + "#top"},
        response_headers={"Location": A + "end"},
    )
    other = get("https://c.test/", 4, status=302, response_headers={"Location": "https://d.test/"})
    found = chain(redirect(), page, back, other)
    assert [(hop.chain, hop.number) for hop in found] == [(1, 1), (1, 2), (2, 1)]
    strange = get(
        B + "next",
        3,
        status=302,
        headers={"Referer": "https://e.test/"},
        response_headers={"Location": A + "end"},
    )
    found = chain(redirect(), page, strange)
    assert [hop.chain for hop in found] == [1, 2]

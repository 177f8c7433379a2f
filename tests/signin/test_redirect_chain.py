"""Redirect chains, by hand and on the lab's recordings."""

from __future__ import annotations

import pytest

from dissect.pipeline import RunOptions, Session
from dissect.signin.redirect_chain import Redirect, follow_redirects
from dissect.tables.redirects import rows as redirects
from tests.lab import REST, SCENARIOS, scenario
from tests.signin.build import exchange

CLIENT = "192.0.2.20"


def get(url: str, at: float, **more: object) -> object:
    return exchange(url=url, at=at, client=CLIENT, **more)  # type: ignore[arg-type]


def chain(*pairs: object) -> list[Redirect]:
    return follow_redirects(pairs)  # type: ignore[arg-type]


def test_location_is_followed() -> None:
    found = chain(
        get("https://a.test/x", 1, status=302, response_headers={"Location": "/y?code=SECRET-1&state=s", "Set-Cookie": "A=1; path=/"}),
        get("https://a.test/y?code=SECRET-1&state=s", 2, status=301, response_headers={"Location": "https://b.test/"}),
        get("https://b.test/", 3),
    )  # fmt: skip
    assert [(h.kind, h.why, h.cookies, h.chain, h.number) for h in found] == [
        ("location", ["code"], ["A"], 1, 1),
        ("location", ["moved for good"], [], 1, 2),
    ]
    assert all(redirect.target is not None for redirect in found)
    assert "SECRET" not in repr(found)


def test_a_redirect_that_nobody_followed_is_shown() -> None:
    (redirect,) = chain(
        get("http://a.test/", 1, status=302, response_headers={"Location": "https://a.test/"})
    )
    assert redirect.target is None
    assert redirect.why == ["to https"]


@pytest.mark.parametrize(
    ("page", "kind"),
    [
        ('<meta http-equiv="Refresh" content="0; url=https://b.test/n?wa=wsignin1.0">', "meta"),
        (
            '<script>window.location.href = "https:\\/\\/b.test\\/n?wa=wsignin1.0";</script>',
            "script",
        ),
        ("<script>location.replace('https://b.test/n?wa=wsignin1.0')</script>", "script"),
        ('<script>$Config={"urlLogin":"https://b.test/n?wa\\u003dwsignin1.0"}</script>', "script"),
    ],
)
def test_pages_that_lead_on(page: str, kind: str) -> None:
    (redirect,) = chain(
        get("https://a.test/", 1, body=page), get("https://b.test/n?wa=wsignin1.0&username=u", 2)
    )
    assert (redirect.kind, redirect.why) == (kind, ["wa=wsignin1.0"])
    assert redirect.target is not None


def test_refresh_field() -> None:
    (redirect,) = chain(
        get("https://a.test/", 1, body="x", response_headers={"Refresh": "0;url=/b"}),
        get("https://a.test/b", 2),
    )
    assert redirect.kind == "refresh"


def test_a_script_that_did_not_run_leads_nowhere() -> None:
    page = "<script>function f(){location.href='https://b.test/'}</script>"
    assert chain(get("https://a.test/", 1, body=page), get("https://c.test/", 2)) == []


FORM = (
    '<form method="post" action="https://b.test/acs"><input type="hidden" name="SAMLResponse" value="PHg+"/>'
    '<noscript><input type="submit"></noscript></form><script>document.forms[0].submit()</script>'
)


def post(at: float) -> object:
    return exchange(
        "POST", "https://b.test/acs", form={"SAMLResponse": "PHg+"}, at=at, client=CLIENT
    )


def test_form_that_posts_itself() -> None:
    (redirect,) = chain(get("https://a.test/", 1, body=FORM), post(2))
    assert (redirect.kind, redirect.why, redirect.method) == ("form", ["SAMLResponse"], "POST")
    assert redirect.target is not None


def test_a_form_for_people_is_no_redirect() -> None:
    page = '<form method="post" action="https://b.test/acs"><input name="user"><input type="submit"></form><script>submit</script>'
    assert chain(get("https://a.test/", 1, body=page), post(2)) == []


def test_two_clients_are_two_chains() -> None:
    def go(client: str) -> list[object]:
        return [
            exchange(url="https://a.test/", at=1, client=client, status=302, response_headers={"Location": "https://b.test/"}),
            exchange(url="https://b.test/", at=2, client=client),
        ]  # fmt: skip

    found = chain(*go("192.0.2.30"), *go("192.0.2.31"))
    assert [redirect.chain for redirect in found] == [1, 2]
    for redirect in found:
        assert redirect.target is not None
        assert redirect.target.place.connection.client == redirect.exchange.place.connection.client


def test_the_labs_sign_in_is_one_chain_across_its_hosts() -> None:
    """The hosts are those that the lab's browser notes in its truth.json, in that order."""
    item = scenario("web-signin")
    reported = [
        m
        for m in item.truth["messages"]
        if m["actor"] == "browser" and m["kind"] == "http" and m["direction"] == "sent"
    ]
    visited = [
        host
        for n, host in enumerate(m["host"] for m in reported)
        if n == 0 or host != reported[n - 1]["host"]
    ]
    rows = list(redirects(Session(RunOptions(tuple(item.captures)))))
    assert {row["chain"] for row in rows} == {1}
    assert [row["hop"] for row in rows] == list(range(1, len(rows) + 1))
    walked: list[str] = []
    for row in rows:
        for url in (row["from"], row["to"]):
            host = url.split("/")[2]
            if not walked or walked[-1] != host:
                walked.append(host)
    assert walked == visited
    assert all(row["followed"] for row in rows)
    (form,) = [row for row in rows if row["kind"] == "form"]
    assert form["why"] == ["wa=wsignin1.0", "wresult"]
    assert "MSISAuth" in form["cookies"]


@pytest.mark.parametrize("name", ["web-signin", "wrong-password", "wrong-password-managed"])
def test_no_secret_in_the_rows(name: str) -> None:
    item = scenario(name)
    text = str(list(redirects(Session(RunOptions(tuple(item.captures))))))
    assert [
        s["kind"] for s in item.truth["secrets"] if len(s["value"]) > 6 and s["value"] in text
    ] == []


def _address(message: dict[str, str]) -> str:
    page = message["path"].partition("?")[0].partition("#")[0]
    return f"{message['scheme']}://{message['host']}{page}"


def _same(one: dict[str, str], other: dict[str, str]) -> bool:
    return all(one[key] == other[key] for key in ("method", "host", "path"))


@pytest.mark.parametrize("name", [*SCENARIOS, *REST])
def test_the_browser_went_where_the_hops_lead(name: str) -> None:
    """Chromium's own account of its requests: each 30x and the request that it made next."""
    item = scenario(name)
    if not (item.has_keys and (item.folder / "browser.pcapng").exists()):
        pytest.skip("nothing of a browser can be read")
    reported = [
        m for m in item.truth["messages"] if m["actor"] == "browser" and m["kind"] == "http"
    ]  # fmt: skip
    # DevTools tells of a redirect together with the request that follows it.
    sent = [m for m in reported if m["direction"] == "sent"]
    expected = []
    for m in reported:
        if m["direction"] == "received" and 300 <= (m.get("status") or 0) < 400:
            asked = max(n for n, s in enumerate(sent) if _same(s, m) and s["time"] < m["time"])
            if asked + 1 < len(sent):  # else the last one led to a program's own port
                expected.append((_address(m), m["status"], _address(sent[asked + 1])))
    rows = list(redirects(Session(RunOptions((item.browser,)))))
    followed = [row for row in rows if row["followed"]]
    found = [(r["from"], r["status"], r["to"]) for r in followed if r["kind"] == "location"]
    assert sorted(found) == sorted(expected)
    requests = {_address(m) for m in sent}
    for row in rows:
        assert (row["to"] in requests) == row["followed"], row

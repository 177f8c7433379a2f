"""Pages and texts of a stranger, read by more than one pattern: bounds, and time as a ratio."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from dissect.model import Body, Opaque
from dissect.protocols.sip_lines import start_line
from dissect.redaction import markup, pages
from dissect.redaction.markup import Form
from dissect.redaction.nodes import ATTRIBUTES, DEPTH
from dissect.redaction.policy import Policy
from dissect.signin import sip_requests

TRIES = 5
PIECES = [
    "<input ", "<input name=a ", '<input name="', "<input name='a' value=\"", "<saml:Assertion ",
    "<saml:Assertion></saml:Assertion ", "<Password ", '"a":"\\', "http://", "&lt;", "&#", "&#1",
    "<a><b>", "<b></i>", "<form>", "<form><input name=a>", "<title> </title>", "<p id=error>",
    "<!--", "<!-- -->", "<table><tr>", "<script>x</script>", "</p>", "<meta refresh ",
]  # fmt: skip
READERS: list[Callable[[str], object]] = [
    lambda text: Policy().secrets_of_body(Body(Opaque(text.encode())), "text/html", False),
    lambda text: Policy().body(Body(Opaque(text.encode())), "text/html"),
    markup.statements,
    markup.forms,
    markup.refresh,
    markup.visible_text,
    markup.heading,
    lambda text: markup.text_by_id(text, "error"),
]


def cpu(read: Callable[[str], object], text: str) -> float:
    begun = time.process_time()
    read(text)
    return time.process_time() - begun


def ratio(read: Callable[[str], object], make: Callable[[int], str], n: int) -> float:
    """CPU time of twice the text against once, the least of some tries of each.

    Too short a time says nothing of growth, and needs no bound.
    """
    once = min(cpu(read, make(n)) for _ in range(TRIES))
    twice = min(cpu(read, make(2 * n)) for _ in range(TRIES))
    return twice / once if twice > 0.03 else 0


@pytest.mark.long
@pytest.mark.parametrize("piece", PIECES)
def test_pages_are_read_in_linear_time(piece: str) -> None:
    def page(size: int) -> str:
        return "<form><meta refresh><title><p id=error>" + piece * (size // len(piece))

    for read in READERS:
        assert min(ratio(read, page, 60_000) for _ in range(2)) < 3


def test_attributes_of_a_tag_are_read_in_linear_time() -> None:
    """libxml2's own tree takes the square of their number: 9 s for 40,000."""

    def tag(number: int) -> str:
        return "<form" + "".join(f" a{i}=1" for i in range(number)) + ">"

    assert min(ratio(markup.forms, tag, 20_000) for _ in range(2)) < 3


def test_attributes_beyond_the_bound_are_left_out() -> None:
    many = "".join(f" a{i}=1" for i in range(ATTRIBUTES - 1))
    assert markup.forms(f"<form{many} action=/x></form>")[0].action == "/x"
    assert markup.forms(f"<form a=1{many} action=/x></form>")[0].action == ""


def test_a_page_is_read_as_far_as_it_is_not_too_deep() -> None:
    first, second = "<form action=/a></form>", "<form action=/b></form>"
    fits = "<div>" * (DEPTH - 10)
    assert [form.action for form in markup.forms(first + fits + second)] == ["/a", "/b"]
    assert [form.action for form in markup.forms(first + "<div>" * DEPTH + second)] == ["/a"]


@pytest.mark.parametrize(
    "text", ["", "x", "<form", "<form action='/x", "<form><o:p a:b=c><1><a<b>"]
)
def test_a_damaged_page_is_no_error(text: str) -> None:
    for read in READERS:
        read(text)


def test_a_form_as_a_browser_reads_it() -> None:
    page = "<FORM Action='/x' METHOD=Post><INPUT name=A value=1><textarea name=t>a&amp;b</textarea>"
    wanted = Form("/x", {"a": "1", "t": "a&b"}, "post", False, frozenset({"a", "t"}))
    assert markup.forms(page) == [wanted]


def test_what_a_page_says() -> None:
    page = "<title> </title><h1>It <b>fail</b>ed &amp; so<br>on</h1><div id=errorText>No.</div>"
    assert markup.heading(page) == "It failed & so on"
    assert markup.text_by_id(page, "error") == "No."
    assert markup.visible_text("<p>a<script>b</script> <b>c</b></p><style>d</style>") == "a c"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("&#" + "1" * 5000 + ";", "�"),
        ("&#" + "0" * 5000 + "65;", "A"),
        ("&#x" + "f" * 5000 + ";", "�"),
        ("&#65;&#065;&#x41;&amp;&#;", "AAA&&#;"),
    ],
)
def test_a_character_reference_of_any_length(text: str, plain: str) -> None:
    """Python's `int` refuses more than 4300 digits, and with it `html.unescape`."""
    assert markup.html_unescaped(text) == plain


@pytest.mark.parametrize(
    ("tag", "found"),
    [
        ('<input name="a" value="b">', [("a", "b")]),
        ("<INPUT\nvalue='b>c' type=hidden name=a/>", [("a/", "b>c")]),
        ("<input name=a value=b=c>", [("a", "b=c")]),
        ('<input data-name="x" name="a" value="b"', [("a", "b")]),
        ('<input x=<b name="a" value="b"><input name=c value=d>', [("a", "b"), ("c", "d")]),
        ('<input name="a" value="b', []),
        ("<inputs name=a value=b>", []),
    ],
)
def test_inputs_are_found_in_any_order(tag: str, found: list[tuple[str, str]]) -> None:
    inputs = [(item.name, item.attributes.get("value")) for item in pages.inputs(tag)]
    assert [item for item in inputs if all(item)] == found


@pytest.mark.parametrize(
    ("line", "uri"),
    [
        (b"INVITE sip:a SIP/2.0", b"sip:a"),
        (b"INVITE \t sip:a b \t SIP/2.0 ", b"sip:a b"),
        (b"INVITE sip:a SIP/2.0 SIP/2.0", b"sip:a SIP/2.0"),
        (b"INVITE  SIP/2.0", b""),
        (b"INVITE SIP/2.0", None),
        (b"INVITE sip:a SIP/2.0 x", None),
    ],
)
def test_start_lines_with_blanks(line: bytes, uri: bytes | None) -> None:
    found = start_line(line)
    assert (found.uri if found else None) == uri


@pytest.mark.parametrize(("said", "seconds"), [("3600", 3600), ("9" * 5000, None), ("x", None)])
def test_an_expiry_of_any_length(said: str, seconds: int | None) -> None:
    message: Any = SimpleNamespace(header_all=lambda name: [], header=lambda name: said)
    assert sip_requests.expires(message) == seconds

"""Multipart bodies: the example of RFC 2046 §5.1.1, and damage."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dissect.redaction.multipart import MAX_PARTS, parts

EXAMPLE = (
    "This is the preamble.  It is to be ignored.\r\n"
    "--simple boundary\r\n\r\n"
    "This is implicitly typed plain US-ASCII text.\r\nIt does NOT end with a linebreak.\r\n"
    "--simple boundary\r\nContent-type: text/plain; charset=us-ascii\r\n\r\n"
    "This is explicitly typed plain US-ASCII text.\r\nIt DOES end with a linebreak.\r\n\r\n"
    "--simple boundary--\r\n\r\nThis is the epilogue.  It is also to be ignored.\r\n"
)


def test_example_of_the_rfc() -> None:
    assert parts('multipart/mixed; boundary="simple boundary"', EXAMPLE) == [
        (
            "text/plain",
            "This is implicitly typed plain US-ASCII text.\nIt does NOT end with a linebreak.",
        ),
        (
            "text/plain; charset=us-ascii",
            "This is explicitly typed plain US-ASCII text.\nIt DOES end with a linebreak.\n",
        ),
    ]


def test_what_is_none() -> None:
    assert parts("text/plain; boundary=x", "--x\r\n\r\na\r\n--x--") == []
    assert parts("multipart/mixed", EXAMPLE) == []
    assert parts(None, EXAMPLE) == []
    assert len(parts("multipart/mixed;boundary=x", "--x\r\n\r\na\r\n" * 500)) == MAX_PARTS


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet='multiparxbound=;/" \t', max_size=60), st.text("-x\r\n:cd", max_size=120))
def test_any_text_raises_nothing(content_type: str, body: str) -> None:
    parts(content_type, body)
    assert len(parts("multipart/a;boundary=x", body)) <= MAX_PARTS

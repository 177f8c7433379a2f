"""Reasons in SIP messages: forms of [MS-OCER], RFC 3261 §20.43 and RFC 3326."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissect.model import SipMessage
from dissect.protocols.sip_diagnostics import diagnostics, ms_diagnostics, warnings

from .drive import S, drive
from .test_sip import message, sip, sips


def answer(*headers: str) -> SipMessage:
    (found,) = sips(drive(sip(), [(S, message("SIP/2.0 403 Forbidden", *headers))]))
    return found


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            'ms-diagnostics: 4005;reason="Destination URI not enabled";source="sip.contoso.com"',
            "ms-diagnostics 4005: Destination URI not enabled (says sip.contoso.com)",
        ),
        ("ms-diagnostics: 1020", "ms-diagnostics 1020"),
        # Own examples of RFC 3261 §20.43.
        (
            "Warning: 307 isi.edu \"Session parameter 'foo' not understood\"",
            "warning 307: session description parameter not understood: "
            "Session parameter 'foo' not understood (says isi.edu)",
        ),
        (
            'Warning: 399 10.0.0.1:5060 "who \\"am\\" I"',
            'warning 399: who "am" I (says 10.0.0.1:5060)',
        ),
        # RFC 3326 §1.
        (
            'Reason: Q.850 ;cause=16 ;text="Terminated"',
            "reason 16: normal clearing: Terminated (says Q.850)",
        ),
        (
            'Reason: SIP ;cause=600 ;text="Busy Everywhere"',
            "reason 600: Busy Everywhere (says SIP)",
        ),
    ],
)
def test_in_words(header: str, expected: str) -> None:
    assert [str(item) for item in diagnostics(answer(header))] == [expected]


def test_several_and_the_public_form() -> None:
    found = diagnostics(
        answer(
            'ms-diagnostics: 4005;reason="a";source="s"',
            'ms-diagnostics-public: 4005;reason="a"',
            'Warning: 301 h "one", 302 h "two"',
        )
    )
    assert [(item.field, item.code) for item in found] == [
        ("ms-diagnostics", 4005),
        ("warning", 301),
        ("warning", 302),
    ]
    (public,) = diagnostics(answer('ms-diagnostics-public: 24;reason="x"'))
    assert (public.code, public.text) == (24, "x")
    assert diagnostics(answer("Subject: no reason")) == []


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet='0123 ;="\\reason,a', max_size=80))
def test_any_text_raises_nothing(value: str) -> None:
    ms_diagnostics(value)
    warnings(value)

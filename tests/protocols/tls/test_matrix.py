"""Real peers, every suite and feature that they have: the plaintext is what they sent.

The short run makes one connection of each pair of peers, version and feature; the long one
makes all, and `make tls-matrix` writes them down as reports/tls-matrix.md.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import replace

import pytest

from .matrix import TALK, Cell, Try, judge, run, table, tries
from .openssl_peers import needs_openssl
from .peers import Peers, Recorded

pytestmark = [
    needs_openssl,
    pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:ssl.OP_NO:DeprecationWarning"),
]


def marked() -> Iterator[object]:
    """All tries; those that are like an earlier one but for their suite are long, and most of
    the browser's."""
    known: set[tuple[str, str, str]] = set()
    for one in tries():
        kind = (one.peers, one.version, one.feature)
        slow = one.peers == "Chromium" and kind[1:] != ("TLS 1.3", "plain")  # seconds each
        marks = [pytest.mark.long] if kind in known or slow else []
        known.add(kind)
        yield pytest.param(one, id=one.ident, marks=marks)


@pytest.mark.parametrize("one", list(marked()))
def test_plaintext_is_what_the_peers_sent(one: Try) -> None:
    cell = run(one)
    if cell is None:
        pytest.skip("the peers here don't do it")
    if cell.outcome.startswith("cipher_unsupported"):
        # What the library of primitives lacks; by name, never as a wrong secret.
        assert "ARIA" in cell.suite or ("CAMELLIA" in cell.suite and "GCM" in cell.suite)
    else:
        assert cell.outcome == "equal"


def test_what_the_peers_do_not_confirm_does_not_count() -> None:
    """Asked for is not done: neither by their own words nor on the wire."""
    session, _ = Peers(ssl.TLSVersion.TLSv1_2).talk(TALK)
    plain = Recorded(session.wire, session.keys, session.plaintext)
    assert judge(plain, "plain").outcome == "equal"
    for feature in ("no EMS", "no EtM", "resumed by ticket", "resumed by id", "small records"):
        wire = replace(plain, unsaid=["resumed: False"] if "resumed" in feature else [])
        cell = judge(wire, feature)
        if feature == "no EtM":  # of the AEAD that is agreed it is true
            assert cell.outcome == "equal"
        else:
            assert cell.outcome.startswith("did not happen"), feature


def test_the_table_shows_what_differs() -> None:
    one = Try("peers", "TLS 1.3", "a suite", "plain", lambda _: pytest.fail("not recorded here"))
    other = Try("peers", "TLS 1.3", "another", "plain", one.record)
    text = table([(one, Cell("equal", "TLS 1.3", "TLS_A")), (other, Cell("differs: none, x"))])
    assert "2 connections: 1 equal, 0 unsupported by name, 1 otherwise" in text
    assert "| TLS_A | ✓ |" in text
    assert "| another | differs: none, x |" in text

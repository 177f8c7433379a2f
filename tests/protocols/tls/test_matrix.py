"""Real peers, every suite and feature that they have: the plaintext is what they sent.

The short run makes one connection of each pair of peers, version and feature; the long one
makes all, and `make tls-matrix` writes them down as reports/tls-matrix.md.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .matrix import Cell, Try, run, table, tries
from .openssl_peers import needs_openssl

pytestmark = [
    needs_openssl,
    pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:ssl.OP_NO:DeprecationWarning"),
]


def marked() -> Iterator[object]:
    """All tries; those that are like an earlier one but for their suite are long."""
    known: set[tuple[str, str, str]] = set()
    for one in tries():
        kind = (one.peers, one.version, one.feature)
        marks = [pytest.mark.long] if kind in known else []
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


def test_the_table_shows_what_differs() -> None:
    one = Try("peers", "TLS 1.3", "a suite", "plain", lambda _: pytest.fail("not recorded here"))
    other = Try("peers", "TLS 1.3", "another", "plain", one.record)
    text = table([(one, Cell("equal", "TLS 1.3", "TLS_A")), (other, Cell("differs: none, x"))])
    assert "2 connections: 1 equal, 0 unsupported by name, 1 otherwise" in text
    assert "| TLS_A | ✓ |" in text
    assert "| another | differs: none, x |" in text

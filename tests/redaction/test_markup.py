"""Pages as servers send them, and as nobody should."""

from __future__ import annotations

import pytest

from dissect.redaction import markup


@pytest.mark.parametrize("behind", ["b", "\x1e", "\x01", "\x0b b", "\ufffe", "\x7f"])
@pytest.mark.parametrize("element", ["script", "style"])
def test_text_behind_a_script_is_kept_and_the_script_is_not(element: str, behind: str) -> None:
    """libxml2 reads characters that XML does not allow; lxml refuses to set them."""
    text = markup.visible_text(f"<p>a <{element}>var x = 1 < 2</{element}>{behind}</p> c")
    assert text.startswith("a ")
    assert text.endswith("c")
    assert "var" not in text
    assert ("b" in text) == ("b" in behind)

"""Pictures are the same on every machine here: none of its fonts takes part."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dissect.render import fonts


@pytest.fixture(autouse=True, scope="package")
def _no_fonts_of_the_machine() -> Iterator[None]:
    given, fonts.OTHERS = fonts.OTHERS, ()
    fonts.letters.cache_clear()
    yield
    fonts.OTHERS = given
    fonts.letters.cache_clear()

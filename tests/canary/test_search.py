"""The search itself: it finds what is there, through every pair of layers and every output."""

from __future__ import annotations

import base64
import gzip
import html
import itertools
import json
import random
import zlib
from urllib.parse import quote

import pytest

from tests.canary.search import Searcher
from tests.canary.values import LAYERS, MOST, SHAPES, letters, number, wrapped

CANARY = SHAPES["word"](letters(1234))


def found(content: bytes | str) -> set[int | None]:
    data = content.encode() if isinstance(content, str) else content
    return {hit.number for hit in Searcher().search(data)}


def test_numbers_come_back() -> None:
    assert [number(letters(n)) for n in range(MOST)] == list(range(MOST))


CHAINS = [
    *itertools.product(LAYERS, repeat=1),
    *itertools.product(LAYERS, repeat=2),
    *random.Random(14).sample(list(itertools.product(LAYERS, repeat=3)), 300),
]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape(shape: str) -> None:
    assert found(f"x={SHAPES[shape](letters(7))};") >= {7}


def test_through_every_chain() -> None:
    lost = [chain for chain in CHAINS if 1234 not in found("a: " + wrapped(CANARY, chain) + " b")]
    assert lost == []


def test_through_what_outputs_put_around() -> None:
    inner = wrapped(CANARY, ("base64", "percent"))
    page = html.escape(json.dumps({"a": inner}))
    for content in (
        page, quote(page), json.dumps(page), gzip.compress(page.encode()),
        f"<script>{base64.b64encode(zlib.compress(page.encode())).decode()}</script>",
        b"%PDF-1.4\nstream\r\n" + zlib.compress(page.encode()) + b"\nendstream",
        CANARY.encode("utf-16-le"), CANARY.encode("utf-16-be"), CANARY.upper(),
        CANARY.encode().hex(" "), CANARY.encode().hex(":").upper(),
    ):  # fmt: skip
        assert 1234 in found(content)
    assert found(CANARY[::-1]) == {None}


@pytest.mark.parametrize("part", [CANARY[:6], CANARY[:9], CANARY[-6:], CANARY[9:], CANARY[2:]])
def test_half_a_canary(part: str) -> None:
    assert found(f"‹{part}…›")


def test_nothing_is_found_in_what_holds_none() -> None:
    noise = random.Random(1).randbytes(30_000)
    assert found(base64.b64encode(noise) + noise + noise.hex().encode()) == set()
    assert found(" ".join(map(letters, range(2000)))) == set()

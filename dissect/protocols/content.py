"""Bodies: collecting them within a bound, and undoing Content-Encoding (RFC 9110 §8.4).

Nothing here raises: what can't be decoded is given as far as it goes, with a sentence.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress

from dissect.model import EMPTY_BODY, Body, Opaque
from dissect.protocols.track import Track

# Bytes of one body that are kept as they came, and that decoding may make of them. A
# sign-in's bodies are below 100 KB; a download must not fill the memory.
MAX_BODY = 4 << 20
MAX_DECODED = 16 << 20
MAX_CODINGS = 4
# Codecs that know no output bound are fed in pieces of this size between two checks.
_PIECE = 256

MAX_UNPACKED = 64 << 20
"""Bytes that decoding may make of all bodies of a capture, and UNPACKED_RATIO more for each byte
of these: pages pack to a tenth, what packs to a thousandth must not fill the memory."""

MAX_FIELDS_UNPACKED = 128 << 20
"""The same of all header fields that HTTP/2 packs: a byte may stand for one of a megabyte."""

UNPACKED_RATIO = 20

Decoded = tuple[bytes, str | None]


class Allowance:
    """What is left of MAX_UNPACKED for the bodies of one capture; `reached` when one was
    cut, until that is reported."""

    __slots__ = ("_fields", "_left", "reached")

    def __init__(self) -> None:
        self._left = MAX_UNPACKED
        self._fields = MAX_FIELDS_UNPACKED
        self.reached = False

    def room(self, packed: int) -> int:
        """How many bytes `packed` ones that came now may become."""
        self._left += UNPACKED_RATIO * packed
        return min(MAX_DECODED, self._left)

    def take(self, made: int) -> None:
        self._left -= made

    def fields(self, packed: int, made: int) -> bool:
        """Whether the fields of an HTTP/2 block are still within MAX_FIELDS_UNPACKED."""
        left = self._fields + UNPACKED_RATIO * packed - made
        if left < 0:
            return False
        self._fields = left
        return True


class BodyCollector:
    """One body on its way in: at most MAX_BODY bytes are kept, all are counted.

    After lost bytes nothing more is kept: text must not be joined over a hole. `track` has the
    ranges of all that came, None while nothing has.
    """

    __slots__ = ("_holed", "_kept", "lost", "track", "wire_size")

    def __init__(self) -> None:
        self._kept = bytearray()
        self._holed = False
        self.wire_size = 0
        self.lost = 0
        self.track: Track | None = None

    def add(self, view: bytes | bytearray | memoryview, at: int = 0) -> None:
        """The next bytes of the body, from offset `at` of the stream on."""
        if self.track is None:
            self.track = Track()
        self.track.add(at, len(view))
        self.wire_size += len(view)
        if not self._holed and (room := MAX_BODY - len(self._kept)) > 0:
            self._kept += view[:room]

    def lose(self, length: int) -> None:
        """`length` bytes will never come; 0 if their number is not known."""
        self._holed = True
        self.lost += length

    @property
    def kept(self) -> bytes:
        """What is kept, as it came."""
        return bytes(self._kept)

    def clear(self) -> None:
        """Forget all: the bytes were another protocol's."""
        self._kept.clear()
        self.track = None
        self._holed = False
        self.wire_size = self.lost = 0

    def body(
        self, codings: Sequence[str], problem: str | None = None, allowance: Allowance | None = None
    ) -> Body:
        """The body with `codings` (in the order they were applied) undone, as far as the
        `allowance` goes."""
        if not self.wire_size and not self._holed and problem is None:
            return EMPTY_BODY
        cut = len(self._kept) < self.wire_size
        if self._holed:
            amount = f"{self.lost} bytes" if self.lost else "some bytes"
            problem = join(f"{amount} were not captured, the text stops there", problem)
        elif cut:
            problem = join(f"only the first {MAX_BODY} of {self.wire_size} bytes are kept", problem)
        data, trouble = decode(bytes(self._kept), codings, allowance)
        # An early end is what a hole looks like to the decoder: reported once is enough.
        if trouble and not (problem and trouble.endswith("ends early")):
            problem = join(problem, trouble)
        return Body(Opaque(data), self.wire_size, problem)


def join(*sentences: str | None) -> str | None:
    return "; ".join(filter(None, sentences)) or None


def decode(raw: bytes, codings: Sequence[str], allowance: Allowance | None = None) -> Decoded:
    """`raw` with the content codings undone, last applied first, and what went wrong.

    Unknown codings and data that is not what its label says come back as they are.
    """
    wanted = [coding for coding in codings if coding not in ("", "identity", "chunked")]
    if len(wanted) > MAX_CODINGS:
        return raw, f"more than {MAX_CODINGS} content codings, none undone"
    if not wanted or not raw:
        return raw, None
    limit = MAX_DECODED if allowance is None else allowance.room(len(raw))
    data, problem = _undone(raw, wanted, limit)
    if allowance is not None:
        allowance.take(len(data))
        if limit < MAX_DECODED and len(data) >= limit:
            allowance.reached = True
            problem = join(problem, "the bodies of this capture unpack to more than is kept")
    return data, problem


def _undone(raw: bytes, wanted: Sequence[str], limit: int) -> Decoded:
    for coding in reversed(wanted):
        decoder = _DECODERS.get(coding)
        if decoder is None:
            return raw, f"content coding {_word(coding)} is not known"
        if not raw:
            break
        data, problem = decoder(raw, limit)
        if problem and not data:
            return raw, f"labelled {coding}, but {problem}"
        raw = data
        if problem:
            return raw, f"{coding} data {problem}"
    return raw, None


def _word(coding: str) -> str:
    return coding if coding.isascii() and coding.isidentifier() and len(coding) < 20 else "named"


def _inflate(raw: bytes, wbits: int, limit: int) -> Decoded:
    out = bytearray()
    while raw:
        member = zlib.decompressobj(wbits)
        try:
            out += member.decompress(raw, limit - len(out) + 1)
        except zlib.error:
            # What the failed call had made is lost with it; smaller steps save it.
            return _salvage(raw, wbits, out, limit)
        if len(out) > limit:
            return bytes(out[:limit]), f"is larger than {limit} bytes, cut there"
        if not member.eof:
            return bytes(out), "ends early"
        raw = member.unused_data.lstrip(b"\0")
        if raw and (wbits < 16 or not raw.startswith(b"\x1f\x8b")):
            return bytes(out), f"is followed by {len(raw)} bytes that do not belong to it"
    return bytes(out), None


def _salvage(raw: bytes, wbits: int, out: bytearray, limit: int) -> Decoded:
    """Append to `out` what a damaged member holds before the byte where zlib notices."""
    good = 0
    made = bytearray()
    for step in (4096, 64, 1):
        # Each finer pass begins anew: after an error the decoder's state is not defined.
        member = zlib.decompressobj(wbits)
        made = bytearray(member.decompress(raw[:good], limit))
        with suppress(zlib.error):
            while good < len(raw) and len(made) < limit:
                made += member.decompress(raw[good : good + step])
                good += step
    out += made
    return bytes(out[:limit]), "is damaged" if out else "is not that"


def _gzip(raw: bytes, limit: int) -> Decoded:
    return _inflate(raw, 31, limit)


def _deflate(raw: bytes, limit: int) -> Decoded:
    """zlib data as the RFC says, or the raw deflate data that many servers send."""
    data, problem = _inflate(raw, 15, limit)
    if problem and not data:
        bare, trouble = _inflate(raw, -15, limit)
        if bare:
            return bare, trouble
    return data, problem


def _brotli(raw: bytes, limit: int) -> Decoded:
    import brotli

    decoder = brotli.Decompressor()
    out = bytearray()
    view = memoryview(raw)
    try:
        for start in range(0, len(raw), _PIECE):
            out += decoder.process(bytes(view[start : start + _PIECE]), output_buffer_limit=1 << 20)
            while not decoder.can_accept_more_data() and len(out) <= limit:
                out += decoder.process(b"", output_buffer_limit=1 << 20)
            if len(out) > limit:
                return bytes(out[:limit]), f"is larger than {limit} bytes, cut there"
    except brotli.error:
        return bytes(out), "is damaged" if out else "is not that"
    return bytes(out), None if decoder.is_finished() else "ends early"


def _zstd(raw: bytes, limit: int) -> Decoded:
    import zstandard

    # RFC 9659: content coding zstd is limited to windows of 8 MB.
    codec = zstandard.ZstdDecompressor(max_window_size=8 << 20)
    out = bytearray()
    frame = codec.decompressobj()
    try:
        for start in range(0, len(raw), _PIECE):
            piece = raw[start : start + _PIECE]
            while piece:
                if frame.eof:
                    frame = codec.decompressobj()
                out += frame.decompress(piece)
                piece = frame.unused_data if frame.eof else b""
            if len(out) > limit:
                return bytes(out[:limit]), f"is larger than {limit} bytes, cut there"
    except zstandard.ZstdError:
        return bytes(out), "is damaged" if out else "is not that"
    return bytes(out), None if frame.eof else "ends early"


_DECODERS: dict[str, Callable[[bytes, int], Decoded]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}

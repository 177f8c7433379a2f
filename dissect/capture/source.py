"""Bytes of a capture file in order, whatever wraps them: plain, gzip, zstd or lz4.

A source never raises on damaged input: it gives what came before the damage, then
nothing, and `damage` says in one clause what happened. The wrapper is chosen by the
first bytes, never by the file's name.
"""

from __future__ import annotations

import os
import tempfile
import zlib
from collections.abc import Callable
from typing import IO, Any, BinaryIO, Protocol, cast

from dissect.errors import CaptureError

WINDOW = 1 << 17
"""Bytes asked for at once. Measured: 0.41 µs a packet of 1,000 bytes; 0.70 with 1 MiB and
0.74 with 4 MiB, which leave the processor's cache and are mapped anew each time."""

COMPRESSED_CHUNK = 1 << 16
SPOOL_MEMORY = 16 << 20
SPOOL_LIMIT = 1 << 30
"""Standard input is kept up to this size while its secrets are looked for."""

UNPACKED_RATIO = 100
"""How many bytes one byte of a compressed capture may become; real ones have 2 to 20."""

UNPACKED_FLOOR = 128 << 20
"""Bytes that any compressed capture may have, however few it was packed into."""

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
LZ4_MAGIC = b"\x04\x22\x4d\x18"
LONGEST_MAGIC = 4


class Source(Protocol):
    """Sequential bytes."""

    @property
    def damage(self) -> str | None:
        """What ended them before their time, else None."""
        ...

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, at least one unless the end is reached."""
        ...


def compression_of(head: bytes) -> str | None:
    """ "gzip", "zstd", "lz4" or None, by the first bytes."""
    if head.startswith(GZIP_MAGIC):
        return "gzip"
    if head.startswith(ZSTD_MAGIC):
        return "zstd"
    if head.startswith(LZ4_MAGIC):
        return "lz4"
    return None


class FileSource:
    """Plain bytes of a file object; one system call a read where the object allows it."""

    def __init__(self, file: BinaryIO, head: bytes = b"") -> None:
        self.damage: str | None = None
        self._head = head
        self._read: Callable[[int], bytes | None] = getattr(file, "read1", file.read)

    def read(self, size: int) -> bytes:
        if self._head:
            head, self._head = self._head, b""
            return head
        try:
            return self._read(size) or b""
        except OSError as error:
            self.damage = f"the file can't be read on ({error.strerror or 'I/O error'})"
            return b""


def refill(source: Source, rest: bytes, need: int) -> bytes:
    """`rest` and a window more, or as much as makes it `need` bytes; `rest` at the end."""
    parts = [rest]
    have = len(rest)
    while True:
        data = source.read(max(WINDOW, need - have))
        if not data:
            break
        parts.append(data)
        have += len(data)
        if have >= need:
            break
    return b"".join(parts)


class InflatedSource:
    """Members or frames of one compression, one after the other, output bounded a read.

    `make` gives a fresh decompressor with the interface that zlib and lz4 share
    (`decompress(data, max_length)`, `eof`, `unused_data`).
    """

    def __init__(
        self,
        below: Source,
        name: str,
        make: Callable[[], Any],
        errors: tuple[type[Exception], ...],
    ) -> None:
        self.damage: str | None = None
        self._below = below
        self._name = name
        self._make = make
        self._errors = errors
        self._engine = make()
        self._fresh = True
        self._input = b""

    def read(self, size: int) -> bytes:
        if self.damage:
            return b""
        while True:
            engine = self._engine
            if engine.eof:
                self._input = engine.unused_data or self._input
                self._engine = engine = self._make()
                self._fresh = True
            if not self._input and getattr(engine, "needs_input", True):
                self._input = self._below.read(COMPRESSED_CHUNK)
                if not self._input:
                    if not self._fresh:
                        self.damage = f"the {self._name} data is cut short"
                    return b""
            if self._fresh:
                # Zero padding after the last member is common on tapes and block devices.
                self._input = self._input.lstrip(b"\0")
                if not self._input:
                    continue
            try:
                data: bytes = engine.decompress(self._input, size)
            except self._errors:
                self.damage = f"the {self._name} data is damaged"
                return b""
            self._fresh = False
            self._input = getattr(engine, "unconsumed_tail", b"")
            if data:
                return data


class ZstdSource:
    """zstd frames; its library reads from an object and bounds the output itself."""

    def __init__(self, below: Source) -> None:
        import zstandard

        self.damage: str | None = None
        self._errors = zstandard.ZstdError
        self._stream = zstandard.ZstdDecompressor().stream_reader(
            cast("IO[bytes]", below), read_across_frames=True
        )

    def read(self, size: int) -> bytes:
        try:
            return self._stream.read(size)
        except self._errors:
            self.damage = "the zstd data is damaged"
            return b""


class BoundedSource:
    """What a compression gives, up to a multiple of what was put in: a few bytes must not keep
    a reader busy for hours. `make` gives the source that unpacks, from one that counts."""

    def __init__(self, below: Source, name: str, make: Callable[[Source], Source]) -> None:
        self._packed = self._unpacked = 0
        self._over = f"the {name} data unpacks to more than {UNPACKED_RATIO} times its size"
        self._ended: str | None = None
        self._source = make(_Counting(below, self._count))

    def _count(self, size: int) -> None:
        self._packed += size

    @property
    def damage(self) -> str | None:
        return self._ended or self._source.damage

    def read(self, size: int) -> bytes:
        if self._ended:
            return b""
        data = self._source.read(size)
        self._unpacked += len(data)
        if self._unpacked > max(UNPACKED_FLOOR, UNPACKED_RATIO * self._packed):
            self._ended = self._over
            return b""
        return data


class _Counting:
    """A source that tells how many bytes were read from it."""

    def __init__(self, below: Source, count: Callable[[int], None]) -> None:
        self._below, self._count = below, count

    @property
    def damage(self) -> str | None:
        return self._below.damage

    def read(self, size: int) -> bytes:
        data = self._below.read(size)
        self._count(len(data))
        return data


def decompressed(below: Source, compression: str | None) -> Source:
    """`below` without its compression, within a bound; CaptureError names a library that is
    absent."""
    if compression is None:
        return below
    return BoundedSource(below, compression, lambda counted: _unpacking(counted, compression))


def _unpacking(below: Source, compression: str) -> Source:
    if compression == "gzip":
        return InflatedSource(below, "gzip", lambda: zlib.decompressobj(31), (zlib.error,))
    try:
        if compression == "zstd":
            return ZstdSource(below)
        if compression == "lz4":
            import lz4.frame

            return InflatedSource(
                below, "lz4", lz4.frame.LZ4FrameDecompressor, (RuntimeError, EOFError)
            )
    except ImportError as error:
        raise CaptureError(
            f"compressed with {compression}, but the Python package {error.name} is absent"
        ) from error
    return below


def spool(source: Source) -> tuple[BinaryIO, bool]:
    """Copy `source` to a private temporary file, up to `SPOOL_LIMIT` bytes.

    The file has no name that another user could open and vanishes when closed; small
    ones never reach the disk. False: `source` has more than was copied.
    """
    file: Any = tempfile.SpooledTemporaryFile(max_size=SPOOL_MEMORY)  # noqa: SIM115
    room = SPOOL_LIMIT
    while room > 0:
        data = source.read(min(WINDOW, room))
        if not data:
            break
        file.write(data)
        room -= len(data)
    file.seek(0, os.SEEK_SET)
    return file, room > 0


class JoinedSource:
    """The spooled part, then what still comes from the source it was taken from."""

    def __init__(self, first: Source, rest: Source) -> None:
        self._sources = [first, rest]

    @property
    def damage(self) -> str | None:
        return self._sources[-1].damage

    def read(self, size: int) -> bytes:
        while True:
            data = self._sources[0].read(size)
            if data or len(self._sources) == 1:
                return data
            del self._sources[0]

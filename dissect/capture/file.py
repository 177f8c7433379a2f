"""Opening a capture: which format, which compression, which secrets are inside."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import BinaryIO, Literal, Self

from dissect.capture.blocks import MAX_SECRETS_BLOCKS, TOO_MANY_SECRETS, scan_secrets
from dissect.capture.pcap import is_pcap, walk_pcap
from dissect.capture.pcapng import walk_pcapng
from dissect.capture.source import (
    LONGEST_MAGIC,
    FileSource,
    JoinedSource,
    Source,
    compression_of,
    decompressed,
    refill,
    spool,
)
from dissect.capture.tally import MAX_KEY_LOG, Packet, SecretsText, Tally
from dissect.errors import CaptureError
from dissect.model import Anomaly, CaptureInfo, Opaque

PCAPNG_MAGIC = b"\x0a\x0d\x0d\x0a"
Reader = Literal["walk", "scapy"]


class CaptureFile:
    """One capture file: its packets, once, and what else the container says.

    `secrets` are the TLS key logs inside a pcapng. They are complete before `packets()`
    starts, also where they stand after the packets: the block headers of a seekable file
    are scanned first, and standard input is spooled to a private temporary file. Only
    past `source.SPOOL_LIMIT` of standard input they may come later; that is an anomaly.
    `anomalies` is complete when `packets()` has ended.
    """

    def __init__(
        self,
        name: str,
        index: int,
        source: Source,
        form: Literal["pcap", "pcapng"],
        secrets: list[SecretsText],
        closers: list[Callable[[], None]],
        reader: Reader = "walk",
        compression: str | None = None,
    ) -> None:
        self.name = name
        self.index = index
        self.secrets = secrets
        # The scan ends at its bound; then the walk adds none, either.
        self._scanned = len(secrets) if not (secrets and secrets[-1].problem) else sys.maxsize
        self._room = MAX_KEY_LOG
        self._seen = 0
        self._source = source
        self._form = form
        self._closers = closers
        self._reader = reader
        self._compression = compression
        self._tally = Tally(index)

    @property
    def anomalies(self) -> list[Anomaly]:
        """Oddities of the container in the order of the file."""
        return self._tally.anomalies

    @property
    def names(self) -> dict[str, str]:
        """Address to name, from the file's name resolution blocks seen so far."""
        return self._tally.names

    def packets(self) -> Iterator[Packet]:
        """The packets in the order of the file. One pass: a second gives nothing."""
        from dissect.capture.scapy_links import IpFinder

        if self._reader == "scapy":
            from dissect.capture.scapy_reader import read_with_scapy

            return read_with_scapy(self._source, self._tally, self._form)
        strip = IpFinder()
        if self._form == "pcap":
            return walk_pcap(self._source, self._tally, strip)
        return walk_pcapng(self._source, self._tally, strip, self._on_secrets)

    def _on_secrets(self, text: Opaque) -> None:
        self._seen += 1
        if self._seen <= self._scanned:
            return
        self._room -= len(text)
        if self._room < 0 or self._seen > MAX_SECRETS_BLOCKS:
            self._tally.anomaly("limit.secrets_blocks", TOO_MANY_SECRETS, self._tally.frames)
            self._scanned = sys.maxsize
        else:
            self.secrets.append(SecretsText(text, f"{self.name} DSB {self._seen}"))
            self._tally.anomaly(
                "capture.secrets_after_packets",
                f"the key log of secrets block {self._seen} came after packets that were read "
                "already; give the capture as a file, not on standard input",
                self._tally.frames,
            )

    def info(self) -> CaptureInfo:
        """What is known by now; complete when `packets()` has ended."""
        tally = self._tally
        wrapper = f", {self._compression}" if self._compression else ""
        return CaptureInfo(
            index=self.index,
            name=self.name,
            frames=tally.frames,
            link_types=tally.link_names,
            interfaces=tuple(tally.interfaces),
            start_ns=tally.first_ns,
            end_ns=tally.last_ns,
            snaplen=tally.snaplen,
            drops=sum(tally.drops.values()) if tally.drops else None,
            key_logs=tuple(secret.origin for secret in self.secrets),
            reader=f"{self._reader} ({self._form}{wrapper})",
        )

    def close(self) -> None:
        """Close the file if it was opened here, and the spool."""
        while self._closers:
            self._closers.pop()()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_capture(
    source: str | os.PathLike[str] | BinaryIO, index: int = 0, *, reader: Reader = "walk"
) -> CaptureFile:
    """The capture in a file or a binary stream (which is not closed by us).

    `index` is its place on the command line. `reader="scapy"` reads the records with
    scapy's raw readers instead of the walk, for comparison.

    CaptureError, one line each: no such file, a directory, no permission, an empty file,
    no capture format, an absent decompression package.
    """
    closers: list[Callable[[], None]] = []
    if isinstance(source, str | os.PathLike):
        name = os.fspath(source)
        file: BinaryIO = _open(name)
        closers.append(file.close)
    else:
        file = source
        given = getattr(source, "name", None)
        name = given if isinstance(given, str) and given != "<stdin>" else "standard input"
    try:
        return _recognise(file, name, index, reader, closers)
    except CaptureError as error:
        _close(closers)
        raise CaptureError(f"{name}: {error}") from error
    except BaseException:
        _close(closers)
        raise


def _close(closers: list[Callable[[], None]]) -> None:
    for close in closers:
        close()


def _open(name: str) -> BinaryIO:
    try:
        return io.FileIO(name)
    except FileNotFoundError:
        raise CaptureError(f"{name}: no such file") from None
    except IsADirectoryError:
        raise CaptureError(f"{name}: a directory, not a capture file") from None
    except PermissionError:
        # Windows answers so for a directory as well.
        if os.path.isdir(name):
            raise CaptureError(f"{name}: a directory, not a capture file") from None
        raise CaptureError(f"{name}: no permission to read it") from None
    except OSError as error:
        raise CaptureError(f"{name}: can't be opened ({error.strerror})") from None
    except ValueError:
        raise CaptureError(f"{name!r}: not a file name") from None


def _recognise(
    file: BinaryIO, name: str, index: int, reader: Reader, closers: list[Callable[[], None]]
) -> CaptureFile:
    seekable = file.seekable()
    start = file.tell() if seekable else 0
    raw: Source = FileSource(file)
    head = refill(raw, b"", LONGEST_MAGIC)
    if not head:
        raise CaptureError(raw.damage or "the file is empty")
    compression = compression_of(head)

    if not seekable and (compression or head.startswith(PCAPNG_MAGIC)):
        # Its secrets may stand after the packets: make it seekable as far as allowed.
        rest = raw
        file, whole = spool(FileSource(_Replay(head, rest)))  # type: ignore[arg-type]
        closers.append(file.close)
        start, seekable = 0, True
    else:
        rest, whole = raw, True

    def fresh() -> Source:
        """The decompressed bytes from the beginning."""
        if not seekable:
            return decompressed(FileSource(file, head), compression)
        file.seek(start)
        first: Source = FileSource(file)
        return decompressed(first if whole else JoinedSource(first, rest), compression)

    stream = fresh()
    magic = refill(stream, b"", LONGEST_MAGIC)
    if magic.startswith(PCAPNG_MAGIC):
        secrets: list[SecretsText] = []
        if whole:
            secrets = scan_secrets(fresh(), name)
        else:
            file.seek(start)
            secrets = scan_secrets(decompressed(FileSource(file), compression), name)
        return CaptureFile(name, index, fresh(), "pcapng", secrets, closers, reader, compression)
    if is_pcap(magic):
        again = fresh() if seekable else _Replay(magic, stream)
        return CaptureFile(name, index, again, "pcap", [], closers, reader, compression)
    if compression and len(magic) < LONGEST_MAGIC:
        raise CaptureError(stream.damage or f"nothing is inside the {compression} data")
    raise CaptureError("neither pcap nor pcapng (no capture format that is known here)")


class _Replay:
    """A source whose first bytes were looked at already."""

    def __init__(self, head: bytes, rest: Source) -> None:
        self._head = head
        self._rest = rest

    @property
    def damage(self) -> str | None:
        return self._rest.damage

    def read(self, size: int) -> bytes:
        if self._head:
            head, self._head = self._head, b""
            return head
        return self._rest.read(size)

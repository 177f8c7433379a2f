"""Bytes of one direction that no parser has consumed yet, and the frames that brought them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from dissect.model import Span


class SpanBuffer:
    """A byte queue that remembers which span each byte came with.

    Parsers look at `data` (never keep a view of it), ask `span(n)` where its first `n`
    bytes came from and consume them with `take` or `drop`. `at` is the offset of the first
    byte in the stream. Bounds are the parser's.
    """

    __slots__ = ("_marks", "at", "data")

    def __init__(self) -> None:
        self.data = bytearray()
        self.at = 0  # behind lost bytes the buffer is empty, so all in it follow each other
        self._marks: deque[tuple[int, Span]] = deque()

    def __len__(self) -> int:
        return len(self.data)

    def append(self, view: bytes | memoryview, span: Span) -> None:
        if len(view):
            if not self.data:
                self.at = span.offset
            self.data += view
            self._marks.append((self.at + len(self.data), span))

    def span(self, length: int) -> Span:
        """Where the first `length` bytes came from; 1 <= length <= len(self)."""
        wanted = self.at + length
        first: Span | None = None
        for stop, span in self._marks:
            if first is None:
                first = span
            if stop >= wanted:
                return first if span is first else first.to(span)
        raise IndexError("no such bytes in the buffer")

    def drop(self, length: int) -> None:
        """Consume the first `length` bytes."""
        del self.data[:length]
        self.at += length
        marks = self._marks
        while marks and marks[0][0] <= self.at:
            marks.popleft()

    def take(self, length: int) -> bytes:
        """Consume and return the first `length` bytes."""
        taken = bytes(self.data[:length])
        self.drop(length)
        return taken

    def clear(self) -> None:
        self.drop(len(self.data))

    def pieces(self) -> Iterator[tuple[bytes, Span]]:
        """Consume everything, a piece for each span, for a parser that takes over."""
        while self._marks:
            stop, span = self._marks[0]
            span = span.moved(self.at)
            yield self.take(stop - self.at), span

"""What runs inside TLS: the child parser, opened when the first application data comes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from dissect.errors import INTERNAL, PASSED, ProtocolError, internal
from dissect.model import Anomaly, Direction, Message, Output, Span, StreamParser
from dissect.protocols.base import Layer
from dissect.protocols.tls.handshake_facts import Facts

Results = list["Message | Anomaly"]
BOTH: tuple[Direction, Direction] = (0, 1)


class Inside:
    """The child of a TLS connection. A child that breaks is dropped, TLS goes on."""

    def __init__(self, layer: Layer, facts: Facts) -> None:
        self._layer = layer
        self._facts = facts
        self._child: StreamParser | None = None
        self._broken = False
        self._ended = [False, False]
        self._lost: list[Span | None] = [None, None]
        self._given = [0, 0]  # bytes of plaintext

    def data(
        self, direction: Direction, content: bytes | memoryview, span: Span, out: Results
    ) -> None:
        if self._broken or self._ended[direction]:
            return
        if self._child is None:
            self._open(span, out)
        child = self._child
        if child is None:
            return
        span = span.moved(self._given[direction])
        self._given[direction] += len(content)
        self._run(partial(child.data, direction, content, span), span, out)

    def gap(self, direction: Direction, span: Span, out: Results) -> None:
        """Something is missing; how much plaintext that was can't be known."""
        if self._ended[direction]:
            return
        if self._child is None:
            self._lost[direction] = span  # reported when there is a child to tell
        else:
            self._run(partial(self._child.gap, direction, 0, span), span, out)

    def end(self, direction: Direction, span: Span, out: Results) -> None:
        """The sender is done: close_notify, or the end of its stream. Once is enough."""
        child = self._child
        if not self._ended[direction]:
            self._ended[direction] = True
            if child is not None:
                self._run(partial(child.end, direction, span), span, out)

    def _open(self, span: Span, out: Results) -> None:
        facts = self._facts

        def child() -> Output:
            self._child = self._layer.child(
                encrypted=True,
                server_name=facts.server_name,
                alpn=facts.alpn,
                stream=(*self._layer.stream, 0),
            )
            return ()

        self._run(child, span, out)
        for direction in BOTH:
            if self._child is None:
                return  # it broke
            lost = self._lost[direction]
            if lost is not None:
                self._run(partial(self._child.gap, direction, 0, lost), span, out)
            if self._child is not None and self._ended[direction]:
                self._run(partial(self._child.end, direction, span), span, out)

    def _run(self, verb: Callable[[], Output], span: Span, out: Results) -> None:
        try:
            out.extend(verb())
        except ProtocolError as error:
            self._drop(error.kind, str(error), span, out)
        except PASSED:
            raise
        except Exception as error:  # a bug of ours: it costs what is inside, and is reported
            self._drop(INTERNAL, internal(error), span, out)

    def _drop(self, kind: str, sentence: str, span: Span, out: Results) -> None:
        self._child = None
        self._broken = True
        connection = self._layer.connection
        out.append(Anomaly(kind, sentence, connection.capture, span.last_frame, connection.stream))

"""A plugin's protocol against tshark: each column that names a field of Wireshark's, by frame.

tshark tells a frame's values of a field without their messages, so that a frame is compared as a
whole: the values of all messages that end in it, in their order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from dissect.engines import Reading
from dissect.engines.crosscheck import ABSENT, Comparison, Difference
from dissect.engines.tshark.plugin_fields import ReportedMessage
from dissect.model import Fact, PluginMessage, Secret
from dissect.protocols.record import Protocol

_BOOLEANS = {"True": "1", "False": "0"}  # of newer tsharks


def compare(
    reading: Reading, protocol: Protocol, reported: Mapping[int, ReportedMessage], capture: str
) -> Comparison:
    """The frames in which the protocol's messages end, against what tshark tells of them."""
    result = Comparison()
    ours: dict[int, list[PluginMessage]] = defaultdict(list)
    for message in reading.messages:
        if isinstance(message, PluginMessage) and message.protocol == protocol.name:
            ours[message.place.span.last_frame].append(message)
    for frame in sorted({*ours, *reported}):
        messages = ours.get(frame, [])
        found = list(_differences(protocol, messages, reported.get(frame), capture, frame))
        result.differences += found
        if not found:
            result.agreed[protocol.name] += len(messages)
    return result


def _differences(
    protocol: Protocol,
    messages: Sequence[PluginMessage],
    theirs: ReportedMessage | None,
    capture: str,
    frame: int,
) -> Iterator[Difference]:
    stream = messages[0].place.connection.stream if messages else theirs.stream if theirs else -1

    def difference(name: str, one: str, other: str) -> Difference:
        what = messages[0].event if messages else protocol.name
        return Difference(capture, protocol.name, stream, frame, what, name, one, other)

    if theirs is None or not messages:
        count = f"{len(messages)} messages" if len(messages) > 1 else "1 message"
        yield difference(ABSENT, count if messages else "-", "-" if messages else "a message")
        return
    if theirs.stream not in (-1, stream):
        yield difference("stream", str(stream), str(theirs.stream))
    for column in protocol.columns:
        if not column.wireshark:
            continue
        facts = [message.facts[column.name] for message in messages if column.name in message.facts]
        values = [text for fact in facts for text in _texts(fact)]
        others = [_BOOLEANS.get(text, text) for text in theirs.values[column.name]]
        if values != others:
            secret = any(isinstance(fact, Secret) for fact in facts)
            yield difference(
                column.name, _shown(values, secret), _shown(others, secret or not facts)
            )


def _texts(fact: Fact) -> list[str]:
    """The values of a fact as tshark writes them."""
    if isinstance(fact, bool):
        return ["1" if fact else "0"]
    if isinstance(fact, tuple):
        return list(fact)
    return [fact.value if isinstance(fact, Secret) else str(fact)]


def _shown(values: Sequence[str], secret: bool) -> str:
    """Values without what may be secret: where one side alone has one, nobody knows."""
    if secret:
        return ", ".join(f"‹{len(text)} characters›" for text in values) or "-"
    return ", ".join(values) or "-"

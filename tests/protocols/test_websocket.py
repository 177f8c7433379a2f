"""WebSocket: the example frames of RFC 6455 §5.7 and RFC 7692 §7.2.3."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissect.model import SipMessage, Span, StreamParser
from dissect.protocols import websocket
from dissect.protocols.sniff import opener
from dissect.protocols.tls.secret_store import SecretStore
from dissect.protocols.websocket import WebSocketParser

from .drive import C, Found, Part, S, drive, kinds, layer, messages, same_however_cut
from .test_sip import OPTIONS, REGISTER


class _Tape:
    def __init__(self) -> None:
        self.texts: list[bytes] = []

    def data(self, direction: int, view: bytes | memoryview, span: Span) -> Found:
        self.texts.append(bytes(view))
        return []

    def gap(self, direction: int, length: int, span: Span) -> Found:
        return []

    def end(self, direction: int, span: Span) -> Found:
        return []


def texts(data: bytes) -> list[bytes]:
    tape = _Tape()
    drive(WebSocketParser(layer(), tape), [(S, data)])
    return tape.texts


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ("810548656c6c6f", [b"Hello"]),
        ("818537fa213d7f9f4d5158", [b"Hello"]),
        ("010348656c80026c6f", [b"Hello"]),
        ("010348656c890248" + "6980026c6f", [b"Hello"]),  # a ping between fragments
        ("890548656c6c6f8a0548656c6c6f8800", []),
        ("c107f248cdc9c90700", [b"Hello"]),
        ("4103f248cd" + "8004c9c90700", [b"Hello"]),
        # The second one refers to the first one's window.
        ("c107f248cdc9c90700" + "c105f200110000", [b"Hello", b"Hello"]),
        ("c10b000500faff48656c6c6f00", [b"Hello"]),
    ],
)
def test_examples_of_the_rfcs(frames: str, expected: list[bytes]) -> None:
    assert texts(bytes.fromhex(frames)) == expected


def test_long_lengths() -> None:
    for size in (125, 126, 256, 65535, 65536, 70000):
        body = b"x" * size
        if size < 126:
            head = bytes([0x82, size])
        elif size < 65536:
            head = b"\x82\x7e" + size.to_bytes(2, "big")
        else:
            head = b"\x82\x7f" + size.to_bytes(8, "big")
        assert texts(head + body) == [body]


def frame(text: bytes, mask: bytes = b"") -> bytes:
    head = b"\x81" + bytes([126 | (0x80 if mask else 0)]) + len(text).to_bytes(2, "big") + mask
    return head + (bytes(b ^ mask[i % 4] for i, b in enumerate(text)) if mask else text)


ASK = (
    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Protocol: sip\r\n\r\n"
)
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Protocol: sip\r\n\r\n"
)
DIALOGUE: list[Part] = [
    (C, ASK),
    (S, SWITCH + frame(OPTIONS)),
    (C, frame(REGISTER, b"\x37\xfa\x21\x3d")),
]


def sniffed() -> StreamParser:
    return opener(SecretStore())(layer())


def test_sip_in_websocket() -> None:
    """Trouble 47."""
    found = same_however_cut(sniffed, DIALOGUE)
    sip = [item for item in messages(found) if isinstance(item, SipMessage)]
    assert [(item.method, item.transport) for item in sip] == [
        ("OPTIONS", "ws"),
        ("REGISTER", "ws"),
    ]
    assert [item.place.span.last_frame for item in sip] == [2, 3]


def test_other_subprotocols_are_ignored() -> None:
    parts: list[Part] = [
        (C, ASK.replace(b": sip", b": chat")),
        (S, SWITCH.replace(b": sip", b": chat") + frame(OPTIONS)),
    ]
    assert not [item for item in drive(sniffed(), parts) if isinstance(item, SipMessage)]


def test_damage_gives_a_direction_up() -> None:
    found = drive(sniffed(), [*DIALOGUE, (S, 10), (S, frame(OPTIONS)), (C, frame(REGISTER))])
    assert kinds(found) == ["websocket.lost"]
    assert len([item for item in messages(found) if isinstance(item, SipMessage)]) == 3
    assert kinds(drive(sniffed(), [*DIALOGUE, (S, b"\xf1\x00")])) == ["websocket.lost"]
    assert kinds(drive(sniffed(), [*DIALOGUE, (S, b"\x81\x7fxx")])) == ["websocket.lost"]


def test_bombs_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "MAX_MESSAGE", 1000)
    codec = zlib.compressobj(wbits=-15)
    bomb = (codec.compress(b"\0" * 200_000) + codec.flush(zlib.Z_SYNC_FLUSH))[:-4]
    assert len(bomb) > 125
    data = b"\xc2\x7e" + len(bomb).to_bytes(2, "big") + bomb
    tape = _Tape()
    assert kinds(drive(WebSocketParser(layer(), tape), [(S, data)])) == ["websocket.lost"]
    assert tape.texts == []


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([C, S]), st.binary(max_size=30)), max_size=6))
def test_random_frames_raise_nothing(parts: list[Part]) -> None:
    drive(sniffed(), [*DIALOGUE, *parts])

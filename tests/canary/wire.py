"""Exchanges to bytes, bytes to frames: HTTP/1, HTTP/2, TCP, UDP, written from the RFCs."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence

import brotli
import hpack
import zstandard

from tests.canary.http_places import Exchange

CLIENT, SERVER = b"\xc0\0\2\1", b"\xc0\0\2\2"  # RFC 5737
Said = list[tuple[bool, bytes]]  # (by the client, bytes)

CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda b: b, "gzip": lambda b: gzip.compress(b, mtime=0), "deflate": zlib.compress,
    "br": brotli.compress, "zstd": lambda b: zstandard.ZstdCompressor().compress(b),
}  # fmt: skip


def _latin(text: str) -> bytes:
    """As on the wire: UTF-8 where a text is more than latin-1; a line end would end a field."""
    clean = text.replace("\r", " ").replace("\n", " ")
    return clean.encode("utf-8")


def http1(one: Exchange, coding: str = "", chunk: int = 0) -> tuple[bytes, bytes]:
    """Request and response (RFC 9112); a response with trailers or `chunk` is chunked."""
    body = CODINGS[coding](one.body) if one.body else b""
    lines = [f"{one.method} {one.target} HTTP/1.1".encode(), f"Host: {one.host}".encode()]
    lines += [_latin(f"{name}: {value}") for name, value in one.fields]
    if body:
        lines += [f"Content-Type: {one.kind}".encode()] if one.kind else []
        lines += [f"Content-Length: {len(body)}".encode()]
        lines += [f"Content-Encoding: {coding}".encode()] if coding else []
    request = b"\r\n".join([*lines, b"", b""]) + body
    content = CODINGS[coding](one.content) if one.content else b""
    lines = [_latin(f"HTTP/1.1 {one.status} {one.reason}")]
    lines += [_latin(f"{name}: {value}") for name, value in one.answer]
    if content:
        lines += [f"Content-Type: {one.content_kind}".encode()] if one.content_kind else []
        lines += [f"Content-Encoding: {coding}".encode()] if coding else []
    if not (one.trailers or one.extension or chunk):
        lines += [f"Content-Length: {len(content)}".encode()]
        return request, b"\r\n".join([*lines, b"", b""]) + content
    lines += [b"Transfer-Encoding: chunked"]
    extension = _latin(f";{one.extension}") if one.extension else b""
    size = chunk or len(content) or 1
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    coded = b"".join(b"%x" % len(p) + extension + b"\r\n" + p + b"\r\n" for p in pieces)
    trailers = b"".join(_latin(f"{name}: {value}") + b"\r\n" for name, value in one.trailers)
    return request, b"\r\n".join([*lines, b"", b""]) + coded + b"0\r\n" + trailers + b"\r\n"


def _frame(kind: int, flags: int, stream: int, data: bytes) -> bytes:
    return len(data).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + data


_HEADERS, _DATA, _CONTINUATION, _GOAWAY, _PING = 1, 0, 9, 7, 6
_END_STREAM, _END_HEADERS = 1, 4


class Http2:
    """Both ends of a connection (RFC 9113); header blocks are cut into CONTINUATION frames."""

    def __init__(self, cut: int = 40) -> None:
        self._coders = {True: hpack.Encoder(), False: hpack.Encoder()}
        self._stream, self._cut = -1, cut

    def opened(self) -> Said:
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        return [(True, preface + _frame(4, 0, 0, b"")), (False, _frame(4, 0, 0, b""))]

    def closed(self, text: str) -> Said:
        """GOAWAY with debug data (RFC 9113 §6.8), an opaque PING, an unknown frame."""
        data = text.encode()
        debug = _frame(_GOAWAY, 0, 0, bytes(4) + struct.pack("!I", 0x0B) + data)
        return [
            (True, _frame(_PING, 0, 0, data[:8].ljust(8))),
            (False, _frame(0xBB, 0, 0, data) + debug),
        ]

    def exchange(self, one: Exchange, coding: str = "") -> Said:
        self._stream += 2
        target = one.target.partition("#")[0]
        if "://" in target[:9]:
            target = "/" + target.split("/", 3)[3]
        asked = [
            (":method", one.method),
            (":scheme", "https"),
            (":authority", one.host),
            (":path", target),
        ]
        asked += _fields(one.fields)
        answer = [(":status", str(one.status)), *_fields(one.answer)]
        body, content = (
            CODINGS[coding](one.body) if one.body else b"",
            CODINGS[coding](one.content) if one.content else b"",
        )
        for data, fields, kind in ((body, asked, one.kind), (content, answer, one.content_kind)):
            if data and kind:
                fields.append(("content-type", kind))
            if data and coding:
                fields.append(("content-encoding", coding))
        return [
            (True, self._message(True, asked, body, ())),
            (False, self._message(False, answer, content, one.trailers)),
        ]

    def _message(
        self,
        client: bool,
        fields: list[tuple[str, str]],
        body: bytes,
        trailers: Sequence[tuple[str, str]],
    ) -> bytes:
        more = bool(body or trailers)
        out = self._block(client, fields, 0 if more else _END_STREAM)
        size = max(7, len(body) // 3)
        pieces = [body[at : at + size] for at in range(0, len(body), size)]
        for index, piece in enumerate(pieces):
            last = index == len(pieces) - 1 and not trailers
            out += _frame(_DATA, _END_STREAM if last else 0, self._stream, piece)
        if trailers:
            out += self._block(client, _fields(trailers), _END_STREAM)
        return out

    def _block(self, client: bool, fields: list[tuple[str, str]], flags: int) -> bytes:
        block = self._coders[client].encode(fields, huffman=bool(self._stream & 2))
        pieces = [block[at : at + self._cut] for at in range(0, len(block), self._cut)]
        return b"".join(
            _frame(
                _CONTINUATION if index else _HEADERS,
                (0 if index else flags) | (_END_HEADERS if index == len(pieces) - 1 else 0),
                self._stream,
                piece,
            )
            for index, piece in enumerate(pieces)
        )


def _fields(fields: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name.lower(), _latin(value).decode("utf-8").strip()) for name, value in fields]


def _ip(client: bool, protocol: int, payload: bytes) -> bytes:
    ends = (CLIENT, SERVER) if client else (SERVER, CLIENT)
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0, *ends)
    return b"\2\0\0\0\0\2\2\0\0\0\0\1\x08\0" + head + payload


def udp(client: bool, ports: tuple[int, int], data: bytes) -> bytes:
    source, target = ports if client else ports[::-1]
    return _ip(client, 17, struct.pack("!HHHH", source, target, 8 + len(data), 0) + data)


def tcp(port: int, server_port: int, reported: Said, cut: int = 1400) -> Iterator[bytes]:
    """A connection from SYN to FIN, in segments of at most `cut` bytes."""
    sent = {True: 1000, False: 5000}

    def segment(client: bool, flags: int, data: bytes = b"") -> bytes:
        ports = (port, server_port) if client else (server_port, port)
        ack = sent[not client] if flags & 16 else 0
        head = struct.pack("!HHIIBBHHH", *ports, sent[client], ack, 0x50, flags, 65535, 0, 0)
        sent[client] += len(data) + (flags & 3 > 0)
        return _ip(client, 6, head + data)

    yield from (segment(True, 2), segment(False, 18), segment(True, 16))
    for client, data in reported:
        for at in range(0, len(data), cut):
            yield segment(client, 24, data[at : at + cut])
    yield from (segment(True, 17), segment(False, 17))


def pcap(frames: Sequence[bytes]) -> bytes:
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)]
    for number, frame in enumerate(frames):
        seconds, part = divmod(number * 10_000, 1_000_000)
        out.append(
            struct.pack("<IIII", 1_700_000_000 + seconds, part, len(frame), len(frame)) + frame
        )
    return b"".join(out)


def websocket(opcode: int, data: bytes, masked: bool) -> bytes:
    """One frame (RFC 6455 §5.2)."""
    size = bytes((len(data),)) if len(data) < 126 else b"\x7e" + len(data).to_bytes(2)
    head = bytes((0x80 | opcode,))
    if not masked:
        return head + size + data
    mask = b"\x11\x22\x33\x44"
    coded = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))
    return head + bytes((size[0] | 0x80,)) + size[1:] + mask + coded

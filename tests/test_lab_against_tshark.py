"""dissect's HTTP and SIP messages of the lab captures against tshark's, one by one.

Same count, stream, frame, method, host, path and status. tshark names an HTTP/1 or SIP
message by the frame of its last byte, an HTTP/2 one by the frame that completed its
header block (`head_frame` here).
"""

from __future__ import annotations

import base64
import re
from functools import lru_cache
from pathlib import Path

import pytest

from dissect.model import HttpRequest, HttpResponse, Message, SipMessage
from dissect.pipeline import RunOptions, Session
from tests import lab
from tests.lab import ALL, SCENARIOS, scenario
from tests.wire import conversation

CAPTURES = [
    pytest.param(
        capture,
        id=f"{name}/{Path(capture).stem}",
        marks=() if name in SCENARIOS else pytest.mark.long,
    )
    for name in ALL
    for capture in scenario(name).captures
    if lab.keys_beside(capture)
]
Row = tuple[int, int, str, str | None, str | None, int | None]


@lru_cache
def messages(capture: str) -> list[Message]:
    return Session(RunOptions((capture,))).messages


def ours(capture: str, version: str) -> list[Row]:
    rows: list[Row] = []
    for message in messages(capture):
        if not isinstance(message, HttpRequest | HttpResponse):
            continue
        if (message.version == "2") != (version == "2"):
            continue
        frame = message.head_frame if version == "2" else message.place.span.last_frame
        stream = message.place.connection.stream
        if isinstance(message, HttpRequest):
            target = message.target.decode("latin-1")
            rows.append((frame, stream, message.method, message.host, target, None))
        else:
            rows.append((frame, stream, "", None, None, message.status))
    return sorted(rows, key=str)


@pytest.mark.parametrize("capture", CAPTURES)
def test_http1(capture: str) -> None:
    fields = ("frame.number", "tcp.stream", "http.request.method", "http.host")
    fields += ("http.request.uri", "http.response.code")
    rows: list[Row] = []
    for row in lab.tshark_fields(capture, fields, "http.request or http.response", keys(capture)):
        frame, stream = int(row["frame.number"][0]), int(row["tcp.stream"][0])
        requests = zip(
            row["http.request.method"], row["http.host"], row["http.request.uri"], strict=True
        )
        rows += [(frame, stream, method, host, uri, None) for method, host, uri in requests]
        rows += [(frame, stream, "", None, None, int(code)) for code in row["http.response.code"]]
    assert ours(capture, "1.1") == sorted(rows, key=str)


@pytest.mark.parametrize("capture", CAPTURES)
def test_http2(capture: str) -> None:
    names = ("method", "authority", "path", "status")
    fields = ("frame.number", "tcp.stream", *(f"http2.headers.{name}" for name in names))
    rows: list[Row] = []
    for row in lab.tshark_fields(capture, fields, "http2.type==1", keys(capture)):
        frame, stream = int(row["frame.number"][0]), int(row["tcp.stream"][0])
        requests = zip(*(row[f"http2.headers.{name}"] for name in names[:3]), strict=True)
        rows += [(frame, stream, method, host, path, None) for method, host, path in requests]
        rows += [(frame, stream, "", None, None, int(c)) for c in row["http2.headers.status"]]
    assert ours(capture, "2") == sorted(rows, key=str)


@pytest.mark.parametrize("capture", CAPTURES)
def test_sip(capture: str) -> None:
    fields = (
        "frame.number",
        "tcp.stream",
        "sip.Method",
        "sip.Status-Code",
        "sip.Call-ID",
        "sip.CSeq",
    )
    reported = []
    for row in lab.tshark_fields(capture, fields, "sip", keys(capture)):
        frame, stream = int(row["frame.number"][0]), int(row["tcp.stream"][0])
        assert len(row["sip.Call-ID"]) == 1  # the lab's peers send one message a record
        status = int(row["sip.Status-Code"][0]) if row["sip.Status-Code"] else None
        method = row["sip.Method"][0] if status is None else row["sip.CSeq"][0].split()[-1]
        reported.append((frame, stream, method, status, row["sip.Call-ID"][0], row["sip.CSeq"][0]))
    read = [
        (
            message.place.span.last_frame,
            message.place.connection.stream,
            message.method,
            message.status,
            message.header("call-id"),
            message.header("cseq"),
        )
        for message in messages(capture)
        if isinstance(message, SipMessage)
    ]
    assert read == reported


HANDSHAKE_TYPES = {
    "1": "client_hello",
    "2": "server_hello",
    "4": "new_session_ticket",
    "11": "certificate",
    "12": "server_key_exchange",
    "13": "certificate_request",
    "14": "server_hello_done",
    "15": "certificate_verify",
    "16": "client_key_exchange",
}


@pytest.mark.parametrize("capture", CAPTURES)
def test_tshark_reads_the_tls_dsk_blobs_as_tls(capture: str, tmp_path: Path) -> None:
    """Each handshake's blobs, put on a TCP connection of their own, are the same to tshark."""
    legs = [m for m in messages(capture) if isinstance(m, SipMessage) and m.tls_dsk]
    if not legs:
        pytest.skip("no TLS-DSK in this capture")
    handshakes: list[list[SipMessage]] = []
    for leg in legs:
        if "client_hello" in leg.tls_dsk:
            handshakes.append([])
        handshakes[-1].append(leg)
    for number, handshake in enumerate(handshakes):
        blobs = [(leg.kind == "request", _blob(leg)) for leg in handshake]
        file = tmp_path / f"dsk{number}.pcap"
        path = conversation(file, blobs, server_port=443, handshake=False)
        rows = lab.tshark_fields(path, ("frame.number", "tls.handshake.type"), "tls")
        reported = [HANDSHAKE_TYPES[kind] for row in rows for kind in row["tls.handshake.type"]]
        names = [name for leg in handshake for name in leg.tls_dsk]
        assert len(reported) >= 8
        assert [name for name in names if name in HANDSHAKE_TYPES.values()] == reported


def _blob(message: SipMessage) -> bytes:
    for name in ("authorization", "www-authenticate"):
        for value in message.header_all(name):
            found = re.search(r'gssapi-data="([^"]+)"', value)
            if found and value.lstrip().startswith("TLS-DSK"):
                return base64.b64decode(found.group(1))
    raise AssertionError("a message named as a leg carries no gssapi-data")


def keys(capture: str) -> str:
    found = lab.keys_beside(capture)
    assert found is not None
    return found

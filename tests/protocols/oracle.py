"""tshark's view of a capture's messages, as rows to compare with ours."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

TSHARK = shutil.which("tshark")
Row = tuple[object, ...]
_NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def _command(capture: Path, *arguments: str) -> list[str]:
    options = ["-o", "tcp.reassemble_out_of_order:TRUE"]
    if (keys := key_log(capture)) is not None:
        options += ["-o", f"tls.keylog_file:{keys.resolve()}"]
    assert TSHARK is not None
    return [TSHARK, "-n", "-r", str(capture), *options, *arguments]


def key_log(capture: Path) -> Path | None:
    """The key log beside a capture."""
    for suffix in (".keylog", ".keys"):
        beside = capture.with_suffix(suffix)
        if beside.exists():
            return beside
    return None


@cache
def rows(capture: Path) -> Counter[Row]:
    """Every HTTP, HTTP/2 and SIP message and DNS answer that tshark shows."""
    command = _command(capture, "-Y", "http || http2 || sip || dns", "-T", "pdml")
    xml = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
    ).stdout
    if not xml:
        return Counter()  # tshark can't read the file
    # tshark writes bytes of the packets that XML does not allow.
    found: Counter[Row] = Counter()
    for packet in ElementTree.fromstring(_NOT_XML.sub("?", xml.decode("utf-8", "replace"))).iter(
        "packet"
    ):
        found.update(_packet(packet))
    return found


def _first(element: ElementTree.Element, name: str) -> str | None:
    for item in element.iter("field"):
        if item.get("name") == name:
            return item.get("show")
    return None


def _all(element: ElementTree.Element, name: str) -> list[str]:
    return [item.get("show") or "" for item in element.iter("field") if item.get("name") == name]


def _packet(packet: ElementTree.Element) -> Iterator[Row]:
    frame = int(_first(packet, "frame.number") or 0)
    stream, stream_kind = -1, ""
    for proto in packet.iter("proto"):
        kind = proto.get("name")
        if kind in ("tcp", "udp"):
            stream, stream_kind = int(_first(proto, f"{kind}.stream") or -1), kind
        elif kind == "http":
            yield from _http(proto, stream, frame)
        elif kind == "http2":
            yield from _http2(proto, stream, frame)
        elif kind == "sip":
            yield _sip(proto, stream, frame)
        elif kind == "dns" and stream_kind == "udp":  # not DNS over HTTPS
            yield _dns(proto, stream, frame)


def _http(proto: ElementTree.Element, stream: int, frame: int) -> Iterator[Row]:
    if method := _first(proto, "http.request.method"):
        host = _first(proto, "http.host")
        yield ("http", stream, frame, method, _first(proto, "http.request.uri"), host)
    if code := _first(proto, "http.response.code"):
        yield ("http", stream, frame, int(code), _first(proto, "http.location"))


def _http2(proto: ElementTree.Element, stream: int, frame: int) -> Iterator[Row]:
    number = int(_first(proto, "http2.streamid") or 0)
    if method := _first(proto, "http2.headers.method"):
        number = int(_first(proto, "http2.push_promise.promised_stream_id") or number)
        path, host = _first(proto, "http2.headers.path"), _first(proto, "http2.headers.authority")
        yield ("http2", stream, frame, number, method, path, host)
    if status := _first(proto, "http2.headers.status"):
        yield ("http2", stream, frame, number, int(status))


def _sip(proto: ElementTree.Element, stream: int, frame: int) -> Row:
    call = _first(proto, "sip.Call-ID")
    if status := _first(proto, "sip.Status-Code"):
        return ("sip", stream, frame, int(status), _first(proto, "sip.CSeq.method"), call)
    return ("sip", stream, frame, None, _first(proto, "sip.Method"), call)


def _dns(proto: ElementTree.Element, stream: int, frame: int) -> Row:
    ident = int(_first(proto, "dns.id") or "0", 16)
    addresses = tuple(sorted(_all(proto, "dns.a") + _all(proto, "dns.aaaa")))
    names = tuple(sorted(_all(proto, "dns.cname") + _all(proto, "dns.srv.target")))
    rcode = int(_first(proto, "dns.flags.rcode") or 0)
    return (
        "dns",
        stream,
        frame,
        ident,
        tuple(_all(proto, "dns.qry.name")),
        rcode,
        addresses,
        names,
    )


@cache
def http_objects(capture: Path) -> Counter[str]:
    """SHA-256 of every HTTP/1 body that tshark exports, transfer and content decoded."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "objects"
        command = _command(capture, "-Q", "--export-objects", f"http,{target}")
        subprocess.run(command, check=True, capture_output=True)
        if not target.exists():
            return Counter()
        return Counter(hashlib.sha256(item.read_bytes()).hexdigest() for item in target.iterdir())


@cache
def http2_bodies(capture: Path) -> dict[tuple[int, int, int], bytes]:
    """(TCP stream, HTTP/2 stream, sender's port) -> the bytes of its DATA frames."""
    xml = subprocess.run(
        _command(capture, "-Y", "http2.type == 0", "-T", "pdml"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    ).stdout
    found: dict[tuple[int, int, int], bytes] = {}
    for packet in ElementTree.fromstring(_NOT_XML.sub("?", xml.decode("utf-8", "replace"))).iter(
        "packet"
    ):
        stream, port = (
            int(_first(packet, "tcp.stream") or 0),
            int(_first(packet, "tcp.srcport") or 0),
        )
        for proto in packet.iter("proto"):
            if proto.get("name") != "http2" or _first(proto, "http2.type") != "0":
                continue
            key = (stream, int(_first(proto, "http2.streamid") or 0), port)
            own = int(_first(proto, "http2.length") or 0)
            for item in proto.iter("field"):
                if item.get("name") != "http2.data.data":
                    continue
                data = bytes.fromhex(item.get("value") or "")
                # The last of several frames shows the whole body instead of its own part.
                found[key] = data if len(data) > own else found.get(key, b"") + data
                break
    return {key: data for key, data in found.items() if data}

"""What `dissect info` says: what is in the captures, what lacks, what to do better next time.

The first thing that support sends back to who made the capture, so it ends in advice.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from dissect import capture_advice
from dissect.engines import Reading
from dissect.engines.traffic import Traffic
from dissect.model import (
    CaptureInfo,
    DnsMessage,
    HttpRequest,
    HttpResponse,
    Message,
    SipMessage,
    TcpConnection,
    TlsConnection,
)
from dissect.pipeline import Session
from dissect.render.words import rfc3339

MAX_NAMES = 5  # of an address; a content network's has hundreds
_PROTOCOLS: tuple[tuple[str, type | tuple[type, ...]], ...] = (
    ("http", (HttpRequest, HttpResponse)),
    ("sip", SipMessage),
    ("dns", DnsMessage),
)

Document = dict[str, Any]


def document(run: Session) -> Document:
    """The keys of `dissect info --format json`."""
    reading = run.reading
    reported = [*reading.messages, *reading.duplicates]
    tls = [m for m in reported if isinstance(m, TlsConnection) and m.inside is None]
    sentences: dict[str, str] = {}
    for row in tls:
        if row.reason and row.sentence:
            sentences.setdefault(row.reason, row.sentence)
    traffic = {item.capture: item for item in reading.traffic}
    found: Document = {
        "captures": [_capture(item, traffic.get(item.index)) for item in reading.captures],
        "addresses": _addresses(reading, reported),
        "streams": _streams(reading, reported),
        "tls": {
            "decrypted": dict(Counter(row.decrypted for row in tls)),
            "reason": dict(Counter(row.reason for row in tls if row.reason)),
            "sentences": sentences,
        },
        "shared": [
            {
                "capture": run.names[item.capture],
                "with": run.names[item.other],
                "connections": item.connections,
                "messages": item.messages,
                "clock_ahead_ns": item.ahead_ns,
            }
            for item in reading.shared
        ],
        "clocks": [
            {
                "capture": run.names[item.capture],
                "against": None if item.other is None else run.names[item.other],
                "set_ns": item.set_ns,
                "ahead_ns": item.ahead_ns,
                "uncertainty_ns": item.error_ns,
                "moved_ns": item.move_ns,
                "told_by": dict(item.kinds),
                "sentence": item.sentence(run.names),
            }
            for item in run.clocks
            if item.other is not None or item.set_ns is not None
        ],
        "anomalies": [
            {
                "capture": run.names[item.capture],
                "frame": item.frame,
                "stream": item.stream,
                "kind": item.kind,
                "sentence": item.sentence,
            }
            for item in reading.anomalies
        ],
        "warnings": list(reading.warnings),
    }
    found["advice"] = list(capture_advice.advice(found))
    return found


def _capture(item: CaptureInfo, traffic: Traffic | None) -> Document:
    found: Document = {
        "capture": item.name,
        "reader": item.reader,
        "frames": item.frames,
        "frames_skipped": dict(item.frames_skipped),
        "link_types": list(item.link_types),
        "interfaces": list(item.interfaces),
        "start": rfc3339(item.start_ns) if item.start_ns is not None else None,
        "end": rfc3339(item.end_ns) if item.end_ns is not None else None,
        "duration_ns": (item.end_ns or 0) - (item.start_ns or 0),
        "snaplen": item.snaplen,
        "drops": item.drops,
        "key_logs": list(item.key_logs),
    }
    if traffic is not None:
        found["frames_cut"] = traffic.cut
        found["frames_before_earlier_time"] = traffic.backwards
        found["frames_doubled"] = traffic.copies
        found["streams"] = {"tcp": traffic.tcp, "udp": traffic.udp}
        found["tcp"] = {
            "segments": traffic.segments,
            "sent_again": traffic.resent,
            "out_of_order": traffic.late,
            "bytes": traffic.payload,
            "bytes_lost": traffic.lost,
            "one_direction_only": traffic.one_way,
            "begun_before_capture": traffic.joined_late,
            "loss_rate": _rate(traffic.lost, traffic.lost + traffic.payload),
            "sent_again_rate": _rate(traffic.resent, traffic.segments),
            "reorder_rate": _rate(traffic.late, traffic.segments),
        }
    return found


def _rate(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0


def _streams(reading: Reading, reported: Iterable[Message]) -> Document:
    """Connections by protocol; one with HTTP in TLS counts for both."""
    carried: dict[str, set[tuple[int, str, int]]] = defaultdict(set)
    lost = tcp = 0
    for message in reported:
        where = message.place.connection
        key = where.capture, where.transport, where.stream
        if isinstance(message, TcpConnection):
            tcp += 1
            lost += sum(message.lost)
        elif isinstance(message, TlsConnection):
            carried["tls"].add(key)
        for name, kinds in _PROTOCOLS:
            if isinstance(message, kinds):
                carried[name].add(key)
    udp = sum(item.udp for item in reading.traffic)
    known = len(set().union(*carried.values()))
    counts = {name: len(keys) for name, keys in sorted(carried.items())}
    return {
        "tcp": tcp,
        "udp": udp,
        **counts,
        "other": max(0, tcp + udp - known),
        "bytes_lost": lost,
    }


def _addresses(reading: Reading, reported: Iterable[Message]) -> list[Document]:
    """IP addresses by the number of their streams, and the names that the captures know."""
    names: dict[str, dict[str, None]] = defaultdict(dict)
    for message in reported:
        if isinstance(message, DnsMessage) and message.questions:
            for _, kind, address in message.answers:
                if kind in ("A", "AAAA"):
                    names[address][message.questions[0][0].rstrip(".").lower()] = None
        elif isinstance(message, TlsConnection) and message.server_name and not message.inside:
            names[message.place.connection.server.address][message.server_name.lower()] = None
    for address, name in reading.names.items():
        names[address][name] = None
    streams: Counter[str] = Counter()
    for item in reading.traffic:
        streams.update(item.addresses)
    return [
        {"address": address, "streams": count, "names": list(names[address])[:MAX_NAMES]}
        for address, count in streams.most_common()
    ]

"""Events below the sign-in protocols: names, connections refused or shut, TLS alerts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from dissect.model import DnsMessage, Fact, TcpConnection, TlsConnection, Unreachable
from dissect.signin.rule import FactValue, Timed

# Not failures of a sign-in: ordinary ends of a connection.
_ORDINARY_ALERTS = frozenset({"close_notify", "user_canceled", "no_renegotiation"})
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
# _sip._udp, _sips._tcp, _sip._tls, _sipinternaltls._tcp, _sipfederationtls._tcp
_SIP_SERVICES = ("_sip._", "_sips._", "_sipinternal._", "_sipinternaltls._", "_sipfederationtls._")


def dns(message: DnsMessage) -> Iterator[tuple[str, dict[str, Fact]]]:
    """A question, an answer with addresses, or a failure in words."""
    for name, kind in message.questions[:1]:
        facts: dict[str, Fact] = {"name": name, "type": kind}
        if not message.is_response:
            yield "dns.queried", facts
        elif message.rcode == "NOERROR":
            found = tuple(data for _, kind_, data in message.answers if kind_ in ("A", "AAAA"))
            if found:
                facts["addresses"] = found
            elif message.answers:  # SRV, NAPTR, PTR …
                facts["answers"] = tuple(f"{kind_} {data}" for _, kind_, data in message.answers)
                hosts = tuple(_sip_hosts(message))
                if hosts:
                    facts["sip_hosts"] = hosts
            yield "dns.answered", facts
        else:
            yield "dns.failed", {**facts, "rcode": message.rcode.lower()}


def _sip_hosts(message: DnsMessage) -> Iterator[str]:
    """Where a domain's SIP servers are (RFC 3263 §4.2), Lync's names for them, too."""
    for name, kind, data in message.answers:
        if kind == "SRV" and name.lower().startswith(_SIP_SERVICES):
            yield data.split()[-1].rstrip(".").lower()


def tls(row: TlsConnection) -> Iterator[tuple[str, dict[str, FactValue]]]:
    """A connection that stayed undecrypted (with its shape), and alerts that end a handshake."""
    facts: dict[str, FactValue] = {}
    if row.version:
        facts["version"] = row.version
    if row.reason:
        facts["reason"] = row.reason
    if row.sentence:
        facts["sentence"] = row.sentence
    if row.certificates:
        facts["certificate"] = row.certificates[0].subject
        facts["issuer"] = row.certificates[0].issuer
    if row.decrypted == "none" and row.inside is None:
        up = sum(1 for shape in row.record_sizes if shape.direction == 0)
        facts["records_up"] = up
        facts["records_down"] = len(row.record_sizes) - up
        facts["bytes_up"] = sum(shape.length for shape in row.record_sizes if shape.direction == 0)
        facts["bytes_down"] = sum(
            shape.length for shape in row.record_sizes if shape.direction == 1
        )
        yield "tls.hidden", facts
    for alert in row.alerts:
        if alert.level == "fatal" and alert.description not in _ORDINARY_ALERTS:
            by = "client" if alert.direction == 0 else "server"
            yield (
                "tls.alert",
                {"alert": alert.description, "by": by, **facts, **_dates(row, alert.time_ns)},
            )
            break


def _dates(row: TlsConnection, seen_ns: int) -> dict[str, FactValue]:
    """The validity of the server's certificate, for who asks whose clock is wrong, and in words:
    compared with when it was refused."""
    if not row.certificates:
        return {}
    leaf = row.certificates[0]
    try:
        begins, ends, _ = map(_moment, (leaf.not_before_ns, leaf.not_after_ns, seen_ns))
    except (ValueError, OverflowError, OSError):
        return {}  # beyond what a calendar holds: nothing is concluded from it
    return {
        "certificate_from": begins.isoformat(),
        "certificate_until": ends.isoformat(),
        "certificate_dates": Timed(seen_ns, lambda ns: _compared(begins, ends, ns)),
    }


def _moment(ns: int) -> datetime:
    return datetime.fromtimestamp(ns // 1_000_000_000, UTC)


def _compared(begins: datetime, ends: datetime, seen_ns: int) -> str | None:
    """A certificate's dates (UTC) against those of the capture."""
    try:
        seen = _moment(seen_ns)
    except (ValueError, OverflowError, OSError):
        return None  # a clock was moved beyond the calendar
    if seen < begins:
        return f"valid only from {_day(begins)}, {_apart(begins - seen)} after this capture"
    if seen > ends:
        return f"expired on {_day(ends)}, {_apart(seen - ends)} before this capture"
    return f"valid until {_day(ends)}"


def _day(moment: datetime) -> str:
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}"  # in no locale's language


def _apart(length: timedelta) -> str:
    for unit, seconds in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        count = int(length.total_seconds() // seconds)
        if count:
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "less than a minute"


def tcp(row: TcpConnection) -> Iterator[tuple[str, dict[str, Fact]]]:
    """Connections that nobody answered, refused or reset before a byte of answer came."""
    if row.outcome in ("refused", "timeout"):
        yield f"tcp.{row.outcome}", {"attempts": row.syn_count}
    elif row.outcome == "reset" and row.payload[0] > 0 and row.payload[1] == 0:
        by = "client" if row.reset_by == 0 else "server"
        yield "tcp.reset", {"by": by}


def unreachable(message: Unreachable) -> Iterator[tuple[str, dict[str, Fact]]]:
    """A datagram that ICMP says did not arrive; who says so, where that is not the host itself."""
    facts: dict[str, Fact] = {"what": message.what}
    if message.by != message.place.sender.address:
        facts["router"] = message.by
    yield "udp.unreachable", facts

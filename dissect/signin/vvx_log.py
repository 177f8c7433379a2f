"""What a VVX phone's log entries mean, and how far its clock is off."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from email.utils import parsedate_to_datetime

from dissect.model import Event, Fact, LogEntry, Message, Secret, SipMessage
from dissect.signin.oauth import user_code

# What shows that somebody turned to a host, where no request can be read.
_CONNECTED = frozenset({"tls.hidden", "proxy.connect.requested", "tcp.refused", "tcp.timeout"})
_HOST = re.compile(r"https?://([^/:\s]+)")
_FIELD = re.compile(r"([A-Za-z_]+)\s*\[([^\]]*)\]")


def entry(message: LogEntry) -> Iterator[tuple[str, bool, dict[str, Fact]]]:
    """Events of an entry: name, whether the phone received something, facts."""
    text = message.text.decode("utf-8", "replace")
    fields = {name.lower(): value for name, value in _FIELD.findall(text)}
    if "sSDevicePairGetAADUrlAndClientID" in text and "S/E(" in text:
        yield "phone.signin.started", False, {}
    elif text.startswith("Sent request for Device Configuration"):
        facts: dict[str, Fact] = {"method": "GET", "path": "device configuration"}
        asked = _HOST.search(text)
        if asked:
            facts["asked_host"] = asked.group(1).lower()
        yield "pairing.config.requested", False, facts
    elif text.startswith("DeviceConfiguration Data"):
        facts = {}
        for name, fact in (("clientid", "client_id"), ("devicepairingwebsiteurl", "website")):
            if fields.get(name):
                facts[fact] = fields[name]
        yield "pairing.config.received", True, facts
    elif text.startswith("parseDeviceInformation") and fields.get("user_code"):
        facts = {"user_code": user_code(fields["user_code"])}
        if fields.get("device_code"):
            facts["device_code"] = Secret("device_code", fields["device_code"])
        for name in ("expires_in", "interval"):
            if fields.get(name, "").isdecimal():
                facts[name] = int(fields[name])
        yield "oauth.device_code.issued", True, facts
    elif text.startswith("parseIDRefreshTokenData") and fields.get("access_token"):
        yield "oauth.token.issued", True, {"grant": "phone log"}
    elif "Got User Certificate" in text and text.startswith("Policy Dest"):
        user = re.search(r"Uri:(\S+)", text)
        yield "certprov.issued", True, {"user": user.group(1).lower()} if user else {}


def secrets(message: LogEntry) -> Iterator[Secret]:
    """Codes and tokens that an entry shows; tokens cut with dots are secrets as well."""
    text = message.text.decode("utf-8", "replace")
    for name, value in _FIELD.findall(text):
        if name.lower() in (
            "user_code",
            "device_code",
            "access_token",
            "refresh_token",
            "id_token",
        ):
            yield Secret(name.lower(), value)


def clock_offset(
    log: Sequence[Event], packets: Sequence[Event], messages: Sequence[Message]
) -> tuple[int, str] | None:
    """Nanoseconds to add to a log's times, and how they were found; None if nothing tells.

    Values seen in both (codes, Call-ID with CSeq) are best: the median of their differences,
    since the log has whole seconds only. Else a SIP Date header tells what the server's
    clock said; else the captures' first connection to the host that the log says the phone
    asked first.
    """
    seen: dict[tuple[str, str, str], int] = {}
    for event in packets:
        for key in _shared(event):
            seen.setdefault(key, event.time_ns)
    found = [seen[key] - event.time_ns for event in log for key in _shared(event) if key in seen]
    if found:
        return sorted(found)[len(found) // 2], f"{len(found)} values shared with the capture"
    for message in messages:
        if isinstance(message, SipMessage) and message.kind == "response":
            date = message.header("date")
            try:
                moment = parsedate_to_datetime(date) if date else None
            except ValueError:
                moment = None  # an unreadable Date tells nothing
            if moment is not None:
                seconds = int(moment.timestamp())
                return seconds * 1_000_000_000 - message.place.span.first_ns, "a SIP Date header"
    for event in log:
        host = event.facts.get("asked_host")
        times = [p.time_ns for p in packets if p.name in _CONNECTED and p.host == host]
        if host and times:
            return min(times) - event.time_ns, f"the first connection to {host}"
    return None


def _shared(event: Event) -> Iterator[tuple[str, str, str]]:
    for name in ("device_code", "user_code"):
        value = event.facts.get(name)
        if isinstance(value, Secret) and event.name == "oauth.device_code.issued":
            yield event.name, name, value.value
    if "call_id" in event.facts and "cseq" in event.facts:
        yield event.name, str(event.facts["call_id"]), str(event.facts["cseq"])


# A log entry and a packet this close with the same meaning are one event seen twice.
TWIN_NS = 3_000_000_000


def without_twins(log: Sequence[Event], packets: Sequence[Event]) -> list[Event]:
    """The log's events that no packet shows. Where the packets could be read they are the
    better evidence; the log fills in what was shut or not captured. What stays is given
    the device code that its part of the log is about, so that it stays tied to it."""
    by_name: dict[str, list[Event]] = {}
    for event in packets:
        by_name.setdefault(event.name, []).append(event)
    codes = [(e.time_ns, e.facts["device_code"]) for e in log if "device_code" in e.facts]
    return [
        _about(event, codes)
        for event in log
        if not any(_twin(event, packet) for packet in by_name.get(event.name, ()))
    ]


def _about(event: Event, codes: Sequence[tuple[int, Fact]]) -> Event:
    if not codes or "device_code" in event.facts:
        return event
    # The latest code before the event; what comes before any leads to the first.
    earlier = [code for time_ns, code in codes if time_ns <= event.time_ns]
    code = earlier[-1] if earlier else codes[0][1]
    return replace(event, facts={**event.facts, "device_code": code})


def clock_words(offset_ns: int) -> str:
    """How a phone's local clock stands to the capture's: its time zone, and its error."""
    quarter = 900_000_000_000
    zone = round(-offset_ns / quarter)
    error = round((offset_ns + zone * quarter) / 1e9)
    hours, minutes = divmod(abs(zone) * 15, 60)
    name = f"UTC{'-' if zone < 0 else '+'}{hours}" + (f":{minutes:02}" if minutes else "")
    if not error:
        return f"in {name} and right to the second"
    return f"in {name} and {abs(error)} s {'behind' if error > 0 else 'ahead'}"


def _twin(log: Event, packet: Event) -> bool:
    shared = set(_shared(log)) & set(_shared(packet))
    return bool(shared) or abs(log.time_ns - packet.time_ns) <= TWIN_NS

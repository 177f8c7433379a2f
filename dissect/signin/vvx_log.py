"""What a VVX phone's log entries mean, and how far its clock is off."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dissect.model import Event, Fact, LogEntry, Message, Secret, SipMessage
from dissect.signin.dates import moment
from dissect.signin.user_codes import user_code

SECOND = 1_000_000_000
WEST_QUARTERS, EAST_QUARTERS, DAY_QUARTERS = -48, 56, 96  # time zones: UTC-12 to UTC+14
# What shows that somebody turned to a host, where no request can be read.
_CONNECTED = frozenset({"tls.hidden", "proxy.connect.requested", "tcp.refused", "tcp.timeout"})
_HOST = re.compile(r"https?://([^/:\s]+)")
_FIELD = re.compile(r"(?<![A-Za-z_])([A-Za-z_]++)\s*+\[([^\]]*+)\]?")


def entry(message: LogEntry) -> Iterator[tuple[str, bool, dict[str, Fact]]]:
    """Events of an entry: name, whether the phone received something, facts."""
    text = message.text.decode("utf-8", "replace")
    fields = {name.lower(): value for name, value in _fields(text)}
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
            if fields.get(name, "").isdecimal() and len(fields[name]) <= 10:
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
    for name, value in _fields(text):
        if name.lower() in (
            "user_code",
            "device_code",
            "access_token",
            "refresh_token",
            "id_token",
        ):
            yield Secret(name.lower(), value)


def _fields(text: str) -> list[tuple[str, str]]:
    """What an entry has as `name[value]`; most have none."""
    return _FIELD.findall(text) if "[" in text else []


@dataclass(frozen=True, slots=True)
class LogOffset:
    """Nanoseconds to add to a log's times, how far that may be off (0: nobody knows), and what
    told it."""

    ns: int
    uncertainty_ns: int
    how: str


def clock_offset(
    log: Sequence[Event], packets: Sequence[Event], messages: Sequence[Message]
) -> LogOffset | None:
    """How a log's clock stands to the captures'; None if nothing tells.

    Values seen in both (codes, Call-ID with CSeq) are best: the median of their differences,
    since many logs have whole seconds only. Else SIP Date headers tell what the server's clock
    said; else the captures' first connection to the host that the log says the phone asked
    first.
    """
    whole = all(message.place.span.first_ns % SECOND == 0 for message in messages)
    resolution = SECOND if whole else SECOND // 1000
    seen: dict[tuple[str, str, str], int] = {}
    for event in packets:
        for key in _shared(event):
            seen.setdefault(key, event.time_ns)
    found = sorted(
        seen[key] - event.time_ns for event in log for key in _shared(event) if key in seen
    )
    if found:
        quarter = len(found) // 4  # a value that waited in a queue says nothing of the clock
        spread = (found[-1 - quarter] - found[quarter]) // 2
        how = f"{len(found)} values shared with the capture"
        return LogOffset(found[len(found) // 2], max(resolution, spread), how)
    found = sorted(_dates(messages))
    if found:
        # A Date has whole seconds: the truth is up to one later, or, of two such, to either side.
        low, high = found[-1] - (SECOND if whole else 0), found[0] + SECOND
        ns = 0 if low <= 0 <= high else found[len(found) // 2]
        return LogOffset(ns, SECOND, "a SIP Date header")
    for event in log:
        host = event.facts.get("asked_host")
        times = [p.time_ns for p in packets if p.name in _CONNECTED and p.host == host]
        if host and times:
            return LogOffset(min(times) - event.time_ns, 0, f"the first connection to {host}")
    return None


def _dates(messages: Sequence[Message]) -> Iterator[int]:
    """What each SIP Date header (RFC 3261 §20.17) of a response says more than the log's clock."""
    for message in messages:
        if isinstance(message, SipMessage) and message.kind == "response":
            date = message.header("date")
            reported = moment(date) if date else None
            if reported is not None:
                yield int(reported) * SECOND - message.place.span.first_ns


def _shared(event: Event) -> Iterator[tuple[str, str, str]]:
    for name in ("device_code", "user_code"):
        value = event.facts.get(name)
        if isinstance(value, Secret) and event.name == "oauth.device_code.issued":
            yield event.name, name, value.value
    if "call_id" in event.facts and "cseq" in event.facts:
        yield event.name, str(event.facts["call_id"]), str(event.facts["cseq"])


# A log entry and a packet this close with the same meaning are one event seen twice.
DUPLICATE_NS = 3_000_000_000


def without_duplicate_entries(log: Sequence[Event], packets: Sequence[Event]) -> list[Event]:
    """The log's events that no packet shows. Where the packets could be read they are the
    better evidence; the log fills in what was undecrypted or not captured. What stays is given
    the device code that its part of the log is about, so that it stays tied to it."""
    by_name: dict[str, list[Event]] = {}
    for event in packets:
        by_name.setdefault(event.name, []).append(event)
    # Lines of the log tell what came first; its times are whole seconds.
    given = {e.facts["device_code"]: e.order for e in reversed(log) if "device_code" in e.facts}
    codes = sorted(((at, code) for code, at in given.items()), key=lambda pair: pair[0])
    return [
        _about(event, codes)
        for event in log
        if not any(_is_duplicate(event, packet) for packet in by_name.get(event.name, ()))
    ]


# What a phone logs before it is given a code; all else comes after.
_LEADING = frozenset(
    {"phone.signin.started", "pairing.config.requested", "pairing.config.received"}
)


_Order = tuple[int, bool, str, int]  # as `Event.order`


def _about(event: Event, codes: Sequence[tuple[_Order, Fact]]) -> Event:
    """With the code that its part of the log is about, and the number of that part."""
    if not codes or event.source.stream is not None:
        return event
    code = event.facts.get("device_code")
    part = next((n for n, (_, known) in enumerate(codes) if known == code), None)
    if part is None:
        before = sum(order < event.order for order, _ in codes)
        part = min(before, len(codes) - 1) if event.name in _LEADING else max(before - 1, 0)
    return replace(event, facts={**event.facts, "device_code": codes[part][1], "log_part": part})


def clock_words(offset_ns: int, uncertainty_ns: int = 0) -> str:
    """How a log's local clock stands to another: its time zone, its error, and how sure
    that is."""
    quarter = 900 * SECOND
    zone = round(-offset_ns / quarter)
    error = round((offset_ns + zone * quarter) / SECOND)
    days = 0  # a clock may be wrong by more than any time zone explains
    if not WEST_QUARTERS <= zone <= EAST_QUARTERS:
        days = round(-zone / DAY_QUARTERS)
        zone += days * DAY_QUARTERS
    hours, minutes = divmod(abs(zone) * 15, 60)
    name = f"UTC{'-' if zone < 0 else '+'}{hours}" + (f":{minutes:02}" if minutes else "")
    total = days * 86_400 + error
    if total:
        whole, rest = divmod(abs(total), 86_400)
        much = [f"{whole} day{'s' if whole > 1 else ''}"] if whole else []
        much += [f"{rest} s"] if rest else []
        words = f"in {name} and {' and '.join(much)} {'behind' if total > 0 else 'ahead'}"
    else:
        words = f"in {name} and right to the second"
    if uncertainty_ns:
        seconds = uncertainty_ns / SECOND
        words += f", ± {seconds:.0f} s" if seconds >= 1 else f", ± {seconds * 1000:.0f} ms"
    return words


def _is_duplicate(log: Event, packet: Event) -> bool:
    if set(_shared(log)) & set(_shared(packet)):
        return True
    # A server's log tells of others, too: there the time alone proves nothing.
    near = abs(log.time_ns - packet.time_ns) <= DUPLICATE_NS
    return near and log.source.stream is None

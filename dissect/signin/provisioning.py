"""How a phone is set up before it signs in: DHCP options, its configuration files, its clock.

A phone that is sent to the wrong server, or whose clock is wrong, fails later and elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dissect.model import DhcpMessage, Fact, NtpMessage
from dissect.signin.dates import ALLOWED_S, apart, compared
from dissect.signin.exchange import Exchange
from dissect.signin.rule import Found, got, sent

# Names of options in words; 43.x are the suboptions that Lync Phone Edition reads.
_OPTIONS = {
    "43.1": "43.1 (client kind)",
    "43.2": "43.2 (URL scheme)",
    "43.3": "43.3 (web server)",
    "43.4": "43.4 (port)",
    "43.5": "43.5 (certificate path)",
}
_ASKED_FOR_PROVISIONING = (43, 66, 67, 120, 150, 156, 159, 160, 161, 242)
_DHCP_EVENTS = {
    "discover": "dhcp.asked",
    "request": "dhcp.asked",
    "inform": "dhcp.asked",
    "offer": "dhcp.offered",
    "ack": "dhcp.offered",
    "nak": "dhcp.refused",
    "decline": "dhcp.refused",
}

# The files that phones fetch, by the makers' manuals: Polycom, Cisco, Yealink, AudioCodes,
# Snom, Grandstream; and the update service of Lync phones.
_FILE = re.compile(
    r"/(?:(?P<mac>[0-9a-f]{12})(?:-[a-z0-9_-]{1,40})?\.(?:cfg|xml|boot|log|htm|ini|cnf)"
    r"|cfg(?P<mac2>[0-9a-f]{12})(?:\.xml)?|sep(?P<mac3>[0-9a-f]{12})\.cnf\.xml"
    r"|y0{6,10}[0-9]{1,4}\.(?:cfg|boot)|xmldefault\.cnf\.xml|sip\.ver|[\w.-]{1,80}\.sip\.ld"
    r"|requesthandler/ucdevice\.upx)\Z"
)
_BACKGROUND = re.compile(r"^(?:filetransport|polycom|poly|yealink|cisco|audiocodes|snom)", re.I)
_SETTINGS = re.compile(r"/[\w.-]{1,80}\.cfg\Z")


def dhcp(message: DhcpMessage) -> Iterator[tuple[str, dict[str, Fact]]]:
    """What a phone asks for, and where it is sent; a lease's other messages say nothing here."""
    name = _DHCP_EVENTS.get(message.kind)
    if name is None:
        return
    wanted = tuple(str(code) for code in message.asked if code in _ASKED_FOR_PROVISIONING)
    reported: dict[str, Fact | None] = {
        "message": message.kind,
        "hardware": message.hardware,
        "address": message.address,
        "dhcp_server": message.server,
        "host_name": message.host_name,
        "vendor_class": message.vendor_class,
        "wants": wanted if name == "dhcp.asked" else None,
        "name_servers": message.name_servers,
        "time_servers": message.time_servers,
        "sip_servers": message.sip_servers,
    }
    facts: dict[str, Fact] = {key: value for key, value in reported.items() if value}
    for place, value in message.provisioning:
        facts[f"option {_OPTIONS.get(place, place)}"] = _option_text(bytes(value))
    pool = facts.get("option 43.3 (web server)") or next(iter(message.sip_servers), None)
    if pool and name == "dhcp.offered":
        facts["pool"] = pool  # where a phone of Skype for Business signs in
    yield name, facts


def _option_text(value: bytes) -> str:
    """An option's value as text (the policy says what of it is shown); other bytes are counted."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return f"{len(value)} bytes"
    return text if text.isprintable() else f"{len(value)} bytes"


def ntp(message: NtpMessage) -> Iterator[Found]:
    """An answer of a time server, and how wrong the client's clock was."""
    client_ns = message.transmit_ns
    if message.mode == "client" and client_ns is not None:
        # What the phone takes the time for (RFC 4330 §5), against the capture's clock.
        yield apart(
            "ntp.clock_wrong",
            message.place.span.first_ns,
            lambda ns: round((client_ns - ns) / 1_000_000_000),
            lambda seconds: f"the client's clock is {compared(seconds)} the capture's",
            measured="by the question",
        )
    if message.mode != "server":
        return
    facts: dict[str, Fact] = {"stratum": message.stratum}
    if message.kiss:
        yield sent("ntp.refused", **facts, kiss=message.kiss)
        return
    if message.unsynchronized:
        yield sent("ntp.refused", **facts, text="the server itself has no time")
        return
    ahead = message.client_ahead_ns
    if ahead is not None:
        facts["client_ahead_ms"] = round(ahead / 1_000_000)
    if message.delay_ns is not None and message.delay_ns >= 0:
        facts["delay_ms"] = round(message.delay_ns / 1_000_000)
    yield sent("ntp.answered", **facts)
    seconds = round(ahead / 1_000_000_000) if ahead is not None else 0
    if abs(seconds) > ALLOWED_S:
        text = f"the client's clock was {compared(seconds)} the time server's"
        yield sent("ntp.clock_wrong", seconds=seconds, measured="by the server", text=text)


def files(exchange: Exchange) -> Iterator[Found]:
    """A phone's configuration files and logs over HTTP, known by their names."""
    match = _FILE.search(exchange.path)
    agent = exchange.request_header("user-agent") or ""
    if match is None and not (_BACKGROUND.match(agent) and _SETTINGS.search(exchange.path)):
        return
    mac = next((value for value in match.groups() if value), None) if match else None
    facts: dict[str, Fact | None] = {
        "file": exchange.path.rpartition("/")[2],
        "hardware": ":".join(re.findall("..", mac)) if mac else None,
        "user_agent": agent,
    }
    yield sent("provisioning.requested", **facts)
    if exchange.response is None:
        return
    if exchange.status < 300:
        yield got("provisioning.answered", **facts)
    elif exchange.status == 401 and not exchange.request_header("authorization"):
        yield got("provisioning.challenged", **facts)
    elif exchange.status >= 400:
        yield got("provisioning.failed", **facts)


RULES = (files,)

"""What serves the sign-in below it: DNS, DHCP, NTP, TCP connections, the PROXY header."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dissect.model.secrets import Opaque
from dissect.model.wire import Direction, Endpoint, Place


@dataclass(frozen=True, slots=True)
class DnsMessage:
    """A DNS query or response (RFC 1035). `answers` are (name, type, data) in words."""

    place: Place
    ident: int
    is_response: bool
    rcode: str
    questions: tuple[tuple[str, str], ...]
    answers: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class DhcpMessage:
    """A DHCPv4 message (RFC 2131), with what tells a phone where its servers are (RFC 2132).

    `kind` is the message type in lower case ("discover", "offer", "ack" …). `address` is the
    one given or asked for, `server` the DHCP server's. `asked` are the option codes that the
    client wants. `provisioning` pairs a place ("66", "160", "43", "43.3") with its value,
    which may be a URL with a password in it. Name, time and SIP servers are addresses or names.
    """

    place: Place
    kind: str
    ident: int
    hardware: str
    address: str | None = None
    server: str | None = None
    host_name: str | None = None
    vendor_class: str | None = None
    asked: tuple[int, ...] = ()
    name_servers: tuple[str, ...] = ()
    time_servers: tuple[str, ...] = ()
    sip_servers: tuple[str, ...] = ()
    provisioning: tuple[tuple[str, Opaque], ...] = ()


@dataclass(frozen=True, slots=True)
class NtpMessage:
    """An NTP or SNTP message (RFC 5905, RFC 4330); times in ns UTC, None where zero was sent.

    `client_ahead_ns` is set in an answer whose request was captured, if that told the
    client's time: how far the client's clock is ahead of the server's (negative: behind).
    `delay_ns` is the round trip without the server's part. `kiss` is the code of a
    kiss-o'-death, such as RATE.
    """

    place: Place
    mode: str
    version: int
    stratum: int
    unsynchronized: bool = False
    origin_ns: int | None = None
    receive_ns: int | None = None
    transmit_ns: int | None = None
    kiss: str | None = None
    client_ahead_ns: int | None = None
    delay_ns: int | None = None


@dataclass(frozen=True, slots=True)
class TcpConnection:
    """How a TCP connection began and ended.

    `outcome`: "open" (neither FIN nor RST seen), "closed" (FIN), "refused" (RST answers
    the SYN), "reset" (RST later), "timeout" (SYN repeated, no answer). `payload` counts
    bytes a direction after reassembly; `lost` bytes that no segment brought.
    """

    place: Place
    outcome: Literal["open", "closed", "refused", "reset", "timeout"]
    frames: int = 0
    payload: tuple[int, int] = (0, 0)
    lost: tuple[int, int] = (0, 0)
    syn_count: int = 0
    handshake_seen: bool = False
    reset_by: Direction | None = None


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """The PROXY protocol's header: whose connection a load balancer passes on.

    `client` and `server` are the ends of that connection, as the header says.
    """

    place: Place
    client: Endpoint
    server: Endpoint | None = None


@dataclass(frozen=True, slots=True)
class Unreachable:
    """An ICMP error about a datagram (RFC 792, RFC 4443): it goes to who sent that.

    `what` is the code in words ("port unreachable"), `by` the address that says so: that of the
    host itself, or of a router on the way.
    """

    place: Place
    what: str
    by: str

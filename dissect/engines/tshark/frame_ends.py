"""Who sent a frame that an arrow selects, to whom, and which frames are copies of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dissect.engines.tshark.frames import addresses
from dissect.flow.schema import ArrowDef, Definition
from dissect.model import Endpoint
from dissect.transport.udp import swapped

PAYLOAD = "dissect.payload"  # no field: a digest of the datagram's bytes
FIELDS = (
    "frame.number", "frame.time_epoch", "frame.protocols", "frame.md5_hash",
    "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "eth.src", "eth.dst", "wlan.sa", "wlan.da",
    "tcp.stream", "tcp.srcport", "tcp.dstport", "udp.stream", "udp.srcport", "udp.dstport",
    "tcp.segment", "ip.id", "tcp.seq_raw", "tcp.ack_raw", "tcp.len", "udp.payload",
)  # fmt: skip
"""What of each frame is asked for, whatever a definition wants."""
_SAME = {
    "udp": ("ip.id", PAYLOAD),
    "tcp": ("ip.id", "tcp.seq_raw", "tcp.ack_raw", "tcp.len"),
}


def ends(
    protocols: tuple[str, ...], row: dict[str, list[str]]
) -> tuple[Endpoint, Endpoint, str, int | None]:
    """Sender and receiver, transport and stream: of the innermost packet, or of the frame."""
    pair = addresses(protocols, row)
    transport = next((name for name in reversed(protocols) if name in ("tcp", "udp")), "")
    if pair is not None:
        ports = [row[f"{transport}.{end}"] if transport else [] for end in ("srcport", "dstport")]
        source, target = (int(port[-1]) if port else 0 for port in ports)
        streams = row[f"{transport}.stream"] if transport else []
        both = Endpoint(pair[0], source), Endpoint(pair[1], target)
        return *both, transport or "ip", int(streams[-1]) if streams else None
    for one, other in (("wlan.sa", "wlan.da"), ("eth.src", "eth.dst")):
        if row[one] and row[other]:
            return Endpoint(row[one][-1], 0), Endpoint(row[other][-1], 0), "frame", None
    return Endpoint("?", 0), Endpoint("?", 0), "frame", None


def identity(row: Mapping[str, Sequence[str]], transport: str) -> tuple[str, ...]:
    """What a frame and its copies have in common, whatever carries them (a VLAN, a tunnel, one
    more hop): number and bytes of the innermost IP packet; without UDP and TCP the whole frame.

    The number alone is not enough: many systems send 0 with datagrams that must not be
    fragmented, and checksums are not if the network card has to fill them in."""
    fields = _SAME.get(transport, ("frame.md5_hash",))
    return tuple(value for field in fields for value in (transport, *row[field][-1:]))


def client_first(
    definition: Definition, arrow: ArrowDef, sender: Endpoint, receiver: Endpoint
) -> tuple[Endpoint, Endpoint]:
    """Client and server: by the actors of the arrow, else by the ports."""
    kinds = {actor.id: actor.kind for actor in definition.actor}
    if not arrow.either and (kinds[arrow.from_] == "client") != (kinds[arrow.to] == "client"):
        return (sender, receiver) if kinds[arrow.from_] == "client" else (receiver, sender)
    return (receiver, sender) if swapped(sender, receiver) else (sender, receiver)

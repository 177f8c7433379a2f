"""What is wrong with the phone's line: a small MTU, answers that get lost."""

from __future__ import annotations

from ..config import Run
from ..network import Network
from ..processes import feed, run

USUAL_MTU = 1500
SDP_BYTES = 700  # a 200 with a body is longer than this, one without is not
# UDP's header, then `SIP/2.0 200`: the status stands 16 bytes after the header's start.
STATUS_200 = "@th,128,24 0x323030"
ONCE = "limit rate 1/day burst 1 packets"


def spoil(run_: Run, network: Network) -> None:
    """Do to the line what the scenario wants, before anybody speaks."""
    voice = run_.scenario.voice
    if voice.mtu != USUAL_MTU:
        for role, device in (("phone", "eth0"), ("router", "to-phone")):
            name = network.name(role)
            run("ip", "-n", name, "link", "set", device, "mtu", str(voice.mtu))
    if voice.loses_answers:
        ends = f"ip saddr {run_.names.hosts.sip.address} ip daddr {run_.names.clients.phone}"
        rules = "\n".join(
            f"{ends} udp sport 5060 {STATUS_200} meta length {size} {ONCE} drop"
            for size in (f"< {SDP_BYTES}", f">= {SDP_BYTES}")
        )
        chain = f"chain lost {{\ntype filter hook forward priority 0;\n{rules}\n}}"
        feed(
            f"table ip voice {{\n{chain}\n}}\n",
            "ip",
            "netns",
            "exec",
            network.name("router"),
            "nft",
            "-f",
            "-",
        )

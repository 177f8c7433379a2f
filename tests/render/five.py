"""Five phones at once: recordings of the lab, each with addresses of its own, as one folder."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.lab import scenario

NAMES = ("web-signin", "declined", "wrong-resource", "web-signin-tls13", "tcp-refused")
FAILED = {"declined", "wrong-resource", "tcp-refused"}  # as their truth files stage it
_LAB = {"10.222.202.232": "10.9.{}.232", "10.222.201.45": "10.9.{}.45"}  # phone, browser


def five(folder: Path) -> list[str]:
    """The captures, phone and browser of each in turn; their key logs lie beside them."""
    from scapy.layers.inet import IP, TCP, UDP
    from scapy.utils import rdpcap, wrpcap

    made = []
    for number, name in enumerate(NAMES, 1):
        for path in scenario(name).captures:
            packets = rdpcap(str(path))
            for packet in packets:
                if IP not in packet:
                    continue
                for end in ("src", "dst"):
                    old = getattr(packet[IP], end)
                    setattr(packet[IP], end, _LAB.get(old, old).format(number))
                for layer in (IP, TCP, UDP):
                    if layer in packet:
                        del packet[layer].chksum
            target = folder / f"{number}-{Path(path).stem}.pcap"
            wrpcap(str(target), packets, nano=True)
            shutil.copy(Path(path).with_suffix(".keys"), target.with_suffix(".keys"))
            made.append(str(target))
    return made

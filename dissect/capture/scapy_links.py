"""The slow road for uncommon link types: scapy's layer classes find the IP packet.

About a hundred times slower than walking headers by offset, and only taken for link
types that `dissect.transport` does not walk itself (802.11 with radiotap, PPI …).
"""

from __future__ import annotations

from typing import Any


class IpFinder:
    """Callable: (link type, packet) -> the IP packet inside, or None.

    scapy is imported at the first packet that needs it. A link type without a layer
    class is remembered, so that it costs nothing from then on.
    """

    def __init__(self) -> None:
        self._layers: dict[int, Any] = {}
        self._ip: tuple[Any, Any] | None = None

    def __call__(self, link: int, packet: bytes) -> bytes | None:
        try:
            layer = self._layers[link]
        except KeyError:
            layer = self._layers[link] = self._load(link)
        if layer is None or self._ip is None:
            return None
        from scapy.error import Scapy_Exception

        try:
            dissected = layer(packet)
        except (Scapy_Exception, ValueError, IndexError, KeyError, TypeError, ArithmeticError):
            return None  # counted as skipped under its link type by who gets the packet
        except Exception as error:
            # scapy lets struct.error and others of its own out on malformed packets.
            if type(error).__module__ in ("struct", "scapy.error"):
                return None
            raise
        for kind in self._ip:
            inner = dissected.getlayer(kind)
            if inner is not None:
                return bytes(inner.original)
        return None

    def _load(self, link: int) -> Any:
        # Importing the modules registers their link types with scapy's `conf`.
        import scapy.layers.dot11
        import scapy.layers.ppi  # noqa: F401
        from scapy.config import conf
        from scapy.layers.inet import IP
        from scapy.layers.inet6 import IPv6

        self._ip = (IP, IPv6)
        return conf.l2types.num2layer.get(link)

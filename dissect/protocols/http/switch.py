"""What follows HTTP on a connection or a stream: CONNECT and Upgrade (RFC 9110 §7.8, §9.3.6)."""

from __future__ import annotations

from collections.abc import Mapping

from dissect.model import Direction, StreamParser
from dissect.protocols.base import Layer, OpenUpgrade, Upgrade
from dissect.protocols.header_sections import Index, host_of, tokens


def upgrades(fields: Index) -> list[str]:
    """Protocols offered or accepted in Upgrade, lower case, if Connection names it."""
    return tokens(fields, b"upgrade") if "upgrade" in tokens(fields, b"connection") else []


def through_proxy(layer: Layer, asking: Direction, authority: str) -> StreamParser:
    """A parser for what a tunnel to `authority` carries, which `asking` asked a proxy for."""
    proxy = layer.connection.receiver(asking)
    host = host_of(authority).rpartition(":")[0].strip("[]")
    # The proxy's own TLS and its ALPN are not those of what is inside.
    return layer.child(via=str(proxy), server_name=host or None, alpn=None)


def upgraded(
    layer: Layer, protocol: str, upgrade: Upgrade, openers: Mapping[str, OpenUpgrade]
) -> StreamParser:
    """A parser for the protocol that both sides switched to; one that `openers` don't know is
    told by its bytes."""
    opener = openers.get(protocol)
    return layer.child(alpn=None) if opener is None else opener(layer, upgrade)

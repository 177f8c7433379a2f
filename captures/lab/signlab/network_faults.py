"""What a firewall or a bad line does to the phone's packets, as nftables rules at the router."""

from __future__ import annotations

from .config import Run

TLS_HANDSHAKE = "0x16"  # the first byte of a ClientHello's record (RFC 8446 §5.1)


def rules(run: Run) -> str:
    """An nft script for the router's namespace; empty when nothing is staged."""
    knobs = run.scenario.network
    lines = []
    if knobs.firewall:
        host = getattr(run.names.hosts, knobs.firewall_role)
        towards = f"ip daddr {host.address} tcp"
        lines.append(
            {
                "refuse": f"{towards} flags syn reject with tcp reset",
                "drop": f"{towards} flags syn drop",
                "reset": f"{towards} dport 1-65535 @ih,0,8 {TLS_HANDSHAKE} reject with tcp reset",
            }[knobs.firewall]
        )
    if knobs.loss_percent:
        unlucky = f"numgen random mod 100 < {knobs.loss_percent} drop"
        lines += [f'iifname "to-phone" {unlucky}', f'oifname "to-phone" {unlucky}']
    if not lines:
        return ""
    chain = "type filter hook forward priority filter;"
    return f"table ip lab {{\nchain forward {{\n{chain}\n" + "\n".join(lines) + "\n}\n}\n"


def masquerade(interface: str) -> str:
    """An nft script that hides what leaves by `interface` behind its address (RFC 3022)."""
    chain = "type nat hook postrouting priority srcnat;"
    return f'table ip nat {{\nchain leaving {{\n{chain}\noifname "{interface}" masquerade\n}}\n}}\n'

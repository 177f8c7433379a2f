"""Four networks and a router as network namespaces.

phone and pc stand in the office, dmz holds the ADFS proxy, internet everything public. Each has
one interface, `eth0`; the public addresses are /32 on the loopback of dmz and internet, the way
they are announced by a real front end. A router namespace forwards between them.

Two phones stand in namespaces of their own behind `phone`, which then is what joins them to the
office: a router, or one with NAT. The capture is taken on its `eth0`, outside.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
from ipaddress import IPv4Address
from pathlib import Path
from types import TracebackType
from typing import Self

from .config import Run
from .network_faults import masquerade, rules
from .processes import LabError, feed, run
from .services.adfs_certificate import PORT as CERTIFICATE_PORT

NETNS_ETC = Path("/etc/netns")
NAMESPACES = ("phone", "pc", "dmz", "internet")
LINKS = {"dmz": "198.18.1", "internet": "198.18.2"}  # RFC 2544: between router and servers
STALE = re.compile(r"lab(\d+)-(?:router|phone|handset1|handset2|pc|dmz|internet)\b")
LAN = "198.18.3"  # between two phones and what joins them
OFFLOADS = ("tx", "rx", "tso", "gso", "gro")


def remove_stale() -> None:
    """Remove what an earlier recording left because it was killed outright."""
    for line in run("ip", "netns", "list").splitlines():
        found = STALE.match(line)
        if found is None or Path(f"/proc/{found.group(1)}").exists():
            continue
        name = found.group(0)
        for pid in run("ip", "netns", "pids", name).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        run("ip", "netns", "del", name)
        shutil.rmtree(NETNS_ETC / name, ignore_errors=True)


class Network:
    """The namespaces of one recording; made on entry, gone on exit."""

    def __init__(self, run_: Run) -> None:
        self._run = run_
        self._names = run_.names
        self._offload = run_.scenario.capture.offload
        self._prefix = f"lab{os.getpid()}"
        self._made: list[str] = []

    def name(self, role: str) -> str:
        """The system's name of the namespace of `role`."""
        return f"{self._prefix}-{role}"

    def phone(self, seat: int) -> str:
        """The system's name of the namespace in which the phone of this seat stands."""
        return self.name(f"handset{seat}" if self._run.two_phones else "phone")

    def __enter__(self) -> Self:
        remove_stale()
        try:
            self._build()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._remove()

    def _build(self) -> None:
        for role in ("router", *NAMESPACES):
            run("ip", "netns", "add", self.name(role))
            self._made.append(self.name(role))
            self._write_proc(role, "net/ipv6/conf/all/disable_ipv6", "1")
            run("ip", "-n", self.name(role), "link", "set", "lo", "up")
        self._write_proc("router", "net/ipv4/ip_forward", "1")
        mac, clients = self._names.device.mac, self._names.clients
        second = self._run.scenario.second
        if not self._run.two_phones:
            self._join("phone", clients.phone, mac=mac)
        elif second.lan == "nat":
            self._join("phone", clients.phone)
            self._attach(clients.inside, clients.inside2)
            feed(masquerade("eth0"), *self._inside("phone", "nft", "-f", "-"))
        else:
            gateway = clients.phone.rpartition(".")[0]
            self._join("phone", f"{gateway}.2")
            self._attach(clients.phone, clients.phone2)
            for address in (clients.phone, clients.phone2):
                via = ("via", f"{gateway}.2")
                run("ip", "-n", self.name("router"), "route", "add", f"{address}/32", *via)
        self._join("pc", self._names.clients.browser)
        for role, prefix in LINKS.items():
            self._join(role, f"{prefix}.2")
        for host in self._names.hosts.by_role().values():
            self._publish(host.zone, host.address)
        self._publish("internet", self._names.clients.dns)
        if self._run.scenario.phone.proxy:
            self._publish("dmz", self._names.clients.proxy)
        script = rules(self._run)
        if script:
            feed(script, *self._inside("router", "nft", "-f", "-"))
        handsets = ("handset1", "handset2") if self._run.two_phones else ("phone",)
        for role in (*handsets, "pc"):
            folder = NETNS_ETC / self.name(role)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "resolv.conf").write_text(f"nameserver {self._names.clients.dns}\n")
        if self._run.scenario.adfs.asks == "certificate":
            self._write_policy()

    def _write_policy(self) -> None:
        """Chromium at the PC shows the user's certificate to ADFS without a question.

        `ip netns exec` puts what is in the namespace's folder over /etc.
        """
        site = f"https://{self._names.hosts.adfs.name}:{CERTIFICATE_PORT}"
        rule = json.dumps({"pattern": site, "filter": {}})
        folder = NETNS_ETC / self.name("pc") / "chromium" / "policies" / "managed"
        folder.mkdir(parents=True)
        policy = {"AutoSelectCertificateForUrls": [rule]}
        (folder / "lab.json").write_text(json.dumps(policy))

    def _join(self, role: str, address: str, *, mac: str = "") -> None:
        """A cable from the router to `role`, with the router as the default way out."""
        gateway = str(IPv4Address(int(IPv4Address(address)) & ~0xFF | 1))
        router, own, far = self.name("router"), self.name(role), f"to-{role}"
        run("ip", "link", "add", far, "netns", router, "type", "veth", "peer", "eth0", "netns", own)
        if mac:
            pairs = ":".join(mac[i : i + 2] for i in range(0, 12, 2))
            run("ip", "-n", own, "link", "set", "eth0", "address", pairs)
        run("ip", "-n", router, "addr", "add", f"{gateway}/24", "dev", far)
        run("ip", "-n", own, "addr", "add", f"{address}/24", "dev", "eth0")
        for namespace, device in ((router, far), (own, "eth0")):
            self._switch_off(namespace, device)
        run("ip", "-n", router, "link", "set", far, "up")
        run("ip", "-n", own, "link", "set", "eth0", "up")
        run("ip", "-n", own, "route", "add", "default", "via", gateway)

    def _inside(self, role: str, *command: str) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self.name(role), *command)

    def _attach(self, *addresses: str) -> None:
        """Put phones with these addresses behind the namespace `phone`."""
        self._write_proc("phone", "net/ipv4/ip_forward", "1")
        middle = self.name("phone")
        devices = (self._names.device, self._names.device2)
        for seat, (address, device) in enumerate(zip(addresses, devices, strict=True), 1):
            own, far, gateway = self.name(f"handset{seat}"), f"to-{seat}", f"{LAN}.{seat}"
            run("ip", "netns", "add", own)
            self._made.append(own)
            run("ip", "-n", own, "link", "set", "lo", "up")
            ends = ("link", "add", far, "netns", middle, "type", "veth", "peer", "eth0", "netns")
            run("ip", *ends, own)
            pairs = ":".join(device.mac[i : i + 2] for i in range(0, 12, 2))
            run("ip", "-n", own, "link", "set", "eth0", "address", pairs)
            for namespace, name, mine in ((middle, far, gateway), (own, "eth0", address)):
                run("ip", "-n", namespace, "addr", "add", f"{mine}/32", "dev", name)
                run("ip", "-n", namespace, "link", "set", name, "up")
                self._switch_off(namespace, name)
            run("ip", "-n", middle, "route", "add", f"{address}/32", "dev", far)
            run("ip", "-n", own, "route", "add", f"{gateway}/32", "dev", "eth0")
            run("ip", "-n", own, "route", "add", "default", "via", gateway)

    def _switch_off(self, namespace: str, device: str) -> None:
        """No checksum or segmentation offload, unless the scenario wants it."""
        if not self._offload:
            switches = [word for feature in OFFLOADS for word in (feature, "off")]
            run("ip", "netns", "exec", namespace, "ethtool", "-K", device, *switches)

    def _publish(self, zone: str, address: str) -> None:
        run("ip", "-n", self.name(zone), "addr", "replace", f"{address}/32", "dev", "lo")
        via = f"{LINKS[zone]}.2"
        run("ip", "-n", self.name("router"), "route", "replace", f"{address}/32", "via", via)

    def _write_proc(self, role: str, key: str, value: str) -> None:
        command = f"test ! -e /proc/sys/{key} || echo {value} > /proc/sys/{key}"
        run("ip", "netns", "exec", self.name(role), "sh", "-c", command)

    def _remove(self) -> None:
        problems = []
        for name in reversed(self._made):
            try:
                run("ip", "netns", "del", name)
            except LabError as error:
                problems.append(str(error))
            shutil.rmtree(NETNS_ETC / name, ignore_errors=True)
        self._made.clear()
        if problems:
            raise LabError("; ".join(problems))

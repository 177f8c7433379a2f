"""DHCP (RFC 2131): a phone's lease by udhcpc, and dnsmasq that hands it out.

The options that phones look for: 43 in Lync's form (vendor class MS-UC-Client, sub-options 1 to 5:
identifier, scheme, host, port and path of the certificate provisioning service), 120 (SIP server,
RFC 3361), 42 (NTP), 160 (where a phone's configuration is).

`python -m signlab.dhcp RUNDIR` is the server, in the router's namespace; it reads dnsmasq's log.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

from .config import Run
from .network import Network
from .processes import LabError, Supervisor, wait_until
from .tools import START_SECONDS
from .truth import Truth

VENDOR_CLASS = "MS-UC-Client"
WANTED = (43, 120, 42, 160)
LEASE_SECONDS = 20.0
CERT_PATH = "/CertProv/CertProvisioningService.svc"
SERVER_LINE = re.compile(r"DHCP(DISCOVER|OFFER|REQUEST|ACK)\(to-phone\)")
SCRIPT = """#!/bin/sh
[ "$1" = bound ] || exit 0
env >"$LEASE_FILE"
ip addr add "$ip/$mask" dev "$interface"
ip route add default via "$router"
"""
# What udhcpc says → the messages that it stands for.
CLIENT_WORDS = {
    "broadcasting discover": (("sent", "DISCOVER"),),
    "broadcasting select for": (("received", "OFFER"), ("sent", "REQUEST")),
    "obtained from": (("received", "ACK"),),
}


def server_options(run: Run) -> list[str]:
    """The lines of dnsmasq.conf for what this network tells its phones."""
    hosts, clients = run.names.hosts.by_role(), run.names.clients
    network = clients.phone.rpartition(".")[0]
    mac = ":".join(run.device.mac[i : i + 2] for i in range(0, 12, 2))
    options = [
        f"dhcp-range={network}.2,{network}.250,255.255.255.0,8h",
        f"dhcp-host={mac},{clients.phone}",
        f"dhcp-option=option:dns-server,{clients.dns}",
        f"dhcp-option=option:sip-server,{hosts['sip'].name}",
    ]
    if "pool" in hosts:
        values = (VENDOR_CLASS, "https", hosts["pool"].name, "443", CERT_PATH)
        for number, value in enumerate(values, 1):  # quoted: text, a number too
            options.append(f'dhcp-option=vendor:{VENDOR_CLASS},{number},"{value}"')
    if "ntp" in hosts:
        options.append(f"dhcp-option=option:ntp-server,{hosts['ntp'].address}")
    if "provisioning" in hosts:
        files = f"http://{hosts['provisioning'].name}/phones/"
        options.append(f'dhcp-option=160,"{files}"')
        options.append(f'dhcp-option=vendor:Polycom,1,"{files}"')
    return options


def start_dhcp(run: Run, network: Network, supervisor: Supervisor) -> None:
    """The server at the phone's network; ready on return."""
    netns = network.name("router")
    server = supervisor.start_actor("dhcp", "signlab.dhcp", run.directory, netns=netns)
    wait_until((run.directory / "dhcp.ready").exists, "the DHCP server", START_SECONDS, server)


def serve(run: Run) -> None:
    """dnsmasq as the DHCP server until it is ended; its log becomes the server's truth."""
    truth = Truth(run, "dhcp")
    configuration = run.directory / "dhcp.conf"
    configuration.write_text("\n".join(server_options(run)) + "\n")
    process = subprocess.Popen(
        [
            *("dnsmasq", "--keep-in-foreground", f"--conf-file={configuration}", "--user=root"),
            *("--pid-file=", "--port=0", "--interface=to-phone", "--bind-dynamic"),
            *("--log-dhcp", "--log-facility=-", "--dhcp-authoritative", "--no-ping"),
            f"--dhcp-leasefile={run.directory / 'leases'}",
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        print(line, end="", flush=True)
        if "DHCP, IP range" in line:
            (run.directory / "dhcp.ready").touch()
        found = SERVER_LINE.search(line)
        if found:
            direction = "received" if found[1] in ("DISCOVER", "REQUEST") else "sent"
            truth.message("dhcp", "phone", direction, {"method": found[1]})


def obtain_lease(run: Run, truth: Truth, vendor_class: str = VENDOR_CLASS) -> dict[str, str]:
    """Give up the address that `eth0` has and get one; what the lease says, by udhcpc's names.

    Raises LabError when there is none.
    """
    script, lease = run.directory / "lease.sh", run.directory / "lease.env"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    subprocess.run(["ip", "addr", "flush", "dev", "eth0"], check=True)
    process = subprocess.Popen(
        [
            *("udhcpc", "-i", "eth0", "-f", "-q", "-n", "-s", str(script), "-V", vendor_class),
            *(word for number in WANTED for word in ("-O", str(number))),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "LEASE_FILE": str(lease)},
    )
    assert process.stdout is not None
    for line in process.stdout:
        print(line, end="", flush=True)
        for words, messages in CLIENT_WORDS.items():
            if words in line:
                for direction, method in messages:
                    truth.message("dhcp", "dhcp", direction, {"method": method})
    if process.wait(LEASE_SECONDS) or not lease.exists():
        raise LabError("no lease")
    pairs = (line.partition("=") for line in lease.read_text().splitlines())
    return {name: value for name, _, value in pairs}


def suboptions(text: str) -> dict[int, str]:
    """The sub-options of option 43 (RFC 2132 §8.4), from udhcpc's hex."""
    data, found = bytes.fromhex(text), {}
    while data and data[0] != 255:  # end
        number, size = data[0], data[1]
        found[number] = data[2 : 2 + size].decode()
        data = data[2 + size :]
    return found


if __name__ == "__main__":
    serve(Run.from_arguments(sys.argv[1:]))

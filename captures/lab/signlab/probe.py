"""What this machine lacks for recording, one line for each thing."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile

from .clock import library
from .processes import LabError, run

PROGRAMS = {
    "ip": "iproute2",
    "ethtool": "ethtool",
    "dnsmasq": "dnsmasq-base",
    "nginx": "nginx",
    "kamailio": "kamailio",
    "chromium": "chromium",
    "chromedriver": "chromium-driver",
    "certutil": "libnss3-tools",
    "dumpcap": "wireshark-common",
    "nft": "nftables",
    "tshark": "tshark",
    "baresip": "baresip-core",
    "sipp": "sip-tester",
    "rsyslogd": "rsyslog",
    "udhcpc": "udhcpc",
    "chronyd": "chrony",
    "ntpdig": "ntpsec-ntpdig",
    "krb5kdc": "krb5-kdc",
    "kadmin.local": "krb5-admin-server",
    "kinit": "krb5-user",
}
MODULES = {
    "OpenSSL": "pyOpenSSL",
    "cryptography": "cryptography",
    "jinja2": "jinja2",
    "lxml": "lxml",
    "selenium": "selenium",
    "signxml": "signxml",
    "starlette": "starlette",
    "uvicorn": "uvicorn",
    "websocket": "websocket-client",
}
KAMAILIO_MODULES = {
    "tls.so": "kamailio-tls-modules",
    "websocket.so": "kamailio-websocket-modules",
}


def _namespaces() -> str | None:
    """Why no network namespaces with a veth pair can be made; None if they can."""
    name = f"probe{os.getpid()}"
    try:
        run("ip", "netns", "add", name)
    except (LabError, OSError) as error:
        return f"network namespaces: {error}"
    try:
        run("ip", "link", "add", "eth0", "netns", name, "type", "veth", "peer", "eth1")
        run("ip", "netns", "exec", name, "true")
    except LabError as error:
        return f"veth pairs: {error}"
    finally:
        run("ip", "netns", "del", name)
    return None


def _kamailio_loads(module: str) -> bool:
    """Whether Kamailio can load a module (its own check of a two-line configuration)."""
    with tempfile.NamedTemporaryFile("w", suffix=".cfg") as file:
        file.write(f'loadmodule "{module}"\nrequest_route {{ exit; }}\n')
        file.flush()
        done = subprocess.run(["kamailio", "-c", "-f", file.name], capture_output=True, check=False)
    return done.returncode == 0


def missing() -> list[str]:
    """One line for each capability that is not there; an empty list when the lab can record."""
    lines = []
    root = os.name == "posix" and os.geteuid() == 0
    if not root:
        lines.append("root: network namespaces and dumpcap need it")
    for program, package in PROGRAMS.items():
        if shutil.which(program) is None:
            lines.append(f"{program}: not installed (Debian package {package})")
    for module, package in KAMAILIO_MODULES.items():
        if shutil.which("kamailio") and not _kamailio_loads(module):
            lines.append(f"kamailio: no {module} (Debian package {package})")
    if library() is None:
        lines.append("libfaketime: not installed (Debian package libfaketime)")
    for module, distribution in MODULES.items():
        if importlib.util.find_spec(module) is None:
            lines.append(f"{module}: not installed (Python package {distribution}, extra lab)")
    if root and shutil.which("ip"):
        problem = _namespaces()
        if problem:
            lines.append(problem)
    return lines

"""One recording of telephony, from its network to its folder."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path

from ..config import Run
from ..dhcp import start_dhcp
from ..network import Network
from ..processes import LabError, Process, Supervisor, run, wait_until
from ..tools import SETTLE_SECONDS, START_SECONDS, Say
from ..truth import merge, outcomes
from . import edge, line, provisioning

PLAY_SECONDS = 90.0
MODULES = {  # what the phone is
    "register": "signlab.voice.phone",
    "call": "signlab.voice.phone",
    "websocket": "signlab.voice.websocket",
    "boot": "signlab.voice.boot",
}


def _start_dns(run_: Run, network: Network, supervisor: Supervisor) -> None:
    names = run_.names
    domain, sip = names.organisation.domain, names.hosts.sip.name
    answers = [f"--local=/{domain}/"]
    answers += [f"--host-record={h.name},{h.address}" for h in names.hosts.by_role().values()]
    services = {"_sip._udp": 5060, "_sip._tcp": 5060, "_sips._tcp": 5061}
    answers += [f"--srv-host={name}.{domain},{sip},{port}" for name, port in services.items()]
    supervisor.start(
        "dnsmasq",
        [
            "dnsmasq",
            *("--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null"),
            *("--user=root", "--pid-file=", f"--listen-address={names.clients.dns}"),
            *("--bind-interfaces", *answers),
        ],
        netns=network.name("internet"),
    )


def _start_capture(run_: Run, network: Network, supervisor: Supervisor) -> Process:
    path = run_.directory / "phone.pcapng"
    process = supervisor.start(
        "dumpcap",
        ["dumpcap", "-q", "-i", "eth0", "-w", str(path)],
        netns=network.name("phone"),
    )
    wait_until(lambda: "File:" in process.log.read_text(), "dumpcap", START_SECONDS, process)
    return process


def play(run_: Run, say: Say) -> None:
    """Network, servers, capture, telephones; everything is gone again on return."""
    with Network(run_) as network, Supervisor(run_.directory / "logs") as supervisor:
        line.spoil(run_, network)
        _start_dns(run_, network, supervisor)
        edge.start(run_, network, supervisor)
        if run_.scenario.voice.does == "boot":
            start_dhcp(run_, network, supervisor)
            provisioning.start(run_, network, supervisor)
        if run_.scenario.voice.does == "call" or run_.scenario.voice.web_call:
            callee = supervisor.start_actor(
                "callee", "signlab.voice.callee", run_.directory, netns=network.name("pc")
            )
            ready = run_.directory / "callee.ready"
            wait_until(ready.exists, "the callee", START_SECONDS, callee)
        capture = _start_capture(run_, network, supervisor)
        say("recording")
        phone = supervisor.start_actor(
            "phone",
            MODULES[run_.scenario.voice.does],
            run_.directory,
            netns=network.name("phone"),
        )
        wait_until(lambda: "phone" in outcomes(run_.directory), "the phone", PLAY_SECONDS, phone)
        time.sleep(SETTLE_SECONDS)
        capture.stop(signal.SIGINT)
    ended, wanted = outcomes(run_.directory)["phone"], run_.scenario.expect.phone
    if ended != wanted:
        raise LabError(f"phone ended with {ended!r}, the scenario says {wanted!r}")
    edge.note_messages(run_)
    if run_.scenario.voice.does == "boot":
        provisioning.note_requests(run_)


def _write_keys(run_: Run) -> None:
    """phone.keys from the server's RSA key, which opens what was made with RSA key exchange."""
    key = run_.directory / "tls" / "sip.key"
    run(
        *("tshark", "-r", str(run_.directory / "phone.pcapng")),
        *("-o", f'uat:rsa_keys:"{key}",""'),
        *("--export-tls-session-keys", str(run_.directory / "phone.keys")),
    )


def publish(run_: Run, folder: Path) -> None:
    """Put the results where they belong, replacing what an earlier recording left there."""
    if run_.scenario.voice.transport == "tls":
        _write_keys(run_)
    text = json.dumps(merge(run_), indent=1, ensure_ascii=False) + "\n"
    (run_.directory / "truth.json").write_text(text, encoding="utf-8")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("phone.pcapng", "phone.keys", edge.LOG, "truth.json"):
        (folder / name).unlink(missing_ok=True)
        if (run_.directory / name).exists():
            shutil.copyfile(run_.directory / name, folder / name)
            (folder / name).chmod(0o644)

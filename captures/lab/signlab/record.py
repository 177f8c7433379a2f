"""One recording from its scenario to its folder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2

from .config import LAB, Run
from .network import Network
from .phone.proxy import PORT as PROXY_PORT
from .pki import make_all
from .processes import LabError, Process, Supervisor, run, wait_until
from .services.main import HTTP_PORT, REGISTRAR_PORT
from .staging import stage
from .truth import merge, outcomes

KAMAILIO_INNER_PORT = 5062
START_SECONDS = 20.0
BROWSER_SECONDS = 90.0
PHONE_SECONDS = 120.0
SETTLE_SECONDS = 0.8  # for the last segments to reach dumpcap
TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(LAB / "conf"), undefined=jinja2.StrictUndefined, autoescape=False
)
KEYED = {"phone": "phone", "browser": "pc"}  # capture → namespace it is taken in

Say = Callable[[str], None]


def _listening(netns: str, port: int) -> bool:
    """Whether something in the namespace listens on this TCP port (read from /proc/net/tcp)."""
    table = run("ip", "netns", "exec", netns, "cat", "/proc/net/tcp")
    wanted = f":{port:04X}"
    rows = [line.split() for line in table.splitlines()[1:]]
    return any(row[1].endswith(wanted) and row[3] == "0A" for row in rows)


def _write_nginx(run_: Run, zone: str) -> Path:
    work = run_.directory / f"nginx-{zone}"
    work.mkdir()
    hosts = [
        {
            "role": role,
            "name": host.name,
            "address": host.address,
            "plain": role in ("shortlink", "codepage"),
        }
        for role, host in run_.names.hosts.by_role().items()
        if host.zone == zone and role != "sip"
    ]
    text = TEMPLATES.get_template("nginx.conf.j2").render(
        work=work, hosts=hosts, tls=run_.directory / "tls", port=HTTP_PORT
    )
    path = work / "nginx.conf"
    path.write_text(text)
    return path


def _write_kamailio(run_: Run) -> Path:
    work = run_.directory / "kamailio"
    work.mkdir()
    values = {
        "work": work,
        "tls": run_.directory / "tls",
        "address": run_.names.hosts.sip.address,
        "port": run_.sip_port,
        "inner_port": KAMAILIO_INNER_PORT,
        "registrar_port": REGISTRAR_PORT,
    }
    for name in ("kamailio.cfg", "tls.cfg"):
        (work / name).write_text(TEMPLATES.get_template(f"{name}.j2").render(values))
    return work / "kamailio.cfg"


def _start_servers(run_: Run, network: Network, supervisor: Supervisor) -> None:
    names = run_.names
    internet = network.name("internet")
    answers = []
    for role, host in names.hosts.by_role().items():
        answers.append(f"--local=/{host.name}/")  # other record types are answered, with none
        if role not in run_.scenario.network.unknown:
            answers.append(f"--host-record={host.name},{host.address}")
    dns = supervisor.start(
        "dnsmasq",
        [
            "dnsmasq",
            "--keep-in-foreground",
            "--no-resolv",
            "--no-hosts",
            "--conf-file=/dev/null",
            "--user=root",
            "--pid-file=",
            f"--listen-address={names.clients.dns}",
            "--bind-interfaces",
            *answers,
        ],
        netns=internet,
    )
    started: list[tuple[str, int, Process]] = [(internet, 53, dns)]
    for zone in ("internet", "dmz"):
        netns = network.name(zone)
        actor = supervisor.start_actor(
            f"services-{zone}", "signlab.services.main", run_.directory, netns=netns, LAB_ZONE=zone
        )
        nginx = supervisor.start(
            f"nginx-{zone}",
            ["nginx", "-c", str(_write_nginx(run_, zone)), "-e", "stderr"],
            netns=netns,
        )
        started += [(netns, HTTP_PORT, actor), (netns, 443, nginx)]
    kamailio = supervisor.start(
        "kamailio",
        [
            *("kamailio", "-DD", "-E", "-m", "16", "-M", "4"),
            *("-f", str(_write_kamailio(run_)), "-Y", str(run_.directory / "kamailio")),
        ],
        netns=internet,
    )
    started.append((internet, KAMAILIO_INNER_PORT, kamailio))
    if run_.scenario.phone.proxy:
        netns = network.name("dmz")
        proxy = supervisor.start_actor(
            "proxy", "signlab.services.proxy", run_.directory, netns=netns
        )
        started.append((netns, PROXY_PORT, proxy))
    for netns, port, process in started:

        def listening(netns: str = netns, port: int = port) -> bool:
            return _listening(netns, port)

        wait_until(listening, f"{process.name} to listen", START_SECONDS, process)


def _trust_database(run_: Run) -> Path:
    """A HOME whose NSS database trusts the lab's root, for Chromium."""
    home = run_.directory / "home"
    database = home / ".pki" / "nssdb"
    database.mkdir(parents=True)
    run("certutil", "-d", f"sql:{database}", "-N", "--empty-password")
    run(
        *("certutil", "-d", f"sql:{database}", "-A", "-t", "C,,", "-n", "lab"),
        *("-i", str(run_.directory / "ca.crt")),
    )
    return home


def _start_capture(run_: Run, network: Network, supervisor: Supervisor, name: str) -> Process:
    path = run_.directory / f"{name}.pcapng"
    process = supervisor.start(
        f"dumpcap-{name}",
        ["dumpcap", "-q", "-i", "eth0", "-w", str(path)],
        netns=network.name(KEYED[name]),
    )
    wait_until(lambda: "File:" in process.log.read_text(), f"{name}.pcapng", START_SECONDS, process)
    return process


def _expected(run_: Run) -> dict[str, str]:
    """Actor → how it must end; only those that have something to do."""
    scenario = run_.scenario
    wanted = {"phone": scenario.expect.phone, "browser": scenario.expect.browser}
    if scenario.second.does:
        wanted["phone2"] = scenario.second.expect.phone
        wanted["browser2"] = scenario.second.expect.browser
    return {actor: outcome for actor, outcome in wanted.items() if outcome != "idle"}


def _check(run_: Run) -> None:
    """LabError unless the clients ended as the scenario says."""
    ended = outcomes(run_.directory)
    for actor, wanted in _expected(run_).items():
        found = ended.get(actor, "nothing")
        if found != wanted:
            raise LabError(f"{actor} ended with {found!r}, the scenario says {wanted!r}")


def _start_browsers(run_: Run, network: Network, supervisor: Supervisor) -> dict[str, Process]:
    """Chromium for every user who has something to do at a PC."""
    started = {}
    home = _trust_database(run_)
    for seat in run_.seats:
        place = run_.at(seat)
        actor = place.file("browser", "").name
        if actor not in _expected(run_):
            continue
        started[actor] = supervisor.start_actor(
            actor,
            "signlab.browser",
            run_.directory,
            netns=network.name("pc"),
            seat=seat,
            HOME=str(home),
            SSLKEYLOGFILE=str(place.file("browser", ".keys")),
        )
        ready = place.file("browser", ".ready")
        wait_until(ready.exists, "Chromium", BROWSER_SECONDS, started[actor])
    return started


def _start_phones(run_: Run, network: Network, supervisor: Supervisor) -> dict[str, Process]:
    return {
        run_.at(seat).file("phone", "").name: supervisor.start_actor(
            f"phone{seat}",
            "signlab.phone.client",
            run_.directory,
            netns=network.phone(seat),
            seat=seat,
        )
        for seat in run_.seats
    }


def _play(run_: Run, say: Say) -> None:
    """Network, servers, captures, clients; everything is gone again on return."""
    with Network(run_) as network, Supervisor(run_.directory / "logs") as supervisor:
        _start_servers(run_, network, supervisor)
        browsers = _start_browsers(run_, network, supervisor)
        late = run_.scenario.capture.begins == "after-code"
        first = [name for name in KEYED if not (late and name == "phone")]
        captures = [_start_capture(run_, network, supervisor, name) for name in first]
        say("recording")
        phones = _start_phones(run_, network, supervisor)
        if late:
            screen = run_.directory / "screen.json"
            wait_until(screen.exists, "the phone's code", START_SECONDS, phones["phone"])
            captures.append(_start_capture(run_, network, supervisor, "phone"))
            (run_.directory / "capture-began").write_text(str(time.time_ns()))
        limits = dict.fromkeys(browsers, BROWSER_SECONDS) | dict.fromkeys(phones, PHONE_SECONDS)
        for actor, process in {**browsers, **phones}.items():

            def ended(actor: str = actor) -> bool:
                return actor in outcomes(run_.directory)

            wait_until(ended, f"{actor} to end", limits[actor], process, step=0.2)
        time.sleep(SETTLE_SECONDS)
        for capture in captures:
            capture.stop(signal.SIGINT)
    _check(run_)


def _publish(run_: Run, folder: Path) -> None:
    """Put the results where they belong, replacing what an earlier recording left there."""
    truth: dict[str, Any] = merge(run_)
    text = json.dumps(truth, indent=1, ensure_ascii=False) + "\n"
    (run_.directory / "truth.json").write_text(text, encoding="utf-8")
    logs = [run_.at(seat).file("phone", ".log").name for seat in run_.seats]
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("phone.pcapng", "browser.pcapng", "truth.json", *logs):
        shutil.copyfile(run_.directory / name, folder / name)
    for actor in KEYED:  # one key log a capture, whoever wrote into it; empty when nobody did
        target = folder / f"{actor}.keys"
        target.unlink(missing_ok=True)
        if run_.scenario.capture.keys:
            parts = [run_.at(seat).file(actor, ".keys") for seat in run_.seats]
            target.write_bytes(b"".join(path.read_bytes() for path in parts if path.exists()))
    for path in folder.iterdir():
        path.chmod(0o644)


def record(scenario: str, out: Path, say: Say, *, keep: bool = False) -> Path:
    """Record `scenario` into out/SCENARIO and return that folder.

    Raises LabError when something fails, ConfigError for a bad scenario; the run's private folder
    (with the logs of every program) is removed unless `keep`.
    """
    directory = Path(tempfile.mkdtemp(prefix="signlab-"))
    old_mask = os.umask(0o022)
    try:
        run_ = Run.create(directory, scenario)
        make_all(run_)
        stage(run_)
        _play(run_, say)
        folder = out / scenario
        _publish(run_, folder)
        return folder
    finally:
        os.umask(old_mask)
        if keep:
            say(f"kept {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)

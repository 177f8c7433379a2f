"""The servers of a sign-in's recording: DNS, nginx with its applications, the SIP edge and more."""

from __future__ import annotations

from pathlib import Path

from .config import Run
from .dhcp import start_dhcp
from .kerberos import PORT as KDC_PORT
from .kerberos import Realm, has_realm
from .network import Network
from .phone.proxy import PORT as PROXY_PORT
from .processes import Process, Supervisor, wait_until
from .services.adfs_certificate import PORT as CERTIFICATE_PORT
from .services.main import HTTP_PORT, REGISTRAR_PORT
from .tools import START_SECONDS, TEMPLATES, listening

KAMAILIO_INNER_PORT = 5062


def _write_nginx(run_: Run, zone: str) -> Path:
    work = run_.directory / f"nginx-{zone}"
    work.mkdir()
    hosts = [
        {
            "role": role,
            "name": host.name,
            "address": host.address,
            "plain": role in ("shortlink", "codepage")
            or (role == "pool" and run_.scenario.phone.does == "pin"),
            "certificates": role == "adfs" and run_.scenario.adfs.asks == "certificate",
        }
        for role, host in run_.names.hosts.by_role().items()
        if host.zone == zone and host.web
    ]
    text = TEMPLATES.get_template("nginx.conf.j2").render(
        work=work,
        hosts=hosts,
        tls=run_.directory / "tls",
        port=HTTP_PORT,
        certificate_port=CERTIFICATE_PORT,
        enterprise=run_.directory / "sign" / "enterprise.crt",
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


def start_servers(run_: Run, network: Network, supervisor: Supervisor) -> None:
    """Start all of them; on return they listen. Raises LabError."""
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
            f"services-{zone}",
            "signlab.services.main",
            run_.directory,
            netns=netns,
            LAB_ZONE=zone,
            environment=Realm(run_).server_environment() if has_realm(run_) else None,
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
    if run_.scenario.phone.does == "pin":
        start_dhcp(run_, network, supervisor)
    if run_.scenario.phone.proxy:
        netns = network.name("dmz")
        proxy = supervisor.start_actor(
            "proxy", "signlab.services.proxy", run_.directory, netns=netns
        )
        started.append((netns, PROXY_PORT, proxy))
    if has_realm(run_):
        started.append(_start_kdc(run_, network, supervisor))
    for netns, port, process in started:

        def ready(netns: str = netns, port: int = port) -> bool:
            return listening(netns, port)

        wait_until(ready, f"{process.name} to listen", START_SECONDS, process)


def _start_kdc(run_: Run, network: Network, supervisor: Supervisor) -> tuple[str, int, Process]:
    realm, netns = Realm(run_), network.name(run_.names.hosts.kdc.zone)
    realm.create()
    kdc = supervisor.start(
        "krb5kdc", ["krb5kdc", "-n"], netns=netns, environment=realm.kdc_environment()
    )
    return netns, KDC_PORT, kdc

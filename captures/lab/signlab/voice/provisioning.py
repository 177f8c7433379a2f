"""The servers that a phone meets when it starts: the time, and its configuration over HTTP."""

from __future__ import annotations

from ..config import Run
from ..network import Network
from ..processes import Supervisor, wait_until
from ..services.world import render
from ..tools import START_SECONDS, TEMPLATES, listening
from ..truth import Truth


def start(run: Run, network: Network, supervisor: Supervisor) -> None:
    """chronyd and nginx with the phone's files; ready on return."""
    netns, hosts = network.name("internet"), run.names.hosts
    work = run.directory / "provisioning"
    files = work / "files" / "phones"
    files.mkdir(parents=True)
    user, mac = run.user, run.device.mac
    pages = {
        "000000000000.cfg": render("phone_master.xml", mac="[PHONE_MAC_ADDRESS]"),
        "site.cfg": render(
            "phone_site.xml", ntp=hosts.ntp.name, domain=run.names.organisation.domain
        ),
        f"{mac}-user.cfg": render(
            "phone_user.xml",
            number=user.sip.partition("@")[0],
            display=user.display,
            password=run.password,
        ),
    }
    for name, text in pages.items():
        (files / name).write_text(text)
    values = {"work": work, "address": hosts.ntp.address}
    (work / "chrony.conf").write_text(TEMPLATES.get_template("chrony.conf.j2").render(values))
    supervisor.start(
        "chronyd",
        ["chronyd", "-d", "-x", "-u", "root", "-f", str(work / "chrony.conf")],
        netns=netns,
    )
    values = {
        "work": work,
        "address": hosts.provisioning.address,
        "name": hosts.provisioning.name,
    }
    text = TEMPLATES.get_template("provisioning.conf.j2").render(values)
    (work / "nginx.conf").write_text(text)
    nginx = supervisor.start(
        "provisioning", ["nginx", "-c", str(work / "nginx.conf"), "-e", "stderr"], netns=netns
    )
    wait_until(lambda: listening(netns, 80), "the provisioning server", START_SECONDS, nginx)


def note_requests(run: Run) -> None:
    """The web server's side of the truth, from its access log."""
    truth = Truth(run, "provisioning")
    log = run.directory / "provisioning" / "access.log"
    for line in log.read_text(encoding="utf-8").splitlines():
        moment, method, scheme, host, path, status = line.split()
        seconds, _, rest = moment.partition(".")
        time_ns = int(seconds) * 10**9 + int(rest.ljust(9, "0"))
        facts = {"method": method, "scheme": scheme, "host": host, "path": path}
        truth.message("http", "phone", "received", facts, time_ns=time_ns)
        answer = {**facts, "status": int(status)}
        truth.message("http", "phone", "sent", answer, time_ns=time_ns)

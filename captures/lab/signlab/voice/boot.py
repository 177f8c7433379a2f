"""A phone that is plugged in: DHCP, time, configuration over HTTP, registration.

`python -m signlab.voice.boot RUNDIR`, in the phone's namespace. The lease is udhcpc's, the time
ntpdig's, the registration baresip's.
"""

from __future__ import annotations

import http.client
import subprocess
import sys
import time
from urllib.parse import urljoin, urlsplit

from lxml import etree

from ..config import Run
from ..dhcp import obtain_lease, suboptions
from ..processes import LabError
from ..truth import Truth
from .softphone import Softphone

VENDOR_CLASS = "Polycom-VVX600"
USER_AGENT = "FileTransport PolycomVVX-VVX_600-UA/5.5.1.11526"
STAYS_SECONDS = 1.0
TIMEOUT = 10.0


class Boot:
    def __init__(self, run: Run, truth: Truth) -> None:
        self._run = run
        self._truth = truth

    def _get(self, url: str) -> tuple[int, bytes]:
        parts = urlsplit(url)
        host = parts.hostname or ""
        facts = {"method": "GET", "scheme": "http", "host": host, "path": parts.path}
        connection = http.client.HTTPConnection(host, parts.port or 80, timeout=TIMEOUT)
        connection.connect()
        self._truth.message("http", "provisioning", "sent", facts)
        connection.request("GET", parts.path, headers={"User-Agent": USER_AGENT})
        response = connection.getresponse()
        body = response.read()
        self._truth.message(
            "http", "provisioning", "received", {**facts, "status": response.status}
        )
        connection.close()
        return response.status, body

    def _configuration(self, base: str) -> dict[str, str]:
        """The settings of all files that the phone's master file names."""
        mac = self._run.device.mac
        status, body = self._get(urljoin(base, f"{mac}.cfg"))
        if status == 404:  # no master file of its own: that of all phones
            status, body = self._get(urljoin(base, "000000000000.cfg"))
        names = etree.fromstring(body).get("CONFIG_FILES", "").replace("[PHONE_MAC_ADDRESS]", mac)
        settings: dict[str, str] = {}
        for name in names.split(","):
            status, body = self._get(urljoin(base, name.strip()))
            for element in etree.fromstring(body).iter():
                settings |= {str(key): str(value) for key, value in element.attrib.items()}
        return settings

    def start(self) -> None:
        """Up to the configuration. Raises LabError when it is not the account's."""
        lease = obtain_lease(self._run, self._truth, VENDOR_CLASS)
        base = suboptions(lease["opt43"])[1]
        server = lease["ntpsrv"].split()[0]
        done = subprocess.run(["ntpdig", server], capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(f"ntpdig {server}: {done.stderr.strip() or done.stdout.strip()}")
        print(done.stdout)
        settings = self._configuration(base)
        if settings["reg.1.auth.password"] != self._run.password:
            raise LabError("the configuration is not this user's")


def main(arguments: list[str]) -> None:
    run = Run.from_arguments(arguments)
    truth = Truth(run, "phone")
    Boot(run, truth).start()
    with Softphone(run, "phone", run.user, run.names.clients.phone, truth) as phone:
        outcome = "registered" if phone.registers() else "refused"
        time.sleep(STAYS_SECONDS)
    truth.outcome(outcome)


if __name__ == "__main__":
    main(sys.argv[1:])

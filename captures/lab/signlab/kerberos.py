"""The office's Kerberos realm: a real KDC (MIT), the user's ticket at the PC, ADFS's keytab.

RFC 4120. The database is made for the recording. What KDC and PC say of their own exchanges (the
KDC's log, the library's trace) becomes their notes.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
from collections.abc import Mapping
from datetime import datetime

import jinja2

from .config import LAB, Run
from .processes import LabError
from .truth import Truth

PORT = 88
ADMIN_PATH = "/usr/sbin:/sbin:" + os.environ.get("PATH", "")
LOGGED = re.compile(r"(\w{3} +\d+ [\d:]+) .*\(info\): (AS|TGS)_REQ \(.*?\) [\d.]+: (\w+): (.*)")
TRACED = re.compile(r"\[\d+\] (\d+)\.(\d+): (.*)")
SERVICE = re.compile(r"for ([^\s,]+)")
REQUESTING = re.compile(r"Requesting tickets for (\S+),")
ERROR = re.compile(r"Received error from KDC: (-\d+)/")
ERROR_TABLE = -1_765_328_384  # where MIT's numbers for the errors of RFC 4120 begin
ERRORS = {"NEEDED_PREAUTH": 25, "PREAUTH_FAILED": 24}  # RFC 4120 §7.5.9


def has_realm(run: Run) -> bool:
    """Whether the recording has a realm: only where somebody shows a ticket."""
    return run.scenario.adfs.asks == "windows"


class Realm:
    """Files and names of the realm of one recording."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.folder = run.directory / "krb5"
        self.name = run.names.organisation.domain.upper()
        self.user = f"{run.names.user.sip.partition('@')[0]}@{self.name}"
        self.service = f"HTTP/{run.names.hosts.adfs.name}@{self.name}"
        self.trace = self.folder / "trace"
        self.log = self.folder / "kdc.log"

    def client_environment(self) -> dict[str, str]:
        """For programs at the PC: configuration, ticket cache, trace."""
        return {
            "KRB5_CONFIG": str(self.folder / "krb5.conf"),
            "KRB5CCNAME": f"FILE:{self.folder / 'tickets'}",
            "KRB5_TRACE": str(self.trace),
        }

    def server_environment(self) -> dict[str, str]:
        """For ADFS: configuration and its key."""
        return {
            "KRB5_CONFIG": str(self.folder / "krb5.conf"),
            "KRB5_KTNAME": f"FILE:{self.folder / 'adfs.keytab'}",
            "KRB5RCACHENAME": f"dfl:{self.folder}",
        }

    def kdc_environment(self) -> dict[str, str]:
        return {
            "KRB5_CONFIG": str(self.folder / "krb5.conf"),
            "KRB5_KDC_PROFILE": str(self.folder / "kdc.conf"),
            "PATH": ADMIN_PATH,
        }

    def create(self) -> None:
        """Write the configuration; make the database with user and service, and the keytab."""
        self.folder.mkdir()
        values = {
            "realm": self.name,
            "domain": self.run.names.organisation.domain,
            "kdc": self.run.names.hosts.kdc.name,
            "address": self.run.names.hosts.kdc.address,
            "port": PORT,
            "folder": self.folder,
        }
        for name in ("krb5.conf", "kdc.conf"):
            template = jinja2.Template((LAB / "conf" / f"{name}.j2").read_text())
            (self.folder / name).write_text(template.render(values))
        self._admin("kdb5_util", "create", "-s", "-r", self.name, "-P", secrets.token_hex(16))
        password = self.run.passwords[self.run.names.user.sip]
        for query in (
            f'addprinc +requires_preauth -pw "{password}" {self.user}',
            f"addprinc -randkey {self.service}",
            f"ktadd -k {self.folder / 'adfs.keytab'} {self.service}",
        ):
            self._admin("kadmin.local", "-r", self.name, "-q", query)

    def _admin(self, *command: str) -> None:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **self.kdc_environment()},
        )
        if done.returncode:
            raise LabError(f"{command[0]}: {done.stderr.strip()}")


def log_on(run: Run, environment: Mapping[str, str]) -> bool:
    """The user logs on to the PC: a ticket-granting ticket for the password; False if refused."""
    realm = Realm(run)
    password = Truth(run, "browser").secret("password", run.typed_password)
    done = subprocess.run(
        ["kinit", realm.user],
        input=password + "\n",
        capture_output=True,
        text=True,
        check=False,
        env={**environment},
    )
    if done.returncode and run.scenario.browser.password == "right":
        raise LabError(f"kinit: {done.stderr.strip()}")
    return done.returncode == 0


def write_notes(run: Run) -> None:
    """Put the exchanges with the KDC into the notebooks of both sides."""
    realm = Realm(run)
    kdc, pc = Truth(run, "kdc"), Truth(run, "browser")
    for line in realm.log.read_text().splitlines():
        found = LOGGED.match(line)
        if found is None:
            continue
        stamp, kind, result, rest = found.groups()
        moment = datetime.strptime(f"{datetime.now().year} {stamp}", "%Y %b %d %H:%M:%S")
        ns = round(moment.timestamp()) * 10**9
        service = SERVICE.search(rest)
        facts = {"host": realm.name, "path": service.group(1) if service else ""}
        kdc.message(
            "kerberos", "browser", "received", {**facts, "method": f"{kind}-REQ"}, time_ns=ns
        )
        answer = _answer(kind, result)
        kdc.message("kerberos", "browser", "sent", {**facts, **answer}, time_ns=ns)
    for ns, direction, reported in _traced(realm):
        pc.message("kerberos", "kdc", direction, reported, time_ns=ns)


def _answer(kind: str, result: str) -> dict[str, object]:
    """The KDC's word for its answer as the message that it is."""
    if result == "ISSUE":
        return {"method": f"{kind}-REP"}
    return {"method": "KRB-ERROR", "status": ERRORS[result]}


Note = tuple[int, str, dict[str, object]]  # nanoseconds, direction, facts


def _traced(realm: Realm) -> list[Note]:
    """Requests and answers as the Kerberos library at the PC wrote them into its trace."""
    notes: list[Note] = []
    kind, service = "AS", f"krbtgt/{realm.name}@{realm.name}"
    for line in realm.trace.read_text(errors="replace").splitlines():
        found = TRACED.match(line)
        if found is None:
            continue
        seconds, micro, text = found.groups()
        ns = int(seconds) * 10**9 + int(micro) * 1000
        if wanted := REQUESTING.match(text):
            kind, service = "TGS", wanted.group(1)
        facts: dict[str, object] = {"host": realm.name, "path": service}
        if text.startswith("Sending initial UDP request"):
            notes.append((ns, "sent", {**facts, "method": f"{kind}-REQ"}))
        elif text.startswith("Received answer"):
            notes.append((ns, "received", {**facts, "method": f"{kind}-REP"}))
        elif refused := ERROR.match(text):
            status = int(refused.group(1)) - ERROR_TABLE
            notes[-1][2].update(method="KRB-ERROR", status=status)
    return notes

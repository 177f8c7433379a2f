"""The provider's SIP server: Kamailio with its syslog, and what that syslog tells.

Kamailio logs to /dev/log, which a machine may not have or which belongs to others: it runs in a
mount namespace of its own (`ip netns exec` makes one) with a small /dev where `log` is the socket
of a rsyslogd of the recording.
"""

from __future__ import annotations

import re
from datetime import datetime

from ..config import Run
from ..network import Network
from ..processes import Supervisor, wait_until
from ..tools import START_SECONDS, TEMPLATES, listening
from ..truth import Truth
from .messages import note_secrets, parse_message

LOG = "kamailio.log"
DEVICES = "null zero random urandom"
OWN_DEV = f"""set -e
mkdir -p "$1"/dev
mount -t tmpfs none "$1"/dev
for name in {DEVICES}; do touch "$1"/dev/$name; mount --bind /dev/$name "$1"/dev/$name; done
ln -s "$1"/syslog.socket "$1"/dev/log
mount --rbind "$1"/dev /dev
shift
exec "$@"
"""
HEAD = r"^(\S+) \S+ kamailio\[\d+\]: INFO: (?:\{[^}]*\} )?<script>: "
LINE = re.compile(HEAD + r"\[(rcv|snd)\] (\S+) -> (\S+) \[\[(.*)\]\]$")
SWITCHED = re.compile(HEAD + r"\[ws\] \S+ switched to WebSocket$")
REQUEST_LINE = re.compile(rb"(\S+) (\S+) HTTP/1\.1\r\n")
HOST = re.compile(rb"\r\nHost: (\S+)\r\n")
ESCAPED = re.compile(rb"#(\d{3})")


def start(run: Run, network: Network, supervisor: Supervisor) -> None:
    """rsyslogd, then Kamailio; both ready on return."""
    netns, names = network.name("internet"), run.names
    work = run.directory / "edge"
    work.mkdir()
    values = {
        "work": work,
        "tls": run.directory / "tls",
        "address": names.hosts.sip.address,
        "domain": names.organisation.domain,
        "host": names.hosts.sip.name.partition(".")[0],
        "log": run.directory / LOG,
        "passwords": {uri.partition("@")[0]: word for uri, word in run.passwords.items()},
    }
    for template, name in (
        ("rsyslog.conf.j2", "rsyslog.conf"),
        ("voice.cfg.j2", "kamailio.cfg"),
        ("voice-tls.cfg.j2", "tls.cfg"),
    ):
        (work / name).write_text(TEMPLATES.get_template(template).render(values))
    syslog = supervisor.start(
        "rsyslogd",
        ["rsyslogd", "-n", "-f", str(work / "rsyslog.conf"), "-i", str(work / "rsyslogd.pid")],
        netns=netns,
    )
    socket = work / "syslog.socket"
    wait_until(socket.exists, "rsyslogd's socket", START_SECONDS, syslog)
    kamailio = supervisor.start(
        "kamailio",
        [
            *("sh", "-c", OWN_DEV, "sh", str(work)),
            *("kamailio", "-DD", "-m", "16", "-M", "4", "-f", str(work / "kamailio.cfg")),
            *("-Y", str(work)),
        ],
        netns=netns,
    )
    wait_until(lambda: listening(netns, 5061), "Kamailio to listen", START_SECONDS, kamailio)


def unescaped(text: str) -> bytes:
    """What rsyslog wrote as #ooo (octal) for a control character, as it was."""
    return ESCAPED.sub(lambda found: bytes([int(found[1], 8)]), text.encode())


def _nanoseconds(stamp: str) -> int:
    moment = datetime.fromisoformat(stamp)
    return int(moment.timestamp()) * 10**9 + moment.microsecond * 1000


def note_messages(run: Run) -> None:
    """Kamailio's side of the truth, from its log: its messages with the phone."""
    truth = Truth(run, "registrar")
    phone = run.names.clients.phone
    asked: dict[str, object] = {}  # the WebSocket's HTTP request
    for line in (run.directory / LOG).read_text(encoding="utf-8").splitlines():
        if switched := SWITCHED.match(line):
            time_ns = _nanoseconds(switched[1])
            truth.message("http", "phone", "sent", {**asked, "status": 101}, time_ns=time_ns)
        found = LINE.match(line)
        if found is None:
            continue
        stamp, tag, source, target, text = found.groups()
        received = tag == "rcv"
        if (source if received else target).rpartition(":")[0] != phone:
            continue
        raw, time_ns = unescaped(text), _nanoseconds(stamp)
        direction = "received" if received else "sent"
        if request := REQUEST_LINE.match(raw):
            host = HOST.search(raw)
            asked = {"method": request[1].decode(), "scheme": "https"}
            asked |= {"host": host[1].decode() if host else "", "path": request[2].decode()}
            truth.message("http", "phone", direction, asked, time_ns=time_ns)
            continue
        message = parse_message(raw)
        truth.message("sip", "phone", direction, message.facts(), time_ns=time_ns)
        note_secrets(truth, message)

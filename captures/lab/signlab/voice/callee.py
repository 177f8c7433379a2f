"""The one who is called, at another telephone of the same provider.

`python -m signlab.voice.callee RUNDIR`; `callee.ready` in the run's folder says that it is
registered. The telephone is baresip, or SIPp for what baresip can't: an answer after early media,
a refusal with a Warning.
"""

from __future__ import annotations

import subprocess
import sys
import time

from ..config import LAB, Run
from ..processes import LabError
from .softphone import Softphone

REACTION_SECONDS = 1.0
CALL_SECONDS = 60
MEDIA_PORT = 16400
SIPP = {"early-media": "sipp-early-media.xml", "no-media": "sipp-no-media.xml"}


def _sipp(run: Run, scenario: str, *options: str) -> None:
    """One SIPp scenario for one call. Raises LabError when it does not go as written."""
    names, user = run.names, run.names.user2
    command = [
        *("sipp", names.hosts.sip.name, "-sf", str(LAB / "conf" / scenario), "-m", "1"),
        *("-i", names.clients.browser, "-p", "5060", "-s", user.sip.partition("@")[0]),
        *("-key", "domain", names.organisation.domain),
        *("-timeout", f"{CALL_SECONDS}s", "-nostdin", *options),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=run.directory)
    if done.returncode:
        raise LabError(f"sipp {scenario}: exit {done.returncode}\n{done.stderr[-800:]}")


def _with_sipp(run: Run) -> None:
    user, address = run.names.user2.sip, run.names.clients.browser
    credentials = ("-au", user.partition("@")[0], "-ap", run.passwords[user])
    _sipp(run, "sipp-register.xml", *credentials)
    (run.directory / "callee.ready").touch()
    media = ("-rtp_echo", "-mi", address, "-mp", str(MEDIA_PORT))
    _sipp(run, SIPP[run.scenario.voice.callee], *media)


def _at_a_telephone(run: Run) -> None:
    reaction = run.scenario.voice.callee
    with Softphone(run, "callee", run.names.user2, run.names.clients.browser, None) as phone:
        if not phone.registers():
            raise LabError("the callee is not registered")
        (run.directory / "callee.ready").touch()
        phone.wait_for("CALL_INCOMING", seconds=CALL_SECONDS)
        if reaction == "rejects":
            time.sleep(REACTION_SECONDS)
            phone.command("hangup")
        elif reaction == "answers":
            time.sleep(REACTION_SECONDS)
            phone.command("accept")
        phone.wait_for("CALL_CLOSED", seconds=CALL_SECONDS)
        time.sleep(REACTION_SECONDS)


def main(arguments: list[str]) -> None:
    run = Run.from_arguments(arguments)
    if run.scenario.voice.callee in SIPP:
        _with_sipp(run)
    else:
        _at_a_telephone(run)


if __name__ == "__main__":
    main(sys.argv[1:])

"""The user at a telephone: what is pressed, and when.

`python -m signlab.voice.phone RUNDIR`, in the phone's namespace.
"""

from __future__ import annotations

import sys
import time

from ..config import Run
from ..truth import Truth
from .softphone import Softphone

RINGS_SECONDS = 1.0  # how long it may ring before the caller gives up
LAST_SECONDS = 0.7  # for the last answers, which baresip tells no event of


def call(run: Run, phone: Softphone) -> str:
    """One call to the second user, whose phone acts on its own."""
    voice = run.scenario.voice
    phone.command("dial", f"sip:{run.names.user2.sip}")
    if voice.callee == "rejects":
        phone.wait_for("CALL_CLOSED")
        time.sleep(LAST_SECONDS)
        return "call-refused"
    phone.wait_for("CALL_PROGRESS" if voice.callee == "early-media" else "CALL_RINGING")
    if voice.callee == "rings":
        time.sleep(RINGS_SECONDS)
        phone.command("hangup")
        phone.wait_for("CALL_CLOSED")
        time.sleep(LAST_SECONDS)
        return "call-cancelled"
    phone.wait_for("CALL_ESTABLISHED")
    time.sleep(voice.talks_seconds)
    if voice.holds:
        for command in ("hold", "resume"):
            phone.command(command)
            time.sleep(voice.talks_seconds)
    phone.command("hangup")
    phone.wait_for("CALL_CLOSED")
    time.sleep(LAST_SECONDS)
    return "call-ended"


def main(arguments: list[str]) -> None:
    run = Run.from_arguments(arguments)
    truth = Truth(run, "phone")
    address = run.names.clients.phone
    with Softphone(run, "phone", run.user, address, truth) as phone:
        outcome = "registered" if phone.registers() else "refused"
        if outcome == "registered" and run.scenario.voice.does == "call":
            outcome = call(run, phone)
        elif outcome == "registered":
            phone.say_goodbye()
    truth.outcome(outcome)


if __name__ == "__main__":
    main(sys.argv[1:])

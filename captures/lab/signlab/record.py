"""One recording from its scenario to its folder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

from .clock import wrong_clock
from .config import Run
from .kerberos import Realm, has_realm, write_notes
from .network import Network
from .pki import make_all
from .processes import LabError, Process, Supervisor, run, wait_until
from .servers import start_servers
from .staging import stage
from .tools import SETTLE_SECONDS, START_SECONDS, Say
from .truth import merge, outcomes

BROWSER_SECONDS = 90.0
PHONE_SECONDS = 120.0
KEYED = {"phone": "phone", "browser": "pc"}  # capture → namespace it is taken in


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
    if run_.scenario.adfs.asks == "certificate":
        packed = run_.directory / "user.p12"
        run("pk12util", "-d", f"sql:{database}", "-i", str(packed), "-W", "", "-K", "")
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


def _captures(run_: Run) -> list[str]:
    """The captures that are taken: none where there is no phone."""
    return [name for name in KEYED if name != "phone" or run_.scenario.expect.phone != "idle"]


def _expected(run_: Run) -> dict[str, str]:
    """Actor → how it must end; only those that have something to do."""
    scenario = run_.scenario
    wanted = {
        "phone": scenario.expect.phone,
        "browser": scenario.expect.browser,
        "client": scenario.expect.client,
    }
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
            environment=Realm(run_).client_environment() if has_realm(run_) else None,
            HOME=str(home),
            SSLKEYLOGFILE=str(place.file("browser", ".keys")),
        )
        ready = place.file("browser", ".ready")
        wait_until(ready.exists, "Chromium", BROWSER_SECONDS, started[actor])
    return started


def _start_client(run_: Run, network: Network, supervisor: Supervisor) -> dict[str, Process]:
    """The program at the PC, where the scenario has one."""
    if not run_.scenario.client.does:
        return {}
    netns = network.name("pc")
    return {
        "client": supervisor.start_actor("client", "signlab.client", run_.directory, netns=netns)
    }


def _start_phones(
    run_: Run, network: Network, supervisor: Supervisor, *seats: int
) -> dict[str, Process]:
    """The phones of these seats; none where the scenario has no phone."""
    if run_.scenario.expect.phone == "idle":
        return {}
    return {
        run_.at(seat).file("phone", "").name: supervisor.start_actor(
            f"phone{seat}",
            "signlab.phone.client",
            run_.directory,
            netns=network.phone(seat),
            seat=seat,
            environment=wrong_clock(run_),
        )
        for seat in seats
    }


def _wait_for(run_: Run, actors: dict[str, Process], seconds: dict[str, float]) -> None:
    """Until each of them has noted how it ended. Raises LabError."""
    for actor, process in actors.items():

        def ended(actor: str = actor) -> bool:
            return actor in outcomes(run_.directory)

        wait_until(ended, f"{actor} to end", seconds[actor], process, step=0.2)


def _play(run_: Run, say: Say) -> None:
    """Network, servers, captures, clients; everything is gone again on return."""
    with Network(run_) as network, Supervisor(run_.directory / "logs") as supervisor:
        start_servers(run_, network, supervisor)
        browsers = _start_browsers(run_, network, supervisor)
        late = run_.scenario.capture.begins == "after-code"
        first = [name for name in _captures(run_) if not (late and name == "phone")]
        captures = [_start_capture(run_, network, supervisor, name) for name in first]
        say("recording")
        (run_.directory / "recording").touch()
        at_once = run_.seats if run_.scenario.second.lan != "same" else (1,)
        phones = _start_phones(run_, network, supervisor, *at_once)
        client = _start_client(run_, network, supervisor)
        if late:
            screen = run_.directory / "screen.json"
            wait_until(screen.exists, "the phone's code", START_SECONDS, phones["phone"])
            captures.append(_start_capture(run_, network, supervisor, "phone"))
            (run_.directory / "capture-began").write_text(str(time.time_ns()))
        seconds = dict.fromkeys({**browsers, **client}, BROWSER_SECONDS)
        seconds |= dict.fromkeys(phones, PHONE_SECONDS)
        everybody = {**browsers, **phones, **client}
        last = [actor for actor in browsers if at_once != run_.seats and actor.endswith("2")]
        _wait_for(run_, {a: p for a, p in everybody.items() if a not in last}, seconds)
        if at_once != run_.seats:  # the same phone again, for another user
            again = _start_phones(run_, network, supervisor, 2)
            rest = {**{actor: browsers[actor] for actor in last}, **again}
            _wait_for(run_, rest, dict.fromkeys(rest, PHONE_SECONDS))
        time.sleep(SETTLE_SECONDS)
        for capture in captures:
            capture.stop(signal.SIGINT)
    if has_realm(run_):
        write_notes(run_)
    _check(run_)


def _publish(run_: Run, folder: Path) -> None:
    """Put the results where they belong, replacing what an earlier recording left there."""
    truth: dict[str, Any] = merge(run_)
    text = json.dumps(truth, indent=1, ensure_ascii=False) + "\n"
    (run_.directory / "truth.json").write_text(text, encoding="utf-8")
    logs = [run_.at(seat).file("phone", ".log").name for seat in run_.seats]
    folder.mkdir(parents=True, exist_ok=True)
    taken = _captures(run_)
    for name in [*(f"{name}.pcapng" for name in taken), "truth.json", *logs]:
        if (run_.directory / name).exists():  # not every phone keeps a log
            shutil.copyfile(run_.directory / name, folder / name)
    for actor in KEYED:  # one key log a capture, whoever wrote into it; empty when nobody did
        target = folder / f"{actor}.keys"
        target.unlink(missing_ok=True)
        if run_.scenario.capture.keys and actor in taken:
            parts = [run_.at(seat).file(actor, ".keys") for seat in run_.seats]
            if actor == "browser":
                parts.append(run_.file("client", ".keys"))
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
        folder = out / scenario
        if run_.scenario.voice.does:
            from .voice import play as voice  # which needs this module

            voice.play(run_, say)
            voice.publish(run_, folder)
        else:
            _play(run_, say)
            _publish(run_, folder)
        return folder
    finally:
        os.umask(old_mask)
        if keep:
            say(f"kept {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)

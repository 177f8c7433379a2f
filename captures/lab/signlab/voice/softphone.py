"""A telephone: baresip, steered over its control port, its SIP trace written down as truth.

The trace (`baresip -s`) shows each message after it was sent or received, with both addresses;
what the phone's own address sent is "sent". The control port takes JSON commands and tells events,
each as a netstring.
"""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import socket
import subprocess
import threading
import time
import wave
from pathlib import Path
from typing import Any, Self

from ..config import Run, User
from ..processes import LabError
from ..sip import SipMessage
from ..tools import TEMPLATES
from ..truth import Truth
from .messages import note_secrets, parse_message

MODULES = "/usr/lib/baresip/modules"
CONTROL_PORT = 4444
START_SECONDS = 15.0
EVENT_SECONDS = 20.0
TRACE_BEGIN = b"\x1b[36;1m#"
TRACE_END = b"\x1b[;m"
TRACE_ENDS = re.compile(rb"^(UDP|TCP|TLS) (\S+) -> (\S+)$")
# What it says of its registration, before anybody can listen at its control port.
REGISTERED = re.compile(rb"\{\d+/\w+/v4\} (\d{3}) |reg: \S+: (\d{3}) ")
TONE_HERTZ, TONE_RATE, TONE_SECONDS = 440, 8000, 4
NETSTRING_HEAD = re.compile(rb"^(\d+):")


def write_tone(path: Path) -> None:
    """A square-wave tone as an 8 kHz WAV file, which is what the user says."""
    half = TONE_RATE // (2 * TONE_HERTZ)
    period = (1500).to_bytes(2, "little", signed=True) * half
    period += (-1500).to_bytes(2, "little", signed=True) * half
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(TONE_RATE)
        file.writeframes(period * (TONE_RATE * TONE_SECONDS // (2 * half)))


class Softphone:
    """baresip with one account, in the namespace that this process runs in."""

    def __init__(self, run: Run, name: str, user: User, address: str, truth: Truth | None) -> None:
        self._run = run
        self._name = name
        self._user = user
        self._address = address
        self._truth = truth
        self._folder = run.directory / f"baresip-{name}"
        self._events: queue.Queue[dict[str, Any]] = queue.Queue()
        self._noting = True

    def __enter__(self) -> Self:
        self._folder.mkdir()
        self._configure()
        trace = (self._folder / "trace").open("wb")
        self._process = subprocess.Popen(
            ["baresip", "-f", str(self._folder), "-s"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._reader = threading.Thread(target=self._follow, args=(trace,), daemon=True)
        self._reader.start()
        self._control = self._connect()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Pull the plug: nothing is sent any more."""
        self._noting = False
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._control.close()

    def _configure(self) -> None:
        voice, user = self._run.scenario.voice, self._user
        write_tone(self._folder / "tone.wav")
        text = TEMPLATES.get_template("baresip.j2").render(
            address=self._address,
            port=5060,
            trust=self._run.directory / "ca.crt",
            work=self._folder,
            tone=self._folder / "tone.wav",
            rtp_ports="16384-16394",
            modules=MODULES,
        )
        (self._folder / "config").write_text(text)
        password = self._run.passwords[user.sip]
        if self._name == "phone" and voice.password == "wrong":
            password = self._run.wrong_password
        if self._truth:
            self._truth.secret("password", password)
        # The callee has no certificate that the proxy could connect to, so no TLS.
        transport = "udp" if self._name == "callee" else voice.transport
        uri = f'"{user.display}" <sip:{user.sip};transport={transport}>'
        parameters = [f"auth_pass={password}", "regint=600", "audio_codecs=PCMA"]
        if self._name == "callee":
            parameters.append("answermode=manual")
        if voice.srtp:
            parameters.append("mediaenc=srtp-mand")
        (self._folder / "accounts").write_text(f"{uri};{';'.join(parameters)}\n")
        (self._folder / "contacts").write_text("")

    def _follow(self, copy: Any) -> None:
        """Read the trace as it is written; runs in a thread of its own."""
        output = self._process.stdout
        assert output is not None
        message: list[bytes] | None = None
        stamp = 0
        for line in output:
            copy.write(line)
            copy.flush()
            if line.rstrip(b"\n").endswith(TRACE_BEGIN):
                message, stamp = [], time.time_ns()
            elif message is not None and line.startswith(TRACE_END):
                self._note(message, stamp)
                message = None
            elif message is not None:
                message.append(line)
            elif found := REGISTERED.search(line):
                self._events.put({"type": "REGISTERED", "status": int(found[1] or found[2])})

    def _note(self, lines: list[bytes], stamp: int) -> None:
        found = TRACE_ENDS.match(lines[0].rstrip(b"\r\n")) if lines else None
        if found is None or not self._noting:
            return
        message: SipMessage = parse_message(b"".join(lines[1:]))
        own = found[2].decode().rpartition(":")[0] == self._address
        if self._truth is None:
            return
        direction = "sent" if own else "received"
        self._truth.message("sip", "registrar", direction, message.facts(), time_ns=stamp)
        if own:
            note_secrets(self._truth, message)

    def _connect(self) -> socket.socket:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                return socket.create_connection(("127.0.0.1", CONTROL_PORT))
            except ConnectionRefusedError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise LabError(f"baresip ({self._name}) does not start") from None
                time.sleep(0.05)

    def _listen(self) -> None:
        buffer = b""
        while True:
            try:
                data = self._control.recv(1 << 16)
            except OSError:
                return
            if not data:
                return
            buffer += data
            while (head := NETSTRING_HEAD.match(buffer)) is not None:
                end = head.end() + int(head[1])
                if len(buffer) <= end:
                    break
                entry = json.loads(buffer[head.end() : end])
                buffer = buffer[end + 1 :]
                if entry.get("event"):
                    self._events.put(entry)

    def registers(self) -> bool:
        """Whether the registration that it begins by itself comes to a good end."""
        return bool(self.wait_for("REGISTERED")["status"] == 200)

    def command(self, name: str, parameters: str = "") -> None:
        """One of baresip's own commands: dial, accept, hangup, hold, resume."""
        text = json.dumps({"command": name, "params": parameters}).encode()
        self._control.sendall(b"%d:%s," % (len(text), text))

    def wait_for(self, *kinds: str, seconds: float = EVENT_SECONDS) -> dict[str, Any]:
        """The next event of one of these kinds; others are passed over. Raises LabError."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                event = self._events.get(timeout=max(deadline - time.monotonic(), 0.01))
            except queue.Empty:
                raise LabError(f"{self._name}: no {' or '.join(kinds)}") from None
            if event["type"] in kinds:
                return event

    def say_goodbye(self) -> None:
        """Switch off properly: baresip takes its registration back first."""
        os.kill(self._process.pid, signal.SIGTERM)
        self._process.wait(EVENT_SECONDS)
        self._reader.join(EVENT_SECONDS)

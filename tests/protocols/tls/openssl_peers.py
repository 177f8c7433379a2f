"""OpenSSL's s_server and s_client over loopback, with a relay between that records.

The server sends each line back reversed, so both sides' plaintext is known from what the
test typed. What is read from a socket at once is one part of the recording.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dissect.model import Direction

from ..drive import C, Part, S
from .peers import SERVER_NAME, certificate

PATIENCE = 20.0  # seconds until a peer counts as hung

needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="the openssl program is not installed"
)


class Relay:
    """Forwards connections to a port, and records what passes on each, in order of their
    beginning."""

    def __init__(self, port: int) -> None:
        self.recordings: list[list[Part]] = []
        self.by_port: dict[int, list[Part]] = {}  # by the port that the server sees
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            record: list[Part] = []
            self.recordings.append(record)
            thread = threading.Thread(target=self._carry, args=(client, record), daemon=True)
            thread.start()

    def _carry(self, client: socket.socket, record: list[Part]) -> None:
        with (
            client,
            contextlib.suppress(ConnectionError),  # a peer that is gone ends the recording
            socket.create_connection(("127.0.0.1", self._target)) as server,
        ):
            self.by_port[server.getsockname()[1]] = record
            self._forward(client, server, record)

    def _forward(self, client: socket.socket, server: socket.socket, record: list[Part]) -> None:
        ways: dict[socket.socket, tuple[socket.socket, Direction]] = {
            client: (server, C),
            server: (client, S),
        }
        while ways:
            for ready in select.select(list(ways), [], [], PATIENCE)[0] or list(ways):
                other, direction = ways[ready]
                try:
                    flight = ready.recv(1 << 16)
                except ConnectionError:
                    flight = b""
                if not flight:
                    del ways[ready]
                    with contextlib.suppress(OSError):
                        other.shutdown(socket.SHUT_WR)
                    continue
                record.append((direction, flight))
                other.sendall(flight)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE)


class Process:
    """A child process whose output is waited for."""

    def __init__(self, command: Sequence[str]) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.output = b""

    def type(self, text: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def wait_for(self, *wanted: bytes, start: int = 0) -> None:
        assert self.process.stdout is not None
        until = time.monotonic() + PATIENCE
        while not any(one in self.output[start:] for one in wanted):
            left = until - time.monotonic()
            ready = select.select([self.process.stdout], [], [], max(left, 0))[0]
            chunk = os.read(self.process.stdout.fileno(), 1 << 16) if ready else b""
            if not chunk:
                raise AssertionError(f"no {wanted} in: {self.output.decode(errors='replace')}")
            self.output += chunk

    def heard(self) -> str:
        """All that it has written so far."""
        assert self.process.stdout is not None
        while select.select([self.process.stdout], [], [], 0)[0]:
            chunk = os.read(self.process.stdout.fileno(), 1 << 16)
            if not chunk:
                break
            self.output += chunk
        return self.output.decode(errors="replace")

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self.process.stdin.close()  # type: ignore[union-attr]
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()  # type: ignore[union-attr]


def wait_for_text(path: Path, text: str) -> None:
    """Until a peer has written a file (its output is buffered and tells nothing)."""
    until = time.monotonic() + PATIENCE
    while not (path.exists() and text in path.read_text()):
        assert time.monotonic() < until, f"no {text} in {path.name}"
        time.sleep(0.005)


@dataclass
class Server:
    """A running s_server behind a relay."""

    relay: Relay
    process: Process
    folder: Path
    connections: int = 0
    keys: Path = field(init=False)

    def __post_init__(self) -> None:
        self.keys = self.folder / "client.keys"

    def connect(self, *options: str, typed: Sequence[bytes] = ()) -> tuple[list[Part], str]:
        """An s_client that types lines; a line of one letter is a command of s_client.

        Returns the recording and what the client printed. Each line waits for its echo,
        reversed, each command for the client's confirmation.
        """
        before = len(self.relay.recordings)
        client = Process(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{self.relay.port}",
             "-servername", SERVER_NAME, "-keylogfile", str(self.keys), *options]
        )  # fmt: skip
        try:
            client.wait_for(b"Verify return code")
            if "-sess_out" in options:
                wait_for_text(Path(options[options.index("-sess_out") + 1]), "END SSL SESSION")
            for line in typed:
                start = len(client.output)
                client.type(line + b"\n")
                if len(line) > 1:
                    client.wait_for(line[::-1], start=start)
                elif line in b"kK":
                    client.wait_for(b"KEYUPDATE", start=start)
                elif line == b"R":
                    client.wait_for(b"RENEGOTIATING", start=start)
            client.type(b"Q\n")
        finally:
            client.stop()
        (record,) = self.relay.recordings[before:]
        return record, client.output.decode(errors="replace")


@contextlib.contextmanager
def serve(folder: Path, *options: str, reverse: bool = True, kind: str = "ec") -> Iterator[Server]:
    _, pem = certificate(kind)
    command = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", str(pem), "-key", str(pem)]
    process = Process([*command, *(["-rev"] if reverse else []), *options])
    relay: Relay | None = None
    try:
        process.wait_for(b"ACCEPT")
        process.wait_for(b"\n", start=process.output.index(b"ACCEPT"))
        line = process.output[process.output.index(b"ACCEPT") :].split(b"\n")[0]
        relay = Relay(int(line.rsplit(b":", 1)[1]))
        yield Server(relay, process, folder)
    finally:
        process.process.terminate()
        process.stop()
        if relay is not None:
            relay.close()

"""CONNECT over HTTP/2 between real peers: Node's client and proxy, the bytes kept by a relay."""

from __future__ import annotations

import json
import selectors
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dissect.model import HttpRequest, HttpResponse
from dissect.protocols.sniff import opener
from dissect.protocols.tls.secret_store import SecretStore

from .drive import C, Part, S, bare, bytewise, drive, kinds, layer

NODE = shutil.which("node")
SCRIPT = Path(__file__).with_name("connect_over_h2.js")
TIMEOUT_S = 20


def relayed(listener: socket.socket, port: int) -> list[Part]:
    """One connection, passed on to `port`; what each side sent, in the order it came."""
    parts: list[Part] = []
    inner, _ = listener.accept()
    with inner, socket.create_connection(("127.0.0.1", port)) as outer:
        chosen = selectors.DefaultSelector()
        chosen.register(inner, selectors.EVENT_READ, (C, outer))
        chosen.register(outer, selectors.EVENT_READ, (S, inner))
        while ready := chosen.select(TIMEOUT_S):
            for key, _ in ready:
                direction, other = key.data
                source: socket.socket = key.fileobj  # type: ignore[assignment]
                try:
                    data = source.recv(65536)
                    if data:
                        other.sendall(data)
                except ConnectionError:
                    data = b""
                if not data:
                    return parts
                parts.append((direction, data))
    return parts


@pytest.fixture(scope="module")
def recorded() -> tuple[list[Part], list[dict[str, Any]]]:
    """The bytes of one connection, and what Node's client says that it got."""
    if NODE is None:
        pytest.skip("node is not installed")
    pipe = subprocess.PIPE
    with (
        subprocess.Popen([NODE, str(SCRIPT)], stdin=pipe, stdout=pipe, text=True) as process,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        listener.settimeout(TIMEOUT_S)
        port = int(process.stdout.readline())
        process.stdin.write(f"{listener.getsockname()[1]}\n")
        process.stdin.flush()
        parts = relayed(listener, port)
        return parts, json.loads(process.stdout.readline())


def test_inner_and_outer_exchanges(
    recorded: tuple[list[Part], list[dict[str, Any]]],
) -> None:
    parts, reported = recorded
    opened = opener(SecretStore())
    found = drive(opened(layer(open_child=opened)), parts)
    assert kinds(found) == []
    asked = {r.exchange: r for r in found if isinstance(r, HttpRequest)}
    answers = {r.exchange: r for r in found if isinstance(r, HttpResponse)}
    assert set(asked) == set(answers)

    def of(method: str, host: str) -> tuple[HttpRequest, HttpResponse]:
        (number,) = [n for n, r in asked.items() if (r.method, r.host) == (method, host)]
        return asked[number], answers[number]

    plain = next(n for n, r in asked.items() if r.method == "GET")
    assert (answers[plain].status, answers[plain].body.text) == (
        reported[0]["status"],
        reported[0]["text"],
    )
    request, response = of("POST", "inner.example")
    assert (request.version, request.body.text) == ("1.1", "hello")
    assert request.via is not None
    assert response.body.text == reported[1]["text"] == "met POST /in hello"
    outer, granted = of("CONNECT", "inner.example:80")
    assert (outer.version, granted.status) == ("2", reported[1]["status"])
    _, refused = of("CONNECT", "other.example:443")
    assert (refused.status, refused.body.text) == (reported[2]["status"], reported[2]["text"])
    assert len(asked) == 4
    # The same byte by byte.
    again = drive(opened(layer(open_child=opened)), bytewise(parts))
    assert sorted(map(repr, bare(again))) == sorted(map(repr, bare(found)))

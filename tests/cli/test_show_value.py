"""`--show-value` on every command that shows messages, and what no command shows without it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dissect.cli.main import cli
from tests.wire import conversation

COLOUR, PASSWORD, ANSWER = "Zander48gruen", "Hecht37silber", "Karpfen26alt"


@pytest.fixture
def capture(tmp_path: Path) -> str:
    """A sign-in whose provider calls its fields as it likes; nothing is encrypted."""
    page = (
        b"<html><title>Welcome</title><form action=/in method=post><input name=kunde>"
        b"<input type=password name=wort><input name=frage></form></html>"
    )
    form = f"kunde=vera&wort={PASSWORD}&frage={ANSWER}".encode()
    answer = f'{{"echo": "{PASSWORD}", "message": "hello {ANSWER}", "farbe": "{COLOUR}"}}'.encode()

    def response(kind: str, body: bytes) -> bytes:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body

    def request(line: str, body: bytes = b"", fields: str = "") -> bytes:
        head = (
            f"{line} HTTP/1.1\r\nHost: idp.example\r\n{fields}Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    return conversation(
        tmp_path / "own.pcap",
        [
            (True, request(f"GET /in?farbe={COLOUR}", fields=f"Authorization: {PASSWORD}\r\n")),
            (False, response("text/html", page)),
            (True, request("POST /in?wa=wsignin1.0", form,
                           "Content-Type: application/x-www-form-urlencoded\r\n")),
            (False, response("application/json", answer)),
        ],
        server_port=80,
    )  # fmt: skip


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(cli, list(arguments), standalone_mode=False)
    assert result.exception is None, result.exception
    return result


def everything(capture: str, folder: Path, *options: str) -> str:
    """What each command says of the capture, and all that it writes."""
    found = ""
    for command in ("http", "events", "redirects", "info"):
        for form in ("table", "json") if command != "info" else ("text", "json"):
            result = run(command, capture, "--format", form, *options)
            found += result.stdout + result.stderr
    rows = run("http", capture, "--format", "json", "--fields", "first_frame,last_frame").stdout
    for frame in {part.strip(' "{}') for row in rows.splitlines() for part in row.split(":")[1:]}:
        number = frame.partition(",")[0]
        result = CliRunner().invoke(cli, ["http", capture, "--body", number, *options])
        found += result.output
    files = [folder / f"out.{ending}" for ending in ("html", "har", "json", "md", "csv", "txt")]
    for path in files:
        run(
            "report" if path.suffix in (".html", ".har") else "flow",
            capture,
            "-o",
            str(path),
            *options,
        )
        found += path.read_text("utf-8") if path.exists() else ""
    return found


def test_nothing_is_shown_that_is_not_known_to_be_harmless(capture: str, tmp_path: Path) -> None:
    reported = everything(capture, tmp_path)
    for value in (COLOUR, PASSWORD, ANSWER):
        assert value not in reported
    assert "wa=wsignin1.0" in reported
    assert "farbe=‹value, 13 characters›" in reported
    assert "kunde = vera" in reported


def test_one_name_is_opened_and_it_is_reported(capture: str, tmp_path: Path) -> None:
    reported = everything(capture, tmp_path, "--show-value", "Farbe", "--show-value", "wort",
                      "--show-value", "password")  # fmt: skip
    assert f"farbe={COLOUR}" in reported
    assert f'"farbe": "{COLOUR}"' in reported
    assert PASSWORD not in reported
    assert ANSWER not in reported
    assert "--show-value Farbe: its values are shown" in reported
    assert "--show-value password: stays hidden" in reported
    assert "--show-value wort: a person typed a secret there, which stays hidden" in reported


def test_a_credential_without_a_scheme_is_no_scheme(capture: str) -> None:
    assert '"auth": ["unknown"]' in run("http", capture, "--format", "json").stdout


def test_reveal_shows_all(capture: str) -> None:
    found = run("http", capture, "--reveal")
    assert COLOUR in "".join(found.stdout.split())
    assert "--reveal" in found.stderr


@pytest.mark.parametrize("command", ["flow", "http", "sip", "tls", "dns", "dhcp", "ntp", "events",
                                     "redirects", "info", "report", "export", "check"])  # fmt: skip
def test_every_command_that_shows_messages_has_it(command: str) -> None:
    assert "--show-value" in run(command, "--help").stdout

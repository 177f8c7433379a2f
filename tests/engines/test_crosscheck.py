"""The comparison itself: what it aligns, what it tolerates, what it shows, what explains."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from dissect.engines import Reading
from dissect.engines.baseline import Baseline
from dissect.engines.crosscheck import Comparison, compare
from dissect.engines.reasons import explain
from dissect.errors import UsageError
from dissect.model import (
    Body,
    Connection,
    Endpoint,
    Headers,
    HttpRequest,
    HttpResponse,
    Message,
    Opaque,
    Place,
    Span,
    TlsConnection,
)
from tests.engines import survey

CONNECTION = Connection(0, "tcp", 3, Endpoint("10.0.0.1", 40000), Endpoint("10.0.0.2", 80))


def request(frame: int, exchange: int = 1, target: bytes = b"/?code=abcdefgh") -> HttpRequest:
    return HttpRequest(
        Place(CONNECTION, 0, Span(frame, frame, frame, frame)),
        exchange,
        "1.1",
        "GET",
        Opaque(target),
        "http",
        "host.example",
        Headers.of([(b"Host", b"host.example"), (b"Authorization", b"Bearer abcdefgh")]),
        head_frame=frame,
    )


def response(frame: int, exchange: int = 1, body: bytes = b"") -> HttpResponse:
    return HttpResponse(
        Place(CONNECTION, 1, Span(frame, frame, frame, frame)),
        exchange,
        "1.1",
        200,
        Opaque(b"OK"),
        Headers.of([(b"Content-Length", b"%d" % len(body))]),
        body=Body(Opaque(body), len(body)),
        head_frame=frame,
    )


def of(ours: Iterable[Message], theirs: Iterable[Message]) -> Comparison:
    return compare(Reading(list(ours)), Reading(list(theirs)), ["a/b.pcap"])


def test_equal_messages_agree() -> None:
    found = of([request(4), response(5)], [request(4), response(5)])
    assert found.agreed == {"http": 2}
    assert found.differences == []


def test_a_field_that_differs_is_named() -> None:
    other = replace(request(4), host="other.example")
    (found,) = of([request(4)], [other]).differences
    assert (found.name, found.embedded, found.tshark) == ("host", "host.example", "other.example")
    assert (found.protocol, found.stream, found.frame, found.what) == ("http", 3, 4, "GET")
    assert found.reason is None


def quic(frame: int, name: str | None = "one.lab.test", **more: str) -> TlsConnection:
    place = Place(replace(CONNECTION, transport="udp"), 0, Span(frame, frame, frame, frame))
    fields = {"quic": "1", "version": "TLS 1.3", **more}
    return TlsConnection(place, server_name=name, **fields)  # type: ignore[arg-type]


def test_rows_of_quic_are_compared() -> None:
    """Each connection of the same ports by itself; not what only tshark's keys open."""
    both = [quic(1), quic(9, "two.lab.test")]
    assert of(both, [replace(item, alpn="h3") for item in both]).differences == []
    (found,) = of(both, [quic(1), quic(9, "other.lab.test")]).differences
    assert (found.protocol, found.frame, found.name) == ("tls", 9, "server_name")
    (found,) = of([quic(1)], [quic(1, quic="2")]).differences
    assert (found.name, found.embedded, found.tshark) == ("quic", "1", "2")
    assert len(of(both, []).differences) == 2
    assert of([quic(1, None, quic="unknown")], []).differences == []


def test_rows_of_tls_dsk_are_compared() -> None:
    outer = TlsConnection(request(1).place, server_name="sip.lab.test")
    inner = TlsConnection(request(5).place, inside="sip", cipher_suite="TLS_A")
    assert of([outer, inner], [inner, outer]).differences == []
    other = replace(inner, cipher_suite="TLS_B")
    (found,) = of([outer, inner], [outer, other]).differences
    assert (found.frame, found.name) == (5, "cipher_suite")


def test_a_message_of_one_side_only_is_a_difference() -> None:
    assert [item.name for item in of([request(4)], []).differences] == ["absent"]
    (found,) = of([], [response(5)]).differences
    assert (found.embedded, found.tshark) == ("-", "response 200")


def test_another_last_frame_is_one_difference_and_not_two_messages() -> None:
    late = replace(request(4), place=Place(CONNECTION, 0, Span(4, 4, 9, 9)))
    names = {item.name for item in of([request(4)], [late]).differences}
    assert names == {"last_frame"}


def test_exchanges_are_compared_whatever_their_numbers() -> None:
    ours: list[Message] = [request(4, 1), request(5, 2), response(6, 1), response(7, 2)]
    renumbered: list[Message] = [request(4, 8), request(5, 9), response(6, 8), response(7, 9)]
    crossed: list[Message] = [request(4, 1), request(5, 2), response(6, 2), response(7, 1)]
    assert of(ours, renumbered).differences == []
    assert {item.name for item in of(ours, crossed).differences} == {"exchange"}


def test_no_secret_is_shown() -> None:
    bearer = replace(
        request(4, target=b"/?code=secretcode"),
        headers=Headers.of([(b"Host", b"host.example"), (b"Authorization", b"Bearer other")]),
        body=Body(Opaque(b"password=hunter2"), 16),
    )
    found = of([request(4)], [bearer]).differences
    assert {item.name for item in found} == {"target", "headers", "body", "wire_size"}
    text = repr(found) + "".join(item.embedded + item.tshark for item in found)
    for secret in ("abcdefgh", "secretcode", "hunter2", "other"):
        assert secret not in text


def test_a_body_that_lacks_its_end_is_explained_and_a_lost_one_is_not() -> None:
    cut = replace(response(5), body=Body(Opaque(b"ab"), 2, "3 of 5 bytes are missing"))
    for message, reason in ((cut, "body_unfinished"), (response(5), None)):
        ours, theirs = Reading([message]), Reading([])
        comparison = compare(ours, theirs, ["a/b.pcap"])
        explain(comparison, ours, theirs)
        assert [item.reason for item in comparison.differences] == [reason]


# ------------------------------------------------------------------ known differences

ENTRY = """
[reason.mine]
right = "tshark"
text = "because"
[[difference]]
capture = "a/b.pcap"
protocol = "http"
stream = 3
frame = 4
what = "GET"
field = "host"
embedded = "host.example"
tshark = "other.example"
reason = "mine"
"""


def known(tmp_path: Path, text: str) -> Baseline:
    path = tmp_path / "known.toml"
    path.write_text(text, "utf-8")
    return Baseline([str(path)])


def differing() -> Comparison:
    return of([request(4)], [replace(request(4), host="other.example")])


def test_an_entry_explains_its_difference_once(tmp_path: Path) -> None:
    found, entries = differing(), known(tmp_path, ENTRY)
    entries.explain([*found.differences, *differing().differences])
    assert [item.reason for item in found.differences] == ["mine"]
    assert entries.stale(["a/b.pcap"]) == []
    again = differing()
    entries.explain(again.differences)
    assert again.unexplained


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ('"a/b.pcap"', '"c/b.pcap"'),
        ("stream = 3", "stream = 2"),
        ("frame = 4", "frame = 5"),
        ('"GET"', '"POST"'),
        ('"other.example"', '"third.example"'),
    ],
)
def test_an_entry_explains_nothing_else(tmp_path: Path, name: str, other: str) -> None:
    found = differing()
    entries = known(tmp_path, ENTRY.replace(name, other))
    entries.explain(found.differences)
    assert len(found.unexplained) == 1


def test_an_entry_that_no_longer_occurs_is_reported(tmp_path: Path) -> None:
    entries = known(tmp_path, ENTRY)
    assert entries.stale(["x/a/b.pcap"])
    assert not entries.stale(["x/other.pcap"])


@pytest.mark.parametrize(
    "text",
    [
        "no TOML",
        ENTRY.replace('"a/b.pcap"', '"a/*.pcap"'),
        ENTRY.replace('reason = "mine"', 'reason = "unknown"'),
        ENTRY.replace("frame = 4\n", ""),
        ENTRY.replace('right = "tshark"', 'right = "nobody"'),
    ],
)
def test_a_bad_list_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError):
        known(tmp_path, text)


def test_the_repositorys_lists_load_and_say_who_is_right() -> None:
    entries = Baseline(survey.KNOWN).entries
    assert entries
    assert {entry.reason.right for entry in entries} <= {"embedded", "tshark", "both"}


# ------------------------------------------------------------------ the command


def run(*arguments: str) -> tuple[int, str]:
    from dissect.cli.crosscheck import crosscheck

    result = CliRunner().invoke(crosscheck, arguments, standalone_mode=False)
    assert result.exception is None, result.output
    return result.return_value, result.stdout


def test_command_on_the_lab(tmp_path: Path) -> None:
    from tests.lab import need_tshark, scenario

    need_tshark()
    capture = scenario("web-signin").phone
    code, text = run(capture, "--format", "json")
    document = json.loads(text)
    assert code == 0
    assert document["differences"] == []
    assert document["agreed"]["sip"] == 8
    assert document["engines"][0].startswith("tshark ")
    path = tmp_path / "known.toml"
    path.write_text(ENTRY.replace("a/b.pcap", "web-signin/phone.pcapng"), "utf-8")
    code, text = run(capture, "--known", str(path))
    assert code == 1
    assert "no longer occurs" in text

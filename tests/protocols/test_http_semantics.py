"""HTTP without HTTP/1 or HTTP/2: a framing made up for the test drives what all framings share.

Lines of `stream kind rest`: `F` is a field section (name=value, separated by blanks), `D` content
in hexadecimal, `L` how many bytes of content were lost, `E` the end of a direction, `R` a reset.
What is expected is read in RFC 9110, and RFC 9113 §8 for what shares a stream.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import pytest

from dissect.model import (
    Anomaly,
    Direction,
    HttpRequest,
    HttpResponse,
    Message,
    Output,
    Ranges,
    Span,
)
from dissect.protocols.base import Layer, OpenUpgrade, Upgrade
from dissect.protocols.buffer import SpanBuffer
from dissect.protocols.header_sections import index
from dissect.protocols.http import exchanges as http_exchanges
from dissect.protocols.http.exchanges import Exchanges
from dissect.protocols.http.messages import Message as Reading
from dissect.protocols.http.messages import Request, Response
from dissect.protocols.http.pairing import Pairing
from dissect.protocols.http.switch import upgraded, upgrades
from dissect.protocols.outbox import Outbox
from dissect.protocols.track import Track

from .drive import C, Found, Part, S, drive, kinds, layer, span


class Lines:
    """A `StreamParser` for the made-up framing: nothing in it knows what a message is."""

    def __init__(self, below: Layer, openers: Mapping[str, OpenUpgrade] | None = None) -> None:
        self._out = Outbox(below)
        self._exchanges = Exchanges(below, self._out, openers or {}, "2")
        self._buffers = (SpanBuffer(), SpanBuffer())

    def data(self, direction: Direction, view: bytes | memoryview, span: Span) -> Output:
        buffer = self._buffers[direction]
        buffer.append(view, span)
        while (end := buffer.data.find(b"\n")) >= 0:
            where = buffer.span(end + 1).moved(buffer.at)
            self._line(direction, buffer.take(end + 1).decode().split(), where)
        return self._out.flush()

    def _line(self, direction: Direction, line: list[str], span: Span) -> None:
        stream, kind, *rest = line
        number = int(stream)
        if kind == "F":
            found = [(n.encode(), v.encode()) for n, _, v in (item.partition("=") for item in rest)]
            track = Track()
            track.add(span.offset, len(" ".join(line)) + 1)
            self._exchanges.fields(number, direction, found, span, track)
        elif kind == "D":
            content = bytes.fromhex(rest[0])
            self._exchanges.data(number, direction, content, span, len(content))
        elif kind == "L":
            self._exchanges.lose(number, direction, int(rest[0]), span)
        elif kind == "E":
            self._exchanges.end(number, direction, span)
        elif kind == "R":
            self._exchanges.reset(number, "the stream was reset", span)

    def gap(self, direction: Direction, length: int, span: Span) -> Output:
        return self._out.flush()

    def end(self, direction: Direction, span: Span) -> Output:
        for exchange in self._exchanges:
            self._exchanges.close(exchange, direction, "its end was not captured", span)
        return self._out.flush()


def lines(*texts: str) -> bytes:
    return "".join(f"{text}\n" for text in texts).encode()


def content(stream: int, data: bytes) -> str:
    return f"{stream} D {data.hex()}"


def asked(stream: int, path: str = "/", **more: str) -> str:
    method = more.pop("method", "GET")
    fields = " ".join(f"{name}={value}" for name, value in more.items())
    return (
        f"{stream} F :method={method} :scheme=https :authority=idp.example :path={path} {fields}"
    ).rstrip()


def run(*parts: Part, **changes: object) -> Found:
    return drive(Lines(layer(encrypted=True, **changes)), parts)


def requests(found: Found) -> list[HttpRequest]:
    return [item for item in found if isinstance(item, HttpRequest)]


def responses(found: Found) -> list[HttpResponse]:
    return [item for item in found if isinstance(item, HttpResponse)]


# ------------------------------------------------------------------ request and response


def test_a_response_belongs_to_the_request_of_its_stream() -> None:
    found = run(
        (C, lines(asked(4, "/four"), asked(0, "/zero", accept="x"), "0 E", "4 E")),
        (S, lines("0 F :status=404", "0 E", "4 F :status=200", content(4, b"ok"), "4 E")),
    )
    paths = {item.exchange: item.path for item in requests(found)}
    assert sorted(paths.values()) == ["/four", "/zero"]
    assert [(paths[x.exchange], x.status, x.body.text) for x in responses(found)] == [
        ("/zero", 404, ""),
        ("/four", 200, "ok"),
    ]
    first = requests(found)[0]
    assert (first.method, first.scheme, first.host) == ("GET", "https", "idp.example")
    assert first.headers.get("accept") == "x"
    assert kinds(found) == []


def test_interim_responses_come_before_the_final_one() -> None:
    found = run(
        (C, lines(asked(1), "1 E")), (S, lines("1 F :status=103", "1 F :status=200", "1 E"))
    )
    assert [(x.status, x.interim) for x in responses(found)] == [(103, True), (200, False)]
    assert {x.exchange for x in responses(found)} == {requests(found)[0].exchange}


def test_trailers_are_fields_and_change_no_coding() -> None:
    """RFC 9110 §6.5.1: a trailer section can't say how the content is coded."""
    packed = zlib.compress(b"<html>")
    found = run(
        (C, lines(asked(1), "1 E")),
        (S, lines("1 F :status=200 content-encoding=deflate", content(1, packed))),
        (S, lines("1 F server-timing=db content-encoding=br", "1 E")),
    )
    (answer,) = responses(found)
    assert answer.body.text == "<html>"
    assert (answer.body.wire_size, answer.body.problem) == (len(packed), None)
    assert answer.headers.get("server-timing") == "db"
    assert answer.place.span.last_frame == 3
    assert answer.head_frame == 2


def test_lost_content_is_reported_and_not_joined() -> None:
    found = run(
        (C, lines(asked(1, method="POST"), content(1, b"user="), "1 L 7", content(1, b"&x=1")))
    )
    (request,) = requests(found)
    assert request.body.text == "user="
    assert request.body.problem is not None
    assert request.body.problem.startswith("7 bytes were not captured")
    assert request.body.problem.endswith("its end was not captured")


def test_a_reset_ends_both_directions() -> None:
    found = run((C, lines(asked(1), "1 D 41")), (S, lines("1 R", "1 F :status=200", "1 E")))
    (request,) = requests(found)
    assert request.body.problem == "the stream was reset"
    # What comes for the stream later is another exchange.
    assert [x.exchange == request.exchange for x in responses(found)] == [False]


@pytest.mark.parametrize("status", ["", "20", "2000", "abc", "²00"])
def test_a_status_that_is_none_is_not_known(status: str) -> None:
    found = run((C, lines(asked(1), "1 E")), (S, lines(f"1 F :status={status}", "1 E")))
    assert [x.status for x in responses(found)] == [0]


def test_open_streams_are_bounded_and_that_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_exchanges, "MAX_STREAMS", 2)
    found = run((C, lines(asked(1), asked(2), asked(3))))
    assert [x.kind for x in found if isinstance(x, Anomaly)] == ["limit.http2_streams"]
    assert [x.body.problem for x in requests(found)] == [
        "given up, over 2 streams are open",
        *["its end was not captured"] * 2,
    ]


# ------------------------------------------------------------------ what follows CONNECT


class Inside:
    """Notes what a tunnel hands on."""

    def __init__(self) -> None:
        self.got: list[tuple[Direction, bytes, int]] = []
        self.lost: list[tuple[Direction, int]] = []
        self.ended: list[Direction] = []

    def data(self, direction: Direction, view: bytes | memoryview, span: Span) -> Output:
        self.got.append((direction, bytes(view), span.offset))
        return ()

    def gap(self, direction: Direction, length: int, span: Span) -> Output:
        self.lost.append((direction, length))
        return ()

    def end(self, direction: Direction, span: Span) -> Output:
        self.ended.append(direction)
        return ()


def test_connect_hands_the_content_to_the_layer_inside() -> None:
    """RFC 9110 §9.3.6: a 2xx answer, and what follows is the tunnel's in both directions."""
    inside, layers = Inside(), []

    def opened(below: Layer) -> Inside:
        layers.append(below)
        return inside

    found = run(
        (C, lines("1 F :method=CONNECT :authority=u@sip.example:5061", content(1, b"early"))),
        (S, lines("1 F :status=200", content(1, b"hello"))),
        (C, lines(content(1, b"there"), "1 L 3", "1 E")),
        (S, lines("1 E")),
        open_child=opened,
        server_name="proxy.example",
    )
    (request,), (answer,) = requests(found), responses(found)
    assert (request.method, request.host, request.body.text) == ("CONNECT", "sip.example:5061", "")
    assert (answer.status, answer.body.text) == (200, "")
    (below,) = layers
    assert (below.server_name, below.via, below.stream) == ("sip.example", "192.0.2.80:3128", (1,))
    assert inside.got == [(C, b"early", 0), (S, b"hello", 0), (C, b"there", 5)]
    assert (inside.lost, inside.ended) == ([(C, 3)], [C, S])


def test_a_refused_connect_stays_http() -> None:
    found = run(
        (C, lines("1 F :method=CONNECT :authority=sip.example:5061")),
        (S, lines("1 F :status=407", content(1, b"who are you"), "1 E")),
    )
    assert [(x.status, x.body.text) for x in responses(found)] == [(407, "who are you")]


def test_extended_connect_opens_the_protocol_that_it_names() -> None:
    """RFC 8441 §4; the opener gets the fields of both sides."""
    inside, asked_for = Inside(), []

    def websocket(_: Layer, upgrade: Upgrade) -> Inside:
        asked_for.append((upgrade.asked[b"origin"], upgrade.accepted[b"server"]))
        return inside

    ask = asked(1, "/chat", method="CONNECT", **{":protocol": "WebSocket", "origin": "o"})
    found = drive(
        Lines(layer(), {"websocket": websocket}),
        [(C, lines(ask)), (S, lines("1 F :status=200 server=s", content(1, b"\x81")))],
    )
    assert asked_for == [([b"o"], [b"s"])]
    assert inside.got == [(S, b"\x81", 0)]
    assert [x.path for x in requests(found)] == ["/chat"]


# ------------------------------------------------------------------ by order, as HTTP/1


def read(below: Layer, request: Request | Response, exchange: int, **fields: str) -> Message:
    found = [(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()]
    where = span(1)
    message = Reading("1.1", C, request, found, index(found), where, 1)
    return message.given(below, exchange, Ranges(()), None)


def test_without_streams_the_order_pairs() -> None:
    pairing = Pairing(layer().exchanges)
    first = pairing.asked(Request("GET", b"/1"), {}, 1)
    second = pairing.asked(Request("POST", b"/2"), {b"expect": [b"100-continue"]}, 2)
    assert second.expects_continue
    got = [pairing.answered(interim, 3) for interim in (False, True, False)]
    assert [x.exchange for x in got] == [first.exchange, second.exchange, second.exchange]


def test_upgrade_switches_to_what_was_accepted() -> None:
    """RFC 9110 §7.8: Upgrade counts only where Connection names it."""
    offered = {b"upgrade": [b"h2c, websocket"], b"connection": [b"Upgrade"]}
    assert upgrades(offered) == ["h2c", "websocket"]
    assert upgrades({b"upgrade": [b"websocket"]}) == []
    opened: list[str] = []

    def opener(_: Layer, upgrade: Upgrade) -> Inside:
        opened.append("websocket")
        return Inside()

    upgraded(layer(), "websocket", Upgrade(1, offered, {}), {"websocket": opener})
    upgraded(layer(), "tls/1.0", Upgrade(1, offered, {}), {"websocket": opener})
    assert opened == ["websocket"]


@pytest.mark.parametrize(
    ("request_", "fields", "scheme", "host"),
    [
        (Request("GET", b"/x"), {"host": "a.example"}, "http", "a.example"),
        (Request("GET", b"https://b.example/x"), {}, "https", "b.example"),
        (Request("CONNECT", b"c.example:443"), {}, "http", "c.example:443"),
        (Request("GET", b"/x", "https", "d.example"), {"host": "a"}, "https", "d.example"),
        (Request("CONNECT", b"/chat", "", "", "websocket"), {}, "http", None),
        (Request("GET", b"/x", "", "user@e.example"), {}, "http", "e.example"),
    ],
)
def test_the_target_uri(
    request_: Request, fields: dict[str, str], scheme: str, host: str | None
) -> None:
    """RFC 9110 §7.1: the scheme and authority come with the control data, or from Host."""
    made = read(layer(), request_, 1, **fields)
    assert isinstance(made, HttpRequest)
    assert (made.scheme, made.host) == (scheme, host)

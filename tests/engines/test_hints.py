"""What tshark is reported ports: what it can't find by itself, and nothing that would mislead
it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dissect.engines import CaptureInput, tshark
from dissect.engines.hints import MAX_HINTS, TLS_PORTS, decode_as
from dissect.model import (
    Connection,
    DnsMessage,
    Endpoint,
    Headers,
    HttpRequest,
    Message,
    Opaque,
    Place,
    Ranges,
    SipMessage,
    Span,
    TcpConnection,
    TlsConnection,
)
from tests.lab import need_tshark, scenario, tshark_fields


def place(
    client: int = 40000,
    server: int = 443,
    stream: int = 0,
    *,
    transport: str = "tcp",
    encrypted: bool = False,
) -> Place:
    ends = Endpoint("192.0.2.1", client), Endpoint("192.0.2.2", server)
    connection = Connection(0, transport, stream, *ends)  # type: ignore[arg-type]
    return Place(connection, 0, Span(1, 1, 1, 1), encrypted)


def tcp(where: Place, payload: tuple[int, int] = (10, 10)) -> Message:
    return TcpConnection(where, "open", payload=payload)


def tls(where: Place, **more: str) -> Message:
    return TlsConnection(where, **more)  # type: ignore[arg-type]


def http(where: Place) -> Message:
    target = Opaque(b"login.test:443")
    return HttpRequest(where, 0, "1.1", "CONNECT", target, "http", None, Headers())


def sip(where: Place, over: str) -> Message:
    return SipMessage(
        where, "request", "REGISTER", Opaque(b""), None, "", Headers(), transport=over
    )  # type: ignore[arg-type]


def dns(where: Place) -> Message:
    return DnsMessage(where, 1, False, "no error", ())


# ------------------------------------------------------------------ TLS


def test_tls_on_a_port_of_its_own_is_recognised_by_the_clients_port() -> None:
    """The port of a server may serve several protocols, that of a client is its own."""
    where = place(40001, 8443)
    assert decode_as([tcp(where), tls(where)]) == (["tcp.port==40001,tls"], [])


@pytest.mark.parametrize("port", sorted(TLS_PORTS))
def test_tls_on_its_usual_ports_needs_no_hint(port: int) -> None:
    """On either side: without its SYN a connection may be read the other way round."""
    for where in (place(40001, port), place(port, 40001)):
        assert decode_as([tcp(where), tls(where)]) == ([], [])


def test_tls_inside_of_another_protocol_is_no_ports_matter() -> None:
    """TLS-DSK travels in SIP header fields, and QUIC in UDP."""
    where = place(server=9000)
    assert decode_as([tcp(where), tls(where, inside="sip")]) == ([], [])
    assert decode_as([tcp(where), tls(where, quic="1")]) == ([], [])


def test_a_connect_proxy_stays_http() -> None:
    """RFC 9110 §9.3.6: after a 2xx to CONNECT the same connection carries the tunnel. tshark
    follows that by itself; told that the port is TLS it would read the CONNECT as garbage."""
    where = place(40001, 3128)
    proxy = [tcp(where), http(where), tls(where)]
    assert decode_as(proxy) == ([], [])
    inside = http(replace(where, encrypted=True))
    assert decode_as([*proxy, inside]) == ([], [])
    # Two tunnels, one after the other, from the same port.
    again = place(40001, 3128, 1)
    assert decode_as([*proxy, tcp(again), http(again), tls(again)]) == ([], [])


def test_http_that_was_decrypted_is_no_proxy() -> None:
    where = place(40001, 8443)
    inside = http(replace(where, encrypted=True))
    assert decode_as([tcp(where), tls(where), inside]) == (["tcp.port==40001,tls"], [])


def test_a_tunnel_beside_plain_tls_from_one_port_is_tls_to_both() -> None:
    """A hint holds for all connections of a port: where only one of them is a tunnel, the other
    has nothing else to be found by."""
    tunnel, direct = place(40001, 3128), place(40001, 8443, 1)
    found = decode_as([tcp(tunnel), http(tunnel), tls(tunnel), tcp(direct), tls(direct)])
    assert found == (["tcp.port==40001,tls"], [])


def test_a_port_of_several_protocols_gets_a_warning_and_no_hint() -> None:
    one, other = place(40001, 8443), place(40001, 80, 1)
    messages = [tcp(one), tls(one), tcp(other), http(other)]
    assert decode_as(messages) == (
        [],
        ["port 40001 is used by TLS and by others: tshark may miss TLS"],
    )
    # A connection without any payload is read by nobody.
    silent = [tcp(one), tls(one), tcp(other, (0, 0))]
    assert decode_as(silent) == (["tcp.port==40001,tls"], [])
    for payload in ((1, 0), (0, 1)):
        assert decode_as([tcp(one), tls(one), tcp(other, payload)])[0] == []


@pytest.mark.parametrize("name", ["proxy-ntlm", "proxy-denies"])
def test_tshark_with_hints_still_finds_every_connect(name: str) -> None:
    """Against tshark itself, which is given no hints."""
    need_tshark()
    wanted = found = 0
    for path in scenario(name).captures:
        rows = tshark_fields(path, ("http.request.method",))
        wanted += sum(row["http.request.method"] == ["CONNECT"] for row in rows)
        messages = list(tshark.read([CaptureInput(path)]).messages)
        found += sum(isinstance(m, HttpRequest) and m.method == "CONNECT" for m in messages)
    assert found == wanted > 0


# ------------------------------------------------------------------ SIP and DNS


@pytest.mark.parametrize(
    ("over", "transport", "client", "server", "hints"),
    [
        ("tls", "tcp", 40001, 5061, []),
        ("tls", "tcp", 5061, 40001, []),
        ("tls", "tcp", 40001, 443, ["tls.port==40001,sip"]),
        ("tls", "tcp", 40001, 5060, ["tls.port==40001,sip"]),
        ("tcp", "tcp", 40001, 5060, []),
        ("tcp", "tcp", 5060, 40001, []),
        ("tcp", "tcp", 40001, 5061, ["tcp.port==40001,sip"]),
        ("tcp", "tcp", 40001, 9123, ["tcp.port==40001,sip"]),
        ("udp", "udp", 40001, 5060, []),
        ("udp", "udp", 5060, 9123, []),
        ("udp", "udp", 40001, 9123, ["udp.port==40001,sip"]),
        ("ws", "tcp", 40001, 80, []),
    ],
)
def test_sip_on_unusual_ports(
    over: str, transport: str, client: int, server: int, hints: list[str]
) -> None:
    """RFC 3261 §18.1.1: 5060, and 5061 over TLS; a WebSocket is found by its upgrade."""
    where = place(client, server, transport=transport)
    assert decode_as([sip(where, over)]) == (hints, [])


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_dns_on_unusual_ports_is_recognised_by_the_servers(transport: str) -> None:
    """A resolver's client takes a new port for each query, so the server's port is the one."""
    assert decode_as([dns(place(40001, 53, transport=transport))]) == ([], [])
    assert decode_as([dns(place(53, 40001, transport=transport))]) == ([], [])
    queries = [dns(place(port, 5353, transport=transport)) for port in (40001, 40002)]
    assert decode_as(queries) == ([f"{transport}.port==5353,dns"], [])


def test_two_protocols_of_one_port_are_both_given_in_a_fixed_order() -> None:
    first, second = place(40001, 9123), place(40002, 40001, 1)
    messages = [sip(first, "tcp"), dns(second)]
    wanted = (["tcp.port==40001,dns", "tcp.port==40001,sip"], [])
    assert decode_as(messages) == wanted
    assert decode_as(messages[::-1]) == wanted


@pytest.mark.parametrize("more", [0, 1])
def test_hints_are_bounded_and_the_bound_is_reported(more: int) -> None:
    places = [place(20000 + number, 8443, number) for number in range(MAX_HINTS + more)]
    hints, warnings = decode_as([make(where) for where in places for make in (tcp, tls)])
    assert len(hints) == MAX_HINTS
    assert warnings == (
        [f"tshark is told of the first {MAX_HINTS} of {MAX_HINTS + 1} odd ports"] if more else []
    )


def test_tls_that_begins_after_another_protocol_is_left_to_tshark() -> None:
    """StartTLS (RFC 2830, RFC 3207, RFC 6120): told that all is TLS, tshark would read neither."""
    where = place(40001, 389)
    late = replace(where, ranges=Ranges(whole=((1, 14, 900), (0, 31, 700))))
    assert decode_as([tcp(where), tls(late)]) == ([], [])
    begun = replace(where, ranges=Ranges(whole=((1, 0, 900), (0, 0, 700))))
    assert decode_as([tcp(where), tls(begun)]) == (["tcp.port==40001,tls"], [])

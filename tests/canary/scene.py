"""Captures, key logs and logs with a canary in every position; which number is which position."""

from __future__ import annotations

import itertools
import random
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.canary import device_places, file_places, http_places, sip_places, wire
from tests.canary.http_places import Exchange
from tests.canary.values import LAYERS, SHAPES, Chain, letters, wrapped

CHAINS: tuple[Chain, ...] = (
    *((layer,) for layer in LAYERS),
    *random.Random(1).sample(list(itertools.product(LAYERS, repeat=2)), 40),
    *random.Random(2).sample(list(itertools.product(LAYERS, repeat=3)), 60),
)
# Where the servers of sign-ins are, so that the rules read the messages: host and path.
DRESSINGS: tuple[tuple[str, str], ...] = (
    ("", ""),
    ("login.microsoftonline.com", "/common/oauth2/token"),
    ("login.microsoftonline.com", "/common/oauth2/v2.0/authorize"),
    ("login.microsoftonline.com", "/common/oauth2/devicecode"),
    ("login.microsoftonline.com", "/common/login"),
    ("login.microsoftonline.com", "/common/userrealm/bob@a.example"),
    ("adfs.a.example", "/adfs/ls/"),
    ("adfs.a.example", "/adfs/services/trust/13/usernamemixed"),
    ("lyncweb.a.example", "/webticket/webticketservice.svc"),
    ("lyncweb.a.example", "/certprov/certprovisioningservice.svc"),
    ("lyncdiscover.a.example", "/autodiscover/autodiscoverservice.svc/root"),
    ("bootstrap.pinauth.services.skypeforbusiness.com", "/api/DeviceConfig/Polycom/Default"),
    ("sp.a.example", "/Shibboleth.sso/SAML2/POST"),
    ("a.okta.com", "/api/v1/authn"),
    ("enterpriseregistration.windows.net", "/EnrollmentServer/device/"),
)


@dataclass
class Scene:
    """Files with canaries. `positions` names each canary's position by its number."""

    folder: Path
    captures: list[Path] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    positions: dict[int, str] = field(default_factory=dict)
    chain: Chain = ()
    rotate: int = 0  # each position has a chain of its own; of which this many are passed over
    shape: str = "word"

    def text(self, position: str) -> str:
        """A new canary of this position, in its layers."""
        number = len(self.positions)
        self.positions[number] = position
        chain = CHAINS[(number + self.rotate) % len(CHAINS)] if self.rotate else self.chain
        if self.rotate:
            self.positions[number] += f" ({' in '.join(chain)})"
        return wrapped(SHAPES[self.shape](letters(number)), chain)

    def own(self, names: Sequence[str]) -> dict[str, str]:
        return {name: self.text(name) for name in names}

    def add(self, name: str, frames: Sequence[bytes]) -> None:
        path = self.folder / name
        path.write_bytes(wire.pcap(frames))
        self.captures.append(path)


def dressed(one: Exchange, dressing: tuple[str, str]) -> Exchange:
    host, path = dressing
    if not host:
        return one
    target = one.target
    for own in ("/zeta", "/a"):
        if target.startswith(own):
            target = path.rstrip("/") + target[len(own) :] if target != own else path
            break
    return replace(one, host=host, target=target)


def exchanges(
    scene: Scene, carrier: str, only: Callable[[int], bool], dressing: int | None
) -> Iterator[Exchange]:
    """The exchanges of HTTP's places; each in its own dressing unless one is given."""
    for index, (name, build) in enumerate(http_places.PLACES.items()):
        if only(index):
            one = build(scene.text(f"{carrier} {name}"))
            chosen = (index if dressing is None else dressing) % len(DRESSINGS)
            yield dressed(one, DRESSINGS[chosen])


def add_http1(
    scene: Scene, only: Callable[[int], bool] = lambda i: True, dressing: int | None = None,
    coding: str = "", cut: int = 1400, chunk: int = 0,
) -> None:  # fmt: skip
    frames: list[bytes] = []
    for number, one in enumerate(exchanges(scene, "http1", only, dressing)):
        request, response = wire.http1(one, coding, chunk)
        reported = [(True, request), (False, response)]
        frames += wire.tcp(20_000 + number, 80, reported, cut)
    scene.add("http1.pcap", frames)


def add_http2(
    scene: Scene, only: Callable[[int], bool] = lambda i: True, dressing: int | None = None,
    coding: str = "",
) -> None:  # fmt: skip
    """In clear, with prior knowledge (RFC 9113 §3.3)."""
    ends = wire.Http2()
    reported = ends.opened()
    for one in exchanges(scene, "http2", only, dressing):
        reported += ends.exchange(one, coding)
    reported += ends.closed(scene.text("http2 goaway and ping"))
    scene.add("http2.pcap", list(wire.tcp(30_000, 8080, reported)))


def add_tls(
    scene: Scene, only: Callable[[int], bool] = lambda i: True, dressing: int | None = None
) -> None:
    """HTTP/1 in TLS 1.3, HTTP/2 in TLS 1.2, with a key log whose other lines hold canaries."""
    frames: list[bytes] = []
    certificate = scene.own(file_places.CERTIFICATE[1:2])
    peer = file_places.Tls(scene.folder, ssl.TLSVersion.TLSv1_3, "http/1.1", certificate)
    for one in exchanges(scene, "tls", only, dressing):
        if "Sec-WebSocket" not in repr(one.answer):
            for end, data in zip((True, False), wire.http1(one), strict=True):
                peer.say(end, data)
    frames += wire.tcp(31_000, 443, peer.said)
    ends = wire.Http2()
    peer = file_places.Tls(scene.folder, ssl.TLSVersion.TLSv1_2, "h2", certificate)
    reported = ends.opened()
    for one in exchanges(scene, "h2 in tls", only, dressing):
        reported += ends.exchange(one)
    for end, data in reported:
        peer.say(end, data)
    frames += wire.tcp(31_001, 443, peer.said)
    hello = file_places.hello(scene.own(file_places.HELLO))
    frames += wire.tcp(31_002, 443, [(True, hello), (False, b"\x15\3\3\0\2\2\x28")])
    scene.add("tls.pcap", frames)
    log = scene.folder / "keys.txt"
    own = scene.own([f"keylog.{name}" for name in file_places.KEY_LINES])
    lines = file_places.key_log({name.partition(".")[2]: text for name, text in own.items()})
    log.write_bytes(lines + peer.keys.read_bytes())
    scene.options += ["-k", str(log)]


def add_sip(scene: Scene, only: Callable[[int], bool] = lambda i: True) -> None:
    """Half over UDP, half over one TCP connection; some in WebSocket."""
    frames: list[bytes] = []
    reported: wire.Said = []
    for index, (name, build) in enumerate(sip_places.PLACES.items()):
        if not only(index):
            continue
        messages = build(scene.text(f"sip {name}"), index)
        if index % 3:
            frames += [wire.udp(client, (5060, 5060), data) for client, data in messages]
        else:
            reported += messages
    frames += wire.tcp(32_000, 5060, reported)
    for number, protocol in enumerate(("sip", "zeta")):
        asked = f"GET /ws HTTP/1.1\r\nHost: h.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n"
        answer = f"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n"
        reported = [(True, asked.encode()), (False, answer.encode())]
        inside = sip_places.PLACES["request.X-Token"](
            scene.text(f"websocket {protocol} sip"), 900 + number
        )
        reported += [(end, wire.websocket(1, data, end)) for end, data in inside]
        for opcode in (1, 2, 9, 8):
            text = scene.text(f"websocket {protocol} opcode {opcode}").encode()
            reported.append(
                (True, wire.websocket(opcode, b"\3\xe8" + text if opcode == 8 else text, True))
            )
        frames += wire.tcp(32_100 + number, 80, reported)
    scene.add("sip.pcap", frames)


def add_devices(scene: Scene) -> None:
    """DHCP, DNS, NTP, EAP, RADIUS, LDAP, PROXY headers; a pcapng with canaries in its blocks."""
    frames: list[bytes] = []
    for name, build in device_places.PLACES.items():
        for port, server_port, data in build(scene.text(name)):
            frames.append(wire.udp(not name.startswith("dhcp.offer"), (port, server_port), data))
    frames += [build(scene.text(name)) for name, build in device_places.FRAMES.items()]
    frames += wire.tcp(33_000, 389, [(True, device_places.ldap_bind(scene.text("ldap.simple")))])
    header = device_places.proxy_header(scene.text("proxy.tlv"))
    frames += wire.tcp(
        33_001,
        80,
        [
            (True, header + b"GET / HTTP/1.1\r\nHost: h.example\r\n\r\n"),
            (False, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ],
    )
    unread = scene.text("tcp.unknown").encode()
    frames += wire.tcp(33_002, 9999, [(True, unread + b"\n"), (False, b"\0\1" + unread)])
    path = scene.folder / "devices.pcapng"
    path.write_bytes(device_places.pcapng(frames, scene.own(device_places.BLOCK_PLACES)))
    scene.captures.append(path)


def add_logs(scene: Scene) -> None:
    phone, proxy = scene.folder / "phone.log", scene.folder / "proxy.log"
    phone.write_bytes(file_places.phone_log(scene.own(file_places.PHONE_LOG)))
    proxy.write_bytes(file_places.syslog(scene.own(file_places.SYSLOG)))
    scene.logs += ["--phone-log", str(phone), "--phone-log", str(proxy)]

"""DHCP: messages that scapy writes, read back and by tshark; options by their RFCs."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissect.model import DhcpMessage, Endpoint
from dissect.protocols.dhcp import parse
from dissect.protocols.sniff_udp import open_udp

from . import oracle
from .drive import UDP, C, S, drive, kinds, layer, messages, span
from .test_tshark import read

DHCP = replace(UDP, client=Endpoint("0.0.0.0", 68), server=Endpoint("255.255.255.255", 67))
URL = b"https://user:s3cret@prov.example/cfg/"
# [MS-DHCPE]'s kin: what DHCPUtil writes for Lync phones, suboptions 1 to 5.
UC = (
    b"\x01\x0cMS-UC-Client\x02\x05https\x03\x10pool.contoso.com\x04\x03443"
    b"\x05\x25/CertProv/CertProvisioningService.svc"
)


def packet(*options: object, file: bytes = b"", sname: bytes = b"", op: int = 2) -> bytes:
    from scapy.layers.dhcp import BOOTP, DHCP

    head = BOOTP(
        op=op,
        xid=0xDEADBEEF,
        yiaddr="192.0.2.77" if op == 2 else "0.0.0.0",
        chaddr=bytes.fromhex("0004f2aabbcc"),
        file=file,
        sname=sname,
    )
    return bytes(head / DHCP(options=[*options, "end"]))


def one(data: bytes) -> DhcpMessage:
    return parse(data, layer(connection=DHCP).place(S, span(1)))


def test_discover_and_what_is_asked_for() -> None:
    data = packet(
        ("message-type", "discover"),
        ("hostname", b"Polycom_0004f2aabbcc\0"),
        ("vendor_class_id", b"MS-UC-Client"),
        ("param_req_list", [1, 3, 6, 42, 43, 66, 120, 160]),
        op=1,
    )
    (found,) = messages(drive(open_udp(layer(connection=DHCP)), [(C, data)]))
    assert isinstance(found, DhcpMessage)
    assert (found.kind, found.ident, found.hardware) == (
        "discover",
        0xDEADBEEF,
        "00:04:f2:aa:bb:cc",
    )
    assert (found.host_name, found.vendor_class) == ("Polycom_0004f2aabbcc", "MS-UC-Client")
    assert found.asked == (1, 3, 6, 42, 43, 66, 120, 160)
    assert found.address is None


def test_offer_with_everything_for_phones() -> None:
    found = one(
        packet(
            ("message-type", "offer"),
            ("server_id", "192.0.2.1"),
            ("name_server", "192.0.2.53", "192.0.2.54"),
            ("NTP_server", "192.0.2.123"),
            (43, UC),
            (120, b"\x00\x03sip\x07contoso\x03com\x00\x04edge\xc0\x05"),
            (160, URL),
        )
    )
    assert (found.kind, found.address, found.server) == ("offer", "192.0.2.77", "192.0.2.1")
    assert found.time_servers == ("192.0.2.123",)
    # RFC 3361 §3.1 with a compressed name (RFC 1035 §4.1.4): the offset counts in the option.
    assert found.sip_servers == ("sip.contoso.com", "edge.contoso.com")
    assert [(place, bytes(value)) for place, value in found.provisioning] == [
        ("160", URL),
        ("43.1", b"MS-UC-Client"),
        ("43.2", b"https"),
        ("43.3", b"pool.contoso.com"),
        ("43.4", b"443"),
        ("43.5", b"/CertProv/CertProvisioningService.svc"),
    ]
    assert "s3cret" not in repr(found)


def test_option_120_with_addresses() -> None:
    """RFC 3361 §3.2."""
    found = one(packet(("message-type", "ack"), (120, b"\x01\xc0\x00\x02\x05\xc0\x00\x02\x06")))
    assert found.sip_servers == ("192.0.2.5", "192.0.2.6")


def test_option_43_may_be_a_bare_url() -> None:
    found = one(packet(("message-type", "ack"), (43, b"http://prov.example/")))
    assert [(place, bytes(value)) for place, value in found.provisioning] == [
        ("43", b"http://prov.example/")
    ]


def test_repeated_options_are_one() -> None:
    """RFC 3396: a value over 255 bytes is cut in several options of one code."""
    found = one(packet(("message-type", "ack"), (160, b"http://a/" + b"x" * 200), (160, b"y" * 90)))
    assert bytes(found.provisioning[0][1]) == b"http://a/" + b"x" * 200 + b"y" * 90


def test_overloaded_fields_and_boot_file() -> None:
    """RFC 2132 §9.3; without option 52 `file` and `sname` are what their names say."""
    names = {
        place: bytes(value)
        for place, value in one(
            packet(("message-type", "ack"), file=b"sip.cfg", sname=b"tftp.example")
        ).provisioning
    }
    assert names == {"67": b"sip.cfg", "66": b"tftp.example"}
    overloaded = one(
        packet(
            ("message-type", "ack"),
            (52, b"\x03"),
            file=b"\xa0\x05ftp:/\xff",
            sname=b"\x42\x03t.e\xff",
        )
    )
    assert {place: bytes(value) for place, value in overloaded.provisioning} == {
        "160": b"ftp:/",
        "66": b"t.e",
    }


def test_other_datagrams_are_anomalies() -> None:
    assert (
        kinds(drive(open_udp(layer(connection=DHCP)), [(C, b"x"), (C, bytes(300))]))
        == ["dhcp.malformed"] * 2
    )


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_damage_raises_nothing(data: st.DataObject) -> None:
    good = bytearray(packet(("message-type", "ack"), (43, UC), (120, b"\x00\x01a\x00"), (160, URL)))
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(236, len(good) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(good)))
    drive(open_udp(layer(connection=DHCP)), [(C, bytes(good[:cut])), (S, bytes(good))])


@pytest.mark.skipif(oracle.TSHARK is None, reason="tshark is not installed")
@pytest.mark.parametrize(
    "name",
    [
        "containers/pcapng-test010-simple_packet_blocks-le.pcapng",
        "link-layers/pcapplusplus-raw_ip.pcap",
    ],
)
def test_equal_to_tshark(shared_captures: Path, name: str) -> None:
    """Without frame numbers: a mirrored datagram is given once, tshark shows it twice."""
    command = [
        str(oracle.TSHARK),
        "-n",
        "-r",
        str(shared_captures / name),
        "-Y",
        "dhcp",
        "-T",
        "fields",
    ]
    for field in ("dhcp.option.dhcp", "dhcp.id", "dhcp.hw.mac_addr", "dhcp.option.hostname"):
        command += ["-e", field]
    text = subprocess.run(
        [*command, "-E", "occurrence=f"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
    ).stdout.decode()
    expected = {tuple(line.split("\t")) for line in text.splitlines()}
    assert expected
    numbers = (
        "bootp",
        "discover",
        "offer",
        "request",
        "decline",
        "ack",
        "nak",
        "release",
        "inform",
    )
    ours = {
        (str(numbers.index(item.kind)), f"0x{item.ident:08x}", item.hardware, item.host_name or "")
        for item in read(shared_captures / name)
        if isinstance(item, DhcpMessage)
    }
    assert ours == expected

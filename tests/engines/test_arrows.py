"""Arrows of any protocol by tshark: what they show, what they hide, and what is wrong with them.

The Kerberos datagrams are those of an MIT KDC and its clients (kerberos.json: by the client,
its port, bytes), which said themselves what became of each sign-in.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from dissect.cli.main import main
from dissect.engines.tshark import arrows, field_facts
from dissect.errors import DefinitionError, UsageError
from dissect.flow.definition import parse
from dissect.flow.fitting import Worded
from dissect.model import Event, Secret, SequenceChart, Text
from dissect.pipeline import RunOptions, Session
from dissect.signin.error_catalogue import catalogue
from tests.lab import need_tshark

KERBEROS = json.loads((Path(__file__).parent / "kerberos.json").read_text("utf-8"))
KDC, PC = "192.0.2.88", "192.0.2.10"

FLOW = """
schema = 1
name = "any"
title = "Any"
[instance]
keys = ["radius.id"]
anchors = ["asked"]
[[actor]]
id = "nas"
title = "NAS"
kind = "client"
[[actor]]
id = "server"
title = "Server"
[[step]]
number = 1
title = "The server accepts the user"
between = ["nas", "server"]
done_when = [["accepted"]]
[[step.arrow]]
id = "special"
match = { tshark = 'radius.User_Name == "root"' }
from = "nas"
to = "server"
label = "the special before the general"
[[step.arrow]]
id = "asked"
match = { tshark = "radius.code == 1" }
fields = ["radius.id", "radius.User_Name", "radius.Reply_Message"]
from = "nas"
to = "server"
label = "asks for {radius.User_Name}[ ({radius.Reply_Message})]"
[[step.arrow]]
id = "accepted"
match = { tshark = "radius.code == 2" }
fields = ["radius.id"]
from = "server"
to = "nas"
label = "accepted"
"""


@pytest.fixture(autouse=True)
def _tshark() -> None:
    need_tshark()


def datagrams(path: Path, reported: list[tuple[bool, int, bytes]], port: int) -> str:
    """A capture of datagrams: (by the client, its port, bytes), a tenth of a second apart."""
    from scapy.layers.inet import IP, UDP
    from scapy.layers.l2 import Ether
    from scapy.utils import wrpcap

    packets = []
    for number, (client, own, data) in enumerate(reported):
        source, target = (PC, KDC) if client else (KDC, PC)
        sport, dport = (own, port) if client else (port, own)
        frame = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
        packet = frame / IP(src=source, dst=target) / UDP(sport=sport, dport=dport) / data
        packet.time = 1_700_000_000 + number / 10
        packets.append(packet)
    wrpcap(str(path), packets)
    return str(path)


def kerberos(folder: Path, name: str) -> str:
    reported = [(client, port, bytes.fromhex(data)) for client, port, data in KERBEROS[name]]
    return datagrams(folder / f"{name}.pcap", reported, 88)


def radius(folder: Path, user: bytes = b"bob", code: int = 2, message: bytes = b"") -> str:
    from scapy.layers.radius import Radius, RadiusAttribute

    attributes = [RadiusAttribute(type=1, value=user)]
    attributes += [RadiusAttribute(type=18, value=message)] if message else []
    asked = Radius(code=1, id=7, authenticator=b"a" * 16, attributes=attributes)
    answer = Radius(code=code, id=7, authenticator=b"b" * 16)
    reported = [(True, 4000, bytes(asked)), (False, 4000, bytes(answer))]
    return datagrams(folder / "radius.pcap", reported, 1812)


def flow(folder: Path, old: str = "", new: str = "") -> str:
    assert old in FLOW
    path = folder / "mine.toml"
    path.write_text(FLOW.replace(old, new, 1) if old else FLOW)
    return str(path)


def chart(*captures: str, flows: tuple[str, ...] = ("kerberos-wia",)) -> SequenceChart:
    (found,) = Session(RunOptions(captures, flows=flows)).charts
    return found


# ------------------------------------------------------------------ the shipped flow


@pytest.mark.parametrize(
    ("name", "stopped_at", "code", "frames"),
    [
        ("good", 3, None, []),  # kinit and kvno have no browser: nothing was shown to ADFS
        ("bad", 1, "kerberos.KDC_ERR_PREAUTH_FAILED", [4]),
        pytest.param("locked", 1, "kerberos.KDC_ERR_CLIENT_REVOKED", [2], marks=pytest.mark.long),
        (
            "nospn",
            2,
            "kerberos.KDC_ERR_S_PRINCIPAL_UNKNOWN",
            [6, 8],
        ),  # asked twice; in order of time
    ],
)
def test_kerberos(
    tmp_path: Path, name: str, stopped_at: int, code: str | None, frames: list[int]
) -> None:
    found = chart(kerberos(tmp_path, name))
    assert (found.flow, found.stopped_at) == ("kerberos-wia", stopped_at)
    assert (found.cause.code if found.cause else None) == code
    if found.cause:
        assert [item.last_frame for item in found.cause.evidence] == frames
        assert found.cause.remedy
    assert [step.status for step in found.steps[: stopped_at - 1]] == ["done"] * (stopped_at - 1)
    host = "adfs.other.example" if name == "nospn" else "adfs.corp.example"
    for label in {arrow.label for step in found.steps for arrow in step.arrows}:
        if "-REQ" in label:  # what the client asked for, and not the ticket that it showed
            assert label in ("AS-REQ krbtgt/CORP.EXAMPLE", f"TGS-REQ HTTP/{host}")
    people = {actor.ident: actor.addresses for actor in found.actors}
    assert people["pc"] == (PC,)
    assert people["kdc"] == (KDC,)
    assert found.subject == ("locked" if name == "locked" else "anna") + "@CORP.EXAMPLE"


def test_looked_for_unasked_where_its_port_was_seen(tmp_path: Path) -> None:
    path = kerberos(tmp_path, "bad")
    assert [item.flow for item in Session(RunOptions((path,))).charts] == ["kerberos-wia"]


def test_no_run_of_tshark_where_nothing_speaks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never() -> str:
        raise AssertionError("tshark was looked for")

    monkeypatch.setattr(arrows, "locate", never)
    assert Session(RunOptions((radius(tmp_path),))).charts == []


def test_without_tshark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("dissect.engines.tshark.trusted_program._MAC_FOLDERS", ())
    path = kerberos(tmp_path, "bad")
    run = Session(RunOptions((path,)))
    assert run.charts == []
    (reported,) = run.diagnostics
    assert "flow kerberos-wia was not looked for: tshark is not installed" in reported
    with pytest.raises(UsageError, match="flow kerberos-wia: tshark is not installed") as caught:
        _ = Session(RunOptions((path,), flows=("kerberos-wia",))).charts
    assert "\n" not in str(caught.value)
    assert main(["flow", path, "--flow", "kerberos-wia"]) == 2


def test_a_flow_that_nobody_asked_for_spoils_no_run(tmp_path: Path) -> None:
    """A plugin's flow with a filter that this tshark does not take: a warning."""
    plugin = tmp_path / "mine.py"
    text = FLOW.replace('"radius.code == 1"', '"no.such == 1", ports = [1812]')
    plugin.write_text(f"def register(registry): registry.add_flow({text!r})\n")
    run = Session(RunOptions((radius(tmp_path),), plugins=(str(plugin),)))
    assert run.charts == []
    (reported,) = run.diagnostics
    assert reported.startswith(f"flow any was not looked for: {plugin}:")
    assert "no.such" in reported


def test_a_capture_from_a_pipe_can_not_be_read_twice(tmp_path: Path) -> None:
    raw = Path(kerberos(tmp_path, "bad")).read_bytes()
    from dissect.cli.main import cli

    result = CliRunner().invoke(cli, ["flow", "-", "--flow", "kerberos-wia"], input=raw)
    assert result.exit_code != 0
    assert "standard input" in str(result.exception)


# ------------------------------------------------------------------ what a definition may say


def test_facts_by_the_names_of_fields(tmp_path: Path) -> None:
    found = chart(radius(tmp_path), flows=(flow(tmp_path),))
    assert found.status == "complete"
    assert [arrow.label for arrow in found.steps[0].arrows] == ["asks for bob", "accepted"]
    assert [arrow.source.first_frame for arrow in found.steps[0].arrows] == [1, 2]


@pytest.mark.long
def test_the_first_arrow_that_fits_has_the_frame(tmp_path: Path) -> None:
    path = radius(tmp_path, user=b"root")
    events = Session(RunOptions((path,), flows=(flow(tmp_path),))).events
    assert [event.name for event in events] == ["tshark.any.special", "tshark.any.accepted"]


@pytest.mark.long
def test_a_filter_that_no_colouring_rule_can_hold(tmp_path: Path) -> None:
    """The rules' file has @ for a separator: such filters are tried one by one."""
    path = radius(tmp_path, user=b"bob@corp.example")
    mine = flow(
        tmp_path, "radius.code == 1", 'radius.code == 1 && radius.User_Name contains \\"@\\"'
    )
    events = Session(RunOptions((path,), flows=(mine,))).events
    assert [event.name for event in events] == ["tshark.any.asked", "tshark.any.accepted"]


@pytest.mark.parametrize(
    ("old", "new", "at", "words"),
    [
        pytest.param(
            "code == 2",
            "code = = 2",
            "code = = 2",
            'tshark does not take "radius.code',
            marks=pytest.mark.long,
        ),
        pytest.param(
            "radius.code == 2",
            "nosuch.field == 2",
            "nosuch.field",
            "nosuch.field",
            marks=pytest.mark.long,
        ),
        # Valid together with the others, in parentheses; not by itself.
        ("code == 2", "code == 2) || (radius.code == 3", "code == 3", "does not take"),
        ('fields = ["radius.id"]', 'fields = ["no.pe"]', 'id = "accepted"', 'field "no.pe"'),
    ],
)
def test_what_tshark_does_not_take_is_reported_with_its_line(
    tmp_path: Path, old: str, new: str, at: str, words: str
) -> None:
    mine = flow(tmp_path, old, new)
    with pytest.raises(DefinitionError) as caught:
        chart(radius(tmp_path), flows=(mine,))
    lines = Path(mine).read_text().splitlines()
    line = next(number for number, text in enumerate(lines, 1) if at in text)
    line += 0 if "match" in lines[line - 1] else 1  # a field is recognised by its arrow's match
    assert str(caught.value).startswith(f"{mine}:{line}: step 1: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('id = "asked"\n', "", "needs an `id`"),
        ('match = { tshark = "radius.code == 1" }\n', "", "has `event` or `match`"),
        ('id = "asked"\n', 'id = "asked"\nevent = "x"\n', "either `event` or `match`"),
        ('"radius.code == 1"', '""', "no display filter"),
        ('"radius.User_Name"', '"-r /etc/passwd"', "no field's name"),
        ('"radius.User_Name"', '"{}"', "no field's name"),
        ('"radius.User_Name"', '"radius.User_Name#1"', "needs a name"),
        ('"radius.User_Name"', '"a{"', "has no field"),
        ("tshark =", "wireshark =", "wireshark"),
    ],
)
def test_what_does_not_fit(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in FLOW
    text = FLOW.replace(old, new, 1).replace('anchors = ["asked"]', 'anchors = ["accepted"]')
    with pytest.raises(DefinitionError, match=r"^mine\.toml") as caught:
        parse(text, "mine.toml")
    assert words in str(caught.value)


@pytest.mark.long
def test_a_filter_is_one_argument_and_no_shell_sees_it(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    mine = flow(tmp_path, "radius.code == 2", f"radius.code == 2; $(touch {trap})")
    with pytest.raises(DefinitionError):
        chart(radius(tmp_path), flows=(mine,))
    assert not trap.exists()


def test_captured_text_can_not_forge_a_field_or_a_line(tmp_path: Path) -> None:
    path = radius(tmp_path, user=b"bo\tb\nradius\x1b[31m", message=b"hello")
    (label, _) = [arrow.label for arrow in chart(path, flows=(flow(tmp_path),)).steps[0].arrows]
    assert label.startswith("asks for bo")
    assert label.endswith("(hello)")
    out = CliRunner().invoke(_cli(), ["flow", path, "--flow", flow(tmp_path)]).output
    assert "\x1b" not in out


def _cli() -> object:
    from dissect.cli.main import cli

    return cli


@pytest.mark.long
def test_the_same_frame_captured_twice_is_one_event(tmp_path: Path) -> None:
    from scapy.utils import rdpcap, wrpcap

    path = radius(tmp_path)
    packets = rdpcap(path)
    twice = [copy for packet in packets for copy in (packet, packet)]
    wrpcap(path, twice)
    events = Session(RunOptions((path,), flows=(flow(tmp_path),))).events
    assert len(events) == 2


def test_frames_are_distinguished_by_their_bytes_not_by_their_facts(tmp_path: Path) -> None:
    """Mirrored into another VLAN and a hop later; and another datagram with the same facts, from
    a system that numbers neither."""
    from scapy.layers.inet import IP, UDP
    from scapy.layers.l2 import Dot1Q, Ether
    from scapy.layers.radius import Radius
    from scapy.utils import wrpcap

    def frame(at: int, byte: bytes, hops: int, *tags: Dot1Q) -> object:
        reported = bytes(Radius(code=1, id=7, authenticator=byte * 16))
        layers = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
        for tag in tags:
            layers /= tag
        layers /= IP(src=PC, dst=KDC, id=0, flags="DF", ttl=hops) / UDP(sport=4000, dport=1812)
        layers /= reported
        layers.time = 1_700_000_000 + at / 1000
        return layers

    path = str(tmp_path / "r.pcap")
    wrpcap(path, [frame(0, b"a", 64), frame(1, b"a", 63, Dot1Q(vlan=5)), frame(2, b"b", 64)])
    events = Session(RunOptions((path,), flows=(flow(tmp_path),))).events
    assert [event.source.last_frame for event in events] == [1, 3]


def test_the_catalogue_knows_codes_of_any_filter(tmp_path: Path) -> None:
    """DNS by its filter: the code is a family's of the catalogue, whatever its letters."""
    from scapy.layers.dns import DNS, DNSQR

    asked = DNS(id=7, qd=DNSQR(qname="x.example"))
    answer = DNS(id=7, qr=1, rcode=2, qd=DNSQR(qname="x.example"))
    path = datagrams(
        tmp_path / "d.pcap", [(True, 4000, bytes(asked)), (False, 4000, bytes(answer))], 53
    )
    text = FLOW.replace("radius.code == 1", "dns.flags.response == 0").replace(
        "radius.code == 2", "dns.flags.response == 1"
    )
    text = text.replace('fields = ["radius.id"]', 'fields = { rcode = "dns.flags.rcode" }')
    text += """
[step.arrow.fails]
code = "dns.{rcode}"
text = "no answer[: {meaning}]"
remedy = "[{remedy}|Look at the name server.]"
[values.rcode]
2 = "ServFail"
"""
    mine = tmp_path / "dns.toml"
    mine.write_text(text)
    found = chart(path, flows=(str(mine),))
    known = catalogue().get("dns", "servfail")
    assert known is not None
    assert found.cause is not None
    assert found.cause.code == "dns.ServFail"
    assert found.cause.remedy == known.remedy
    assert found.cause.text == f"no answer: {known.text}"


def test_events_shows_what_the_filters_find(tmp_path: Path) -> None:
    path, mine = radius(tmp_path), flow(tmp_path)
    args = ["events", path, "--flow", mine, "--format", "json"]
    lines = CliRunner().invoke(_cli(), args).stdout.splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["event"] for row in rows] == ["tshark.any.asked", "tshark.any.accepted"]
    assert rows[0]["facts"]["radius.User_Name"] == "bob"


# ------------------------------------------------------------------ secrets


def made(field: str, *values: str, **words: str) -> object:
    return field_facts.fact(f"{{{field}}}", "x", {field: values}, words)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ldap.simple", "hunter2"),
        ("radius.User_Password", "hunter2"),
        ("radius.CHAP_Password", "00ff"),
        ("mqtt.passwd", "hunter2"),
        ("http.authorization", "Basic aHVudGVyMg=="),
        ("http.cookie", "a=b"),
        ("kerberos.cipher", "0badcafe"),
        ("ntlmssp.auth.ntresponse", "0badcafe"),
        ("snmp.community", "public"),
        ("data.data", "hunter2"),
        ("zeta.sharedSecret", "hunter2"),
        ("zeta.adminPassword", "hunter2"),
        ("zeta.User-PIN", "hunter2"),
        ("zeta.pre_shared_key", "hunter2"),
        ("zeta.ApiKey", "hunter2"),
        ("zeta.accessToken", "hunter2"),
        ("zeta.SMSCode", "hunter2"),
        ("zeta.kennwort", "hunter2"),
        ("zeta.proxy_auth", "hunter2"),
        ("zeta.sessionId", "hunter2"),
        ("tftp.unheard_of", "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl"),
    ],
)
def test_a_secret_is_one_by_its_field_or_its_shape(field: str, value: str) -> None:
    found = field_facts.fact(f"{{{field}}}", field, {field: [value]}, {})
    assert isinstance(found, Secret)
    assert value not in str(found)


def test_a_secret_in_a_url_and_one_that_the_definition_names() -> None:
    url = made("http.request.full_uri", "http://h/p?code=hunter2abc")
    assert isinstance(url, Text)
    assert "hunter2abc" not in str(url)
    named = field_facts.fact("{x.login}", "login", {"x.login": ["hunter2"]}, {}, secret=True)
    assert isinstance(named, Secret)


def test_what_is_no_secret_stays_readable() -> None:
    assert made("kerberos.CNameString", "anna") == "anna"
    assert made("radius.id", "7") == 7
    assert made("ldap.resultCode", "007") == "007"
    for name in (
        "ntlmssp.auth.username", "sip.auth.realm", "kerberos.error_code", "radius.Auth_Type",
        "x.passwordPolicy", "x.keyLength", "http.response.code",
    ):  # fmt: skip
        assert made(name, "anna") == "anna", name
    assert made("x.flag", "True") == 1
    assert made("kerberos.SNameString", "HTTP", "adfs.corp", "HTTP") == ("HTTP", "adfs.corp")
    assert made("x.code", "3", **{"3": "three"}) == "three"
    assert made("x.code", "4", **{"3": "three", "*": ""}) is None
    assert made("x.code", "4", **{"3": "three"}) == 4
    assert made("x.code") is None
    many = tuple(f"v{number}" for number in range(field_facts.MAX_VALUES + 1))
    assert made("x.list", *many) == (*many[:-1], "… and 1 more values")
    one = made("x.code", "3", **{"3": "three"})
    assert isinstance(one, Worded)
    assert one.raw == 3


def test_a_fact_of_several_fields() -> None:
    row = {"kerberos.CNameString": ["anna"], "kerberos.realm": ["R", "R"], "x.token": ["t"]}
    user = "{kerberos.CNameString}@{kerberos.realm}"
    assert field_facts.fact(user, "user", row, {}) == "anna@R"
    assert field_facts.fact(user, "user", {**row, "kerberos.realm": []}, {}) is None
    assert isinstance(field_facts.fact("{kerberos.realm}/{x.token}", "x", row, {}), Secret)


def test_one_of_a_field_that_occurs_several_times() -> None:
    """Counted as Wireshark's columns count occurrences: equal values, too; -1 is the last."""
    row = {"x.part": ["krbtgt", "R", "HTTP", "R"], "x.one": ["7"], "x.password": ["a", "b"]}

    def of(text: str) -> object:
        return field_facts.fact(text, "name", row, {})

    assert of("{x.part#3}/{x.part#4}") == "HTTP/R"
    assert (of("{x.part#-1}"), of("{x.part#-4}"), of("{x.one#1}")) == ("R", "krbtgt", 7)
    assert of("{x.part#5}") is of("{x.part#-5}") is of("{x.part#1}/{x.one#2}") is None
    assert isinstance(of("{x.password#2}"), Secret)


@pytest.mark.long
def test_secrets_do_not_reach_the_output(tmp_path: Path) -> None:
    mine = flow(tmp_path, 'label = "asks', 'secrets = ["radius.User_Name"]\nlabel = "asks')
    path = radius(tmp_path, user=b"hunter2hunter2")
    for command in (["flow"], ["flow", "--format", "json"]):
        out = CliRunner().invoke(_cli(), [*command, path, "--flow", mine]).output
        assert "hunter2" not in out
        assert "opaque_value" in out


@pytest.mark.long
def test_events_name_their_flow_and_stream(tmp_path: Path) -> None:
    events: list[Event] = Session(RunOptions((radius(tmp_path),), flows=(flow(tmp_path),))).events
    assert {event.source.stream for event in events} == {0}
    assert {event.source.transport for event in events} == {"udp"}
    assert {str(event.client) for event in events} == {f"{PC}:4000"}


@pytest.mark.long
def test_where_no_colouring_rule_answers_each_filter_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should a version of tshark not colour what it prints as fields."""
    path, mine = radius(tmp_path, user=b"root"), flow(tmp_path)
    monkeypatch.setattr(Path, "write_text", lambda *given, **options: 0)
    events = Session(RunOptions((path,), flows=(mine,))).events
    assert [event.name for event in events] == ["tshark.any.special", "tshark.any.accepted"]


def test_frames_without_addresses_of_ip(tmp_path: Path) -> None:
    """802.1X: the ends are MAC addresses, and what ties the frames are fields with them."""
    from scapy.layers.eap import EAP, EAPOL
    from scapy.layers.l2 import Ether
    from scapy.utils import wrpcap

    supplicant, switch = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
    asked = Ether(src=switch, dst=supplicant) / EAPOL(type=0) / EAP(code=1, id=1, type=1)
    reported = Ether(src=supplicant, dst=switch) / EAPOL(type=0)
    reported /= EAP(code=2, id=1, type=1, identity=b"anna@corp.example")
    done = Ether(src=switch, dst=supplicant) / EAPOL(type=0) / EAP(code=4, id=2)
    path = str(tmp_path / "e.pcap")
    wrpcap(path, [asked, reported, done])
    text = FLOW.replace('keys = ["radius.id"]', 'keys = ["station"]')
    text = text.replace('"radius.code == 1"', '"eap.code == 2"')
    text = text.replace('"radius.code == 2"', '"eap.code == 4"')
    text = text.replace(
        'fields = ["radius.id", "radius.User_Name", "radius.Reply_Message"]',
        'fields = { station = "eth.src", "radius.User_Name" = "eap.identity" }',
    )
    text = text.replace('fields = ["radius.id"]', 'fields = { station = "eth.dst" }')
    mine = tmp_path / "eap.toml"
    mine.write_text(text)
    found = chart(path, flows=(str(mine),))
    assert found.status == "complete"
    assert [arrow.label for arrow in found.steps[0].arrows] == [
        "asks for anna@corp.example",
        "accepted",
    ]
    assert {actor.ident: actor.addresses for actor in found.actors} == {
        "nas": (supplicant,),
        "server": (switch,),
    }
    assert [arrow.source.stream for arrow in found.steps[0].arrows] == [None, None]


def test_a_real_capture_of_another_protocol_and_link_type(
    tmp_path: Path, shared_captures: Path
) -> None:
    """SSH in a compressed pcapng with Linux cooked frames: tshark's frame numbers and ends."""
    path = str(shared_captures / "containers" / "pcapplusplus-sll_and_ethernet.pcapng.zst")
    text = FLOW.replace('keys = ["radius.id"]', "keys = []")
    text = text.replace('"radius.code == 1"', '"ssh && tcp.dstport == 22"')
    text = text.replace('"radius.code == 2"', '"ssh && tcp.srcport == 22"')
    text = text.replace(
        '["radius.id", "radius.User_Name", "radius.Reply_Message"]', '["frame.len"]'
    )
    text = text.replace('["radius.id"]', '["frame.len"]')
    mine = tmp_path / "ssh.toml"
    mine.write_text(text)
    found = chart(path, flows=(str(mine),))
    arrows_drawn = found.steps[0].arrows
    assert [arrow.source.last_frame for arrow in arrows_drawn] == [94, 101]
    assert {actor.addresses for actor in found.actors} == {("130.217.250.13",), ("130.217.250.16",)}


def test_an_unusual_port_is_reported_with_decode_as(tmp_path: Path) -> None:
    path, mine = radius(tmp_path), flow(tmp_path)
    raw = Path(path).read_bytes().replace((1812).to_bytes(2, "big"), (18120).to_bytes(2, "big"))
    Path(path).write_bytes(raw)
    assert Session(RunOptions((path,), flows=(mine,))).charts == []
    selector = ("udp.port==18120,radius",)
    assert chart_with(path, mine, selector).status == "complete"
    with pytest.raises(UsageError, match="--decode-as takes"):
        chart_with(path, mine, ("udp.port==18120,radius -w x",))
    with pytest.raises(UsageError, match="--engine tshark"):
        _ = Session(RunOptions((path,), decode_as=selector)).charts


def chart_with(path: str, mine: str, decode_as: tuple[str, ...]) -> SequenceChart:
    (found,) = Session(RunOptions((path,), flows=(mine,), decode_as=decode_as)).charts
    return found


def test_no_more_frames_than_memory_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrows, "MAX_FRAMES", 1)
    run = Session(RunOptions((radius(tmp_path),), flows=(flow(tmp_path),)))
    assert [event.name for event in run.events] == ["tshark.any.asked"]
    assert "more than 1 frames fit the flow" in run.diagnostics[0]

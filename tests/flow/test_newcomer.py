"""docs/flows.md, tried: its TOML is valid, and a flow written from it alone does what it should.

The flow is for a pair of protocols that no shipped flow knows: an access point asks a RADIUS
server, which tries the user's password at a directory (LDAP). What is wrong shows on the second
leg; the user sees the first one.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from dissect.cli.main import cli
from dissect.flow.definition import json_schema, parse
from dissect.model import SequenceChart
from dissect.pipeline import RunOptions, Session
from tests.lab import need_tshark

PAGE = Path(__file__).resolve().parents[2] / "docs" / "flows.md"
BLOCKS = re.findall(r"^ *```toml\n(.*?)^ *```$", PAGE.read_text("utf-8"), re.M | re.S)
WHOLE = [block for block in BLOCKS if "[instance]" in block and "[[step]]" in block]
FRAGMENTS = [block for block in BLOCKS if block not in WHOLE]

MINE = """
schema = 1
name = "wifi"
title = "Wi-Fi sign-in"
about = "802.1X: the access point asks a RADIUS server, and that asks the directory."
subject = ["user"]

[instance]
keys = ["radius.id"]
anchors = ["asked"]

[[actor]]
id = "ap"
title = "Access point"
kind = "client"

[[actor]]
id = "radius"
title = "RADIUS server"

[[actor]]
id = "directory"
title = "Directory"

[[step]]
number = 1
title = "The access point asks the RADIUS server"
between = ["ap", "radius"]
done_when = [["asked"]]

[[step.arrow]]
id = "asked"
match = { tshark = "radius.code == 1", ports = [1812] }
fields = { "radius.id" = "radius.id", user = "radius.User_Name" }
from = "ap"
to = "radius"
label = "Access-Request for {user}"

[[step]]
number = 2
title = "The RADIUS server tries the password at the directory"
between = ["radius", "directory"]
done_when = [["bound"]]
settled_by = ["bound"]

[[step.explain]]
seen = "asked"
text = "the RADIUS server asked no directory that these captures show"

[[step.arrow]]
id = "bind"
match = { tshark = "ldap.bindRequest_element" }
fields = { dn = "ldap.name", "ldap.simple" = "ldap.simple" }
from = "radius"
to = "directory"
label = "bind as {dn}[ with {ldap.simple}]"

[[step.arrow]]
id = "bound"
match = { tshark = "ldap.bindResponse_element && ldap.resultCode == 0" }
from = "directory"
to = "radius"
label = "bound"

[[step.arrow]]
id = "refused"
match = { tshark = "ldap.bindResponse_element" }
fields = { result = "ldap.resultCode", text = "ldap.errorMessage" }
from = "directory"
to = "radius"
label = "refused: {result}"

[step.arrow.fails]
code = "ldap.{result}"
text = "the directory refused the user's password: {result}[ ({text})]"
remedy = "Have the user enter the password anew."

[[step]]
number = 3
title = "The RADIUS server answers"
between = ["ap", "radius"]
done_when = [["accepted"]]

[[step.arrow]]
id = "accepted"
match = { tshark = "radius.code == 2" }
fields = ["radius.id"]
from = "radius"
to = "ap"
label = "Access-Accept"

[[step.arrow]]
id = "rejected"
match = { tshark = "radius.code == 3" }
fields = ["radius.id"]
from = "radius"
to = "ap"
label = "Access-Reject"

[step.arrow.fails]
code = "radius.rejected"
text = "the RADIUS server refused the user"
remedy = "Look at the log of the RADIUS server."

[values.result]
32 = "noSuchObject"
49 = "invalidCredentials"
"""


def test_every_block_of_the_page_is_valid() -> None:
    assert len(WHOLE) == 1
    assert len(FRAGMENTS) > 6
    schema = json.loads(json.dumps(json_schema()))
    for text in (*WHOLE, "".join(FRAGMENTS), MINE):
        parse(text, "flows.md")
        jsonschema.validate(tomllib.loads(text), schema)


def test_every_key_of_the_schema_is_on_the_page() -> None:
    page = PAGE.read_text("utf-8")
    definitions = json_schema()["$defs"]
    assert isinstance(definitions, dict)
    keys = {key for item in definitions.values() for key in item.get("properties", ())}
    assert [key for key in sorted(keys) if not re.search(rf"\b{key}\b", page)] == []


def capture(folder: Path, result: int) -> str:
    """One user's sign-in on both legs: RADIUS in UDP, LDAP in TCP."""
    from scapy.layers.inet import IP, TCP, UDP
    from scapy.layers.l2 import Ether
    from scapy.layers.ldap import (
        LDAP,
        LDAP_Authentication_simple,
        LDAP_BindRequest,
        LDAP_BindResponse,
    )
    from scapy.layers.radius import Radius, RadiusAttribute
    from scapy.utils import wrpcap

    ap, radius, directory = "192.0.2.1", "192.0.2.2", "192.0.2.3"
    packets = []

    def add(layers: object) -> None:
        frame = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / layers
        frame.time = 1_700_000_000 + len(packets) / 10
        packets.append(frame)

    def segment(up: bool, seq: int, ack: int, flags: str, payload: bytes = b"") -> None:
        source, target = (radius, directory) if up else (directory, radius)
        sport, dport = (50000, 389) if up else (389, 50000)
        head = TCP(sport=sport, dport=dport, seq=seq, ack=ack, flags=flags)
        add(IP(src=source, dst=target) / head / payload)

    user = RadiusAttribute(type=1, value=b"anna")
    asked = bytes(Radius(code=1, id=7, authenticator=b"a" * 16, attributes=[user]))
    add(IP(src=ap, dst=radius) / UDP(sport=4000, dport=1812) / asked)
    password = LDAP_Authentication_simple(b"hunter2hunter2")
    bind = LDAP_BindRequest(bind_name=b"uid=anna,ou=people", authentication=password)
    bind_bytes = bytes(LDAP(messageID=1, protocolOp=bind))
    answer = bytes(LDAP(messageID=1, protocolOp=LDAP_BindResponse(resultCode=result)))
    segment(True, 100, 0, "S")
    segment(False, 500, 101, "SA")
    segment(True, 101, 501, "PA", bind_bytes)
    segment(False, 501, 101 + len(bind_bytes), "PA", answer)
    verdict = bytes(Radius(code=3 if result else 2, id=7, authenticator=b"b" * 16))
    add(IP(src=radius, dst=ap) / UDP(sport=1812, dport=4000) / verdict)
    path = folder / "wifi.pcap"
    wrpcap(str(path), packets)
    return str(path)


@pytest.fixture
def mine(tmp_path: Path) -> str:
    need_tshark()
    path = tmp_path / "mine.toml"
    path.write_text(MINE)
    return str(path)


def chart_of(path: str, flow: str) -> SequenceChart:
    (chart,) = Session(RunOptions((path,), flows=(flow,))).charts
    return chart


def test_all_went_well(tmp_path: Path, mine: str) -> None:
    chart = chart_of(capture(tmp_path, 0), mine)
    assert (chart.status, chart.subject) == ("complete", "anna")
    assert [step.status for step in chart.steps] == ["done"] * 3
    addresses = {actor.ident: actor.addresses for actor in chart.actors}
    assert addresses["ap"] == ("192.0.2.1",)
    assert addresses["radius"] == ("192.0.2.2",)
    assert addresses["directory"] == ("192.0.2.3",)
    assert any("by time alone" in line for line in chart.diagnostics)


def test_the_cause_is_on_the_other_leg(tmp_path: Path, mine: str) -> None:
    path = capture(tmp_path, 49)
    chart = chart_of(path, mine)
    assert (chart.status, chart.stopped_at) == ("failed", 2)
    assert chart.cause is not None
    assert chart.cause.code == "ldap.invalidCredentials"
    assert [source.last_frame for source in chart.cause.evidence] == [5]
    out = CliRunner().invoke(cli, ["flow", path, "--flow", mine]).output
    assert "bind as uid=anna,ou=people with ‹password #1›" in " ".join(
        re.sub("[│●]", " ", out).split()
    )
    assert "hunter2" not in out

"""Every recorded folder says the same thing twice: tshark's view of the frames, and truth.json."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from signlab.config import load_scenario, scenario_names

CAPTURES = Path(__file__).resolve().parent.parent.parent
FOLDERS = sorted(path.parent for path in CAPTURES.glob("*/truth.json"))
VOICE = {name for name in scenario_names() if load_scenario(name).voice.does}
KEYED = [folder for folder in FOLDERS if (folder / "phone.keys").exists()]
OPEN = [folder for folder in FOLDERS if folder in KEYED or folder.name in VOICE]
WITH_BROWSER = [folder for folder in FOLDERS if (folder / "browser.keys").exists()]
STAGED = [folder for folder in FOLDERS if folder in OPEN or folder in WITH_BROWSER]
CLIENTS = ("phone", "browser", "client")
TLS_DSK = [folder for folder in KEYED if folder.name not in VOICE]
LIMIT = 1_000_000
SEPARATOR = "\x1f"
FAITH_NS = 300_000_000  # how far apart an actor's note and the frame may be
GSSAPI = re.compile(r'gssapi-data="([^"]+)"')
INNER = [1, 2, 11, 13, 14, 11, 16, 15]  # handshake types of a whole TLS-DSK, in order
SIP = ("-d", "tls.port==443,sip")  # where Skype for Business Online has it

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark not installed")
Row = dict[str, list[str]]


def name_of(folder: Path) -> str:
    return folder.name


def truth_of(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    return content


def tshark(capture: Path, query: str, *fields: str, options: tuple[str, ...] = ()) -> list[Row]:
    """The fields of every frame that matches, each as a list of its occurrences."""
    keys = capture.with_suffix(".keys")
    command = ["tshark", "-r", str(capture), "-n", "-o", "tcp.reassemble_out_of_order:TRUE"]
    if keys.exists():
        command += ["-o", f"tls.keylog_file:{keys}"]
    command += [*options, "-Y", query, "-T", "fields", "-E", f"aggregator={SEPARATOR}"]
    for field in fields:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = []
    for line in done.stdout.splitlines():
        cells = line.split("\t")
        rows.append(
            {f: c.split(SEPARATOR) if c else [] for f, c in zip(fields, cells, strict=True)}
        )
    return rows


def messages(truth: dict[str, Any], **wanted: str) -> list[dict[str, Any]]:
    return [m for m in truth["messages"] if all(m.get(k) == v for k, v in wanted.items())]


def is_whole(truth: dict[str, Any]) -> bool:
    """Whether the phone's capture shows everything that the phone did."""
    return "phone_capture_began" not in truth


def nanoseconds(stamp: str) -> int:
    seconds, rest = stamp.rstrip("Z").split(".")
    moment = datetime.fromisoformat(seconds).replace(tzinfo=UTC)
    return int(moment.timestamp()) * 10**9 + int(rest)


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_small_enough_and_complete(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    assert sum(path.stat().st_size for path in folder.iterdir()) < LIMIT
    if folder.name in VOICE:
        voice = load_scenario(folder.name).voice
        encrypted = voice.transport == "tls" or voice.does == "websocket"
        keys = {"phone.keys"} if encrypted else set()
        assert names == {"phone.pcapng", "kamailio.log", "truth.json"} | keys
        return
    scenario = load_scenario(folder.name)
    taken = ["phone", "browser"] if scenario.expect.phone != "idle" else ["browser"]
    always = {"truth.json", *(f"{name}.pcapng" for name in taken)}
    if "phone" in taken and scenario.phone.does != "teams":
        always.add("phone.log")
    if "users" in truth_of(folder) and scenario.second.lan != "same":
        always.add("phone2.log")
    assert names in (always, always | {f"{name}.keys" for name in taken})


@needs_tshark
@pytest.mark.parametrize("folder", OPEN, ids=name_of)
def test_phone_http(folder: Path) -> None:
    fields = ("http.request.method", "http.host", "http.request.uri", "http.response.code")
    rows = tshark(
        folder / "phone.pcapng", "http.request or http.response", "frame.time_epoch", *fields
    )
    truth = truth_of(folder)
    noted = messages(truth, actor="phone", kind="http")
    seen = [(r[fields[0]][0], r[fields[1]][0], r[fields[2]][0]) for r in rows if r[fields[0]]]
    asked = [(m["method"], m["host"], m["path"]) for m in noted if "status" not in m]
    statuses = [int(r[fields[3]][0]) for r in rows if r[fields[3]]]
    answered = [m["status"] for m in noted if "status" in m]
    if not is_whole(truth):  # what came on a connection from before the capture is not to be read
        assert seen
        assert seen == asked[-len(seen) :]
        assert statuses == answered[-len(statuses) :]
        return
    if "users" in truth:  # two phones: their order within a moment is nobody's
        assert Counter(seen) == Counter(asked)
        assert Counter(statuses) == Counter(answered)
        return
    assert seen == asked
    assert statuses == answered
    for row, note in zip(rows, noted, strict=True):
        stamp = int(row["frame.time_epoch"][0].replace(".", ""))
        assert abs(stamp - nanoseconds(note["time"])) < FAITH_NS


@needs_tshark
@pytest.mark.parametrize("folder", WITH_BROWSER, ids=name_of)
def test_browser_http(folder: Path) -> None:
    request = ("http2.headers.method", "http2.headers.authority", "http2.headers.path")
    rows = tshark(folder / "browser.pcapng", "http2.headers", *request, "http2.headers.status")
    plain = ("http.request.method", "http.host", "http.request.uri", "http.response.code")
    old = tshark(folder / "browser.pcapng", "http.request or http.response", *plain)
    seen: Counter[tuple[str, ...]] = Counter()
    statuses: Counter[int] = Counter()
    for row in rows:
        seen.update(zip(*(row[f] for f in request), strict=True))
        statuses.update(int(code) for code in row["http2.headers.status"])
    for row in old:
        seen.update(zip(*(row[f] for f in plain[:3]), strict=True))
        statuses.update(int(code) for code in row[plain[3]])
    truth = truth_of(folder)
    noted = [
        *messages(truth, actor="browser", kind="http"),
        *messages(truth, actor="client", kind="http"),  # another program at the same PC
    ]
    expected = Counter(
        (m["method"], m["host"], m["path"]) for m in noted if m["direction"] == "sent"
    )
    assert seen == expected
    assert statuses == Counter(m["status"] for m in noted if m["direction"] == "received")


@needs_tshark
@pytest.mark.parametrize("folder", OPEN, ids=name_of)
def test_phone_sip(folder: Path) -> None:
    rows = tshark(
        folder / "phone.pcapng",
        "sip",
        *("sip.Method", "sip.Status-Code", "sip.CSeq", "sip.Call-ID", "frame.time_epoch"),
        options=() if folder.name in VOICE else SIP,
    )
    noted = messages(truth_of(folder), actor="phone", kind="sip")
    for call_id in {m["call_id"] for m in noted} | {r["sip.Call-ID"][0] for r in rows}:
        seen = [
            (r["sip.CSeq"][0], [int(s) for s in r["sip.Status-Code"]])
            for r in rows
            if r["sip.Call-ID"][0] == call_id
        ]
        assert seen == [
            (m["cseq"], [m["status"]] if "status" in m else [])
            for m in noted
            if m["call_id"] == call_id
        ]


@needs_tshark
@pytest.mark.parametrize("folder", STAGED, ids=name_of)
def test_what_was_staged_is_on_the_wire(folder: Path) -> None:
    """The scenario's own filters find frames; in the reference recording they find none."""
    if folder.name not in scenario_names():
        pytest.skip(f"no scenario file is named {folder.name}")
    evidence = load_scenario(folder.name).evidence
    for name in ("phone", "browser"):
        query = getattr(evidence, name)
        if not query:
            continue
        options = SIP if "sip." in query and folder.name not in VOICE else ()
        assert tshark(folder / f"{name}.pcapng", query, "frame.number", options=options)
        good = CAPTURES / "web-signin" / f"{name}.pcapng"
        if good.exists():
            usual = SIP if "sip." in query else ()
            assert not tshark(good, query, "frame.number", options=usual)


def test_a_failure_names_its_evidence() -> None:
    for name in scenario_names():
        scenario = load_scenario(name)
        if scenario.verdict.status == "failed":
            assert scenario.evidence.phone or scenario.evidence.browser, name


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_both_ends_agree(folder: Path) -> None:
    """What the clients say that they sent is what the servers say that they got, and back."""
    truth = truth_of(folder)
    servers = {m["actor"] for m in truth["messages"]} - set(CLIENTS)
    for direction, opposite in (("sent", "received"), ("received", "sent")):
        ours = messages(truth, direction=direction)
        theirs = messages(truth, direction=opposite)
        keys = ("kind", "method", "host", "path", "status", "cseq")
        left = Counter(tuple(m.get(k) for k in keys) for m in ours if m["actor"] in CLIENTS)
        right = Counter(tuple(m.get(k) for k in keys) for m in theirs if m["actor"] in servers)
        if (direction, folder.name) == ("received", "sip-retransmissions"):
            assert not left - right
            assert sorted((right - left).elements(), key=str) == sorted(
                (("sip", m, None, None, 200, c) for m, c in _lost(ours)), key=str
            )
            continue
        assert left == right


def _lost(received: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """(method, CSeq) of the two answers that sip-retransmissions loses on their way."""
    answers = [m for m in received if m["actor"] == "phone" and m.get("status") == 200]
    return [(m["method"], m["cseq"]) for m in answers if m["method"] in ("REGISTER", "INVITE")]


def inner_handshakes(folder: Path) -> list[list[bytes]]:
    """Every handshake inside gssapi-data that tshark reads, as flights in order."""
    rows = tshark(folder / "phone.pcapng", "sip", "sip.Call-ID", "sip.msg_hdr", options=SIP)
    dialogs: dict[str, list[list[bytes]]] = {}
    for row in rows:
        handshakes = dialogs.setdefault(row["sip.Call-ID"][0], [])
        for text in GSSAPI.findall(row["sip.msg_hdr"][0]):
            flight = base64.b64decode(text)
            if flight[5] == 1:  # a ClientHello begins another
                handshakes.append([])
            handshakes[-1].append(flight)
    return [handshake for dialog in dialogs.values() for handshake in dialog]


KERBEROS = {10: "AS-REQ", 11: "AS-REP", 12: "TGS-REQ", 13: "TGS-REP", 30: "KRB-ERROR"}


@needs_tshark
def test_kerberos_is_what_kdc_and_pc_noted() -> None:
    """Message types and error codes (RFC 4120 §5.10, §7.5.9) as tshark reads them."""
    fields = ("kerberos.msg_type", "kerberos.error_code", "kerberos.SNameString")
    for folder in (folder for folder in FOLDERS if messages(truth_of(folder), kind="kerberos")):
        rows = tshark(folder / "browser.pcapng", "udp.port == 88 && kerberos", *fields)
        seen = [
            (
                KERBEROS[int(row[fields[0]][0])],
                int(row[fields[1]][0]) if row[fields[1]] else None,
                "/".join(row[fields[2]][-2:]),  # a ticket inside a request has names, too,
            )
            for row in rows
        ]
        for actor in ("kdc", "browser"):
            noted = messages(truth_of(folder), kind="kerberos", actor=actor)
            reported = [(m["method"], m.get("status"), m["path"].partition("@")[0]) for m in noted]
            assert reported == seen


@needs_tshark
@pytest.mark.parametrize("folder", TLS_DSK, ids=name_of)
def test_gssapi_data_is_tls(folder: Path, tmp_path: Path) -> None:
    """The inner handshakes, put on made-up TCP streams, dissect as TLS down to Finished."""
    truth = truth_of(folder)
    noted = Counter(s["value"] for s in truth["secrets"] if s["kind"] == "gssapi_data")
    handshakes = inner_handshakes(folder)
    whole = 0
    for handshake in handshakes:
        noted.subtract(base64.b64encode(flight).decode() for flight in handshake)
        types, content = dissected(handshake, tmp_path)
        assert types == INNER[: len(types)]
        whole += types == INNER
        # Each side's ChangeCipherSpec, Finished encrypted after it; the registrar's may be missing.
        assert content.count(20) == (2 if len(handshake) == 4 else 1)
    # A flight that the registrar made and did not send is all that may be left.
    assert min(noted.values(), default=0) == 0
    assert sum(noted.values()) in (0, len(handshakes))
    registered = [m for m in messages(truth, kind="sip", actor="phone") if m.get("status") == 200]
    assert whole >= len(registered)


def dissected(flights: list[bytes], folder: Path) -> tuple[list[int], list[int]]:
    """(handshake types, record types) that tshark reads in the flights; no alert among them."""
    text = []
    for number, flight in enumerate(flights):
        text.append("O" if number % 2 else "I")
        text += [f"{at:06x} {flight[at : at + 16].hex(' ')}" for at in range(0, len(flight), 16)]
    dump, capture = folder / "flights.txt", folder / "flights.pcapng"
    dump.write_text("\n".join(text) + "\n")
    subprocess.run(
        ["text2pcap", "-q", "-D", "-T", "50000,443", str(dump), str(capture)],
        check=True,
        capture_output=True,
    )
    fields = ("tls.handshake.type", "tls.record.content_type", "tls.alert_message")
    rows = tshark(capture, "tls", *fields)
    assert not any(row["tls.alert_message"] for row in rows)
    types, content = ([int(t) for row in rows for t in row[field]] for field in fields[:2])
    return types, content


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_log_shows_codes_but_no_tokens(folder: Path) -> None:
    logs = sorted(folder.glob("phone*.log"))
    if not logs:
        pytest.skip("the phone keeps no log, or there is none")
    log = "".join(path.read_text(encoding="utf-8") for path in logs)
    for secret in truth_of(folder)["secrets"]:
        if secret["kind"] in ("user_code", "device_code"):
            assert f"{secret['kind']}[{secret['value']}]" in log
        elif secret["kind"] in ("access_token", "refresh_token", "id_token", "password"):
            assert secret["value"] not in log


@needs_tshark
@pytest.mark.parametrize("name", sorted(VOICE))
def test_kamailio_log_tells_the_same_as_the_wire(name: str) -> None:
    """Every SIP frame of the phone is in the proxy's log, byte for byte, and no password is."""
    folder = CAPTURES / name
    log = (folder / "kamailio.log").read_text(encoding="utf-8")
    rows = tshark(folder / "phone.pcapng", "sip", "sip.CSeq", "sip.Call-ID", "sip.Via")
    assert rows
    for row in rows:
        for call_id, via in zip(row["sip.Call-ID"], row["sip.Via"], strict=False):
            line = next(entry for entry in log.splitlines() if call_id in entry and via in entry)
            assert f"Call-ID: {call_id}#015#012" in line
    for secret in truth_of(folder)["secrets"]:
        assert (secret["value"] in log) == (secret["kind"] != "password")


def test_renamed_shares_no_name() -> None:
    folders = {folder.name: folder for folder in FOLDERS}
    if not {"web-signin", "web-signin-renamed"} <= set(folders):
        pytest.skip("web-signin or web-signin-renamed is not recorded here")
    real, renamed = (
        (truth_of(folders[name])["names"], truth_of(folders[name])["user"])
        for name in ("web-signin", "web-signin-renamed")
    )
    for role, facts in real[0].items():
        assert facts["address"] != renamed[0][role]["address"]
        assert facts["host"] is None or facts["host"] != renamed[0][role]["host"]
    assert real[1] != renamed[1]
    for name in ("phone.pcapng", "browser.pcapng", "phone.log"):
        content = (folders["web-signin-renamed"] / name).read_bytes()
        for facts in real[0].values():
            assert facts["host"] is None or facts["host"].encode() not in content

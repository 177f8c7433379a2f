"""Every recorded folder says the same thing twice: tshark's view of the frames, and truth.json."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

CAPTURES = Path(__file__).resolve().parent.parent.parent
FOLDERS = sorted(path.parent for path in CAPTURES.glob("*/truth.json"))
KEYED = [folder for folder in FOLDERS if (folder / "phone.keys").exists()]
LIMIT = 1_000_000
SEPARATOR = "\x1f"
FAITH_NS = 300_000_000  # how far apart an actor's note and the frame may be

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


def nanoseconds(stamp: str) -> int:
    seconds, rest = stamp.rstrip("Z").split(".")
    moment = datetime.fromisoformat(seconds).replace(tzinfo=UTC)
    return int(moment.timestamp()) * 10**9 + int(rest)


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_small_enough_and_complete(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    always = {"phone.pcapng", "browser.pcapng", "phone.log", "truth.json"}
    assert names in (always, always | {"phone.keys", "browser.keys"})
    assert sum(path.stat().st_size for path in folder.iterdir()) < LIMIT


@needs_tshark
@pytest.mark.parametrize("folder", KEYED, ids=name_of)
def test_phone_http(folder: Path) -> None:
    fields = ("http.request.method", "http.host", "http.request.uri", "http.response.code")
    rows = tshark(
        folder / "phone.pcapng", "http.request or http.response", "frame.time_epoch", *fields
    )
    noted = messages(truth_of(folder), actor="phone", kind="http")
    seen = [(r[fields[0]][0], r[fields[1]][0], r[fields[2]][0]) for r in rows if r[fields[0]]]
    assert seen == [(m["method"], m["host"], m["path"]) for m in noted if "status" not in m]
    statuses = [int(r[fields[3]][0]) for r in rows if r[fields[3]]]
    assert statuses == [m["status"] for m in noted if "status" in m]
    for row, note in zip(rows, noted, strict=True):
        stamp = int(row["frame.time_epoch"][0].replace(".", ""))
        assert abs(stamp - nanoseconds(note["time"])) < FAITH_NS


@needs_tshark
@pytest.mark.parametrize("folder", KEYED, ids=name_of)
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
    noted = messages(truth_of(folder), actor="browser", kind="http")
    expected = Counter(
        (m["method"], m["host"], m["path"]) for m in noted if m["direction"] == "sent"
    )
    assert seen == expected
    assert statuses == Counter(m["status"] for m in noted if m["direction"] == "received")


@needs_tshark
@pytest.mark.parametrize("folder", KEYED, ids=name_of)
def test_phone_sip(folder: Path) -> None:
    rows = tshark(
        folder / "phone.pcapng",
        "sip",
        *("sip.Method", "sip.Status-Code", "sip.CSeq", "sip.Call-ID"),
        options=("-d", "tls.port==443,sip"),
    )
    noted = messages(truth_of(folder), actor="phone", kind="sip")
    seen = [
        (r["sip.CSeq"][0], r["sip.Call-ID"][0], [int(s) for s in r["sip.Status-Code"]])
        for r in rows
    ]
    assert seen == [
        (m["cseq"], m["call_id"], [m["status"]] if "status" in m else []) for m in noted
    ]


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_both_ends_agree(folder: Path) -> None:
    """What the clients say that they sent is what the servers say that they got, and back."""
    truth = truth_of(folder)
    clients, servers = ("phone", "browser"), ("pairing", "web", "azuread", "adfs", "sfb")
    for direction, opposite in (("sent", "received"), ("received", "sent")):
        ours = messages(truth, direction=direction)
        theirs = messages(truth, direction=opposite)
        keys = ("kind", "method", "host", "path", "status", "cseq")
        left = Counter(tuple(m.get(k) for k in keys) for m in ours if m["actor"] in clients)
        right = Counter(tuple(m.get(k) for k in keys) for m in theirs if m["actor"] in servers)
        assert left == right


@needs_tshark
@pytest.mark.parametrize("folder", KEYED, ids=name_of)
def test_gssapi_data_is_tls(folder: Path, tmp_path: Path) -> None:
    """The inner handshake, put on a made-up TCP stream, dissects as TLS down to Finished."""
    truth = truth_of(folder)
    blobs = [base64.b64decode(s["value"]) for s in truth["secrets"] if s["kind"] == "gssapi_data"]
    if not blobs:
        assert truth["verdict"]["status"] == "failed"
        return
    text = []
    for number, blob in enumerate(blobs):
        text.append("O" if number % 2 else "I")
        text += [f"{at:06x} {blob[at : at + 16].hex(' ')}" for at in range(0, len(blob), 16)]
    dump, capture = tmp_path / "blobs.txt", tmp_path / "blobs.pcapng"
    dump.write_text("\n".join(text) + "\n")
    subprocess.run(
        ["text2pcap", "-q", "-D", "-T", "50000,443", str(dump), str(capture)],
        check=True,
        capture_output=True,
    )
    rows = tshark(
        capture, "tls", "tls.handshake.type", "tls.record.content_type", "tls.alert_message"
    )
    types = [int(t) for row in rows for t in row["tls.handshake.type"]]
    assert types == [1, 2, 11, 13, 14, 11, 16, 15]
    content = [int(t) for row in rows for t in row["tls.record.content_type"]]
    assert content.count(20) == 2  # each side's ChangeCipherSpec, Finished encrypted after it
    assert not any(row["tls.alert_message"] for row in rows)


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_log_shows_codes_but_no_tokens(folder: Path) -> None:
    log = (folder / "phone.log").read_text(encoding="utf-8")
    for secret in truth_of(folder)["secrets"]:
        if secret["kind"] in ("user_code", "device_code"):
            assert f"{secret['kind']}[{secret['value']}]" in log
        elif secret["kind"] in ("access_token", "refresh_token", "id_token", "password"):
            assert secret["value"] not in log


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

"""`--scrub`: what tshark shows of the decrypted messages, and that no secret is among them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.export.test_export import decode_as, exported, fields
from tests.lab import ALL as RECORDED
from tests.lab import scenario
from tests.test_secrets import run, spellings

SHORT = ("web-signin-tls13",)
WITH_KEYS = [
    pytest.param(name, marks=() if name in SHORT else pytest.mark.long)
    for name in RECORDED
    if scenario(name).has_keys and Path(scenario(name).phone).exists()
]
# They end before a message is reported in TLS.
NOTHING_SAID = ("clock-skew", "proxy-denies", "tls10-only", "unknown-ca")
ENDS = ("ip.src", "tcp.srcport", "ip.dst", "tcp.dstport")
PDU_ENDS = ("exported_pdu.ipv4_src", "exported_pdu.src_port", "exported_pdu.ipv4_dst",
            "exported_pdu.dst_port")  # fmt: skip
WHAT = ("http.request.method", "http.response.code", "http2.headers.method",
        "http2.headers.status", "sip.Method", "sip.Status-Code")  # fmt: skip


def seen(rows: list[str]) -> Counter[tuple[str, ...]]:
    """(client's port, which way, method or status) of each message; a frame may hold
    several. Behind a proxy tshark knows the proxy's address, dissect that of the server."""
    found: Counter[tuple[str, ...]] = Counter()
    for row in rows:
        *ends, http, code, h2, h2_code, sip, sip_code = row.split("\t")
        for cell in (http, code, h2, h2_code, sip, sip_code):
            _, source, _, destination = ends
            port = max(source, destination, key=int)
            way = "request" if port == source else "answer"
            found.update((port, way, what) for what in cell.split(",") if what)
    return found


@pytest.mark.parametrize("name", WITH_KEYS)
def test_the_messages_that_tshark_decrypts_without_their_secrets(name: str, tmp_path: Path) -> None:
    path = exported(name, tmp_path, "--scrub")
    item = scenario(name)
    content = path.read_bytes()
    for secret in item.truth["secrets"]:
        for spelling in spellings(secret["value"]):
            assert spelling not in content, (secret["kind"], secret["value"][:4])
    added = seen(fields(path, (*PDU_ENDS, *WHAT), "-Y", "exported_pdu"))
    rows = fields(path, ENDS, "-Y", "tcp && ip")
    ports = {max(row.split("\t")[1::2], key=int) for row in rows}
    wanted: Counter[tuple[str, ...]] = Counter()
    for capture in item.captures:
        keys = Path(capture).with_suffix(".keys")
        flags = (
            "-o",
            f"tls.keylog_file:{keys}",
            *decode_as(name),
            "-Y",
            "tls && (http||http2||sip)",
        )
        wanted += seen(fields(capture, (*ENDS, *WHAT), *flags))
    assert added == Counter({key: n for key, n in wanted.items() if key[0] in ports})
    assert added or name in NOTHING_SAID
    assert fields(path, ("frame.number",), "-Y", "exported_pdu && _ws.malformed && !sdp") == []
    undecrypted = "tls && (http.request.method || http.response.code || http2) && !exported_pdu"
    assert fields(path, ("frame.number",), "-Y", undecrypted) == []


def test_where_it_was_and_what_it_says(tmp_path: Path) -> None:
    path = exported("wrong-password", tmp_path, "--scrub")
    (row,) = fields(
        path, ("exported_pdu.orig_fno", "urlencoded-form.value", "frame.comment"),
        "-Y", 'exported_pdu && urlencoded-form.key == "Password"',
    )[:1]  # fmt: skip
    frame, form, comment = row.split("\t")
    assert "‹password #1›" in form
    truth = fields(
        scenario("wrong-password").browser, ("frame.number",),
        "-o", f"tls.keylog_file:{Path(scenario('wrong-password').browser).with_suffix('.keys')}",
        "-Y", 'urlencoded-form.key == "Password"',
    )  # fmt: skip
    assert frame in truth
    assert f"–{frame} of the capture" in comment


@pytest.mark.long
def test_dissect_reads_such_a_file(tmp_path: Path) -> None:
    """The added frames are no packets; they are counted and said, and harm nothing."""
    path = exported("sip-forbidden", tmp_path, "--scrub")
    result = run("info", str(path))
    assert result.exception is None
    assert run("flow", str(path)).exception is None

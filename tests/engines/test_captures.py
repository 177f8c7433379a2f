"""Both engines over real captures: no difference that is not listed, and the same flows.

All of them take a minute (`long`); a handful of telling ones runs every time.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

from dissect.engines import CaptureInput
from dissect.engines.baseline import Baseline
from dissect.engines.both import check
from dissect.pipeline import RunOptions, Session
from dissect.render import render
from tests.engines import survey
from tests.engines.build import rewritten
from tests.lab import ALL, need_tshark, scenario

# Interim answers, CONTINUATION, tunnels, loss, RSA keys, compressed and odd containers.
TELLING = {
    "containers/derived-hotplace_http1_tls13_dsb.pcapng",
    "containers/pcapplusplus-sll_and_ethernet.pcapng.zst",
    "http/zeek-100_continue.pcap",
    "http2/suricata-h2c_continuation.pcap",
    "malformed/libpcap-shb_option_too_long.pcapng",
    "sso/zeek-ntlm_sharepoint_in_erspan.pcap",
    "tls/wireshark-rsasnakeoil2.pcap",
}
ENGINES: tuple[Literal["embedded", "tshark"], ...] = ("embedded", "tshark")
FOUND = {item.name: item for item in survey.captures(survey.FOLDERS)}


@pytest.mark.parametrize(
    "name",
    [name if name in TELLING else pytest.param(name, marks=pytest.mark.long) for name in FOUND],
)
def test_no_difference_but_the_known(name: str) -> None:
    need_tshark()
    found, known = FOUND[name], Baseline(survey.KNOWN)
    comparison = survey.examine(found, known).comparison
    assert comparison.unexplained == []
    assert known.stale([str(found.path)]) == []


@pytest.mark.skipif(not FOUND, reason="no captures beside or in the repository")
def test_lists_name_captures_that_exist() -> None:
    shared = survey.FOLDERS[0]
    if not shared.is_dir():
        pytest.skip("the shared captures (../shared/captures) are not here")
    names = {entry.capture for entry in Baseline(survey.KNOWN).entries}
    assert names <= set(FOUND)


@pytest.mark.parametrize(
    "name",
    [
        name
        if name in ("web-signin", "no-keys", "wrong-password")
        else pytest.param(name, marks=pytest.mark.long)
        for name in ALL
    ],
)
def test_both_engines_give_the_same_flow(name: str) -> None:
    need_tshark()
    item = scenario(name)
    charts = []
    for engine in ENGINES:
        options = RunOptions(
            tuple(item.captures),
            phone_logs=item.phone_logs[:1],
            engine=engine,
        )
        run = Session(options)
        charts.append(json.loads(render(run.charts, "json"))["flows"])
        assert run.charts
    if name in FIRST_FRAMES:
        assert charts[0] != charts[1], f"{name}: the engines agree now"
        charts = [_without_starts(chart) for chart in charts]
    assert charts[0] == charts[1]


# Messages inside TLS inside a proxy's tunnel: tshark's engine finds the last of their frames
# only (`tunnel_first_frame` in differences.toml); embedded is right. All else is equal.
FIRST_FRAMES = {"proxy-ntlm"}


def _without_starts(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if k not in ("first_frame", "time", "end_time")}
        return {key: _without_starts(item) for key, item in kept.items()}
    if isinstance(value, list):
        return [_without_starts(item) for item in value]
    return value


LOST = {31, 52, 77, 93, 101}
DEGRADED: dict[str, tuple[Callable[[int], int], int]] = {
    "lost": (lambda number: int(number not in LOST), 262144),
    "twice": (lambda number: 2, 262144),
    "late": (lambda number: int(number > 30), 262144),
    "cut": (lambda number: 1, 300),
}


@pytest.mark.parametrize("side", ["phone", pytest.param("browser", marks=pytest.mark.long)])
@pytest.mark.parametrize("how", DEGRADED)
def test_degraded_captures_have_no_difference_without_reason(
    how: str, side: str, tmp_path: Path
) -> None:
    need_tshark()
    folder = scenario("web-signin").folder
    frames, snaplen = DEGRADED[how]
    path = rewritten(str(folder / f"{side}.pcapng"), tmp_path / "c.pcap", frames, snaplen)
    found = check(CaptureInput(path, key_logs=(str(folder / f"{side}.keys"),))).comparison
    assert found.unexplained == []
    assert sum(found.agreed.values()) > 20

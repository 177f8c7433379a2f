"""Lab captures with their segments cut, doubled, overlapped and permuted: the same messages.

The whole engine reads them, TLS included, so a byte out of place would show.
"""

from __future__ import annotations

import functools
import gzip
import tempfile
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from dissect.engines import CaptureInput, embedded
from dissect.model import DnsMessage, HttpRequest, TcpConnection, TlsConnection
from dissect.pipeline import RunOptions, Session
from tests.capture import containers as c

from .lab_packets import CAPTURES, MS, Packets, content, keys, packets, read, segment

SIDES = [("web-signin", "phone"), ("web-signin", "browser"), ("web-signin-tls13", "phone")]
NEAR_NS = 200 * MS
# Each example reads a whole capture: a failing one is shown as it is found, not made smaller.
FEW = settings(max_examples=8, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))


@functools.cache
def expected(scenario: str, side: str) -> Counter[Any]:
    with tempfile.TemporaryDirectory() as name:
        found = read(Path(name), list(packets(scenario, side)), keys(scenario, side))
    assert len([m for m in found.messages if isinstance(m, HttpRequest)]) > 3
    return content(found.messages)


def assert_the_same(changed: Packets, scenario: str, side: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        found = content(read(Path(name), changed, keys(scenario, side)).messages)
    more, less = found - expected(scenario, side), expected(scenario, side) - found
    assert [str(item)[:200] for item in more] == []
    assert [str(item)[:200] for item in less] == []


def resplit(data: st.DataObject, source: Packets) -> Packets:
    """Each segment in up to four, some with bytes of the one before again."""
    found: Packets = []
    before: dict[tuple[bytes, int], bytes] = {}  # by ends and the number of the byte that follows
    for ns, frame in source:
        part = segment(frame)
        if part is None or len(part.data) < 8:
            found.append((ns, frame))
            continue
        ends = part.head[26:38]
        cuts = sorted(data.draw(st.sets(st.integers(1, len(part.data) - 1), max_size=3)))
        pieces = [part.cut(start, end) for start, end in pairwise([0, *cuts, len(part.data)])]
        # A short segment, kept as it was, or a lost one may lie between: no bytes are made up.
        tail = before.get((ends, part.seq), b"")
        if tail and data.draw(st.integers(0, 3)) == 0:
            pieces[0] = part.with_data(
                tail + segment(pieces[0]).data,  # type: ignore[union-attr]
                part.seq - len(tail),
                len(pieces) == 1,
            )
        after = part.seq + len(part.data) & 0xFFFFFFFF
        before[ends, after] = part.data[-data.draw(st.integers(1, 64)) :]
        found += [(ns, piece) for piece in pieces]
    return found


def opens(frame: bytes) -> bool:
    part = segment(frame)
    return part is not None and part.flags & 0x12 == 0x02


def permuted(data: st.DataObject, source: Packets) -> Packets:
    """Groups of up to five frames in any order, if they are no farther apart than `NEAR_NS`.

    A SYN stays before what is near it: behind data of its connection it begins a new stream,
    for Wireshark as well (`transport.streams`).
    """
    found: Packets = []
    at = 0
    while at < len(source):
        group = source[at : at + data.draw(st.integers(1, 5))]
        group = [item for item in group if item[0] - group[0][0] <= NEAR_NS]
        order = data.draw(st.permutations(range(len(group))))
        frames = sorted((group[n][1] for n in order), key=lambda frame: not opens(frame))
        found += [(ns, frame) for (ns, _), frame in zip(group, frames, strict=True)]
        at += len(group)
    return found


@pytest.mark.parametrize(("scenario", "side"), SIDES)
@given(data=st.data())
@FEW
def test_cut_anew_and_overlapping(scenario: str, side: str, data: st.DataObject) -> None:
    changed = resplit(data, list(packets(scenario, side)))
    assert_the_same(changed, scenario, side)


@pytest.mark.parametrize(("scenario", "side"), SIDES)
@given(data=st.data())
@FEW
def test_doubled(scenario: str, side: str, data: st.DataObject) -> None:
    """A mirror port's copies, and segments sent again up to a second later."""
    source = list(packets(scenario, side))
    changed: Packets = []
    for ns, frame in source:
        changed.append((ns, frame))
        choice = data.draw(st.integers(0, 4))
        if choice == 0:
            tagged = b"\x02\0\0\0\0\x09" + frame[6:12] + b"\x81\x00\x00\x07" + frame[12:]
            changed.append((ns + 1000, tagged))
        elif choice == 1 and segment(frame) is not None:
            changed.append((ns + data.draw(st.integers(200, 1000)) * MS, frame))
    changed.sort(key=lambda item: item[0])
    assert_the_same(changed, scenario, side)


@pytest.mark.parametrize(("scenario", "side"), SIDES)
@given(data=st.data())
@FEW
def test_permuted(scenario: str, side: str, data: st.DataObject) -> None:
    """Frames swapped over a few places, as queues and mirror ports do; times stay in order."""
    changed = permuted(data, list(packets(scenario, side)))
    assert_the_same(changed, scenario, side)


@pytest.mark.parametrize(("scenario", "side"), SIDES)
@given(data=st.data())
@FEW
def test_all_of_it(scenario: str, side: str, data: st.DataObject) -> None:
    changed = resplit(data, list(packets(scenario, side)))
    again = [item for item in changed if segment(item[1]) and data.draw(st.integers(0, 6)) == 0]
    changed = sorted(changed + again, key=lambda item: item[0])
    assert_the_same(permuted(data, changed), scenario, side)


@pytest.mark.parametrize(("scenario", "side"), SIDES)
def test_cut_short_at_any_packet_gives_the_first_of_the_messages(scenario: str, side: str) -> None:
    source = list(packets(scenario, side))
    rows = TcpConnection | TlsConnection

    def said(part: Packets) -> Counter[Any]:
        with tempfile.TemporaryDirectory() as name:
            found = read(Path(name), part, keys(scenario, side))
        whole = [
            m
            for m in found.messages
            if not isinstance(m, rows) and not (getattr(m, "body", None) and m.body.problem)  # type: ignore[union-attr]
        ]
        return content(whole)

    everything = said(source)
    sizes = []
    for size in range(0, len(source), 7):
        part = said(source[:size])
        assert part <= everything, size
        sizes.append(part.total())
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[len(sizes) // 2] > 0


@pytest.mark.parametrize("side", ["phone", "browser"])
def test_neighbours_swapped_the_chart_stays(side: str, tmp_path: Path) -> None:
    """Trouble 34: each answer that was captured before its question is put right, by its ack."""
    source = list(packets("web-signin", side))
    parts = [segment(frame) for _, frame in source]
    swaps = [
        n
        for n, (first, second) in enumerate(pairwise(parts))
        if first and second and first.data and second.data
        if first.stream == second.stream and first.head[26:30] != second.head[26:30]
    ]
    assert len(swaps) > 10

    def chart(changed: Packets) -> tuple[list[Any], set[str | None]]:
        path = tmp_path / "swapped.pcap"
        path.write_bytes(c.pcap(changed, nano=True))
        other = CAPTURES / "web-signin" / f"{({'phone', 'browser'} - {side}).pop()}.pcapng"
        options = RunOptions((str(path), str(other)), key_logs=keys("web-signin", side))
        (found,) = Session(options).charts
        arrows = [arrow for step in found.steps for arrow in step.arrows]
        shown = [(step.status, [arrow.label for arrow in step.arrows]) for step in found.steps]
        return shown, {arrow.note for arrow in arrows}

    wanted, _ = chart(source)
    noted = False
    for n in swaps:
        changed = list(source)
        changed[n] = source[n][0], source[n + 1][1]
        changed[n + 1] = source[n + 1][0], source[n][1]
        shown, notes = chart(changed)
        assert shown == wanted, n + 1
        noted = noted or any("order corrected by ack" in (note or "") for note in notes)
    assert noted


# ------------------------------------------------------------------ containers


def ng(source: Packets, order: str, old: bool = False) -> bytes:
    data = c.section(order) + c.interface(order, options=c.resolution(9, order))
    block = c.old_packet if old else c.enhanced
    return data + b"".join(block(ns, frame, 0, order) for ns, frame in source)


def two_sections(source: Packets) -> bytes:
    state = len(source) // 2
    return ng(source[:state], "<") + ng(source[state:], ">")


def late_interface(source: Packets) -> bytes:
    state = len(source) // 2
    data = ng(source[:state], "<") + c.interface(options=c.resolution(9))
    return data + b"".join(c.enhanced(ns, frame, 1) for ns, frame in source[state:])


FORMS = {
    "pcap": lambda source: c.pcap(source, nano=True),
    "pcap, big-endian": lambda source: c.pcap(source, nano=True, order=">"),
    "pcap of Ixia": lambda source: c.pcap(source, magic=0x1C0001AC),
    "pcapng": lambda source: ng(source, "<"),
    "pcapng, big-endian": lambda source: ng(source, ">"),
    "pcapng, obsolete blocks": lambda source: ng(source, "<", old=True),
    "pcapng, two sections": two_sections,
    "pcapng, late interface": late_interface,
    "gzip": lambda source: gzip.compress(ng(source, "<")),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_container_form_gives_the_same_times_and_messages(form: str, tmp_path: Path) -> None:
    scenario, side = SIDES[0]
    path = tmp_path / "capture"
    path.write_bytes(FORMS[form](list(packets(scenario, side))))
    original = CAPTURES / scenario / f"{side}.pcapng"
    ours, theirs = (
        embedded.read([CaptureInput(str(name), keys(scenario, side))]) for name in (path, original)
    )
    assert content(ours.messages) == content(theirs.messages)
    assert [m.place.span for m in ours.messages] == [m.place.span for m in theirs.messages]
    assert ours.anomalies == theirs.anomalies


def test_a_dns_answer_is_not_doubled_by_a_mirror_port(tmp_path: Path) -> None:
    source = list(packets("web-signin", "phone"))
    changed = [(ns + extra, frame) for ns, frame in source for extra in (0, 2000)]
    found = read(tmp_path, changed, keys("web-signin", "phone"))
    names = content([m for m in found.messages if isinstance(m, DnsMessage)])
    once = read(tmp_path, source, keys("web-signin", "phone")).messages
    assert names == content([m for m in once if isinstance(m, DnsMessage)])
    (traffic,) = found.traffic
    assert traffic.copies > names.total() > 4
    assert traffic.resent == traffic.late == 0

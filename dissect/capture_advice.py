"""What to do better in the next capture, from what `dissect.overview` has found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

NOTABLE = 0.001  # of the bytes lost, before a capture is called lossy
DOUBLED = 0.2  # of the frames captured twice, before it is called a mirror port's doing

Document = dict[str, Any]


def advice(found: Document) -> Iterator[str]:
    """Sentences, the most important first; one that says so if there is nothing to do."""
    given = [line for item in found["captures"] for line in _of_capture(item)]
    given += _of_tls(found)
    given += _of_clocks(found)
    yield from given or ["Nothing: the captures are whole, and what can be read was read."]


def _of_capture(item: Document) -> Iterator[str]:
    name, tcp = item["capture"], item.get("tcp", {})
    if not item["frames"]:
        yield f"{name} holds no packet: check interface and capture filter, then capture again."
        return
    if item["drops"]:
        yield (
            f"{name}: the capturing machine dropped {item['drops']} packets. Capture with a "
            "filter (host …), a larger buffer (tcpdump -B 65536), and without live display."
        )
    if item.get("frames_cut"):
        limit = f" (limit: {item['snaplen']} bytes a packet)" if item["snaplen"] else ""
        yield (
            f"{name}: {item['frames_cut']} of {item['frames']} packets were cut when they were "
            f"captured{limit}. Capture without a limit: tcpdump -s 0, in Wireshark no “Limit "
            "each packet to”."
        )
    elif tcp.get("loss_rate", 0) > NOTABLE:
        yield (
            f"{name}: {tcp['loss_rate']:.1%} of the TCP bytes are not in the capture, although "
            "what was sent after them is. A mirror port is overloaded or a machine too slow: "
            "capture on the phone's or the PC's own port."
        )
    if tcp.get("one_direction_only"):
        yield (
            f"{name}: of {tcp['one_direction_only']} connections only one direction was captured. "
            "Mirror both directions (rx and tx), on the port of the device itself."
        )
    if tcp.get("begun_before_capture"):
        yield (
            f"{name}: {tcp['begun_before_capture']} connections had begun before the capture; "
            "their TLS can't be decrypted. Start the capture first, then restart the device or "
            "the browser."
        )
    if item.get("frames_doubled", 0) > DOUBLED * item["frames"] / 2:
        yield (
            f"{name}: {item['frames_doubled']} packets with data are in the capture twice. "
            "That does no harm here; to halve the file mirror one port, or one VLAN."
        )
    if item.get("frames_before_earlier_time"):
        yield (
            f"{name}: {item['frames_before_earlier_time']} packets have a time before that of an "
            "earlier one: several queues or interfaces wrote the file, or the clock was set "
            "meanwhile. Let the clock run by NTP; reordercap sorts a file."
        )
    yield from _of_skipped(item)


def _of_skipped(item: Document) -> Iterator[str]:
    name = item["capture"]
    for reason, count in item["frames_skipped"].items():
        if "IEEE802_11" in reason:
            yield (
                f"{name}: {count} Wi-Fi frames hold no IP that can be read, most likely because "
                "Wi-Fi encrypts them. Capture on the access point's wired side."
            )
        elif reason.startswith("link type"):
            yield (
                f"{name}: {count} frames are of {reason}, which can't be read here. Capture on "
                "the Ethernet interface, or export the packets as Ethernet."
            )
        elif "fragment" in reason:
            yield (
                f"{name}: {count} IP fragments lack their rest. Capture without a port in the "
                "filter: only the first fragment has the ports."
            )
        elif reason in ("ESP", "AH"):
            yield f"{name}: {count} packets are encrypted by IPsec. Capture inside the tunnel."


_TLS = {
    "no_secret_for_random": (
        "were not decrypted for want of keys. Let the program that opens them write a key log "
        "(SSLKEYLOGFILE for browsers, curl and Python) and give it with -k."
    ),
    "secret_incomplete": "have a key log that lacks lines. Copy it after the program has ended.",
    "resumed_without_secret": (
        "went on with an older session. Close the browser or restart the device, then capture "
        "and log keys from its start."
    ),
    "secrets_after_packets": "got their keys too late. Give the capture as a file, not a pipe.",
    "wrong_secret": "don't fit their keys. Take the key log of the same machine and the same run.",
    "damaged_record": (
        "hold other bytes than were sent. Capture on another machine or interface, and copy the "
        "file anew."
    ),
    "lost_segment": "broke off where packets are missing. Capture nearer to the machine.",
    "cut_by_snaplen": "broke off where packets were cut. Capture whole packets (tcpdump -s 0).",
}


def _of_tls(found: Document) -> Iterator[str]:
    reasons = found["tls"]["reason"]
    for reason, sentence in _TLS.items():
        if reasons.get(reason):
            yield f"{reasons[reason]} TLS connections {sentence}"
    undecrypted = sum(found["tls"]["decrypted"].get(word, 0) for word in ("none", "partial"))
    if undecrypted and not found["streams"].get("dns"):
        yield (
            "There is no DNS in the captures. Capture port 53 as well and clear the caches "
            "before: names tell who was talked to where TLS stays shut."
        )
    kinds = {item["kind"] for item in found["anomalies"]}
    if "capture.cut" in kinds:
        yield "A capture ends in the middle of a packet: stop the capture before copying the file."
    if "capture.no_time" in kinds:
        yield "A capture holds packets without time. Write it in another format (pcapng, EPB)."


def _of_clocks(found: Document) -> Iterator[str]:
    for item in found["clocks"]:
        if abs(item["moved_ns"]) >= 50_000_000:
            ahead = item["ahead_ns"]
            yield (
                f"{item['capture']}: its clock is {abs(ahead) / 1e9:.3f} s "
                f"{'ahead of' if ahead > 0 else 'behind'} that of {item['against']}; that was put "
                "right here. Let both run by NTP."
            )

"""The second engine: tshark reads, reassembles and decrypts; pyshark drives it.

It gives the same `Reading` as the embedded engine. tshark's breadth (link types, tunnels,
ciphers …) has its price: its start, about 0.2 s for each of two runs that go on at the same
time, pyshark's import (0.3 s), 0.5-2 ms a message and 60 µs a frame. Measured on a download
with 0.25 % of its frames in HTTP: 10,000 frames 1.3 s, 100,000 5.5 s, 400,000 28 s and 84 MB
(embedded: 0.8 s). `runner` says what was measured of the formats.

Three things are the embedded engine's also here: the container (frames are counted, so
that a frame that tshark left out is an error and not a silence), the detection of SIP and
TLS on unusual port (`hints`), and the reading of the bytes of certificates, TLS-DSK blobs,
DHCP and NTP.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import replace

from dissect.engines import CaptureInput, Reading, placed
from dissect.engines.duplicates import Fingerprint, without_duplicates
from dissect.engines.tshark.private import PrivateFolder
from dissect.engines.tshark.program import find
from dissect.errors import UsageError
from dissect.model import Message

_SELECTOR = re.compile(r"(tcp|udp|tls)\.port==\d{1,5}(-\d{1,5})?,[a-z0-9_.\-]+")


def check_selectors(decode_as: Sequence[str]) -> None:
    """Raises UsageError for a `--decode-as` that is none."""
    for selector in decode_as:
        if not _SELECTOR.fullmatch(selector):
            raise UsageError(
                f"--decode-as takes tcp.port==NUMBER,PROTOCOL (or udp, tls), not {selector}"
            )


def read(
    inputs: Sequence[CaptureInput],
    decode_as: Sequence[str] = (),
    detected: Reading | None = None,
) -> Reading:
    """The messages of all captures on one time line, each reported once.

    `decode_as` are selectors such as `tcp.port==5070,sip`. `detected` is the embedded
    engine's reading of the same captures, if there is one already; else it is made, for the
    hints. Raises UsageError where tshark or pyshark is absent or too old, CaptureError for a
    capture that can't be read or that tshark does not read whole.
    """
    check_selectors(decode_as)
    program = find(inputs)
    # pyshark is imported by it, which must not happen before `find` has looked for it.
    from dissect.engines.tshark.engine import TsharkReading

    reading = Reading()
    names: dict[str, str] = {}
    fingerprints: list[Fingerprint] = []
    for index, item in enumerate(inputs):
        with PrivateFolder() as folder:
            path = item.name
            if item.name == "-":
                path = folder.capture(sys.stdin.buffer)
            known = _detected(replace(item, name=path), index, detected)
            capture = TsharkReading(program, folder, item, index, path, reading)
            reading.captures.append(capture.read(known, decode_as))
            fingerprints += capture.fingerprints
            names.update(capture.names)
    reading.names = names
    reported, reading.duplicates, reading.shared = without_duplicates(
        reading.messages, fingerprints if len(inputs) > 1 else ()
    )
    reading.messages = placed(reported)
    return reading


def _detected(item: CaptureInput, index: int, detected: Reading | None) -> list[Message]:
    if detected is not None:
        messages = [*detected.messages, *detected.duplicates]
        return [m for m in messages if m.place.connection.capture == index]
    from dissect.engines import embedded

    return embedded.read([item]).messages

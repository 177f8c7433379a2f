"""What tshark writes, rows of fields and PDML, as a hostile capture may shape it: texts of any
content, fields absent, doubled and in another order; numbers stay numbers, as tshark writes
them."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from lxml import etree

from dissect.engines.tshark import process, runner
from dissect.engines.tshark.engine import _Maker
from dissect.engines.tshark.frames import FrameTable
from dissect.engines.tshark.names import FILTER, FRAME_FIELDS, PROTOCOLS, TLS_FIELDS
from dissect.engines.tshark.pdml import Records, units
from dissect.engines.tshark.tls import TlsTable
from dissect.errors import CaptureError
from tests.fuzz import dialogue, mutate
from tests.fuzz.material import Material
from tests.fuzz.target import Target

ROWS, PDML = 0, 1
SEEDS = 12  # captures that tshark is asked about
_FIELDS = FRAME_FIELDS + TLS_FIELDS
# Fields whose text is what somebody sent.
_FREE = ("http.", "http2.", "sip.", "dns.", "raw_sip.", "tls.handshake.extensions_server_name")


_NUMBER = re.compile(r"-?(\d+|0x[0-9a-f]+)(\.\d+)?$")


class _Run:
    """A tshark that has written this."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def output(self) -> Iterator[bytes]:
        for at in range(0, len(self._data), 4000):
            yield self._data[at : at + 4000]


def run(data: bytes) -> None:
    texts = dict(dialogue.items(data))
    table = FrameTable(0)
    tls, records = TlsTable(table, {}), Records()
    first: Any = _Run(texts.get(ROWS, b""))
    for frame, row in table.read(process.rows(first, len(_FIELDS))):
        records.add(frame.number, tls.add(frame, row))
    maker = _Maker(table, tls)
    second: Any = _Run(texts.get(PDML, b""))
    try:
        for packet in runner.packets(second):
            for unit in units(packet, table, records):
                for message in maker.take(unit):
                    repr(message)
    except (CaptureError, etree.XMLSyntaxError):
        return  # tshark writes well-formed XML
    for row in (*maker.finish(), *tls.rows(), *table.rows()):
        repr(row)


def _seeds(material: Material) -> Iterator[bytes]:
    if shutil.which("tshark") is None:
        return
    count = 0
    for path in material.captures():
        if (
            count >= SEEDS
            or path.stat().st_size > 30_000
            or path.suffix not in (".pcap", ".pcapng")
        ):
            continue
        columns = [word for name in _FIELDS for word in ("-e", name)]
        rows = ["-T", "fields", "-E", "occurrence=a", "-E", f"aggregator={process.SEPARATOR}",
                "-E", "separator=/t", "-E", "quote=n", *columns]  # fmt: skip
        found = [
            _tshark(str(path), part)
            for part in (rows, ["-T", "pdml", "-Y", FILTER, "-J", PROTOCOLS])
        ]
        if b"<packet>" in found[1]:
            count += 1
            yield dialogue.bundle(enumerate(found))


def _tshark(path: str, parameters: Sequence[str]) -> bytes:
    command = ["tshark", "-n", "-r", path, "-o", "tcp.reassemble_out_of_order:TRUE",
               "-o", "sip.display_raw_text:TRUE", *parameters]  # fmt: skip
    return subprocess.run(command, capture_output=True, check=False, timeout=60).stdout


def _mutated(data: bytes, dice: Random, others: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    texts = dict(dialogue.items(data))
    if dice.random() < 0.4:
        texts[ROWS] = _rows(texts.get(ROWS, b""), dice)
    else:
        texts[PDML] = _pdml(texts.get(PDML, b""), dice, words)
    return dialogue.bundle(sorted(texts.items()))


def _rows(text: bytes, dice: Random) -> bytes:
    """Changes what the columns of TLS have; those of IP and TCP before them tshark fills itself."""
    lines = text.split(b"\n")
    separator = process.SEPARATOR.encode()
    for _ in range(dice.choice((1, 2, 6))):
        at = dice.randrange(len(lines))
        cells = lines[at].split(b"\t")
        if len(cells) <= len(FRAME_FIELDS):
            continue
        cell, kind = dice.randrange(len(FRAME_FIELDS), len(cells)), dice.randrange(5)
        if kind == 0:
            cells[cell] = b""
        elif kind == 1 and cells[cell]:
            cells[cell] = separator.join([cells[cell]] * dice.choice((2, 9)))
        elif kind == 2:
            cells = cells[: cell + 1]
        elif kind == 3:
            cells[cell] = cells[cell].split(separator)[0]
        else:
            lines[at:at] = [lines[dice.randrange(len(lines))]]
            continue
        lines[at] = b"\t".join(cells)
    return b"\n".join(lines)


def _pdml(text: bytes, dice: Random, words: Sequence[bytes]) -> bytes:
    try:
        root = etree.fromstring(text)
    except (etree.XMLSyntaxError, ValueError):
        return text
    # What tshark says of the frame itself (its number, its time) is always there.
    fields = [
        field
        for proto in root.iter("proto")
        if proto.get("name") not in ("geninfo", "frame")
        for field in proto.iter("field")
    ]
    for _ in range(dice.choice((1, 1, 3, 10))):
        if not fields:
            break
        field = dice.choice(fields)
        parent, kind = field.getparent(), dice.randrange(5)
        name = field.get("name") or ""
        if parent is None:
            continue
        if kind == 0:
            parent.remove(field)
        elif kind == 1:
            parent.append(etree.fromstring(etree.tostring(field)))
        elif kind == 2:
            parent.insert(0, field)
        elif name.startswith(_FREE) and not _NUMBER.match(field.get("show") or ""):
            changed = mutate.plain((field.get("show") or "").encode(), dice, (), words)
            shown = "".join(c for c in changed.decode("utf-8", "replace") if c.isprintable())
            field.set("show", shown)
            field.set("value", changed.hex())
    return etree.tostring(root)


TARGETS = (
    Target("tshark", run, _seeds, (), "http", _mutated, 4 << 20, 6.0, 300),
)  # fmt: skip

"""DNS messages out of tshark's `dns` layers."""

from __future__ import annotations

import ipaddress
from collections import deque

from dissect.engines.tshark.frames import FrameTable
from dissect.engines.tshark.pdml import PdmlLayer, PdmlUnit
from dissect.model import DnsMessage
from dissect.protocols.dns import RCODES, type_name

MAX_ANSWERS = 256

# Type → the fields of its data, in the order of its words.
_DATA: dict[int, tuple[str, ...]] = {
    1: ("dns.a",),
    2: ("dns.ns",),
    5: ("dns.cname",),
    6: ("dns.soa.mname", "dns.soa.rname"),
    12: ("dns.ptr.domain_name",),
    15: ("dns.mx.preference", "dns.mx.mail_exchange"),
    28: ("dns.aaaa",),
    33: ("dns.srv.priority", "dns.srv.weight", "dns.srv.port", "dns.srv.target"),
    39: ("dns.dname",),
}
_TXT, _SRV = 16, 33
# The owner of an SRV record is shown in these, in place of the common field.
_SRV_OWNER = ("dns.srv.service", "dns.srv.proto", "dns.srv.name")


def message(unit: PdmlUnit, table: FrameTable) -> DnsMessage | None:
    """The message of a layer; None if it is not plain DNS on UDP or TCP."""
    layer = unit.layer
    before = [name for name in unit.frame.protocols if name in ("udp", "tcp", "http", "http2")]
    if "dns.id" not in layer or before[-1:] not in (["udp"], ["tcp"]) or unit.encrypted:
        return None
    code = layer.number("dns.flags.rcode")
    response = layer.true("dns.flags.response")
    return DnsMessage(
        place=table.place(unit.first, unit.frame, unit.encrypted),
        ident=layer.number("dns.id"),
        is_response=response,
        rcode=RCODES[code] if code < len(RCODES) else f"RCODE{code}",
        questions=tuple(
            (_name(name), type_name(int(kind, 0)))
            for name, kind in zip(
                layer.shown("dns.qry.name"), layer.shown("dns.qry.type"), strict=False
            )
        ),
        answers=tuple(_answers(layer)),
    )


def _answers(layer: PdmlLayer) -> list[tuple[str, str, str]]:
    """The answer section. Records of all sections have the same fields; answers come first."""
    count = min(layer.number("dns.count.answers"), MAX_ANSWERS)
    kinds, lengths = layer.shown("dns.resp.type"), layer.shown("dns.resp.len")
    values: dict[str, deque[str]] = {}
    answers = []
    for kind, length in list(zip(kinds, lengths, strict=False))[:count]:
        number, size = int(kind, 0), int(length, 0)
        owner = _SRV_OWNER if number == _SRV else ("dns.resp.name",)
        name = ".".join(filter(None, (_next(layer, values, field) for field in owner)))
        words: list[str] = []
        if number == _TXT:
            words = _texts(layer, values, size)
        for field in _DATA.get(number, ()):
            words.append(_word(field, _next(layer, values, field)))
        answers.append((_name(name), type_name(number), " ".join(words) or f"{size} bytes"))
    return answers


def _next(layer: PdmlLayer, values: dict[str, deque[str]], field: str) -> str:
    """The next occurrence of a field, "" after the last."""
    queue = values.setdefault(field, deque(layer.shown(field)))
    return queue.popleft() if queue else ""


def _texts(layer: PdmlLayer, values: dict[str, deque[str]], size: int) -> list[str]:
    """The strings of a TXT record: as many as fill it, a length byte before each."""
    texts = values.setdefault("dns.txt", deque(layer.shown("dns.txt")))
    sizes = values.setdefault("dns.txt.length", deque(layer.shown("dns.txt.length")))
    words = []
    while size > 0 and texts and sizes:
        size -= int(sizes.popleft(), 0) + 1
        words.append(f'"{texts.popleft()}"')
    return words


def _word(field: str, shown: str) -> str:
    if field == "dns.aaaa" and shown:
        return str(ipaddress.IPv6Address(shown))
    if field in ("dns.a", "dns.mx.preference") or field.startswith("dns.srv.p"):
        return shown
    return shown if field == "dns.srv.weight" else _name(shown)


def _name(shown: str) -> str:
    return "." if shown in ("<Root>", "") else shown

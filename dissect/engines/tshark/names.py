"""The names of Wireshark's fields that this engine asks for, and where versions differ.

tshark refuses to start when a field given with `-e` is not known to it, so the names of the
frame table must fit the version; a field that PDML lacks is only missing. The table of
differences is tested against the tshark at hand and against recorded field lists.
"""

from __future__ import annotations

from typing import NamedTuple

OLDEST = (3, 6)  # the first with tcp.reassemble_out_of_order and today's TLS field names
NEWEST = (4, 6)  # the newest whose names were compared

# One row a frame: what connections, TLS rows and the places of messages are made of.
FRAME_FIELDS = (
    "frame.number",
    "frame.time_epoch",
    "frame.protocols",
    "ip.src",
    "ip.dst",
    "ipv6.src",
    "ipv6.dst",
    "icmp.type",
    "icmpv6.type",
    "udp.stream",
    "udp.srcport",
    "udp.dstport",
    "tcp.stream",
    "tcp.srcport",
    "tcp.dstport",
    "tcp.flags",
    "tcp.seq",
    "tcp.len",
    "tcp.segment",
)
TLS_FIELDS = (
    "tls.record.content_type",
    "tls.record.opaque_type",
    "tls.handshake.type",
    "tls.handshake.version",
    "tls.handshake.random",
    "tls.handshake.session_id",
    "tls.handshake.ciphersuite",
    "tls.handshake.extension.type",
    "tls.handshake.extensions.supported_version",
    "tls.handshake.extensions_server_name",
    "tls.handshake.extensions_alpn_str",
    "tls.handshake.certificate",
    "tls.alert_message.level",
    "tls.alert_message.desc",
)

# Fields of messages, from PDML.
MESSAGE_FIELDS = (
    "tcp.segment",
    "tls.segment",
    "http.request.method",
    "http.request.uri",
    "http.request.version",
    "http.request.line",
    "http.response.version",
    "http.response.code",
    "http.response.phrase",
    "http.response.line",
    "http.request_in",
    "http.content_length",
    "http.chunk_size",
    "http.file_data",
    "http2.type",
    "http2.flags",
    "http2.flags.end_stream",
    "http2.length",
    "http2.streamid",
    "http2.pad_length",
    "http2.header.name",
    "http2.header.value",
    "http2.data.data",
    "http2.body.reassembled.data",
    "http2.push_promise.promised_stream_id",
    "sip.Request-Line",
    "sip.Status-Line",
    "sip.msg_hdr",
    "sip.msg_body",
    "sip.resend",
    "dns.id",
    "dns.flags.response",
    "dns.flags.rcode",
    "dns.qry.name",
    "dns.qry.type",
    "dns.count.answers",
    "dns.resp.name",
    "dns.resp.type",
    "dns.resp.len",
    "dns.a",
    "dns.aaaa",
    "dns.cname",
    "dns.dname",
    "dns.ns",
    "dns.ptr.domain_name",
    "dns.mx.preference",
    "dns.mx.mail_exchange",
    "dns.srv.priority",
    "dns.srv.weight",
    "dns.srv.port",
    "dns.srv.target",
    "dns.soa.mname",
    "dns.soa.rname",
    "dns.txt",
    "dns.txt.length",
)

# What tshark may leave out of PDML: it prints no other protocol's fields (`-J`).
PROTOCOLS = "frame tcp udp tls http http2 sip dns"
FILTER = (
    "http || sip || dns || http2.type == 0 || http2.type == 1 || http2.type == 3 "
    "|| http2.type == 5 || http2.type == 9"
)


class Renamed(NamedTuple):
    """A field that has another name in versions before `since`."""

    name: str
    since: tuple[int, int]
    before: str


RENAMED: tuple[Renamed, ...] = ()


def field_names(version: tuple[int, int], names: tuple[str, ...]) -> tuple[str, ...]:
    """`names` as tshark `version` calls them."""
    older = {item.name: item.before for item in RENAMED if version < item.since}
    return tuple(older.get(name, name) for name in names)

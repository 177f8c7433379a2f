"""The names of Wireshark's fields that this engine asks for.

tshark refuses to start when a field given with `-e` is not known to it; a field that PDML
lacks is only missing. No name differs between 4.0.17 and 4.4.5: tests compare them with the
tshark at hand and with the recorded lists of other versions. What differs is how values are
shown, and is taken both ways where it is read: flags are 1 or True (from 4.4 on), bodies
are text or bytes (from 4.2 on; their raw bytes are the same).
"""

from __future__ import annotations

OLDEST = (3, 6)  # the oldest that still is in use on servers; older ones were never tried

# One row a frame: what connections, TLS rows and the places of messages are made of.
FRAME_FIELDS = (
    "frame.number",
    "frame.time_epoch",
    "frame.protocols",
    "frame.len",
    "frame.cap_len",
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
    "tcp.seq_raw",
    "tcp.ack",
    "tcp.len",
    "tcp.segment",
)
TLS_FIELDS = (
    "tls.record.content_type",
    "tls.record.opaque_type",
    "tls.record.length",
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
    "quic.connection.number",
    "quic.version",
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
    "raw_sip.line",
    "udp.payload",
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
    "dns.srv.service",
    "dns.srv.proto",
    "dns.srv.name",
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
PROTOCOLS = "frame tcp udp tls http http2 sip raw_sip dns dhcp ntp tcp.segments tls.segments"
FILTER = (
    "http || sip || dns || dhcp || ntp || http2.type == 0 || http2.type == 1 || http2.type == 3 "
    "|| http2.type == 5 || http2.type == 9"
)

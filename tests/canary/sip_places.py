"""Positions in SIP: request URI, header parameters, credentials, bodies."""

from __future__ import annotations

import base64
from collections.abc import Callable
from urllib.parse import quote

from tests.canary.http_places import filled

Build = Callable[[str, int], list[tuple[bool, bytes]]]  # (text, its number) → who sent what

SCHEMES: dict[str, str] = {
    "Digest-response": 'Digest username="bob", realm="r", nonce="1", uri="sip:a", response="{p}"',
    "Digest-cnonce": 'Digest username="bob", realm="r", nonce="1", cnonce="{p}", response="00"',
    "Digest-opaque": 'Digest username="bob", realm="r", nonce="1", opaque="{p}", response="00"',
    "Digest-unknown": 'Digest username="bob", realm="r", nonce="1", zeta="{p}", response="00"',
    "NTLM": 'NTLM realm="r", targetname="h", opaque="1", gssapi-data="{ntlm}"',
    "Kerberos": 'Kerberos realm="r", targetname="h", gssapi-data="{base64}"',
    "Kerberos-crand": 'Kerberos realm="r", crand="{p}", response="00"',
    "TLS-DSK": 'TLS-DSK realm="r", targetname="h", gssapi-data="{base64}"',
    "TLS-DSK-cut": 'TLS-DSK realm="r", gssapi-data="{p}', "Bearer": "Bearer {p}", "Basic": "Basic {base64}",
    "none": "{p}", "unknown": 'Zeta eta="{p}"', "token": 'PASSPORT zeta="{p}"', "OAuth": 'Bearer token="{p}"',
}  # fmt: skip
CHALLENGES: dict[str, str] = {
    "nonce": 'Digest realm="r", nonce="{p}"', "opaque": 'Digest realm="r", nonce="1", opaque="{p}"',
    "NTLM": 'NTLM realm="r", gssapi-data="{ntlm}"', "TLS-DSK": 'TLS-DSK realm="r", gssapi-data="{base64}"',
    "unknown": 'Zeta realm="r", eta="{p}"', "Bearer": 'Bearer realm="r", zeta="{p}"',
}  # fmt: skip
REQUEST_FIELDS: dict[str, str] = {
    "Contact.pn-prid": "<sip:bob@192.0.2.1;pn-provider=acme;pn-param=a;pn-prid={u}>",
    "Contact.pn-param": "<sip:bob@192.0.2.1;pn-provider=acme;pn-param={u};pn-prid=1>",
    "Contact.unknown": "<sip:bob@192.0.2.1;zeta={u}>", "Contact.outside": "<sip:bob@192.0.2.1>;zeta={u}",
    "Contact.password": "<sip:bob:{u}@192.0.2.1>", "Contact.header": "<sip:bob@192.0.2.1?zeta={u}>",
    "Contact.instance": '<sip:bob@192.0.2.1>;+sip.instance="<urn:zeta:{u}>"',
    "From.password": "<sip:bob:{u}@a.example>;tag=1", "From.unknown": "<sip:bob@a.example>;tag=1;zeta={u}",
    "From.inside": "<sip:bob@a.example;zeta={u}>;tag=1", "From.header": "<sip:bob@a.example?zeta={u}>;tag=1",
    "To.password": "<sip:bob:{u}@a.example>", "To.unknown": "<sip:bob@a.example>;zeta={u}",
    "To.bare": "sip:bob:{u}@a.example", "To.tel": "<tel:+1;zeta={u}>",
    "Via.unknown": "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1;zeta={u}", "Route.unknown": "<sip:p.example;lr;zeta={u}>",
    "Route.user": "<sip:{u}@p.example;lr>", "Record-Route.unknown": "<sip:p.example;lr;zeta={u}>",
    "Path": "<sip:{u}@p.example;lr;ob>", "Service-Route": "<sip:p.example;zeta={u}>",
    "Refer-To.header": "<sip:bob@a.example?Replaces={u}>", "Referred-By": "<sip:bob@a.example>;zeta={u}",
    "Refer-To.password": "<sip:bob:{u}@a.example>", "P-Asserted-Identity": "<sip:bob:{u}@a.example>",
    "P-Access-Network-Info": "3GPP; zeta={u}", "P-Charging-Vector": "icid-value={u}", "Identity": "{p};info=<https://h.example/>",
    "X-Zeta": "{p}", "X-Token": "{p}", "X-Api-Key": "{p}", "X-PIN": "{p}", "ms-keep-alive": "UAC;zeta={p}",
    "P-Zeta": "{p}", "Subject": "{p}", "Alert-Info": "<https://h.example/a?zeta={u}>", "Call-Info": "<https://h.example/a?zeta={u}>;purpose=icon",
    "Event.unknown": "presence;zeta={p}", "Replaces": "{p};to-tag=1;from-tag=2", "Join": "a;zeta={p}", "Target-Dialog": "a;zeta={p}",
    "Accept-Contact": '*;zeta="{p}"', "Security-Client": "ipsec-3gpp;zeta={p}", "Session-ID": "{p}", "User-to-User": "{p};encoding=ascii",
    "Contact.pn-provider": "<sip:bob@192.0.2.1;pn-provider={u};pn-prid=1>", "Contact.pub-gruu": '<sip:bob@192.0.2.1>;pub-gruu="sip:bob@a.example;gr={u}"',
    "Contact.instance-uuid": '<sip:bob@192.0.2.1>;+sip.instance="<urn:uuid:{u}>"', "From.gruu": "<sip:{u}@a.example;gr>;tag=1",
    "Record-Route.user": "<sip:{u}@p.example;lr>", "Service-Route.user": "<sip:{u}@p.example;lr>", "Route.password": "<sip:a:{u}@p.example;lr>",
    "Join.call": "{p};to-tag=1;from-tag=2", "Target-Dialog.call": "{p};local-tag=1;remote-tag=2", "In-Reply-To": "{p}",
    "Session-ID.remote": "0123456789ab4def8123456789abcdef;remote={p}", "Cisco-Guid": "{p}", "SIP-ETag": "{p}", "SIP-If-Match": "{p}",
    "P-Asserted-Identity.unknown": '"Bob" <sip:bob@a.example;zeta={u}>', "P-Preferred-Identity": "<sip:bob:{u}@a.example>",
    "History-Info": "<sip:bob@a.example?Reason=SIP%3Bzeta%3D{u}>;index=1", "History-Info.privacy": "<sip:bob@a.example>;index=1;zeta={u}",
    "User-to-User.hex": "00{p};encoding=hex", "Identity.info": "abc;info=<https://h.example/a?zeta={u}>;alg=ES256", "Identity.ppt": 'abc;ppt="shaken";zeta="{p}"',
    "Call-Info.cid": "<cid:{u}>;purpose=icon", "Alert-Info.urn": "<urn:alert:zeta:{u}>", "Geolocation.query": "<https://h.example/a?zeta={u}>",
    "Geolocation.bare": "https://h.example/{u}", "Error-Info.uri": "<sip:bob:{u}@a.example>", "ms-conversation-id": "{p}", "ms-correlation-id": "{p}",
    "P-Charging-Vector.icid": 'icid-value="{p}";orig-ioi=a.example', "Diversion": "<sip:bob@a.example>;reason=unknown;zeta={u}", "Refer-Sub": "true;zeta={p}",
    "Cookie": "zeta={p}", "Content-ID": "<{p}>", "Content-Disposition": "session;zeta={p}", "Geolocation": "<https://h.example/{u}>",
}  # fmt: skip
ANSWER_FIELDS: dict[str, str] = {
    "Authentication-Info.rspauth": 'rspauth="{p}"', "Authentication-Info.nextnonce": 'nextnonce="{p}"',
    "Proxy-Authentication-Info": 'NTLM rspauth="{p}", srand="1"', "X-Zeta-Answer": "{p}", "Error-Info": "<https://h.example/a?zeta={u}>",
    "ms-user-logon-data": "{p}", "Set-Cookie": "zeta={p}", "P-Associated-URI": "<sip:bob:{u}@a.example>",
    "Contact.gruu": '<sip:bob@192.0.2.1>;temp-gruu="sip:{u}@a.example;gr"',
}  # fmt: skip
URIS: dict[str, str] = {
    "password": "sip:bob:{u}@a.example", "parameter": "sip:a.example;zeta={u}", "header": "sip:bob@a.example?zeta={u}",
    "pn-prid": "sip:bob@a.example;pn-provider=acme;pn-prid={u}", "user-parameter": "sip:bob;zeta={u}@a.example", "urn": "urn:service:{u}",
}  # fmt: skip
_SDP = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/SAVP 0\r\n"
SDP: dict[str, str] = {
    "k": "k=clear:{p}", "crypto": "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{p}", "ice-pwd": "a=ice-pwd:{p}",
    "ice-ufrag": "a=ice-ufrag:{p}", "unknown": "a=zeta:{p}", "key-mgmt": "a=key-mgmt:mikey {p}", "fmtp": "a=fmtp:0 zeta={p}",
    "information": "i={p}", "email": "e={p}", "candidate": "a=candidate:1 1 UDP 1 192.0.2.1 1 typ host zeta {p}",
    "acap": "a=acap:1 crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{p}", "fingerprint": "a=fingerprint:sha-256 {p}", "cname": "a=ssrc:1 cname:{p}", "msid": "a=msid:{p} {p}",
    "mid": "a=mid:{p}", "label": "a=label:{p}", "tool": "a=tool:{p}", "flag": "a={p}", "path": "a=path:msrp://192.0.2.1:7777/{p};tcp", "codec": "a=rtpmap:96 {p}/8000",
    "candidate.foundation": "a=candidate:{p} 1 UDP 1 192.0.2.1 1 typ host", "candidate.ufrag": "a=candidate:1 1 UDP 1 192.0.2.1 1 typ host ufrag {p}",
    "candidate.password": "a=candidate:dXNlcg 1 {p} UDP 0.83 192.0.2.1 5000", "session": "s={p}", "format": "m=audio 4000 RTP/AVP {p}", "bandwidth": "b={p}:1",
    "fmtp.sprop": "a=fmtp:96 sprop-parameter-sets={p}", "fmtp.pin": "a=fmtp:96 pin={p}", "extmap": "a=extmap:1 https://h.example/a?zeta={u}", "zrtp": "a=zrtp-hash:1.10 {p}",
    "crypto-session": "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc zeta={p}", "uri": "u=https://h.example/a?zeta={u}",
}  # fmt: skip
BODIES: dict[str, tuple[str, str]] = {
    "text": ("text/plain", "the word is {p}"), "html": ("text/html", "<p>{p}</p>"),
    "pidf": ("application/pidf+xml", '<presence xmlns="urn:ietf:params:xml:ns:pidf"><tuple id="a"><note>{p}</note></tuple></presence>'),
    "json": ("application/json", '{{"zeta": "{j}"}}'), "dtmf": ("application/dtmf-relay", "Signal={p}\r\nDuration=160"),
    "summary": ("application/simple-message-summary", "Messages-Waiting: yes\r\nZeta: {p}"), "sipfrag": ("message/sipfrag", "SIP/2.0 200 OK\r\nX-Zeta: {p}"),
    "unknown": ("application/zeta", "{p}"), "xml-ms": ("application/vnd-microsoft-roaming-self+xml", '<roamingData zeta="{j}"/>'),
    "watcher": ("application/watcherinfo+xml", '<watcherinfo xmlns="urn:ietf:params:xml:ns:watcherinfo"><watcher id="a" zeta="{j}">{p}</watcher></watcherinfo>'),
    "pidf.element": ("application/pidf+xml", '<presence xmlns="urn:ietf:params:xml:ns:pidf"><tuple id="a"><zeta>{p}</zeta></tuple></presence>'),
    "xcap": ("application/xcap-diff+xml", '<xcap-diff xmlns="urn:ietf:params:xml:ns:xcap-diff"><document sel="{j}" zeta="{j}"/></xcap-diff>'),
    "dialog-info": ("application/dialog-info+xml", '<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info"><dialog id="{j}"><zeta>{p}</zeta></dialog></dialog-info>'),
    "location": ("application/pidf+xml", '<presence xmlns="urn:ietf:params:xml:ns:pidf"><civicAddress><A3>{p}</A3></civicAddress></presence>'),
    "multipart": ("multipart/mixed;boundary=xYz", "--xYz\r\nContent-Type: text/plain\r\n\r\n{p}\r\n--xYz--\r\n"),
    "multipart-sdp": ("multipart/mixed;boundary=xYz", "--xYz\r\nContent-Type: application/sdp\r\n\r\n" + _SDP + "a=ice-pwd:{p}\r\n--xYz--\r\n"),
}  # fmt: skip


def _clean(text: str) -> str:
    return text.replace("\r", "").replace("\n", "")


def message(
    start: str, text: str, number: int, extra: str = "", body: bytes = b"", **own: str
) -> bytes:
    """A SIP message; `own` replaces or adds header fields (`_` in names is `-`)."""
    method = start.partition(" ")[0]
    fields = {
        "Via": "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1", "From": "<sip:bob@a.example>;tag=1",
        "To": "<sip:bob@a.example>", "Call-ID": f"call-{number}", "CSeq": f"1 {'REGISTER' if '/' in method else method}",
        "Contact": "<sip:bob@192.0.2.1>",
    }  # fmt: skip
    fields.update(own)
    lines = [start, *(f"{name.replace('_', '-')}: {value}" for name, value in fields.items())]
    lines += [extra] if extra else []
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def _pair(
    request: bytes, number: int, status: str = "403 Forbidden", extra: str = ""
) -> list[tuple[bool, bytes]]:
    return [(True, request), (False, message(f"SIP/2.0 {status}", "", number, extra))]


def _field(name: str, template: str) -> Build:
    def build(text: str, number: int) -> list[tuple[bool, bytes]]:
        field, value = name.partition(".")[0], _clean(filled(template, text))
        if field in ("Contact", "From", "To", "Via"):
            request = message("REGISTER sip:a.example SIP/2.0", text, number, **{field: value})
        else:
            request = message("REGISTER sip:a.example SIP/2.0", text, number, f"{field}: {value}")
        return _pair(request, number)

    return build


def _answer(name: str, template: str, status: str = "200 OK") -> Build:
    def build(text: str, number: int) -> list[tuple[bool, bytes]]:
        field = name.partition(".")[0].removesuffix("-Answer")
        request = message("REGISTER sip:a.example SIP/2.0", text, number)
        return _pair(request, number, status, f"{field}: {_clean(filled(template, text))}")

    return build


def _uri(template: str, method: str) -> Build:
    return lambda t, n: _pair(
        message(f"{method} {filled(template, quote(t, safe='%'))} SIP/2.0", t, n), n
    )


def _body(kind: str, template: str, method: str) -> Build:
    def build(text: str, number: int) -> list[tuple[bool, bytes]]:
        body = filled(template, text).encode()
        start = f"{method} sip:bob@a.example SIP/2.0"
        return _pair(message(start, text, number, f"Content-Type: {kind}", body), number)

    return build


# What a refusal may repeat besides the credentials' response.
CREDENTIALS: dict[str, str] = {
    "nonce": 'Authorization: Digest username="bob", realm="r", nonce="{p}", response="00"',
    "cnonce": 'Proxy-Authorization: Digest username="bob", realm="r", nonce="1", cnonce="{p}", response="00"',
    "opaque": 'Authorization: Digest username="bob", realm="r", nonce="1", opaque="{p}", response="00"',
    "bearer": "Authorization: Bearer {p}", "password": "Reply-To: <sip:bob:{p}@a.example>", "none": "Authorization: {p}",
}  # fmt: skip
_RESPONSE = 'Authorization: Digest username="bob", realm="r", nonce="1", response="{p}"'


def _before(extra: str, status: str) -> Build:
    """A refusal that is captured before what it repeats."""
    return lambda text, number: _echo(extra, status)(text, number)[::-1]


def _echo(extra: str, status: str, sent: str = _RESPONSE) -> Build:
    """A refusal that repeats what was sent as the credentials' response."""

    def build(text: str, number: int) -> list[tuple[bool, bytes]]:
        own = sent.replace("{p}", _clean(text))
        request = message("REGISTER sip:a.example SIP/2.0", text, number, own)
        return _pair(
            request, number, status.replace("{p}", _clean(text)), extra.replace("{p}", _clean(text))
        )

    return build


def _dsk(text: str, number: int) -> list[tuple[bool, bytes]]:
    """A ClientHello in TLS-DSK whose session id and ticket are the secret."""
    secret = text.encode()[:200]
    ticket = b"\0\x23" + len(secret).to_bytes(2) + secret
    hello = b"\3\3" + bytes(32) + b"\x20" + secret[:32].ljust(32, b"x") + b"\0\2\xc0\x2f\1\0"
    hello += len(ticket).to_bytes(2) + ticket
    body = b"\1" + len(hello).to_bytes(3) + hello
    record = b"\x16\3\1" + len(body).to_bytes(2) + body
    blob = base64.b64encode(record).decode()
    own = f'Authorization: TLS-DSK qop="auth", realm="r", targetname="h", gssapi-data="{blob}"'
    return _pair(message("REGISTER sip:a.example SIP/2.0", text, number, own), number)


PLACES: dict[str, Build] = {
    **{f"authorization.{n}": _field("Authorization", t) for n, t in SCHEMES.items()},
    **{f"proxy-authorization.{n}": _field("Proxy-Authorization", t) for n, t in SCHEMES.items()},
    **{f"www-authenticate.{n}": _answer("WWW-Authenticate", t, "401 Unauthorized") for n, t in CHALLENGES.items()},
    **{f"proxy-authenticate.{n}": _answer("Proxy-Authenticate", t, "407 Proxy") for n, t in CHALLENGES.items()},
    **{f"request.{n}": _field(n, t) for n, t in REQUEST_FIELDS.items()},
    **{f"response.{n}": _answer(n, t) for n, t in ANSWER_FIELDS.items()},
    **{f"uri.{n}": _uri(t, "INVITE") for n, t in URIS.items()},
    **{f"sdp.{n}": _body("application/sdp", _SDP + t + "\r\n", "INVITE") for n, t in SDP.items()},
    **{f"body.{n}": _body(k, t, "MESSAGE") for n, (k, t) in BODIES.items()},
    "dsk.client-hello": _dsk,
    "echo.reason": _echo("X-A: 1", "403 Wrong {p} now"),
    "echo.warning": _echo('Warning: 399 h.example "Wrong {p} now"', "403 Forbidden"),
    "echo.ms-diagnostics": _echo('ms-diagnostics: 4000;reason="Wrong {p} now";source="h"', "403 Forbidden"),
    "echo.reason-field": _echo('Reason: SIP;cause=403;text="Wrong {p} now"', "403 Forbidden"),
    "echo.ms-diagnostics-public": _echo('ms-diagnostics-public: 4000;reason="Wrong {p} now";source="h"', "403 Forbidden"),
    **{f"echo.{n}": _echo('Warning: 399 h.example "Wrong {p} now"', "403 Wrong {p} now", t) for n, t in CREDENTIALS.items()},
    "echo.before": _before('Reason: SIP;cause=403;text="Wrong {p} now"', "403 Wrong {p} now"),
    "ms-diagnostics.unknown": _answer("ms-diagnostics", '4000;reason="No";zeta="{p}"', "403 Forbidden"),
    "ms-diagnostics.url": _answer("ms-diagnostics", '4000;reason="No";source="h";url="https://h.example/?zeta={u}"', "403 Forbidden"),
    "reason.parameter": _answer("Reason", 'SIP;cause=403;zeta="{p}"', "403 Forbidden"),
}  # fmt: skip

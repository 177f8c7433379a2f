"""Positions in HTTP: targets, header fields, bodies, each as an exchange with a canary in it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

from tests.canary import body_places

HOST = "login.example"
Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Exchange:
    """A request and its response. Texts are latin-1; lengths are added when it is written."""

    target: str = "/zeta"
    method: str = "GET"
    fields: Fields = ()
    body: bytes = b""
    kind: str = ""
    status: int = 200
    reason: str = "OK"
    answer: Fields = ()
    content: bytes = b""
    content_kind: str = ""
    trailers: Fields = ()
    extension: str = ""  # of each chunk of the response
    host: str = HOST


Build = Callable[[str], Exchange]


def safe(text: str) -> str:
    """As a part of a URL."""
    return quote(text, safe="%")


SECRET_QUERIES = (
    "q", "zeta", "token", "code", "sig", "X-Amz-Signature", "X-Goog-Signature", "api_key", "key",
    "state", "RelayState", "SAMLart", "ticket", "wctx", "passCode", "user_code", "hash", "h",
)  # fmt: skip
SCHEMES: dict[str, str] = {
    "Basic": "Basic {base64}", "Bearer": "Bearer {p}", "Digest-response":
    'Digest username="bob", realm="r", nonce="1", uri="/", response="{p}"',
    "Digest-cnonce": 'Digest username="bob", realm="r", nonce="1", cnonce="{p}", nc=00000001',
    "Digest-opaque": 'Digest username="bob", realm="r", nonce="1", opaque={p}',
    "Digest-nonce": 'Digest username="bob", nonce="{p}", response="00"',
    "Negotiate": "Negotiate {base64}", "NTLM": "NTLM {ntlm}", "Kerberos": "Kerberos {base64}",
    "AWS4": "AWS4-HMAC-SHA256 Credential=AKIA/1/a/s3/aws4_request, SignedHeaders=host, "
    "Signature={p}", "AWS-credential": "AWS AKID:{p}",
    "OAuth": 'OAuth oauth_consumer_key="a", oauth_token="{p}"',
    "OAuth-signature": 'OAuth realm="r", oauth_signature="{p}"',
    "Hawk": 'Hawk id="a", ts="1", nonce="b", mac="{p}"', "Hawk-ext": 'Hawk id="a", ext="{p}"',
    "ApiKey": "ApiKey {p}", "Token": "Token token={p}", "SharedKey": "SharedKey account:{p}",
    "SharedAccessSignature": "SharedAccessSignature sr=a&sig={p}&se=1&skn=b",
    "WRAP": 'WRAP access_token="{p}"', "PoP": "PoP {p}", "DPoP": "DPoP {p}", "MAC": 'MAC mac="{p}"',
    "vapid": "vapid t={p}, k=a", "HOBA": 'HOBA result="{p}"', "Mutual": 'Mutual kc1="{p}"',
    "none": "{p}", "none-words": "key {p} key", "unknown": 'Zeta eta="{p}"', "colon": "bob:{p}",
    "unknown-scope": 'Bearer scope="a", zeta="{p}"', "unknown-bare": "Zeta eta={p}",
    "realm-like": 'Zeta realm="a", password="{p}"', "GoogleLogin": "GoogleLogin auth={p}",
}  # fmt: skip
REQUEST_FIELDS: dict[str, str] = {
    **dict.fromkeys(("X-Api-Key", "X-Auth-Token", "X-Amz-Security-Token", "Ocp-Apim-Subscription-Key", "X-Functions-Key", "PRIVATE-TOKEN", "X-Vault-Token", "X-Shopify-Access-Token", "api-key", "apikey", "X-Zeta", "Zeta", "X-CSRF-Token", "X-Goog-Api-Key", "DPoP", "X-MS-WebTicket", "Sec-WebSocket-Protocol", "X-Forwarded-Access-Token", "X-Original-URL", "X-Client-Secret", "X-Passcode", "Kennwort", "X-PIN", "X-Amzn-Oidc-Data", "X-Remote-User-Key", "If-Match", "Signature", "Authentication", "X-Registration-Id", "X-Device-Id", "Idempotency-Key"), "{p}"),
    "Origin": "https://bob:{u}@h.example", "Referer.query": "https://h.example/a?zeta={u}",
    "Referer.fragment": "https://h.example/a#zeta={u}", "Referer.path": "https://h.example/a/{u}/b",
    "Referer.userinfo": "https://bob:{u}@h.example/", "Cookie": "a=1; zeta={p}",
    "Cookie.bare": "{p}", "Cookie.quoted": 'zeta="{p}"', "Forwarded": "for=192.0.2.9;secret={p}",
    "Content-Disposition": 'attachment; filename="{p}"', "Via": "1.1 h.example ({p})",
    "Link.request": "<https://h.example/a?t={u}>; rel=next", "Content-Type": "text/plain; zeta={p}",
    "Accept": "text/html; zeta={p}", "Cache-Control": 'private="{p}"',
    "Sec-WebSocket-Protocol.bearer": "sip, base64url.bearer.authorization.k8s.io.{p}",
    "Destination": "https://h.example/a?zeta={u}", "Prefer": 'zeta="{p}"', "Expect": "100={p}",
    "Tracestate": "zeta={p}", "Baggage": "userKey={p}", "X-Json": '{{"eta": "{j}"}}',
    "User-Agent.named": "Zeta/1 (password: {p})", "Accept-Language": "de;zeta={p}", "Sec-CH-UA": '"Zeta";v="1";eta="{p}"',
}  # fmt: skip
ANSWER_FIELDS: dict[str, str] = {
    "Set-Cookie": "zeta={p}; Path=/; HttpOnly", "Set-Cookie.path": "a=1; Path=/{u}/b",
    "Set-Cookie.attribute": "a=1; zeta={p}",
    "Location.query": "https://h.example/a?zeta={u}", "Location.path": "https://h.example/a/{u}/b",
    "Location.fragment": "https://h.example/a#access_token={u}&zeta=1",
    "Location.fragment-unknown": "https://h.example/#zeta={u}",
    "Location.fragment-bare": "https://h.example/#{u}",
    "Location.userinfo": "https://bob:{u}@h.example/", "Location.relative": "?{u}",
    "Location.parameter": "/a;zeta={u}", "Location.nested":
    "https://h.example/a?to=https%3A%2F%2Fi.example%2Fb%3Fzeta%3D{u}",
    "Location.custom-scheme": "zeta.app:/cb?zeta={u}", "Location.mailto": "mailto:a@b?zeta={u}",
    "Content-Location": "/a?zeta={u}", "Refresh": "0; url=https://h.example/a?zeta={u}",
    "Link": "<https://h.example/a?t={u}>; rel=next", "Link.parameter": "</a>; rel=next; zeta={p}",
    "WWW-Authenticate.nonce": 'Digest realm="r", nonce="{p}"',
    "WWW-Authenticate.opaque": 'Digest realm="r", nonce="1", opaque="{p}"',
    "WWW-Authenticate.unknown": 'Bearer realm="r", zeta="{p}"',
    "WWW-Authenticate.Negotiate": "Negotiate {base64}", "WWW-Authenticate.NTLM": "NTLM {ntlm}",
    "WWW-Authenticate.bare": "Zeta {p}", "Proxy-Authenticate": 'Digest realm="r", nonce="{p}"',
    "Authentication-Info.nextnonce": 'nextnonce="{p}"', "Authentication-Info.rspauth":
    'rspauth="{p}", nc=00000001', "Proxy-Authentication-Info": "zeta={p}", "X-Zeta-Answer": "{p}",
    "X-Auth-Token-Answer": "{p}", "X-Subject-Token": "{p}", "Authorization-Answer": "Bearer {p}",
    "X-Amz-Cf-Id": "{p}", "Report-To": '{{"url": "https://h.example/?zeta={u}"}}',
    "SourceMap": "/a?zeta={u}", "Alt-Svc": 'h2=":443"; zeta="{p}"', "Clear-Site-Data": '"{p}"',
    "Content-Security-Policy": "script-src 'nonce-{p}'; report-uri /a?zeta={u}",
    "Server-Timing": 'zeta;desc="{p}"', "Sec-WebSocket-Protocol.answer": "{p}",
    "Sec-WebSocket-Extensions": "zeta; eta={p}", "Strict-Transport-Security": "zeta={p}",
    "P3P": 'CP="{p}"', "X-MS-Trace": "{p}", "ETag": '"{p}"', "Vary": "{p}",
}  # fmt: skip
TARGETS: dict[str, str] = {
    "path.segment": "/a/{u}/b", "path.last": "/a/{u}", "path.parameter": "/a;zeta={u}/b",
    "path.jsessionid": "/a;jsessionid={u}", "path.bare-parameter": "/a;{u}/b",
    "query.bare": "/a?{u}", "query.empty-name": "/a?={u}", "query.semicolon": "/a?x=1;zeta={u}",
    "query.array": "/a?zeta[]={u}", "query.dotted": "/a?zeta.eta={u}",
    "query.redirect_uri.query": "/a?redirect_uri=https%3A%2F%2Fh.example%2Fcb%3Fzeta%3D{u}",
    "query.redirect_uri.userinfo": "/a?redirect_uri=https%3A%2F%2Fbob%3A{u}%40h.example%2F",
    "query.redirect_uri.path": "/a?redirect_uri=https%3A%2F%2Fh.example%2F{u}%2Fb",
    "query.twice": "/a?zeta=1&zeta={u}", "fragment": "/a#zeta={u}",
    "absolute.userinfo": "http://bob:{u}@login.example/a", "absolute.query":
    "http://login.example/a?zeta={u}",
}  # fmt: skip


def filled(template: str, text: str) -> str:
    """`{p}` is the text, `{u}` it in a URL, `{j}` in JSON; blobs hold it in base64."""
    blob = base64.b64encode(b"bob:" + text.encode()).decode()
    ntlm = b"NTLMSSP\0\3\0\0\0" + bytes(52) + text.encode("utf-16-le")
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return template.format(
        p=text if '"{p}"' not in template else quoted, u=safe(text), j=quoted, base64=blob,
        ntlm=base64.b64encode(ntlm).decode(),
    )  # fmt: skip


def _request_field(name: str, template: str) -> Build:
    def build(text: str) -> Exchange:
        return Exchange(fields=((name.partition(".")[0], filled(template, text)),))

    return build


def _answer_field(name: str, template: str) -> Build:
    field_name = name.partition(".")[0].removesuffix("-Answer")
    status = 302 if field_name == "Location" else 401 if "uthenticate" in name else 200

    def build(text: str) -> Exchange:
        answer = ((field_name, filled(template, text)),)
        return Exchange(status=status, reason="Found", answer=answer)

    return build


def _target(template: str) -> Build:
    return lambda text: Exchange(target=filled(template, text))


def _posted(kind: str, template: Callable[[str], bytes]) -> Build:
    return lambda text: Exchange(method="POST", kind=kind, body=template(text))


def _answered(kind: str, template: Callable[[str], bytes]) -> Build:
    return lambda text: Exchange(content_kind=kind, content=template(text))


def _all() -> Iterator[tuple[str, Build]]:
    for name, template in TARGETS.items():
        yield f"target.{name}", _target(template)
    for name in SECRET_QUERIES:
        yield f"target.query.{name}", _target(f"/a?x=1&{name}={{u}}")
    for name, template in SCHEMES.items():
        yield f"authorization.{name}", _request_field("Authorization", template)
        if name in ("Basic", "Digest-response", "NTLM", "none", "unknown"):
            yield f"proxy-authorization.{name}", _request_field("Proxy-Authorization", template)
    for name, template in REQUEST_FIELDS.items():
        yield f"request.{name}", _request_field(name, template)
    for name, template in ANSWER_FIELDS.items():
        yield f"response.{name}", _answer_field(name, template)
    for name, (kind, body) in body_places.BODIES.items():
        if name.startswith(("form.", "multipart.")):
            yield f"request.body.{name}", _posted(kind, body)
        else:
            yield f"response.body.{name}", _answered(kind, body)
    for name, (kind, body) in body_places.both_ways():
        yield f"request.body.{name}", _posted(kind, body)
    yield (
        "response.trailer",
        lambda t: Exchange(content=b"{}", content_kind="application/json",
                           trailers=(("X-Zeta", t),)),
    )  # fmt: skip
    yield (
        "response.chunk-extension",
        lambda t: Exchange(content=b"{}", content_kind="application/json", extension=f"zeta={t}"),
    )
    for name, echo in body_places.ECHOES.items():
        yield f"echo.{name}", _echo(echo)


def _echo(echo: Callable[[str, str], dict[str, object]]) -> Build:
    """The server's own words repeat what was sent as a password."""

    def build(text: str) -> Exchange:
        sent = f"username=bob&password={safe(text)}".encode()
        return Exchange(
            method="POST", kind="application/x-www-form-urlencoded", body=sent,
            **echo(text, safe(text)),  # type: ignore[arg-type]
        )  # fmt: skip

    return build


PLACES: dict[str, Build] = {}
for _name, _build in _all():
    assert _name not in PLACES, _name
    PLACES[_name] = _build

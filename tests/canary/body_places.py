"""Bodies with a canary in them: forms, multipart, JSON, XML, SOAP, SAML, pages, other texts."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Iterator
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

Body = Callable[[str], bytes]
FORM, JSON, XML = "application/x-www-form-urlencoded", "application/json", "application/xml"
SOAP, HTML = "application/soap+xml; charset=utf-8", "text/html; charset=utf-8"

FORM_NAMES = (
    "password", "passwd", "pwd", "pf.pass", "passCode", "credentials.passcode", "answer",
    "kennwort", "mot_de_passe", "contraseña", "senha", "wachtwoord", "parola", "salasana", "密码",
    "пароль", "mfaCode", "otp", "pin", "callbacks[0].input[0].value", "j_password", "txtPass",
    "Field7", "pw", "Ecom_Password", "IDToken2", "session[password]", "user[pin]", "data",
    "client_secret", "assertion", "code", "refresh_token", "device_code", "RelayState", "state",
    "wresult", "secret_answer", "zeta", "newPassword", "confirm", "VerificationCode", "smscode",
    "title", "comment", "id", "name2", "k", "",
)  # fmt: skip
JSON_KEYS = (
    "password", "pass", "passphrase", "privateKey", "mfaCode", "zeta", "access_token", "token",
    "answer", "kennwort", "contraseña", "пароль", "d", "key", "sig", "otc", "id", "note", "hint",
)  # fmt: skip


def _form(name: str) -> Body:
    return lambda t: f"username=bob&x=1&{quote(name)}={quote(t, safe='%')}&go=1".encode()


def _json(make: Callable[[str], object]) -> Body:
    return lambda t: json.dumps(make(t), ensure_ascii=False).encode()


def _xml(template: str) -> Body:
    """`{p}` is text of an element, `{a}` an attribute with its quotation marks."""

    def body(text: str) -> bytes:
        marked = template.replace("{p}", escape(text)).replace("{a}", quoteattr(text))
        return marked.replace("{raw}", text.replace("--", "- -").replace("]]", "] ]")).encode()

    return body


_SOAP = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
    ' xmlns:o="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"'
    ' xmlns:t="http://docs.oasis-open.org/ws-sx/ws-trust/200512"'
    ' xmlns:a="urn:oasis:names:tc:SAML:1.0:assertion"><s:Header>{head}</s:Header>'
    "<s:Body>{body}</s:Body></s:Envelope>"
)


def _soap(head: str = "", body: str = "") -> Body:
    return _xml(_SOAP.replace("{head}", head).replace("{body}", body))


_XML: dict[str, str] = {
    "password": "<a><password>{p}</password></a>", "pass": "<a><pass>{p}</pass></a>",
    "unknown": "<a><zeta>{p}</zeta></a>", "attribute": "<a><b zeta={a}/></a>",
    "attribute-password": "<a><b password={a}/></a>", "cdata": "<a><zeta><![CDATA[{raw}]]></zeta></a>",
    "comment": "<a><!-- {raw} --><b/></a>", "instruction": "<a><?zeta {raw}?><b/></a>",
    "tail": "<a><b/>{p}<c/></a>", "key-value": '<c><add key="password" value={a}/></c>',
    "plist": "<plist><dict><key>password</key><string>{p}</string></dict></plist>",
    "setting": "<P><reg reg.1.auth.password={a} reg.1.address=\"bob\"/></P>",
    "setting-unknown": "<P><z zeta.1.eta={a}/></P>", "deep": "<a><b><c><d><e>{p}</e></d></c></b></a>",
    "namespace": "<a xmlns=\"urn:x\"><x:z xmlns:x={a}>1</x:z></a>", "mixed": "<a>one {p} two</a>",
    "entity": "<!DOCTYPE a [<!ENTITY z {a}>]><a>&z;</a>", "broken": "<a><zeta>{p}</zeta><b></a>",
    "cut": "<a><zeta>{p}", "param": '<a><param name="pin"><value>{p}</value></param></a>',
}  # fmt: skip
_SOAPS: dict[str, Body] = {
    "username-token": _soap("<o:Security><o:UsernameToken><o:Username>bob</o:Username>"
                            "<o:Password>{p}</o:Password></o:UsernameToken></o:Security>"),
    "nonce": _soap("<o:Security><o:UsernameToken><o:Nonce>{p}</o:Nonce></o:UsernameToken>"
                   "</o:Security>"),
    "binary-secret": _soap(body="<t:RequestSecurityTokenResponse><t:RequestedProofToken>"
                           "<t:BinarySecret>{p}</t:BinarySecret></t:RequestedProofToken>"
                           "</t:RequestSecurityTokenResponse>"),
    "binary-token": _soap("<o:Security><o:BinarySecurityToken>{p}</o:BinarySecurityToken>"
                          "</o:Security>"),
    "key-identifier": _soap(body="<o:KeyIdentifier>{p}</o:KeyIdentifier>"),
    "assertion-attribute": _soap(body="<a:Assertion AssertionID=\"i\"><a:Attribute"
                                 " AttributeName=\"zeta\"><a:AttributeValue>{p}</a:AttributeValue>"
                                 "</a:Attribute></a:Assertion>"),
    "assertion-id": _soap(body="<a:Assertion AssertionID={a} Issuer=\"urn:i\"/>"),
    "request-unknown": _soap(body="<t:RequestSecurityToken><t:Zeta>{p}</t:Zeta>"
                             "</t:RequestSecurityToken>"),
    "header-unknown": _soap("<z:Zeta xmlns:z=\"urn:z\">{p}</z:Zeta>"),
    "signature": _soap("<SignatureValue>{p}</SignatureValue>"),
}  # fmt: skip
_PAGES: dict[str, str] = {
    "hidden": "<form><input type=hidden name=zeta value={a}></form>",
    "hidden-id": "<form><input type=hidden id=zeta value={a}></form>",
    "password": "<form><input type=password value={a}></form>",
    "text": "<form><input type=text name=eta value={a}><input type=password></form>",
    "textarea": "<form><textarea name=eta>{p}</textarea></form>",
    "option": "<form><select name=eta><option value={a} selected>a</option></select></form>",
    "option-text": "<form><select name=eta><option>{p}</option></select></form>",
    "button": "<form><button name=eta value={a}>Go</button></form>", "data": "<div data-zeta={a}>a</div>",
    "script": "<script>var zeta = {a};</script>", "script-json": "<script>$Config={{\"zeta\":{a}}};</script>",
    "meta-refresh": '<meta http-equiv=refresh content="0; url=https://h.example/a?zeta={p}">',
    "meta": "<meta name=csrf-token content={a}>", "comment": "<!-- {raw} -->",
    "style": "<style>a:before{{content:{a}}}</style>", "href": "<a href=\"/a?zeta={p}\">a</a>",
    "action": "<form action=\"/a?zeta={p}\"><input name=a></form>", "src": "<img src=\"/a?zeta={p}\">",
    "paragraph": "<p>{p}</p>", "cell": "<table><tr><td>Code</td><td>{p}</td></tr></table>",
    "label": "<label>{p}</label>", "code": "<code>{p}</code>", "pre": "<pre>{p}</pre>",
    "span": "<span id=zeta>{p}</span>", "noscript": "<noscript>{p}</noscript>", "alt": "<img alt={a}>",
    "title-attribute": "<div title={a}>a</div>", "li": "<ul><li>{p}</li></ul>", "iframe": "<iframe src=\"/a#zeta={p}\">",
    "template": "<template><p>{p}</p></template>", "bare": "{p}", "malformed": "<input type=hidden name=zeta value={a}",
}  # fmt: skip
_JSONS: dict[str, Callable[[str], object]] = {
    "deep": lambda t: {"a": [{"b": {"c": [1, {"zeta": t}]}}]},
    "pair.name-value": lambda t: {"fields": [{"name": "password", "value": t}]},
    "pair.id-value": lambda t: [{"id": "IDToken2", "value": t}],
    "pair.key-answer": lambda t: {"key": "pin", "answer": t},
    "array-under": lambda t: {"password": [t, {"a": t}]}, "object-under": lambda t: {"password": {"a": t}},
    "array": lambda t: [t], "string": lambda t: t, "in-json": lambda t: {"a": json.dumps({"zeta": t})},
    "url": lambda t: {"url": f"https://h.example/a?zeta={quote(t)}"},
    "callbacks": lambda t: {"callbacks": [{"type": "PasswordCallback", "input": [{"name": "IDToken2", "value": t}]}]},
    "jwk": lambda t: {"keys": [{"kty": "oct", "k": t}]}, "sentence": lambda t: {"zeta": f"it is {t} now"},
}  # fmt: skip


def _texts() -> Iterator[tuple[str, tuple[str, Body]]]:
    yield "text.plain", ("text/plain", lambda t: f"the word is {t}".encode())
    yield "text.csv", ("text/csv", lambda t: f"bob,{t}\r\n".encode())
    yield "text.ini", ("text/plain", lambda t: f"[a]\npassword = {t}\n".encode())
    yield "text.yaml", ("application/yaml", lambda t: f"a:\n  zeta: {t}\n".encode())
    yield "text.events", ("text/event-stream", lambda t: f"data: {t}\n\n".encode())
    yield "text.javascript", ("application/javascript", lambda t: f"zeta='{t}'".encode())
    yield "text.css", ("text/css", lambda t: f"/* {t} */".encode())
    yield "text.jwt", ("application/jwt", lambda t: t.encode())
    yield "text.no-type", ("", lambda t: f"zeta={t}".encode())
    yield "binary", ("application/octet-stream", lambda t: b"\0\1" + t.encode() + b"\0")
    yield "binary.utf16", ("application/octet-stream", lambda t: t.encode("utf-16"))
    yield "answer-form", (FORM, lambda t: f"zeta={quote(t)}&a=1".encode())
    yield (
        "json.lines",
        ("application/x-ndjson", lambda t: json.dumps({"zeta": t}).encode() + b"\n{}"),
    )
    yield (
        "json.jsonp",
        ("application/javascript", lambda t: f"cb({json.dumps({'zeta': t})})".encode()),
    )
    yield "json.cut", (JSON, lambda t: f'{{"zeta": {json.dumps(t)}, "a"'.encode())
    yield "json.twice", (JSON, lambda t: f'{{"a": {json.dumps(t)}, "a": 1}}'.encode())
    yield (
        "json.utf16",
        ("application/json; charset=utf-16", lambda t: json.dumps({"zeta": t}).encode("utf-16")),
    )
    yield (
        "json.escaped",
        (JSON, lambda t: ('{"zeta": "' + "".join(f"\\u{ord(c):04x}" for c in t) + '"}').encode()),
    )


_BOUNDARY = "multipart/form-data; boundary=xYz"


def _part(head: str, kind: str = "") -> Body:
    def body(text: str) -> bytes:
        lines = [f"--xYz\r\nContent-Disposition: form-data; {head}"]
        lines += [f"Content-Type: {kind}"] if kind else []
        return "\r\n".join([*lines, "", text, "--xYz--", ""]).encode()

    return body


def _saml(text: str) -> str:
    return f'<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_1"><zeta>{escape(text)}</zeta></samlp:Response>'


def _deflated(text: str) -> str:
    packer = zlib.compressobj(wbits=-15)
    return base64.b64encode(packer.compress(text.encode()) + packer.flush()).decode()


BODIES: dict[str, tuple[str, Body]] = {
    **{f"form.{name}": (FORM, _form(name)) for name in FORM_NAMES},
    "form.SAMLResponse": (FORM, lambda t: ("SAMLResponse=" + quote(base64.b64encode(_saml(t).encode()), safe="")).encode()),
    "form.SAMLRequest": (FORM, lambda t: ("SAMLRequest=" + quote(_deflated(_saml(t)), safe="")).encode()),
    "form.password-twice": (FORM, lambda t: f"body={quote('password=' + quote(t), safe='')}".encode()),
    "multipart.password": (_BOUNDARY, _part('name="password"')),
    "multipart.unknown": (_BOUNDARY, _part('name="zeta"')),
    "multipart.file": (_BOUNDARY, _part('name="f"; filename="a.txt"', "text/plain")),
    "multipart.json": (_BOUNDARY, lambda t: _part('name="j"', JSON)(json.dumps({"zeta": t}))),
    **{f"json.key.{key}": (JSON, _json(lambda t, key=key: {"a": 1, key: t})) for key in JSON_KEYS},  # type: ignore[misc]
    **{f"json.{name}": (JSON, _json(make)) for name, make in _JSONS.items()},
    **{f"xml.{name}": (XML, _xml(template)) for name, template in _XML.items()},
    **{f"soap.{name}": (SOAP, body) for name, body in _SOAPS.items()},
    **{
        f"html.{name}": (HTML, _xml(f"<html><head><title>A</title></head><body>{template.replace('{{', '{').replace('}}', '}')}</body></html>"))
        for name, template in _PAGES.items()
    },
    **dict(_texts()),
}  # fmt: skip


def both_ways() -> Iterator[tuple[str, tuple[str, Body]]]:
    """Those that are sent as often as they are answered."""
    for name, body in BODIES.items():
        if name.startswith(("json.", "xml.", "soap.", "text.", "binary")):
            yield name, body


def _words(text: str) -> str:
    return f"The password {text} is not right"


# Sentences of a server that quote what no sentence may: a named secret, an address with one.
_SAID: dict[str, Callable[[str], object]] = {
    "said.named": lambda t: {"error": "x", "error_description": f"password={t} was wrong"},
    "said.url": lambda t: {
        "error": "x",
        "error_description": f"see https://h.example/a?zeta={quote(t)} now",
    },
    "said.json": lambda t: {"error": "x", "error_description": json.dumps({"zeta": t})},
}
BODIES.update({f"json.{name}": (JSON, _json(make)) for name, make in _SAID.items()})

# The server's own words, which stay readable: a secret that is known must be masked in them.
ECHOES: dict[str, Callable[[str, str], dict[str, object]]] = {
    "reason": lambda t, u: {"status": 403, "reason": _words(t)},
    "error_description": lambda t, u: {"status": 400, "content_kind": JSON, "content": json.dumps(
        {"error": "invalid_grant", "error_description": _words(t)}).encode()},
    "error_description.query": lambda t, u: {"status": 302, "answer": (
        ("Location", f"https://h.example/?error=access_denied&error_description=The+password+{u}"),)},
    "message": lambda t, u: {"status": 400, "content_kind": JSON, "content": json.dumps(
        {"error": {"code": "x", "message": _words(t)}}).encode()},
    "fault": lambda t, u: {"status": 500, "content_kind": SOAP, "content": _soap(
        body="<s:Fault><s:Reason><s:Text>Wrong: {p}</s:Text></s:Reason></s:Fault>")(t)},
    "heading": lambda t, u: {"content_kind": HTML, "content": _xml(
        "<html><title>No</title><h1>{p} is wrong</h1></html>")(t)},
    "title": lambda t, u: {"content_kind": HTML, "content": _xml("<html><title>{p}</title></html>")(t)},
    "error-element": lambda t, u: {"content_kind": HTML, "content": _xml(
        "<html><div id=errorText class=error>Wrong: {p}</div></html>")(t)},
    "warning": lambda t, u: {"answer": (("Warning", f'199 - "{_words(t)}"'),)},
    "www-authenticate": lambda t, u: {"status": 401, "answer": (
        ("WWW-Authenticate", f'Bearer error="invalid_token", error_description="{_words(t)}"'),)},
    "ms-diagnostics": lambda t, u: {"status": 403, "answer": (
        ("X-MS-diagnostics", f'4000;reason="{_words(t)}"'),)},
}  # fmt: skip

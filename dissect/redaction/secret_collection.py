"""Finds every secret of a message, whatever rule reads it, so that none can slip through.

What is judged a secret of a known kind where it stands goes into the `SecretBook`, which masks it
in every other text; what is encoded inside a value is looked for, too (`layers`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from dissect.model import UNKNOWN, Headers, HttpRequest, HttpResponse, Secret, SipMessage, wire_text
from dissect.redaction import encodings, fields, jsons, markup, multipart, pages, sip_secrets, typed
from dissect.redaction.judge import Judge, Part
from dissect.redaction.kinds import SETTING, kind_by_words, kind_of
from dissect.redaction.shown_bodies import items, media_type
from dissect.redaction.typed import Item, Served

BODY_LIMIT = 1 << 20  # a sign-in's page is some hundred KB; beyond that only its start is read

_JSON_STRING = re.compile(r'"([\w.:-]++)"\s*+:\s*+"((?:[^"\\]|\\.)*+)"')
_SAML = ("samlresponse", "samlrequest")
_XML_SECRET = re.compile(
    r"<(?:[\w-]++:)?(BinarySecret|BinarySecurityToken|Password|SignatureValue|RequestedProofToken"
    r"|CipherValue|Artifact|Passwort|Kennwort|Pass|Pwd|Passphrase|Passcode|PIN|Secret|PrivateKey"
    r"|ApiKey|Token)\b[^<>]*+>([^<]++)<",
    re.I,
)
_XML_KINDS = {
    "binarysecret": "binary_secret", "binarysecuritytoken": "binary_security_token",
    "password": "password", "signaturevalue": "binary_secret", "artifact": "binary_secret",
    "requestedprooftoken": "binary_secret", "ciphervalue": "binary_secret",
}  # fmt: skip
# A setting of a phone (kinds.SETTING), as an attribute or an element. A word is tried once,
# from its start: from each of its letters, base64 would take quadratic time.
_XML_SETTING = re.compile(
    r"(?<![\w.:-])([\w.:-]++)\s*+=\s*+(?:\"([^\"<]{1,400})\"|'([^'<]{1,400})')"
    r"|<([\w.-]{1,120})(?:\s[^<>]{0,200})?>([^<]{1,400})</"
)
_XML_PAIR = re.compile(
    r"\b(?:name|key|id)\s{0,4}=\s{0,4}[\"']([\w.:-]{1,100})[\"'][^<>]{0,200}?\bvalue\s{0,4}=\s{0,4}"
    r"(?:\"([^\"<]{1,400})\"|'([^'<]{1,400})')",
    re.I,
)
_ASSERTION_TAG = re.compile(
    r"<(?:[\w-]++:)?(?:Encrypted)?Assertion\b|(</(?:[\w-]++:)?(?:Encrypted)?Assertion\s*+>)"
)
_ASSERTION_ID = re.compile(r"\b(?:AssertionID|ID)=\"([^\"]{16,}+)\"")
_URL = re.compile(r"https?://[^\s\"'<>\\]++")
_PEM = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^-]++")


class SecretCollector:
    """Finds what the judge calls a secret of a known kind; learns the forms that are served."""

    def __init__(self, judge: Judge, served: Served) -> None:
        self.judge = judge
        self.served = served

    def http(self, message: HttpRequest | HttpResponse) -> Iterator[Secret]:
        """The secrets of a request or response."""
        posted = isinstance(message, HttpRequest)
        if isinstance(message, HttpRequest):
            yield from self.known(self.judge.url(wire_text(message.target)).parts)
        yield from self._headers(message.headers)
        kind = message.headers.get("content-type") or ""
        text = message.body.text
        self._bounded(text, kind, posted)
        yield from self.body(text[:BODY_LIMIT], kind, posted)

    def _bounded(self, text: str, content_type: str, posted: bool) -> None:
        """Says it where a body is more than is read of it."""
        bounds = self.judge.bounds
        start = text[:256].lstrip("\ufeff \t\r\n").lower()
        kind = media_type(content_type)
        page = "html" in kind or start.startswith(("<!doctype html", "<html"))
        if len(text) > BODY_LIMIT and (page or "json" in kind or start[:1] in ("{", "[", "<")):
            wording = f"only the first {BODY_LIMIT >> 20} MB of a page or document are read"
            if posted:
                bounds.say("limit.body", f"{wording} for secrets; nothing of it is shown")
            else:
                self.served.cut("limit.body", f"{wording}; what is posted to it later is hidden")
        if page and (lacks := markup.what_lacks(text)):
            bounds.say("limit.page", lacks)
        if multipart.more(content_type, text):
            bounds.say(
                "limit.multipart",
                f"a body of more than {multipart.MAX_PARTS} parts: the others are not shown",
            )

    def sip(self, message: SipMessage) -> Iterator[Secret]:
        """The secrets of a SIP message besides its credentials: in URIs, parameters, bodies."""
        for found in sip_secrets.parts(self.judge, message):
            yield from self.known(found)
        for kind, text in sip_secrets.bodies(message, BODY_LIMIT):
            yield from self.body(text, kind)

    def body(self, text: str, content_type: str, posted: bool = False) -> Iterator[Secret]:
        """The secrets of a body, by what it looks like: form, JSON, HTML, XML."""
        start = text[:256].lstrip("\ufeff \t\r\n")
        kind = content_type.lower()
        if not start:
            return
        if "-----BEGIN " in text:
            yield from (Secret("private_key", key) for key in _PEM.findall(text))
        if "json" in kind or start[:1] in "{[":
            yield from self._json(text, posted)
        elif start[:1] == "<" or "html" in kind or "xml" in kind:
            yield from self._markup(text, 0)
        elif media_type(content_type) == "multipart/form-data":
            found = [Item(name, value) for name, value in multipart.fields(content_type, text)]
            yield from self._form(found)
        elif "urlencoded" in kind or re.match(r"[\w.%-]{1,200}=", start):
            yield from self._form(items(text))

    def _form(self, found: list[Item]) -> Iterator[Secret]:
        for item, parts in zip(
            found, typed.form(self.judge, self.served, found, "form"), strict=True
        ):
            yield from self.known(parts, item.value)
            if item.value[:1] == "<":
                yield from self._markup(item.value, 1)
            if item.name.lower() in _SAML:
                yield from self._inside_saml(item.value, 1)

    def known(self, parts: Iterable[Part], value: str = "", depth: int = 0) -> Iterator[Secret]:
        """The secrets of known kinds among some parts, and those inside of the hidden ones."""
        for part in parts:
            if not isinstance(part, Secret):
                continue
            if part.kind != UNKNOWN:
                yield part
            if part.kind in (UNKNOWN, "opaque_value"):
                yield from self._inside(value or part.value, depth)

    def _inside(self, value: str, depth: int) -> Iterator[Secret]:
        """What is encoded in a hidden value."""
        if depth > encodings.DEPTH or len(value) < encodings.SMALLEST or len(value) > BODY_LIMIT:
            return
        kind = encodings.structured(value)
        if kind == "json":
            yield from self._json(value, posted=False, depth=depth + 1)
        elif kind == "xml":
            yield from self._markup(value, depth + 1)
        elif kind in ("form", "url"):
            url = self.judge.url(value) if kind == "url" else self.judge.query(value)
            yield from self.known(url.parts, depth=depth + 1)
        else:
            for text in encodings.inner(value, self.judge.room):
                if text != value:
                    yield from self._inside(text, depth + 1)

    def _inside_saml(self, value: str, depth: int) -> Iterator[Secret]:
        """What a SAML message holds once it is decoded: an assertion, a signature."""
        text = encodings.saml(value, room=self.judge.room) if depth <= encodings.DEPTH else None
        if text:
            yield from self._markup(text[:BODY_LIMIT], depth)

    def _json(self, text: str, posted: bool, depth: int = 0) -> Iterator[Secret]:
        try:
            value = jsons.loads(text)
        except (ValueError, RecursionError):
            # Cut short, or JSON in all but name: the strings of it that can be read count.
            for name, inner in _JSON_STRING.findall(text):
                yield from self._named("json", name, markup.unescaped(inner), depth)
            return
        if not posted:
            self.served.described(value)
        tree = jsons.judged(self.judge, self.served, value, posted)
        yield from self.known(jsons.parts(tree), depth=depth)

    def _named(self, place: str, name: str, value: str, depth: int = 0) -> Iterator[Secret]:
        found = self.judge.value("json" if place == "json" else "form", name, value)
        yield from self.known(found, value if len(found) == 1 else "", depth)

    def _markup(self, text: str, depth: int) -> Iterator[Secret]:
        html = "<input" in text or "<INPUT" in text or "<Input" in text
        if html:
            yield from self._inputs(text, depth)
        for name, value in _JSON_STRING.findall(text):
            yield from self._script(name, markup.unescaped(value))
        plain = markup.html_unescaped(text) if "&lt;" in text else text
        for name, value in _XML_SECRET.findall(plain):
            kind = _XML_KINDS.get(name.lower()) or kind_of(name) or kind_by_words(name)
            yield Secret(kind or "binary_secret", markup.html_unescaped(value).strip())
        yield from self._settings(text)
        for assertion in _assertions(plain):
            yield Secret("assertion", assertion)
            for ident in _ASSERTION_ID.findall(assertion[:2048]):
                yield Secret("web_ticket", ident)
        if "://" in plain:
            for url in _URL.findall(markup.html_unescaped(plain)):
                if "?" in url or "#" in url or "@" in url or len(url) > 60:
                    yield from self.known(self.judge.url(url).parts, depth=depth)

    def _inputs(self, text: str, depth: int) -> Iterator[Secret]:
        found = list(pages.inputs(text))
        self.served.page(found)
        for item in found:
            value = item.attributes.get("value", "")
            if not item.name or not value:
                continue
            if item.type == "password":
                yield Secret("password", value)
            else:
                yield from self._named("form", item.name, value, depth)
            if item.name.lower() in _SAML:
                yield from self._inside_saml(value, depth + 1)

    def _script(self, name: str, value: str) -> Iterator[Secret]:
        """A string in a page's script: most are texts and addresses of no interest."""
        if not value or (len(value) < 20 and kind_of(name) is None and kind_by_words(name) is None):
            return
        kind = kind_of(name)
        if kind is None and (" " in value or len(value) > 4096):
            return
        for part in self.judge.value("json", name, value):
            if isinstance(part, Secret) and part.kind != UNKNOWN:
                yield part

    def _settings(self, text: str) -> Iterator[Secret]:
        if "<html" in text[:1024].lower():
            return
        for attribute, double, single, element, content in _XML_SETTING.findall(text):
            name = attribute or element
            if SETTING.search(name) or kind_by_words(name) == "password":
                value = markup.html_unescaped(double or single or content).strip()
                if value and value.lower() not in ("true", "false", "0", "1"):
                    yield Secret("password", value)
        for name, double, single in _XML_PAIR.findall(text):
            kind = kind_of(name) or kind_by_words(name)
            if kind is not None:
                yield Secret(kind, markup.html_unescaped(double or single).strip())

    def _headers(self, headers: Headers) -> Iterator[Secret]:
        for raw_name, raw_value in headers:
            name = raw_name.decode("latin-1").lower()
            value = wire_text(raw_value)
            if name in ("authorization", "proxy-authorization"):
                yield fields.authorization(value)
            elif name == "cookie":
                yield from (secret for _, secret in fields.cookies(value))
            elif name == "set-cookie":
                named = fields.set_cookie(value)
                if named:
                    yield named[1]
            elif name in ("www-authenticate", "proxy-authenticate"):
                blob = fields.challenge(value)
                if blob:
                    yield blob
            elif name == "authentication":
                yield fields.authorization(value.replace("=", " ", 1))
            elif name in ("location", "referer", "content-location"):
                yield from self.known(self.judge.url(value).parts)
            elif name in _QUIET:
                continue
            else:
                # X-MS-WebTicket and other fields that carry a token by themselves.
                yield from self.known(fields.header(self.judge, name, value).parts)


_QUIET = frozenset(
    {
        "host", "user-agent", "accept", "accept-encoding", "accept-language", "content-type",
        "content-length", "date", "server", "cache-control", "connection", "pragma", "expires",
        "vary", "transfer-encoding", "content-encoding", "upgrade-insecure-requests", "origin",
        "strict-transport-security", "x-content-type-options", "x-frame-options", "etag", "age",
        "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest", "sec-fetch-user", "sec-ch-ua", "p3p",
        "sec-ch-ua-mobile", "sec-ch-ua-platform", "keep-alive", "last-modified", "accept-ranges",
        "client-request-id", "x-ms-request-id", "request-id", "x-powered-by", "soapaction", "via",
        "content-security-policy", "content-security-policy-report-only", "report-to", "nel",
    }
)  # fmt: skip


def _assertions(text: str) -> Iterator[str]:
    """Every assertion from its start tag to the next end tag of one."""
    begun = None
    for tag in _ASSERTION_TAG.finditer(text):
        if begun is None:
            begun = None if tag[1] else tag.start()
        elif tag[1]:
            yield text[begun : tag.end()]
            begun = None

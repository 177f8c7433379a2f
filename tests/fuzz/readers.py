"""Readers of texts and blobs: what stands in bodies, header fields, logs, keys and definitions."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace

from dissect.model import Body, Opaque, Text
from tests.fuzz import dialogue
from tests.fuzz.material import Material
from tests.fuzz.target import Broken, Target

AT = 1_750_000_000 * 10**9
MAX_BODY = 64 << 20  # bytes that a decoded body may have; what is bounded in it is less
_MEDIA = (
    "application/x-www-form-urlencoded", "application/json", "text/xml; charset=utf-8", "text/html",
    "multipart/form-data; boundary=b", 'multipart/mixed;boundary="a b"', "application/sdp", "",
)  # fmt: skip


def text_of(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def body(data: bytes) -> None:
    """A body of a media type (the first byte) and of codings (the second): decoded, looked
    through for secrets, shown."""
    from dissect.protocols.content import decode
    from dissect.redaction import markup, multipart
    from dissect.redaction.policy import Policy

    if len(data) < 2:
        return
    media = _MEDIA[data[0] % len(_MEDIA)]
    codings = (("gzip",), ("deflate",), ("br",), ("zstd",), ("gzip", "br"))
    raw = data[2:]
    if data[1] < 5:
        raw, _ = decode(raw, codings[data[1]])
        if len(raw) > MAX_BODY:
            raise Broken("a body is larger than any bound")
    content = Body(Opaque(bytes(raw)))
    multipart.parts(media, content.text)
    policy = Policy()
    for posted in (False, True):
        policy.secrets_of_body(content, media, posted)
        policy.body(content, media, posted)
    policy.whole(content, media)
    markup.statements(content.text)
    markup.forms(content.text)
    markup.refresh(content.text)
    markup.visible_text(content.text)
    root = markup.xml(content.text)
    if root is not None:
        markup.serialised(root)


def exchange(data: bytes) -> None:
    """HTTP/1 as a conversation, and every rule over what it says."""
    from dissect.protocols.tls.secret_store import SecretStore
    from dissect.redaction.policy import Policy
    from dissect.signin.recogniser import Recogniser
    from tests.fuzz.streams import _http1, _layer, fed

    found, _ = fed(_http1(_layer(SecretStore(), port=80)), dialogue.parts(data))
    policy = Policy()
    recogniser = Recogniser(["fuzz.pcapng"], policy)
    for item in found:
        if hasattr(item, "place"):
            connection = replace(item.place.connection, capture=0)
            recogniser.add(replace(item, place=replace(item.place, connection=connection)))  # type: ignore[type-var]
    for event in recogniser.finish():
        for fact in event.facts.values():
            policy.show(fact)


def url(data: bytes) -> None:
    """Targets, queries and URLs with their secrets wrapped; nothing is lost of a value."""
    from dissect.redaction import fields
    from dissect.redaction.policy import Policy

    text = text_of(data)
    policy = Policy()
    for wrapped in (
        policy.url(text),
        policy.uri(text),
        policy.words(text),
        policy.value(text, text),
    ):
        if not isinstance(wrapped, Text):
            raise Broken("no text")
    policy.form(text)
    list(fields.cookies(text))
    fields.set_cookie(text)
    fields.authorization(text)
    fields.challenge(text)
    name, _, value = text.partition(":")
    for sip_message in (False, True):
        policy.header(name, value, sip_message)


def jwt(data: bytes) -> None:
    from dissect.signin import jwt as reader

    text = text_of(data)
    for token in (
        text,
        b".".join(base64.urlsafe_b64encode(p) for p in data.split(b"."))[:100_000].decode(),
    ):
        reader.claims(token)
        reader.header(token)
        reader.encrypted(token)
        reader.facts(token)
        reader.validity(token, AT)


def saml(data: bytes) -> None:
    from dissect.redaction import encodings
    from dissect.signin import saml as reader

    for value in (text_of(data), base64.b64encode(data).decode()):
        for binding in ("HTTP-Redirect", "HTTP-POST"):
            reader.read("SAMLResponse", value, binding, AT)
        encodings.saml(value)
    reader.message_facts(text_of(data), AT)


def authentication(data: bytes) -> None:
    """A field, and the same bytes as the token of NTLM, Negotiate and Kerberos, and TLS-DSK."""
    from dissect.protocols.tls.dsk import handshake_names
    from dissect.signin import authentication as reader
    from dissect.signin.ntlm import _user

    token = base64.b64encode(data).decode()
    values = [
        text_of(data),
        f"NTLM {token}",
        f"Negotiate {token}",
        f'Kerberos gssapi-data="{token}"',
    ]
    values.append(f'TLS-DSK realm="x", gssapi-data="{token}"')
    for value in values:
        for item in reader.parse(value):
            names = handshake_names(data) if item.scheme == "TLS-DSK" else ()
            str(reader.leg(item, True, names)), str(reader.leg(item, False, names))
            _user(reader.ntlm_message(item))
    _user(data)


def certificates(data: bytes) -> None:
    from dissect.errors import ProtocolError
    from dissect.protocols.tls.certificates import decompress, read_chain

    read_chain([data, data[:100]])
    for algorithm in (1, 2, 3, 9):
        try:
            decompress(algorithm, data, 4096)
        except ProtocolError:
            continue


def sip_text(data: bytes) -> None:
    from dissect.protocols import sdp, sip_diagnostics
    from dissect.protocols.sip_dsk import TlsDskError, logged_blobs, tls_dsk_blobs

    text = text_of(data)
    for media in ("application/sdp", "multipart/mixed; boundary=b"):
        for item in sdp.descriptions(media, text):
            [str(medium) for medium in item.media]
    str(sip_diagnostics.ms_diagnostics(text))
    [str(item) for item in sip_diagnostics.warnings(text)]
    fields = [(b"Authorization", b"TLS-DSK " + data)]
    list(logged_blobs(fields))
    try:
        tls_dsk_blobs(fields)
    except TlsDskError:
        return


def _all(material: Material, *names: str) -> Iterator[bytes]:
    for name in names:
        for talk in material.conversation(name):
            for _, content in talk:
                if isinstance(content, bytes):
                    yield content


def _bodies(material: Material) -> Iterator[bytes]:
    for content in _all(material, "http1"):
        head, blank, inner = content.partition(b"\r\n\r\n")
        if blank and inner:
            lower = head.lower()
            media = next(
                (i for i, m in enumerate(_MEDIA) if m and m.partition(";")[0].encode() in lower), 7
            )
            coding = next((i for i, w in enumerate((b"gzip", b"deflate", b" br")) if w in lower), 9)
            yield bytes((media, coding)) + inner


def _matching(*words: bytes) -> Callable[[Material], Iterator[bytes]]:
    """Lines of the recorded messages that hold one of the words, from it on."""

    def seeds(material: Material) -> Iterator[bytes]:
        count = 0
        for content in _all(material, "http1", "sip"):
            for line in content.splitlines():
                at = max(line.find(word) for word in words)
                if at >= 0 and count < 800:
                    count += 1
                    yield line[at : at + 8000]

    return seeds


def _tokens(material: Material) -> Iterator[bytes]:
    """What NTLM, Negotiate and TLS-DSK fields carry."""
    for line in _matching(b"NTLM ", b"Negotiate ", b"gssapi-data=")(material):
        word = line.split()[-1].partition(b'data="')[2] or line.split()[-1]
        try:
            yield base64.b64decode(word.strip(b'",') + b"==")
        except ValueError:
            continue


def _saml_seeds(material: Material) -> Iterator[bytes]:
    from urllib.parse import unquote_to_bytes

    for line in _matching(b"SAMLResponse=", b"SAMLRequest=", b"<Assertion", b"<saml")(material):
        value = unquote_to_bytes(line.partition(b"=")[2].partition(b"&")[0])
        yield value
        try:
            yield base64.b64decode(value + b"==")
        except ValueError:
            continue


def _certificate_seeds(material: Material) -> Iterator[bytes]:
    for content in _all(material, "tls"):
        at = content.find(b"\x30\x82")
        if at >= 0:
            yield content[at : at + 2000]


def _http_seeds(material: Material) -> Iterator[bytes]:
    for talk in material.conversation("http1"):
        if talk:
            yield dialogue.joined(talk)


_SIGNIN = ("dissect.signin",)
_BODY = (
    "dissect.redaction",
    "dissect.protocols.content",
)
_URL = ("dissect.redaction",)
_SAML = ("dissect.signin.saml", "dissect.redaction")
_SCHEMES = ("dissect.signin.authentication", "dissect.signin.ntlm", "dissect.protocols.tls.dsk")
_SIP = (
    "dissect.protocols.sdp",
    "dissect.protocols.sip_diagnostics",
    "dissect.protocols.sip_dsk",
)
_URLS = _matching(b"GET /", b"POST /", b"Location: ", b"Cookie: ")
_SIP_LINES = _matching(b"v=0", b"ms-diagnostics", b"TLS-DSK", b"Warning", b"m=")
TARGETS = (
    Target("body", body, _bodies, _BODY, "markup", base_s=3),
    Target(
        "exchange", exchange, _http_seeds, _SIGNIN, "http", dialogue.mutated,
        base_s=3, per_byte_us=300,
    ),
    Target("url", url, _URLS, _URL, "url", max_size=4096, per_byte_us=300),
    Target("jwt", jwt, _matching(b"eyJ"), ("dissect.signin.jwt",), "url", max_size=4096),
    Target("saml", saml, _saml_seeds, _SAML, "markup"),
    Target("authentication", authentication, _tokens, _SCHEMES, "sip", max_size=8192),
    Target("certificates", certificates, _certificate_seeds, (), None, max_size=4096),
    Target("sip-text", sip_text, _SIP_LINES, _SIP, "sip"),
)  # fmt: skip

"""Readers of texts and blobs: what stands in bodies, header fields, logs, keys and definitions."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace

from dissect.errors import DefinitionError, UsageError
from dissect.model import Body, Opaque, Text
from tests.fuzz import dialogue, mutate
from tests.fuzz.material import CORPUS, Material
from tests.fuzz.target import Broken, Target

AT = 1_750_000_000 * 10**9
MAX_BODY = 64 << 20  # bytes that a decoded body may have; what is bounded in it is less
_MEDIA = (
    "application/x-www-form-urlencoded", "application/json", "text/xml; charset=utf-8", "text/html",
    "multipart/form-data; boundary=b", "multipart/mixed;boundary=\"a b\"", "application/sdp", "",
)  # fmt: skip


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def body(data: bytes) -> None:
    """A body of a media type (the first byte) and of codings (the second): decoded, looked
    through for secrets, shown."""
    from dissect.protocols import multipart
    from dissect.protocols.content import decode
    from dissect.report import bodies
    from dissect.signin import harvest, markup

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
    list(harvest.body(content.text[:100_000], media))
    bodies.shown(content, media)
    bodies.whole(content, media)
    markup.forms(content.text)
    markup.refresh(content.text)
    markup.visible_text(content.text)
    root = markup.xml(content.text)
    if root is not None:
        markup.serialised(root)


def exchange(data: bytes) -> None:
    """HTTP/1 as a conversation, and every rule over what it says."""
    from dissect.signin.recognise import Recogniser
    from dissect.signin.redaction import SecretBook
    from tests.fuzz.streams import _http1, _layer, fed
    from dissect.protocols.tls.secrets import SecretStore

    found, _ = fed(_http1(_layer(SecretStore(), port=80)), dialogue.parts(data))
    book = SecretBook()
    recogniser = Recogniser(["fuzz.pcapng"], book)
    for item in found:
        if hasattr(item, "place"):
            connection = replace(item.place.connection, capture=0)
            recogniser.add(replace(item, place=replace(item.place, connection=connection)))  # type: ignore[type-var]
    for event in recogniser.finish():
        for fact in event.facts.values():
            book.show(fact)


def url(data: bytes) -> None:
    """Targets, queries and URLs with their secrets wrapped; nothing is lost of a value."""
    from dissect.report import fields
    from dissect.signin import redaction

    text = _text(data)
    for wrapped in (redaction.redact_url(text), redaction.redact_query(text), fields.text(fields.words(text))):
        if not isinstance(wrapped, Text):
            raise Broken("no text")
    redaction.redact_path(text)
    list(redaction.pairs(text))
    list(redaction.cookies(text))
    redaction.set_cookie(text)
    redaction.authorization(text)
    redaction.challenge(text)
    name, _, value = text.partition(":")
    fields.header(name, value)


def jwt(data: bytes) -> None:
    from dissect.signin import jwt as reader

    text = _text(data)
    for token in (text, b".".join(base64.urlsafe_b64encode(p) for p in data.split(b"."))[:100_000].decode()):
        reader.claims(token)
        reader.header(token)
        reader.encrypted(token)
        reader.facts(token)
        reader.validity(token, AT)


def saml(data: bytes) -> None:
    from dissect.signin import saml as reader

    for value in (_text(data), base64.b64encode(data).decode()):
        for binding in ("HTTP-Redirect", "HTTP-POST"):
            reader.read("SAMLResponse", value, binding, AT)
        reader.decode(value)
    reader.message_facts(_text(data), AT)


def authentication(data: bytes) -> None:
    """A field, and the same bytes as the token of NTLM, Negotiate and Kerberos, and TLS-DSK."""
    from dissect.protocols.tls.dsk import handshake_names
    from dissect.signin import authentication as reader
    from dissect.signin.ntlm import _user

    token = base64.b64encode(data).decode()
    values = [_text(data), f"NTLM {token}", f"Negotiate {token}", f"Kerberos gssapi-data=\"{token}\""]
    values.append(f'TLS-DSK realm="x", gssapi-data="{token}"')
    for value in values:
        for item in reader.parse(value):
            names = handshake_names(data) if item.scheme == "TLS-DSK" else ()
            str(reader.leg(item, True, names)), str(reader.leg(item, False, names))
            _user(reader.ntlm_message(item))
    _user(data)


def certificates(data: bytes) -> None:
    from dissect.protocols.tls.certificates import decompress, read_chain
    from dissect.errors import ProtocolError

    read_chain([data, data[:100]])
    for algorithm in (1, 2, 3, 9):
        try:
            decompress(algorithm, data, 4096)
        except ProtocolError:
            continue


def sip_text(data: bytes) -> None:
    from dissect.protocols import sdp, sip_diagnostics
    from dissect.protocols.sip_dsk import TlsDskError, logged_blobs, tls_dsk_blobs

    text = _text(data)
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


def phone_log(data: bytes) -> None:
    """A log by the reader that its content asks for, as one file and cut in two."""
    from dissect.engines.logs import LogFile
    from dissect.engines.phone_log import BUILT_IN

    text = _text(data)
    for reader in BUILT_IN:
        if not reader.fits(text):
            continue
        half = len(text) // 2
        for files in ([LogFile(0, "a", text)], [LogFile(0, "a", text[:half]), LogFile(1, "b", text[half:])]):
            for message in reader.read(files, 2026):
                repr(message)


def key_log(data: bytes) -> None:
    """Nothing of a secret may stand in what is said of a line."""
    from dissect.protocols.tls.secrets import SecretStore

    store = SecretStore()
    said = store.add_key_log(data, "fuzz.keys") + [repr(store)]
    for word in data.split():
        if len(word) >= 32 and any(word.decode("latin-1") in line for line in said):
            raise Broken("a problem quotes the line")


def rsa_key(data: bytes) -> None:
    from dissect.protocols.tls import rsa_keys

    rsa_keys.needs_password(data)
    try:
        rsa_keys.open_rsa_key(data, "fuzz.key", (b"secret",))
    except UsageError as error:
        if any(len(line) > 30 and line.decode("latin-1") in str(error) for line in data.splitlines()):
            raise Broken("an error quotes the key") from None


def definition(data: bytes) -> None:
    from dissect.flow.definition import parse
    from dissect.flow.doubts import doubts
    from dissect.signin.catalogue import EVENTS

    try:
        found = parse(_text(data), "fuzz.toml")
    except DefinitionError as error:
        if "\n" in str(error):
            raise Broken("an error of two lines") from None
        return
    doubts(found, EVENTS)


def golden(data: bytes) -> None:
    """`check` and `diff` as they read a file: differences, or one line."""
    from dissect.cli.check import _read
    from dissect.cli.main import main
    from dissect.compare import compare
    from tests.fuzz.whole import quiet, scratch

    with scratch() as folder:
        path = folder / "golden.json"
        path.write_bytes(data)
        good = CORPUS / "golden" / "complete.json"
        try:
            document, whole = _read(str(path)), json.loads(good.read_text("utf-8"))
        except UsageError:
            return
        for one, other in ((document, whole), (whole, document), (document, document)):
            try:
                [str(item) for item in compare(one, other)]
            except (ValueError, KeyError, TypeError):
                continue  # `check` says so in one line
        for pair in ((str(path), str(good)), (str(good), str(path))):
            with quiet():
                code = main(["diff", *pair])
            if code not in (0, 1, 2):
                raise Broken(f"diff ends with {code}")


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
            media = next((i for i, m in enumerate(_MEDIA) if m and m.partition(";")[0].encode() in lower), 7)
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


def _of_files(list_files: Callable[[Material], list], limit: int) -> Callable[[Material], Iterator[bytes]]:  # type: ignore[type-arg]
    def seeds(material: Material) -> Iterator[bytes]:
        for path in list_files(material):
            yield path.read_bytes()[:limit]

    return seeds


def _http_seeds(material: Material) -> Iterator[bytes]:
    for talk in material.conversation("http1"):
        if talk:
            yield dialogue.joined(talk)


def _none(material: Material) -> Iterator[bytes]:
    yield from ()


def _keys(material: Material) -> Iterator[bytes]:
    for path in material.files(".key", ".pem", ".der", ".p12"):
        yield path.read_bytes()


_SIGNIN = ("dissect.signin",)
TARGETS = (
    Target("body", body, _bodies, ("dissect.signin.markup", "dissect.report.bodies", "dissect.signin.harvest", "dissect.protocols.content"), "markup", mutate.plain, base_s=3),
    Target("exchange", exchange, _http_seeds, _SIGNIN, "http", dialogue.mutated, base_s=3, per_byte_us=300),
    Target("url", url, _matching(b"GET /", b"POST /", b"Location: ", b"Cookie: "), ("dissect.signin.redaction", "dissect.report.fields"), "url", max_size=4096, per_byte_us=300),
    Target("jwt", jwt, _matching(b"eyJ"), ("dissect.signin.jwt",), "url", max_size=4096),
    Target("saml", saml, _saml_seeds, ("dissect.signin.saml", "dissect.signin.markup"), "markup"),
    Target("authentication", authentication, _tokens, ("dissect.signin.authentication", "dissect.signin.ntlm", "dissect.protocols.tls.dsk"), "sip", max_size=8192),
    Target("certificates", certificates, _certificate_seeds, (), None, max_size=4096),
    Target("sip-text", sip_text, _matching(b"v=0", b"ms-diagnostics", b"TLS-DSK", b"Warning", b"m="), ("dissect.protocols.sdp", "dissect.protocols.sip_diagnostics", "dissect.protocols.sip_dsk"), "sip"),
    Target("phone-log", phone_log, _of_files(Material.phone_logs, 16_000), ("dissect.engines.log_vvx", "dissect.engines.log_sip", "dissect.engines.sip_text"), "log", per_byte_us=300),
    Target("key-log", key_log, _of_files(Material.key_logs, 8_000), ("dissect.protocols.tls.secrets",), "tls"),
    Target("rsa-key", rsa_key, _keys, (), None, max_size=8192, base_s=4),
    Target("definition", definition, _of_files(Material.definitions, 40_000), ("dissect.flow",), "flow", max_size=40_000, base_s=4, per_byte_us=300),
    Target("golden", golden, _none, ("dissect.compare", "dissect.cli.check"), "golden", base_s=3),
)  # fmt: skip

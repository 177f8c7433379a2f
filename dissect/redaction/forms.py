"""Forms of values: which look like tokens, and which can't be a secret's.

Every pattern is anchored and possessive or bounded: it takes linear time on any text.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import unquote

from dissect.redaction.kinds import words
from dissect.redaction.vocabulary import BOOLEANS as BOOLEANS
from dissect.redaction.vocabulary import BY_LAST, TOP
from dissect.redaction.vocabulary import DOCUMENTED as DOCUMENTED

_JWT = re.compile(r"eyJ[A-Za-z0-9_-]{10,}+(\.[A-Za-z0-9_-]{5,}+)?")
GUID = re.compile(r"\{?[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\}?")
PEM = "-----BEGIN "
TOKEN_LENGTH = 20  # shorter values of unknown name are words, numbers and paths

# A phone's own file, named by its MAC address ("0004f2c05a17-user.cfg").
_DEVICE_FILE = re.compile(r"[0-9a-fA-F]{12}-[a-z]{2,20}\.[a-z]{2,4}")
_TOKEN_CHARS = re.compile(r"[A-Za-z0-9+/=_.~!*-]++")
_CASE_CHANGE = re.compile(r"[a-z](?=[A-Z])|[A-Z]{2}(?=[a-z])")
_RUNS = re.compile(r"[-_.~/=+!*]")
_DIGITS = re.compile(r"\d++")


def has_jwt(value: str) -> bool:
    """Whether a JSON Web Token is anywhere in a text."""
    return "eyJ" in value and any(match[1] for match in _JWT.finditer(value))


def looks_like_token(value: str) -> bool:
    """Whether a value of unknown name could be a token: long, dense, and not made of words."""
    if len(value) < TOKEN_LENGTH:
        return False
    if has_jwt(value):
        return True
    if GUID.fullmatch(value) or not _TOKEN_CHARS.fullmatch(value):
        return False
    if _DEVICE_FILE.fullmatch(value):
        return False
    return any(_dense(run) for run in _RUNS.split(value)) or value.endswith("=")


def _dense(run: str) -> bool:
    """Whether a run of letters and digits is none that people write: no word, no number."""
    if len(run) < 8 or run.isdigit():
        return False
    if run.isalpha():
        # Case changes with the start of a word in names, with every third letter in base64.
        return len(run) >= TOKEN_LENGTH and len(_CASE_CHANGE.findall(run)) * 5 > len(run)
    return len(_DIGITS.findall(run)) > 1 or len(run) >= TOKEN_LENGTH


# ------------------------------------------------------------------ that can't be a secret's

_NUMBER = re.compile(r"[+-]?\d{1,3}(?:\.\d{1,3})?")
_MEASURE = re.compile(r"[+-]?\d{1,20}(?:\.\d{1,9})?(?:[a-z]{1,2}|%)?")
_VERSION = re.compile(r"[vV]?\d{1,3}(?:\.\d{1,5}){1,4}")
_MEDIA = re.compile(
    r"(?:application|audio|font|image|message|model|multipart|text|video)/"
    r"(?:\*|[A-Za-z0-9][A-Za-z0-9.+-]{0,79})(?:\s?;\s?charset=\"?[A-Za-z0-9-]{1,20}\"?)?"
)
_DATE = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?"
    r"|(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6}, ?)?\d{1,2}[ -]"
    r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[ -]\d{2,4}"
    r" \d\d:\d\d:\d\d(?: [A-Z]{3}| [+-]\d{4})?"
)
_LANGUAGE = re.compile(r"[a-z]{2}(?:-[A-Z][a-z]{3})?(?:[-_](?:[A-Z]{2}|[a-z]{2}|419))?")
_HOST = re.compile(
    r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.){1,8}([a-z]{2,18})\.?(?::\d{1,5})?"
)
_HOST_WORD = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_ADDRESS = re.compile(r"\[?[0-9A-Fa-f:.]{3,45}\]?(?:%[a-z0-9]{1,15})?(?::\d{1,5})?(?:/\d{1,3})?")
_MAC = re.compile(r"[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}")
_MAIL = re.compile(r"(?:sips?:)?[A-Za-z0-9_.+'-]{1,64}@([A-Za-z0-9.-]{3,200})")
_URN = re.compile(
    r"urn:(?:oasis|ietf|federation|uuid|microsoft|ms|schemas-upnp-org|xmlsoap|nz|amr|sharepoint"
    r"|mace|openid|x-|3gpp|gsma|cisco)[A-Za-z0-9:._/+-]{1,200}"
)
_WORD = re.compile(r"[A-Za-z][A-Za-z_. :-]{0,59}")
_WEB = ("http://", "https://", "sip:", "sips:", "ldap://", "ldaps://", "wss://", "ws://", "tftp://",
        "ftp://", "ftps://", "urn:", "api://", "ms-app://", "spn:")  # fmt: skip

_SETS = re.compile(r"[A-Za-z0-9_.+-]{1,40}(?:[ ,]{1,2}[A-Za-z0-9_.+-]{1,40}){1,12}")


def harmless(value: str, typed: bool = False) -> bool:
    """Whether a value of unknown name can't be a secret by its form. `typed`: it stands where a
    person may have typed it, so that it may be a short number, or look like a host."""
    if value in BOOLEANS or value.lower() in BOOLEANS:
        return True
    if typed:
        return len(value) == 1
    if len(value) > 300:
        return False
    if value in DOCUMENTED or _NUMBER.fullmatch(value) or _LANGUAGE.fullmatch(value):
        return True
    first = value[0] if value else ""
    if first.isdigit() and (_VERSION.fullmatch(value) or _DATE.fullmatch(value)):
        return True
    return (
        host(value)
        or is_address(value)
        or _MEDIA.fullmatch(value) is not None
        or (_SETS.fullmatch(value) is not None and _documented(value))
        or (first.isalpha() and _DATE.fullmatch(value) is not None)
        or (value.startswith("urn:") and _URN.fullmatch(value) is not None and not _unusual(value))
        or mail(value)
    )


def _documented(value: str) -> bool:
    return all(word in DOCUMENTED for word in re.split(r"[ ,]+", value))


def _unusual(value: str) -> bool:
    """Whether a part of a name in a namespace is a token."""
    parts = re.split(r"[:/]", value)
    return any(looks_like_token(part) or _dense(part) for part in parts)


def host(value: str) -> bool:
    """A host name of at least two labels under a known top level, none of them a token."""
    found = _HOST.fullmatch(value) if "." in value else None
    if found is None:
        return value == "localhost"
    if found[1] not in TOP and len(found[1]) != 2:
        return False
    return not any(len(label) >= TOKEN_LENGTH and _dense(label) for label in value.split("."))


def host_word(value: str) -> bool:
    """A host name where one is expected: a single label, too."""
    return host(value.lower()) or (
        _HOST_WORD.fullmatch(value) is not None and not looks_like_token(value)
    )


def is_address(value: str) -> bool:
    """An IP address (with port or prefix length), or a hardware address."""
    if _MAC.fullmatch(value):
        return True
    if not _ADDRESS.fullmatch(value) or not ("." in value or ":" in value):
        return False
    bare = value.partition("/")[0].partition("%")[0]
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        ipaddress.ip_address(bare)
    except ValueError:
        return False  # digits and dots, and yet no address
    return True


def mail(value: str) -> bool:
    """An address of a person or a SIP user, of a domain that can be one."""
    found = _MAIL.fullmatch(value) if "@" in value else None
    if found is None or looks_like_token(value.partition("@")[0]):
        return False
    return host(found[1].lower()) or is_address(found[1])


# What stands before a colon and an address without being a user: schemes, and words of a label.
_BEFORE_ADDRESS = frozenset({
    "sip", "sips", "im", "pres", "tel", "mailto", "xmpp", "acct", "h323", "http", "https", "ftp",
    "ws", "wss", "ldap", "ldaps", "upn", "spn", "smtp", "user", "username", "userid", "uid", "name",
    "account", "login", "email", "mail", "id", "from", "to", "for", "by", "contact", "identity",
    "error", "principal", "subject",
})  # fmt: skip


def user_info(word: str) -> tuple[int, int] | None:
    """Where `user:password` stands in a word, without the @ behind it (RFC 3986 §3.2.1), be there a
    scheme before it or none, slashes or backslashes; None where there is no password."""
    at, start = word.rfind("@"), 0
    if at < 0:
        return None
    for _ in range(2):
        name, colon, rest = word[start:at].partition(":")
        if not colon or (name.lower() not in _BEFORE_ADDRESS and rest[:2] not in ("//", "\\\\")):
            break
        start += len(name) + 1 + len(rest) - len(rest.lstrip("/\\"))
    user, _, password = word[start:at].partition(":")
    return (start, at) if password and "/" not in user else None


def is_url(value: str) -> bool:
    """What `urls.redact_url` takes apart."""
    return value.lower().startswith(_WEB) or "://" in value[:24]


_SEGMENT = re.compile(r"[\w.~$'()*,+:@!-]{0,200}")
_TEMPLATE = re.compile(r"[\w.~$-]{0,60}(?:\{[\w.-]{1,60}\}|\[[\w.-]{1,60}\])[\w.~$-]{0,60}")
_ESCAPE = re.compile(r"\\u[0-9A-Fa-f]{4}|(?:\\x[0-9A-Fa-f]{2}){2}")
# What a browser encodes in a path though it need not (RFC 3986 §2.4): no letters, no digits.
_NEEDLESS = re.compile(r"%(?:[46][1-9A-Fa-f]|[57][0-9Aa]|3[0-9])")


def is_segment(item: str) -> bool:
    """Whether a segment of a path is a name as paths have them, and not something encoded."""
    text = item
    if "%" in item:
        text = unquote(item)
        if "\ufffd" in text or _NEEDLESS.search(item):
            return False
    if "\\" in text:  # of Windows, where phones are sent to
        return not _ESCAPE.search(text) and all(map(is_segment, text.split("\\")))
    return (
        _SEGMENT.fullmatch(text) is not None
        or _TEMPLATE.fullmatch(text) is not None
        or GUID.fullmatch(text) is not None
    )


def is_device_file(value: str) -> bool:
    """The name of a phone's own file, which is its MAC address and a word."""
    return _DEVICE_FILE.fullmatch(value) is not None


def is_pem_key(value: str) -> bool:
    return PEM in value and "PRIVATE KEY" in value


_BOTH = frozenset({"status", "version", "level", "error", "errors"})


def by_last_word(name: str, value: str, typed: bool = False) -> bool:
    """Whether a value has the form that the last word of its name speaks of: `pageSize`,
    `redirect_url`, `authMethod`. A secret's name does not end so."""
    found = words(name)
    form = BY_LAST.get(found[-1]) if found else None
    if form is None or not value:
        return False
    if form == "boolean":
        return value.lower() in BOOLEANS
    if typed:
        return form == "word" and value in DOCUMENTED
    if form == "measure" or found[-1] in _BOTH:
        if _MEASURE.fullmatch(value) or _VERSION.fullmatch(value) or _DATE.fullmatch(value):
            return not (found[-1] in ("on", "in", "at", "before", "after") and len(found) < 2)
        if form == "measure":
            return False
    if form == "word":
        return _WORD.fullmatch(value) is not None or (
            _SETS.fullmatch(value) is not None
            and (
                not any(_dense(part) for part in re.split(r"[ ,.+-]+", value))
                and not _has_digits(value)
            )
        )
    if form == "host":
        return host_word(value) and not _has_unusual_digits(value)
    if form == "guid":
        return GUID.fullmatch(value) is not None and "session" not in found
    return form == "mail" and mail(value)


def _has_digits(value: str) -> bool:
    return any(char.isdigit() for char in value)


def _has_unusual_digits(value: str) -> bool:
    """Digits amid a single label: a host's number stands at its end."""
    return "." not in value and not re.fullmatch(r"[A-Za-z-]{1,40}\d{0,3}", value)


_PADDED = re.compile(r"[A-Za-z0-9+/_-]{6,}+={1,2}")


def padded(text: str) -> bool:
    """Whether it is base64 with its padding (RFC 4648 §4), and no name with an empty value."""
    if len(text) % 4 or _PADDED.fullmatch(text) is None:
        return False
    return any(sign.isupper() or sign.isdigit() for sign in text)

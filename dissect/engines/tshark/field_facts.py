"""A field that tshark shows, as a fact: numbers as numbers, secrets as secrets.

Wireshark's names say what a field holds, `radius.User_Password` or `kerberos.cipher`: those whose
words, or whose last word in whatever spelling, speak of a secret hold one, with any definition. A
field of another name was asked for by name, as with --show-value, by a definition that the user
named (none is loaded from where a capture lies): it is hidden by its shape, by `secrets` of the
definition, and where a known secret is in it (`SecretBook`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from dissect.flow.fitting import Worded
from dissect.flow.schema import FACT, FIELD
from dissect.model import Fact, Secret, Text
from dissect.redaction import kinds
from dissect.redaction.forms import looks_like_token
from dissect.redaction.judge import Judge
from dissect.redaction.kinds import kind_of

MAX_VALUES = 1000  # different ones, of a field that occurs more than once in a frame
SHOWN = 8  # of those, where secrets are among them
MAX_LENGTH = 2000  # characters of a value

_NUMBER = re.compile(r"0|-?[1-9]\d{0,17}")
_FLAGS = {"True": 1, "False": 0}  # as tshark 4.2 and newer shows them; older ones 1 and 0
# Words in the names of Wireshark's fields, beside the names that sign-ins have.
_WORDS: dict[str, str] = {
    "passphrase": "password",
    "pass": "password",
    "userpassword": "password",
    "unicodepwd": "password",
    "simple": "password",  # the simple bind of LDAP
    "community": "password",  # SNMP
    "cookie": "cookie",
    "cookies": "cookie",
    "authbasic": "basic_credentials",
    "basic": "basic_credentials",
    "credentials": "basic_credentials",
    "jwt": "token",
    "ticket": "ticket",
    "cipher": "ticket",  # what Kerberos has encrypted
    "authenticator": "ticket",
    "pac": "ticket",
    "key": "opaque_value",
    "keys": "opaque_value",
    "psk": "opaque_value",
    "secret": "opaque_value",
    "ntresponse": "authorization",
    "lmresponse": "authorization",
    "ntproofstr": "authorization",
    "challenge": "nonce",
    # Whole messages, in which anything may be.
    "payload": "opaque_value",
    "data": "opaque_value",
    "line": "opaque_value",
    "hdr": "opaque_value",
    "arg": "opaque_value",
    "blob": "opaque_value",
}  # fmt: skip
_SPLIT = re.compile(r"[._-]+")
# Names of secrets in forms, that in a field's name say something else.
_HARMLESS = frozenset({"code", "response", "state", "sid", "signature"})
_URL = re.compile(r"[a-z][a-z0-9+.-]{1,15}://|/\S*\?", re.I)


def fact(
    text: str,
    name: str,
    row: Mapping[str, Sequence[str]],
    words: Mapping[str, str],
    secret: bool = False,
) -> Fact | None:
    """The fact `name` from what a frame has of the `{field}`s in `text`; None if one is absent.

    `words` stand for values, "*" for all others, an empty one for no fact. `secret` says that
    the definition calls it one. Several different values make a tuple of at most `MAX_VALUES`;
    if secrets are among them, a text of at most `SHOWN`. `{field#3}` is the third value that the
    frame has, `{field#-1}` the last.
    """
    fields = [_meant(reference, row) for reference in FACT.findall(text)]
    if FACT.fullmatch(text):
        return _of_field(*fields[0], name, words, secret)
    values = [_of_field(*field, name, {}, secret) for field in fields]
    if any(value is None for value in values):
        return None
    if any(isinstance(value, Secret) for value in values):
        return Secret("opaque_value", " ".join(v for _, found in fields for v in found))
    shown = iter(", ".join(v) if isinstance(v, tuple) else str(v) for v in values)
    return FACT.sub(lambda match: next(shown), text)


def _meant(reference: str, row: Mapping[str, Sequence[str]]) -> tuple[str, Sequence[str]]:
    """The field of a reference, and its values in the frame that are meant: all, or the one at
    `#` (none if there are not so many)."""
    found = FIELD.fullmatch(reference)
    assert found is not None, "definitions are checked"
    field, occurrence = found.groups()
    values = row[field]
    if occurrence is None:
        return field, values
    index = int(occurrence)
    start = index - 1 if index > 0 else len(values) + index
    return field, values[start : start + 1] if start >= 0 else ()


def _bounded(value: str) -> str:
    more = len(value) - MAX_LENGTH
    return value if more <= 0 else f"{value[:MAX_LENGTH]} … and {more} more characters"


def _of_field(
    field: str, values: Sequence[str], name: str, words: Mapping[str, str], secret: bool
) -> Fact | None:
    found = [value for value in dict.fromkeys(values) if value]
    if not found:
        return None
    kind = "opaque_value" if secret else _kind(field.partition(".")[2] or field) or _kind(name)
    if kind is not None:
        return Secret(kind, "\n".join(found))
    found = [_bounded(value) for value in found]
    if len(found) > MAX_VALUES:
        found[MAX_VALUES:] = [f"… and {len(found) - MAX_VALUES} more values"]
    if len(found) > 1:
        shaped = [item for item in (_shaped(value, words) for value in found) if item != ""]
        if len(shaped) < 2:
            return shaped[0] if shaped else None
        if all(isinstance(value, str | int) for value in shaped):
            return tuple(value if isinstance(value, str) else str(value) for value in shaped)
        return _joined(shaped)
    one = _shaped(found[0], words)
    return None if one == "" else one


def _shaped(value: str, words: Mapping[str, str]) -> str | int | Secret | Text:
    if words and (value in words or "*" in words):
        word = words.get(value, words.get("*", ""))
        if not word or looks_like_token(value):
            return word  # no definition may test for a secret
        return Worded(word, _plain(value))
    plain = _plain(value)
    if isinstance(plain, int):
        return plain
    if _URL.match(value):
        return Judge().url(value)
    return Secret("opaque_value", value) if looks_like_token(value) else value


def _plain(value: str) -> str | int:
    """Whole numbers and flags as numbers."""
    if _NUMBER.fullmatch(value):
        return int(value)
    return _FLAGS.get(value, value)


def _joined(values: Sequence[str | int | Secret | Text]) -> Text:
    parts: list[str | Secret] = []
    for index, value in enumerate(values[:SHOWN]):
        parts += [", "] if index else []
        parts += value.parts if isinstance(value, Text) else [_part(value)]
    parts += [", …"] if len(values) > SHOWN else []
    return Text(tuple(parts))


def _part(value: str | int | Secret) -> str | Secret:
    return value if isinstance(value, Secret) else str(value)


def _kind(name: str) -> str | None:
    """The kind of secret that a field of this name holds; its words are read one by one, and
    in pairs, its last one as in any name of a form."""
    words = [word for word in _SPLIT.split(name.lower()) if word]
    pairs = [f"{one}{two}" for one, two in pairwise(words)]
    pairs += [f"{one}_{two}" for one, two in pairwise(words)]
    for word in (*words, *pairs):
        kind = None if word in _HARMLESS else _WORDS.get(word) or kind_of(word)
        if kind is not None:
            return kind
    ending = kinds.words(name.rpartition(".")[2])  # sharedSecret, User-PIN, apiKey
    if not ending or ending[-1] in _HARMLESS - {"code"}:
        return None
    return kinds.kind_by_words(ending[-1]) or kinds.kind_by_words("".join(ending[-2:]))

"""What is secret, and how it is shown.

One list of kinds. Names of parameters, cookies, headers and JSON keys say what a value
is; a value of unknown name that looks like a token is taken for one. `SecretBook` gives
each value its ordinal, in order of (capture, frame) of first sight, so that "the same
token again" stays visible and nothing can be guessed from what is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from urllib.parse import quote, unquote_plus

from dissect.model import Fact, Secret, Text
from dissect.signin.masking import SHORTEST, Masks
from dissect.signin.secret_names import HARMLESS as HARMLESS
from dissect.signin.secret_names import KINDS as KINDS
from dissect.signin.secret_names import NAMES as NAMES
from dissect.signin.secret_names import SETTING
from dissect.signin.secret_names import USER_SETTING as USER_SETTING

_JWT = re.compile(r"eyJ[A-Za-z0-9_-]{10,}+(\.[A-Za-z0-9_-]{5,}+)?")
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# A phone's own file, named by its MAC address ("0004f2c05a17-user.cfg").
_DEVICE_FILE = re.compile(r"[0-9a-fA-F]{12}-[a-z]{2,20}\.[a-z]{2,4}")
_TOKEN_CHARS = re.compile(r"[A-Za-z0-9+/=_.~!*-]+")
_CASE_CHANGE = re.compile(r"[a-z](?=[A-Z])|[A-Z]{2}(?=[a-z])")
TOKEN_LENGTH = 20  # shorter values of unknown name are words, numbers and paths
MIN_SCRUBBED = SHORTEST  # 6: a shorter value would blank half the words of a sentence


def kind_of(name: str) -> str | None:
    """The kind of secret that a parameter, field, cookie or key of this name holds."""
    return NAMES.get(name.lower()) or ("password" if SETTING.search(name) else None)


def looks_like_token(value: str) -> bool:
    """Whether a value of unknown name could be a token: long, dense, and not made of words."""
    if any(match[1] for match in _JWT.finditer(value)):
        return True
    if len(value) < TOKEN_LENGTH or _GUID.fullmatch(value) or not _TOKEN_CHARS.fullmatch(value):
        return False
    if _DEVICE_FILE.fullmatch(value):
        return False
    return any(_dense(run) for run in re.split(r"[-_.~/=+!*]", value)) or value.endswith("=")


def _dense(run: str) -> bool:
    """Whether a run of letters and digits is none that people write: no word, no number."""
    if len(run) < 8 or run.isdigit():
        return False
    if run.isalpha():
        # Case changes with the start of a word in names, with every third letter in base64.
        return len(run) >= TOKEN_LENGTH and len(_CASE_CHANGE.findall(run)) * 5 > len(run)
    return len(re.findall(r"\d+", run)) > 1 or len(run) >= TOKEN_LENGTH


def secret(kind: str, value: str) -> Secret:
    """A secret in its comparable form: a browser sends CRLF where a page has a line feed."""
    return Secret(kind, value.replace("\r\n", "\n"))


def wrap(name: str, value: str) -> str | Secret:
    """`value` as a `Secret` if its name or its shape says that it is one."""
    kind = kind_of(name)
    if kind == "session" and _GUID.fullmatch(value):
        return value  # Azure AD's sessionId is the request id that a support desk asks for
    if kind is not None:
        return secret(kind, value) if value else value
    if name.lower() not in HARMLESS and looks_like_token(value):
        return Secret("opaque_value", value)
    return value


def pairs(query: str) -> Iterator[tuple[str, str]]:
    """Names and values of a query or form, percent-decoded, order kept, never raising."""
    for item in query.split("&") if query else ():
        name, _, value = item.partition("=")
        yield unquote_plus(name), unquote_plus(value)


def redact_query(query: str) -> Text:
    """A query or form with the secrets in it wrapped; the rest stays as it was sent."""
    parts: list[str | Secret] = []
    for index, item in enumerate(query.split("&")) if query else ():
        name, equals, raw = item.partition("=")
        parts.append(("&" if index else "") + name + equals)
        parts.extend(_redact_value(unquote_plus(name), raw))
    return Text(tuple(parts))


def _redact_value(name: str, raw: str) -> Iterable[str | Secret]:
    value = unquote_plus(raw)
    if "://" in value or (value.startswith("/") and "?" in value):
        # A URL inside a parameter (a return address, say) may hold secrets of its own.
        inner = redact_url(value).parts
        return inner if any(isinstance(part, Secret) for part in inner) else (raw,)
    wrapped = wrap(name, value)
    return (replace(wrapped, wire=raw) if isinstance(wrapped, Secret) else raw,)


def redact_path(path: str) -> list[str | Secret]:
    """A path whose token-like segments and parameters are wrapped (RFC 3986 section 3.3: some
    services put tokens there, or `;jsessionid=`)."""
    parts: list[str | Secret] = []
    for index, segment in enumerate(path.split("/")):
        parts.append("/" if index else "")
        for place, item in enumerate(segment.split(";")):
            parts.append(";" if place else "")
            name, equals, value = item.partition("=")
            wrapped = wrap(name, value) if equals else wrap("", item)
            parts.extend([name + equals, wrapped] if equals else [wrapped])
    return [part for part in parts if part != ""]


def redact_url(url: str) -> Text:
    """A URL or request target with user info, path, query and fragment made safe."""
    rest, hash_, fragment = url.partition("#")
    rest, mark, query = rest.partition("?")
    parts: list[str | Secret] = []
    scheme, separator, after = rest.partition("://")
    if separator:
        authority, slash, path = after.partition("/")
        user, at, host = authority.rpartition("@")
        parts.append(scheme + separator)
        if at:
            parts += [Secret("basic_credentials", user), "@"]
        parts += [host, *redact_path(slash + path)]
    else:
        parts += redact_path(rest)
    if mark:
        parts += ["?", *redact_query(query).parts]
    if hash_:
        parts += [
            "#",
            *(redact_query(fragment).parts if "=" in fragment else redact_path(fragment)),
        ]
    return Text(tuple(parts))


def challenge(header: str) -> Secret | None:
    """The blob of a WWW-Authenticate field (NTLM, Negotiate), which answers can be tried on
    offline; None where the field only names a scheme or has parameters."""
    scheme, _, rest = header.strip().partition(" ")
    blob = rest.strip()
    if scheme.lower() in ("ntlm", "negotiate", "kerberos") and len(blob) > 8 and " " not in blob:
        return Secret("authorization", blob)
    return None


def cookies(header: str) -> Iterator[tuple[str, Secret]]:
    """Name and value of each cookie in a Cookie field; the value is always secret."""
    for item in header.split(";"):
        name, equals, value = item.strip().partition("=")
        if equals and value:
            yield name, Secret("cookie", value)


def set_cookie(header: str) -> tuple[str, Secret] | None:
    """Name and value of a Set-Cookie field, attributes dropped; None where it clears one."""
    name, equals, value = header.partition(";")[0].strip().partition("=")
    return (name, Secret("cookie", value)) if equals and value else None


def authorization(header: str) -> Secret:
    """The credentials of an Authorization field, its scheme left out."""
    scheme, _, rest = header.strip().partition(" ")
    kind = {"bearer": "bearer_token", "basic": "basic_credentials"}.get(scheme.lower())
    return Secret(kind or "authorization", rest.strip() or scheme)


class SecretBook:
    """Knows every secret that was met, and how to show one: `‹kind #n›`, or as it is.

    `learn` in any order; ordinals follow (capture, frame) of first sight. `reveal` shows
    values: only the user's `--reveal` may set it.
    """

    def __init__(self, reveal: bool = False) -> None:
        self.reveal = reveal
        self._seen: dict[Secret, tuple[int, int]] = {}
        self._labels: dict[Secret, str] | None = None
        self._masks = Masks({})

    def learn(self, secret: Secret, capture: int, frame: int) -> Secret:
        """Note a secret and where it was seen; returns it, for use in expressions."""
        place = (capture, frame)
        known = self._seen.get(secret)
        if known is None or place < known:
            self._seen[secret] = place
            self._labels = None
        return secret

    def learn_fact(self, fact: Fact, capture: int, frame: int) -> None:
        """Note every secret in a fact."""
        if isinstance(fact, Secret):
            self.learn(fact, capture, frame)
        elif isinstance(fact, Text):
            for part in fact.parts:
                if isinstance(part, Secret):
                    self.learn(part, capture, frame)

    def known(self) -> Iterator[Secret]:
        """The secrets that can be looked for in other texts: no short ones, no plain words."""
        return (secret for secret in self._seen if _worth_masking(secret))

    def show(self, fact: Fact | None) -> str:
        """A fact as text: secrets by ordinal, everything else scrubbed of known values."""
        if fact is None:
            return ""
        if isinstance(fact, Secret):
            return fact.value if self.reveal else self._label(fact)
        if isinstance(fact, Text):
            return "".join(self._quoted(part) for part in fact.parts)
        if isinstance(fact, tuple):
            return ", ".join(self.show(item) for item in fact)
        if isinstance(fact, bool):
            return "yes" if fact else "no"
        return self.scrub(str(fact))

    def _quoted(self, part: str | Secret) -> str:
        if isinstance(part, Secret) and self.reveal:
            return part.wire or part.value
        return self.show(part)

    def scrub(self, text: str) -> str:
        """`text` with each known secret value in it, plain or percent-encoded, masked.

        The second line of defence: the first is that secrets are `Secret`s.
        """
        if self.reveal or len(text) < MIN_SCRUBBED:
            return text
        self._number()
        return self._masks.apply(text)

    def _label(self, secret: Secret) -> str:
        labels = self._number()
        return labels.get(secret, f"‹{secret.kind}›")

    def _number(self) -> dict[Secret, str]:
        if self._labels is not None:
            return self._labels
        counts: dict[str, int] = {}
        labels: dict[Secret, str] = {}
        masks: dict[str, str] = {}
        for secret, _ in sorted(self._seen.items(), key=lambda item: item[1]):
            counts[secret.kind] = counts.get(secret.kind, 0) + 1
            labels[secret] = f"‹{secret.kind} #{counts[secret.kind]}›"
            if _worth_masking(secret):
                # JSON may escape half a surrogate pair, which can't be encoded.
                value = secret.value
                encoded = quote(value, safe="", errors="replace")
                for form in (value, encoded, encoded.replace("%20", "+")):
                    masks.setdefault(form, labels[secret])
        self._labels = labels
        self._masks = Masks(masks)
        return labels


def _worth_masking(secret: Secret) -> bool:
    """Whether masking this value in free text can't blank ordinary words of it."""
    if len(secret.value) < MIN_SCRUBBED:
        return False
    return (
        secret.kind in ("password", "user_code")
        or not secret.value.isalpha()
        or (len(secret.value) >= TOKEN_LENGTH)
    )

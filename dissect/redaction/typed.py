"""What a person typed into a form: a credential, whatever its field is called.

A form tells by a password field (HTML Living Standard §4.10.5.1.6), by a description that was
served as JSON, or by a user name among what was posted. Of all that only the user name is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

from dissect.model import Secret
from dissect.redaction import forms
from dissect.redaction.bounds import Bounds
from dissect.redaction.harmless import HARMLESS, NOT_TYPED, USERS, Place, known
from dissect.redaction.judge import Judge, Part
from dissect.redaction.kinds import kind_by_words, kind_of, words

Role = Literal["password", "user", "typed", "hidden"]

MAX_NAMES = 10_000  # names of fields that are remembered; beyond them every other one is typed
# A longer value, and what stands beside more, is judged by its name and form, as all else is.
MAX_TYPED = 128  # characters that a person types into one field
MAX_BESIDE = 16  # values beside a user name in one message; more are no form

_SENT = frozenset({"hidden", "submit", "button", "image", "reset", "checkbox", "radio", "file"})
_RANK: dict[Role, int] = {"hidden": 0, "user": 1, "typed": 2, "password": 3}
_BOX = frozenset({"text", "box", "txt", "input", "field", "tb", "edit", "control", "value"})
# Words in the names of what servers put into forms for themselves.
_SERVER_MADE = frozenset(
    {
        "state", "handle", "csrf", "xsrf", "token", "nonce", "session", "flow", "viewstate",
        "execution", "lt", "request", "requestverificationtoken", "context", "ctx", "tab", "event",
        "target", "canary", "transaction", "tx", "generator", "validation", "signature", "id",
        "hpgrequestid", "original", "redirect", "return", "returnurl", "continue", "relay",
        "client",
        "correlation", "device", "fingerprint", "timestamp", "time", "version", "type", "stage",
        "submit", "button", "btn", "commit", "eventid", "header", "template",
        "argument", "focus", "scroll", "utf8", "authid",
    }
)  # fmt: skip
_DIGITS = re.compile(r"[0-9][0-9 -]{2,11}[0-9]")


class Input(NamedTuple):
    """A field of a page: the number of its form, its attributes (names in lower case)."""

    form: int
    attributes: dict[str, str]

    @property
    def name(self) -> str:
        return self.attributes.get("name", "")

    @property
    def type(self) -> str:
        return self.attributes.get("type", "text").strip().lower()


class Item(NamedTuple):
    """A posted value: its name, what it is, and how it was sent."""

    name: str
    value: str
    wire: str = ""


class Served:
    """What the forms that were served ask for, by the names of their fields."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self._roles: dict[str, Role] = {}
        self.learned = 0  # how often a form told something new
        self._bounds = bounds or Bounds()
        self._partial = False

    def cut(self, kind: str, sentence: str) -> None:
        """There may be more forms than were read: from here on what is posted under a name that
        is not known counts as typed."""
        self._partial = True
        self._bounds.say(kind, sentence)

    def page(self, inputs: Iterable[Input]) -> None:
        """Learn from a page: in a form with a password field every text field is typed."""
        by_form: dict[int, list[Input]] = {}
        for item in inputs:
            by_form.setdefault(item.form, []).append(item)
        for fields in by_form.values():
            if any(field.type == "password" for field in fields):
                self._form(fields)

    def _form(self, fields: Sequence[Input]) -> None:
        first = next(i for i, field in enumerate(fields) if field.type == "password")
        texts = [i for i, field in enumerate(fields) if field.type not in (*_SENT, "password")]
        named = {i for i in texts if is_user(fields[i].name) or _auto(fields[i])}
        # Where no name says so, the last text field before the password is for the user's.
        before = [i for i in texts if i < first]
        users = named or set(before[-1:])
        for index, field in enumerate(fields):
            if not field.name:
                continue
            if field.type == "password":
                self.note(field.name, "password")
            elif field.type in _SENT:
                self.note(field.name, "hidden")
            else:
                self.note(field.name, "user" if index in users else "typed")

    def described(self, value: Any) -> None:
        """Learn from JSON that describes a form: `{"name": "passcode", "secret": true}`."""
        waiting = [value]  # as large as a body that is read
        while waiting:
            item = waiting.pop()
            if isinstance(item, dict):
                name = item.get("name") or item.get("id") or item.get("fieldName")
                kind = str(item.get("type") or item.get("inputType") or item.get("widget") or "")
                secret = item.get("secret") is True or item.get("isSecret") is True
                if isinstance(name, str) and (secret or kind.lower() == "password"):
                    self.note(name, "password")
                waiting += item.values()
            elif isinstance(item, list):
                waiting += item

    def note(self, name: str, role: Role) -> None:
        lower = name.lower()
        before = self._roles.get(lower)
        if before is None and len(self._roles) >= MAX_NAMES:
            self.cut(
                "limit.form_names",
                f"forms with more than {MAX_NAMES} names of fields: what is posted under other "
                "names is hidden",
            )
            return
        if before is None or _RANK[role] > _RANK[before]:
            self._roles[lower] = role
            self.learned += 1

    def role(self, name: str) -> Role | None:
        unknown: Role | None = "typed" if self._partial else None
        return self._roles.get(name.lower(), unknown) if self._roles else unknown


def _auto(field: Input) -> bool:
    return field.attributes.get("autocomplete", "").lower() in ("username", "email")


def is_user(name: str) -> bool:
    """Whether a field of this name asks for a user's name."""
    lower = name.lower()
    if lower in USERS:
        return True
    last = re.split(r"[.$:\[\]/]", lower.rstrip("]"))[-1]
    if last in USERS:
        return True
    if kind_of(name) or kind_by_words(name):
        return False
    found = list(words(name))
    while len(found) > 1 and found[-1] in _BOX:
        found.pop()
    return "".join(found[-2:]) in USERS or "".join(found[-1:]) in ("username", "userid", "login")


def form(judge: Judge, served: Served, items: Sequence[Item], place: Place) -> list[list[Part]]:
    """The parts of each value that was posted together."""
    roles = [served.role(item.name) for item in items]
    asked = any(role in ("password", "typed") for role in roles) or any(
        kind_of(item.name) == "password" or kind_by_words(item.name) == "password" for item in items
    )
    users = [role == "user" or is_user(item.name) for role, item in zip(roles, items, strict=True)]
    if not asked and not (any(users) and len(items) <= MAX_BESIDE):
        return [judge.value(place, item.name, item.value, item.wire) for item in items]
    return [
        [item.wire or item.value]
        if user and role != "password" and _is_name(item.value)
        else _field(judge, item, role, place, beside=any(users))
        for item, role, user in zip(items, roles, users, strict=True)
    ]


def _is_name(value: str) -> bool:
    return len(value) <= 256 and not forms.has_jwt(value) and forms.PEM not in value


def _field(judge: Judge, item: Item, role: Role | None, place: Place, beside: bool) -> list[Part]:
    lower = item.name.lower()
    if item.value and _credential(item, lower, role, place, beside):
        if lower in judge.shown_names:
            judge.kept.add(lower)
        return [Secret(_kind(item), item.value.replace("\r\n", "\n"), item.wire)]
    return judge.value(place, item.name, item.value, item.wire, typed=True)


def _credential(item: Item, lower: str, role: Role | None, place: Place, beside: bool) -> bool:
    if role == "password":
        return True
    kind, flags = known(place, lower)
    if kind is not None or role in ("hidden", "user") or len(item.value) > MAX_TYPED:
        return False
    if flags & HARMLESS and lower not in NOT_TYPED:
        return False
    if item.value.lower() in forms.BOOLEANS or len(item.value) == 1:
        return False
    if role == "typed":
        return True
    made = _SERVER_MADE.intersection(words(item.name)) or forms.looks_like_token(item.value)
    return (
        beside
        and not made
        and not forms.is_url(item.value)
        and not forms.GUID.fullmatch(item.value)
    )


def _kind(item: Item) -> str:
    kind = kind_of(item.name) or kind_by_words(item.name)
    if kind in ("password", "one_time_code"):
        return kind
    return "one_time_code" if _DIGITS.fullmatch(item.value) else "password"

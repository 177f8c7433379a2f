"""Sign-in pages that speak JSON behind their form: a password is posted, and the answer says in a
document of its own that it was refused (Okta's and ForgeRock's state machines, Azure AD B2C)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dissect.model import Secret
from dissect.redaction.cuts import cut
from dissect.redaction.kinds import kind_by_words, kind_of
from dissect.signin.exchange import Exchange
from dissect.signin.rule import Found, got, sent

MAX_NODES = 2000  # of a document that are looked at
_USERS = frozenset(
    {"username", "user", "identifier", "email", "login", "signinname", "logonidentifier", "loginid"}
)
_TEXTS = ("error_description", "errorSummary", "message", "errorMessage", "detail", "error")
_CODES = ("errorCode", "error_code", "code", "error")
_GOOD = frozenset({"200", "201", "success", "ok"})


def password(exchange: Exchange) -> Iterator[Found]:
    """A password that is sent, and an answer in JSON that refuses it."""
    if exchange.method != "POST" or exchange.request is None:
        return
    fields = dict(_leaves(exchange.request_json)) or dict(exchange.form)
    if "grant_type" in fields:
        return
    given = next((value for name, value in fields.items() if _is_password(name) and value), None)
    answer = exchange.response_json
    if given is None or exchange.response is None or not answer:
        return
    user = next((value for name, value in fields.items() if name.lower() in _USERS), "")
    yield sent("idp.password.sent", user=user.lower(), password=Secret("password", given))
    if _refuses(exchange.status, answer):
        words = _first(answer, _TEXTS)
        yield got(
            "idp.password.refused",
            user=user.lower(),
            status=exchange.status,
            text=cut(" ".join(words.split()), 300) if words else None,
            error=cut(_first(answer, _CODES) or "", 100),
        )


def _is_password(name: str) -> bool:
    return "password" in (kind_of(name.lower()), kind_by_words(name)) or name.lower() == "passcode"


def _refuses(status: int, answer: Mapping[str, Any]) -> bool:
    """HTTP says so, or the document does, which has a status of its own."""
    own = answer.get("status")
    if 400 <= status < 500:
        return True
    reported = str(own).lower() if isinstance(own, str | int) else ""
    return (
        status == 200
        and reported.isdigit()
        and reported not in _GOOD
        and bool(_first(answer, _TEXTS))
    )


def _first(answer: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """The first text under one of the names, the surest name first, wherever it stands."""
    found = list(_leaves(answer))
    for wanted in names:
        for name, value in found:
            if name == wanted and value:
                return value
    return None


def _leaves(document: object) -> Iterator[tuple[str, str]]:
    """Name and text of each leaf of a JSON document, in order."""
    waiting: list[tuple[str, object]] = [("", document)]
    for _ in range(MAX_NODES):
        if not waiting:
            return
        name, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(str(key), item) for key, item in reversed(list(value.items()))]
        elif isinstance(value, list):
            waiting += [(name, item) for item in reversed(value)]
        elif isinstance(value, str | int) and not isinstance(value, bool):
            yield name, str(value)


RULES = (password,)

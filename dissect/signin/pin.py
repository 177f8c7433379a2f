"""PIN sign-in of phones at Skype for Business Server: the web ticket service's PIN door."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dissect.model import Fact, Secret
from dissect.redaction import markup
from dissect.signin.exchange import Exchange

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

# Reasons in the words of Lync's own interface (PinFailureReason of its collaboration library);
# the catalogue has their meaning.
_REASON = re.compile(
    r"\b(UserPinAccountDisabled|UserPinAccountLocked|IncorrectPin|NonUniqueUser|PinExpired"
    r"|PinNotEnabledForUser|PinNotSet|PinNotUnique|UserDoesNotExist)\b"
)


def asked(exchange: Exchange, root: Element | None) -> dict[str, Fact]:
    """Number and PIN of a phone without a keyboard for more: the service's PIN door, or a name
    and a password that are digits only."""
    name, password = markup.text_of(root, "Username"), markup.text_of(root, "Password")
    digits = re.fullmatch(r"\+?[0-9]{2,15}(?:;ext=[0-9]+)?", name) and password.isdecimal()
    if not name or not (digits or exchange.path.rpartition("/")[2].startswith("pin")):
        return {}
    facts: dict[str, Fact] = {"credential": "pin", "number": name[:40]}
    if password:
        facts["password"] = Secret("password", password)
    return facts


def problem(text: str) -> dict[str, Fact]:
    """Why the PIN was not taken, where an answer names one of the reasons."""
    found = _REASON.search(text)
    return {"pin_problem": found.group(1)} if found else {}

"""SIP transactions and dialogs (RFC 3261 §12, §17) out of messages, as they come.

Pure reading: `Ladder.add` says where a message belongs; `calls` sums dialogs up. A proxy's
two sides are two transactions of one dialog; the same message in two captures is one.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from dissect.model import SipMessage
from dissect.protocols import sdp

MAX_OPEN = 4096  # transactions, and dialogs, that are remembered at once

COOKIE = "z9hg4bk"  # what begins the branch of a client that keeps to RFC 3261, lower case
_BRANCH = re.compile(r";\s*branch\s*=\s*([^\s;,]+)", re.IGNORECASE)
_SENT_BY = re.compile(r"SIP\s*/\s*2\.0\s*/\s*\w+\s+([^\s;,]+)", re.IGNORECASE)
_TAG = re.compile(r";\s*tag\s*=\s*([^\s;,>]+)", re.IGNORECASE)
_URI = re.compile(r"<([^>]*+)>?|(?<![a-z])([a-z]++:[^\s;>]++)", re.IGNORECASE)
_CREATES = frozenset({"INVITE", "SUBSCRIBE", "REFER", "NOTIFY"})

DialogState = Literal["early", "confirmed", "ended", "failed"]
DialogKey = tuple[str, ...]


@dataclass(slots=True)
class Dialog:
    """One dialog; `state` is that after its last message, `status` the answer that set it up
    or refused it. Times are ns UTC of the first request, the answer and the end, None where
    the capture has none. `media` is of the last description that either side gave."""

    number: int
    call_id: str
    method: str
    caller: str
    callee: str
    start_ns: int
    state: DialogState = "early"
    status: int | None = None
    answered_ns: int | None = None
    ended_ns: int | None = None
    ended_by: Literal["caller", "callee"] | None = None
    messages: int = 0
    last_frame: int = 0
    media: list[str] = field(default_factory=list)
    tags: frozenset[str] = frozenset()
    caller_tag: str = ""
    first: SipMessage | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Position:
    """The transaction and the dialog of a message, each counted from 1 in order of sight."""

    transaction: int
    dialog: int | None


def branch(message: SipMessage) -> str:
    """The branch of the topmost Via, "" if it has none (clients before RFC 3261, Lync's)."""
    match = _BRANCH.search(_top(message))
    return match[1] if match else ""


def tag(value: str | None) -> str:
    """The tag of a From or To value; parameters inside <> are the URI's, not the field's."""
    match = _TAG.search((value or "").rpartition(">")[2])
    return match[1] if match else ""


def uri(value: str | None) -> str:
    """The URI of a From or To value without its parameters and headers."""
    match = _URI.search(value or "")
    text = (match[1] or match[2] or "") if match else (value or "")
    return re.split(r"[;?]", text, maxsplit=1)[0].strip()


class DialogTracker:
    """Feed it messages in order of time; it numbers their transactions and dialogs. What it has
    to forget is reported in `reported`, once."""

    def __init__(self, reported: list[str] | None = None) -> None:
        self._limits = (
            [] if reported is None else reported
        )  # bounds that were reached, in sentences
        self.dialogs: list[Dialog] = []
        self._transactions: OrderedDict[DialogKey, int] = OrderedDict()
        self._count = 0
        # A dialog by Call-ID and both tags; by Call-ID and the caller's before an answer.
        self._known: OrderedDict[DialogKey, Dialog] = OrderedDict()

    def add(self, message: SipMessage) -> Position:
        """Where a message belongs."""
        dialog = self._dialog(message)
        if dialog is not None and not message.retransmission:
            _advance(dialog, message)
        return Position(self._transaction(message), dialog.number if dialog else None)

    # ------------------------------------------------------------ transactions

    def _transaction(self, message: SipMessage) -> int:
        key = _transaction_key(message)
        number = self._transactions.get(key)
        if number is None:
            self._count += 1
            number = self._transactions[key] = self._count
            if len(self._transactions) > MAX_OPEN:
                self._transactions.popitem(last=False)
                self._forgot("transactions")
        return number

    def _forgot(self, what: str) -> None:
        sentence = (
            f"more than {MAX_OPEN} SIP {what}: the oldest are forgotten, and a later message of "
            "one of these is counted as another's"
        )
        if sentence not in self._limits:
            self._limits.append(sentence)

    # ------------------------------------------------------------ dialogs

    def _dialog(self, message: SipMessage) -> Dialog | None:
        call_id = message.header("call-id") or ""
        ours, theirs = tag(message.header("from")), tag(message.header("to"))
        both = (call_id, *sorted((ours, theirs)))
        half = (call_id, ours)
        dialog = self._known.get(both) if theirs else self._known.get(half)
        if dialog is not None:
            return dialog
        waiting = self._known.get(half) if theirs else None
        if waiting is not None and (message.kind == "response" or message.method == "ACK"):
            if message.method == "ACK" or (message.status or 0) >= 300:
                return waiting
            if not waiting.tags:
                return self._bind(waiting, both)
            # Another branch of a forked request answers: a dialog of its own (§12.1).
            return self._new(message, call_id, both, waiting)
        if theirs and message.kind == "request":
            # A NOTIFY may overtake the answer to its SUBSCRIBE (RFC 6665 §4.4.1).
            asked = self._known.get((call_id, theirs))
            if asked is not None and not asked.tags:
                return self._bind(asked, both)
        if message.method not in _CREATES:
            return None
        if message.kind == "response" and not theirs:
            return None
        return self._new(message, call_id, both if theirs else half, None)

    def _bind(self, dialog: Dialog, both: DialogKey) -> Dialog:
        dialog.tags = frozenset(both[1:])
        self._remember(both, dialog)
        return dialog

    def _new(
        self, message: SipMessage, call_id: str, key: DialogKey, forked: Dialog | None
    ) -> Dialog:
        caller, callee = uri(message.header("from")), uri(message.header("to"))
        start = forked.start_ns if forked else message.place.span.first_ns
        dialog = Dialog(
            len(self.dialogs) + 1, call_id, message.method, caller, callee, start, first=message
        )
        dialog.caller_tag = tag(message.header("from"))
        if len(key) == 3:
            dialog.tags = frozenset(key[1:])
        self.dialogs.append(dialog)
        self._remember(key, dialog)
        return dialog

    def _remember(self, key: DialogKey, dialog: Dialog) -> None:
        self._known[key] = dialog
        if len(self._known) > MAX_OPEN:
            self._known.popitem(last=False)
            self._forgot("dialogs")


def _advance(dialog: Dialog, message: SipMessage) -> None:
    dialog.messages += 1
    dialog.last_frame = message.place.span.last_frame
    when = message.place.span.first_ns
    status = message.status or 0
    if found := sdp.descriptions(message.header("content-type"), message.body.text):
        dialog.media = [str(media) for item in found for media in item.media]
    if message.kind == "request":
        over = message.method == "BYE" or (
            message.method == "NOTIFY"
            and (message.header("subscription-state") or "").lower().startswith("terminated")
        )
        if over and dialog.state != "failed":
            dialog.state, dialog.ended_ns = "ended", when
            by_caller = tag(message.header("from")) == dialog.caller_tag
            dialog.ended_by = "caller" if by_caller else "callee"
        return
    if message.method != dialog.method or dialog.state not in ("early", "confirmed"):
        return
    if 200 <= status < 300 and dialog.answered_ns is None:
        dialog.state, dialog.status, dialog.answered_ns = "confirmed", status, when
    elif status >= 300 and dialog.state == "early" and status not in (401, 407):
        # After a challenge the request comes again, in the same dialog to be (§22.2).
        dialog.state, dialog.status, dialog.ended_ns = "failed", status, when


def calls(messages: Iterable[SipMessage], reported: list[str] | None = None) -> list[Dialog]:
    """The dialogs of some messages, in order of their first. `reported` gets the bounds reached."""
    ladder = DialogTracker(reported)
    for message in messages:
        ladder.add(message)
    return ladder.dialogs


def _transaction_key(message: SipMessage) -> DialogKey:
    """RFC 3261 §17.1.3 and §17.2.3; before RFC 3261 and where a Via has no branch, §17.2.3's
    second rule: Call-ID, CSeq and the From tag, on this connection."""
    number, _, method = (message.header("cseq") or "").strip().partition(" ")
    method = method.strip() or message.method
    name = branch(message)
    if name.lower().startswith(COOKIE):
        # An ACK to a refusal has its request's branch; one to a 2xx has one of its own.
        method = "INVITE" if method == "ACK" else method
        sent_by = _SENT_BY.search(_top(message))
        return name, sent_by[1].lower() if sent_by else "", method
    place = message.place.connection
    method = "INVITE" if method == "ACK" else method
    return (
        message.header("call-id") or "", number, method, tag(message.header("from")),
        f"{place.capture}/{place.transport}/{place.stream}",
    )  # fmt: skip


def _top(message: SipMessage) -> str:
    """The first Via of the first Via field."""
    value = message.header("via") or ""
    return value.partition(",")[0]

"""Secrets as they are met, where several captures may hold the same messages.

Numbers follow the first sight of a secret, and what another capture tells as well does not
count: so its place is known only when all captures are read. Secrets of such messages are
known nevertheless. A form may be served in one capture and posted in another that was read
before it: what was posted is then looked at again.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from dissect.model import Body, HttpRequest, Opaque, Place, Secret
from dissect.redaction.policy import Policy
from dissect.signin.drafts import Stream, stream_of

POSTED_LIMIT = 64 << 10  # bytes of a form that is kept to be looked at again
POSTED_BYTES = 8 << 20  # of all that are kept


@dataclass(frozen=True, slots=True)
class _Posted:
    place: Place
    serial: int
    content_type: str
    body: Opaque
    learned: int  # how much was known of forms when it came


class Met:
    """Notes secrets for a policy's book: at once, or, of `several` captures, at the end."""

    def __init__(self, policy: Policy, several: bool) -> None:
        self._policy = policy
        self._several = several
        self._seen: dict[Stream, dict[Secret, tuple[int, int]]] = {}
        self._credentials: set[Secret] = set()
        self._posted: list[_Posted] = []
        self._room = POSTED_BYTES
        self.left_out = 0  # forms that were not kept

    def note(self, secret: Secret, place: Place, serial: int, credential: bool = False) -> None:
        """As `SecretBook.learn`; `serial` is the number of the message."""
        frame, capture = place.span.first_frame, place.connection.capture
        if not self._several:
            self._policy.book.learn(secret, capture, frame, credential)
            return
        if credential:
            self._credentials.add(secret)
        there = self._seen.setdefault(stream_of(place.connection), {})
        known = there.get(secret)
        if known is None or frame < known[0]:
            there.pop(secret, None)  # as `SecretBook.learn`
            there[secret] = frame, serial

    def posted(self, message: HttpRequest, serial: int) -> None:
        """Keep what a form brought, for what other captures tell of the form."""
        body = message.body.data
        if not self._several or not body:
            return
        if len(body) > min(POSTED_LIMIT, self._room):
            self.left_out += 1
            return
        self._room -= len(body)
        kind = message.headers.get("content-type") or ""
        learned = self._policy.served.learned
        self._posted.append(_Posted(message.place, serial, kind, body, learned))

    def settle(self, without: Container[int]) -> None:
        """All captures are read: number the secrets, those of the messages `without` last."""
        for item in self._posted:
            if item.learned != self._policy.served.learned:
                for secret in self._policy.secrets_of_body(
                    Body(item.body), item.content_type, True
                ):
                    self.note(secret, item.place, item.serial)
        self._posted.clear()
        rest: list[tuple[Secret, int, int]] = []
        for (capture, _, _), there in self._seen.items():
            for secret, (frame, serial) in there.items():
                if serial in without:
                    rest.append((secret, capture, frame))
                else:
                    self._learn(secret, capture, frame)
        self._seen.clear()
        self._several = False
        for secret, capture, frame in rest:
            if not self._policy.book.knows(secret):
                self._learn(secret, capture, frame)

    def _learn(self, secret: Secret, capture: int, frame: int) -> None:
        self._policy.book.learn(secret, capture, frame, secret in self._credentials)

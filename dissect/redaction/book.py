"""The secrets that were met, and how each is shown.

`SecretBook` gives each value its ordinal, in order of (capture, frame) of first sight, so that
"the same token again" stays visible and nothing can be guessed from what is shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from dissect.model import UNKNOWN, Fact, Secret, Text
from dissect.redaction.forms import TOKEN_LENGTH
from dissect.redaction.masking import SHORTEST, Masks

MIN_SCRUBBED = SHORTEST  # 6: a shorter value would blank half the words of a sentence


def secret(kind: str, value: str) -> Secret:
    """A secret in its comparable form: a browser sends CRLF where a page has a line feed."""
    return Secret(kind, value.replace("\r\n", "\n"))


class SecretBook:
    """Knows every secret that was met, and how to show one: `‹kind #n›`, or as it is.

    `learn` in any order; ordinals follow (capture, frame) of first sight. `reveal` shows
    values: only the user's `--reveal` may set it.
    """

    def __init__(self, reveal: bool = False) -> None:
        self.reveal = reveal
        self._seen: dict[Secret, tuple[int, int]] = {}
        self._credentials: set[Secret] = set()
        self._labels: dict[Secret, str] | None = None
        self._masks = Masks({})

    def learn(self, secret: Secret, capture: int, frame: int, credential: bool = False) -> Secret:
        """Note a secret and where it was seen; returns it, for use in expressions. A `credential`
        stood where only credentials stand, so that it is no ordinary word, whatever its letters."""
        if secret.kind == UNKNOWN:
            return secret  # shown by its length alone
        if credential and secret not in self._credentials:
            self._credentials.add(secret)
            self._labels = None
        place = (capture, frame)
        known = self._seen.get(secret)
        if known is None or place < known:
            # Anew, so that what one message tells is numbered in its order, whoever came first.
            self._seen.pop(secret, None)
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

    def knows(self, secret: Secret) -> bool:
        """Whether a secret was met."""
        return secret in self._seen

    def known(self) -> Iterator[Secret]:
        """The secrets that can be looked for in other texts: no short ones, no plain words."""
        return (secret for secret in self._seen if self._sought(secret))

    def show(self, fact: Fact | None) -> str:
        """A fact as text: secrets by ordinal, everything else scrubbed of known values."""
        if fact is None:
            return ""
        if isinstance(fact, Secret):
            return fact.value if self.reveal else self._label(fact)
        if isinstance(fact, Text):
            return self._text(fact)
        if isinstance(fact, tuple):
            return ", ".join(self.show(item) for item in fact)
        if isinstance(fact, bool):
            return "yes" if fact else "no"
        return self.scrub(str(fact))

    def _text(self, text: Text) -> str:
        """Known values are looked for in the whole, for one may begin in one part and end in
        the next."""
        parts = [
            (part.wire or part.value) if isinstance(part, Secret) else part for part in text.parts
        ]
        if self.reveal:
            return "".join(parts)
        hidden: list[tuple[int, int, str]] = []
        end = 0
        for part, sent in zip(text.parts, parts, strict=True):
            start, end = end, end + len(sent)
            if isinstance(part, Secret):
                hidden.append((start, end, self._label(part)))
        self._number()
        return self._masks.apply("".join(parts), hidden)

    def scrub(self, text: str) -> str:
        """`text` with each known secret value in it, plain or percent-encoded, masked.

        The second line of defence: the first is that secrets are `Secret`s.
        """
        if self.reveal or len(text) < MIN_SCRUBBED:
            return text
        self._number()
        return self._masks.apply(text)

    def _label(self, secret: Secret) -> str:
        return self._number().get(secret) or str(secret)

    def _number(self) -> dict[Secret, str]:
        if self._labels is not None:
            return self._labels
        counts: dict[str, int] = {}
        labels: dict[Secret, str] = {}
        masks: dict[str, str] = {}
        for secret, _ in sorted(self._seen.items(), key=lambda item: item[1]):
            counts[secret.kind] = counts.get(secret.kind, 0) + 1
            labels[secret] = f"‹{secret.kind} #{counts[secret.kind]}›"
            if self._sought(secret):
                # JSON may escape half a surrogate pair, which can't be encoded.
                value = secret.value
                encoded = quote(value, safe="", errors="replace")
                for form in (value, encoded, encoded.replace("%20", "+")):
                    masks.setdefault(form, labels[secret])
        self._labels = labels
        self._masks = Masks(masks)
        return labels

    def _sought(self, secret: Secret) -> bool:
        """Whether masking this value in free text can't blank ordinary words of it."""
        if len(secret.value) < MIN_SCRUBBED:
            return False
        return secret in self._credentials or _no_word(secret)


def _no_word(secret: Secret) -> bool:
    return (
        secret.kind in ("password", "user_code", "one_time_code")
        or not secret.value.isalpha()
        or (len(secret.value) >= TOKEN_LENGTH)
    )

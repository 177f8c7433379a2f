"""Values that may hold secrets, and facts about messages.

Bytes of a capture that were not yet examined for secrets are `Opaque`, known secrets are
`Secret`: neither shows its value in str(), repr(), format() or an exception, so no log or
table can leak by accident.
"""

from __future__ import annotations

from dataclasses import dataclass, field


class Opaque(bytes):
    """Bytes from a capture that may hold secrets; every way of showing them is closed.

    Taking them apart (`.decode()`, slicing, `bytes(x)`) is the explicit act of a parser.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"‹{len(self)} bytes›"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)


UNKNOWN = "value"  # the kind of a value that nobody knows to be harmless


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A password, token, cookie, code or key. Equal when kind and value are equal.

    `kind` is one of the words of `redaction.kinds.KINDS`, or `UNKNOWN` for what is hidden
    because nothing says that it is harmless; `value` is shown by `--reveal` only. The ordinal
    `‹kind #n›` is given by `redaction.book.SecretBook`. `wire` is the value as it was sent,
    where that is encoded, for texts that quote the whole (a URL).
    """

    kind: str
    value: str
    wire: str = field(default="", compare=False)

    def __repr__(self) -> str:
        if self.kind == UNKNOWN:
            size = len(self.value)
            return f"‹value, {size} character{'' if size == 1 else 's'}›"
        return f"‹{self.kind}›"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)


@dataclass(frozen=True, slots=True)
class Text:
    """Text with secrets in it, such as a URL whose query holds a token."""

    parts: tuple[str | Secret, ...]

    def __str__(self) -> str:
        return "".join(str(part) for part in self.parts)

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)


Fact = str | int | bool | Secret | Text | tuple[str, ...]


NOTHING = Opaque()

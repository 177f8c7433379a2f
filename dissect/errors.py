"""Every error that dissect raises on purpose.

DissectError
├── UsageError             a wrong argument, a missing file, an absent tool     exit 2
├── CaptureError           a file that is no capture, or can't be read          exit 2
│   └── TruncatedCapture   raised inside readers only; callers get a diagnostic
├── DefinitionError        a flow definition that does not validate             exit 2
├── PluginError            a plugin that fails, by its name                     exit 2
└── ProtocolError          bytes that break a protocol's rules; the engine turns
                           it into an `Anomaly` of that stream and goes on

Anything else that escapes is a bug of ours. No error text may hold bytes of a capture
other than through `model.Secret` and `model.Opaque`, which never show their value.
"""

from __future__ import annotations

import os
from types import TracebackType

INTERNAL = "internal.error"
"""`Anomaly.kind` of a bug of ours that one stream, message or log entry was lost to."""

_PACKAGE = os.path.join(os.path.dirname(__file__), "")


class DissectError(Exception):
    """Base of all errors that have a one-line explanation for the user."""

    exit_code = 2


PASSED = (DissectError, ImportError)
"""What a guard lets through: it has a line of its own, also a library that is not there."""


class UsageError(DissectError):
    """The command can't be carried out as it was given."""


class CaptureError(DissectError):
    """A capture that can't be read at all: no such format, no permission, a directory."""


class TruncatedCapture(CaptureError):
    """The container ends, or is damaged, at a known place; all before it is good.

    `offset` counts bytes from the start of the (decompressed) file.
    """

    def __init__(self, sentence: str, offset: int) -> None:
        super().__init__(sentence)
        self.offset = offset


class DefinitionError(DissectError):
    """A flow definition breaks the schema; the text names file, line and key."""


class PluginError(DissectError):
    """A plugin raised an error, or does not keep its contract; the text names it."""


class ProtocolError(DissectError):
    """The only error that a parser may raise, whatever the bytes are.

    `kind` is a stable word for `Anomaly.kind` (`tls.record_length`, `http.bad_chunk`).
    """

    def __init__(self, kind: str, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind


def internal(error: BaseException) -> str:
    """The sentence for an error that is a bug of ours: its type and the place in our code.

    Never its text: that may hold bytes of a capture.
    """
    return f"internal error, please report: {type(error).__name__} at {_place(error.__traceback__)}"


def _place(step: TracebackType | None) -> str:
    """The innermost line of dissect's own code, as `protocols/dns.py:120`."""
    place = "an unknown place"
    while step is not None:
        file = step.tb_frame.f_code.co_filename
        if file.startswith(_PACKAGE):
            place = f"{file.removeprefix(_PACKAGE).replace(os.sep, '/')}:{step.tb_lineno}"
        step = step.tb_next
    return place

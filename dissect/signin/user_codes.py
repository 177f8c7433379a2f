"""User codes of the device flow, as they can be compared (RFC 8628 §6.1)."""

from __future__ import annotations

from dissect.model import Secret


def user_code(text: str) -> Secret:
    """A user code in its comparable form: as the page takes it, without separators."""
    return Secret("user_code", text.replace("-", "").replace(" ", "").upper())

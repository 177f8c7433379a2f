"""Long texts cut so that no half of a secret, which nobody would know again, is left."""

from __future__ import annotations


def cut(text: str, limit: int) -> str:
    """The first words of `text`, of at most `limit` characters together, and an ellipsis for
    what was left out. A word is whole or left out: half of a known secret would not be masked."""
    if len(text) <= limit:
        return text
    end = limit
    while end and not text[end].isspace() and not text[end - 1].isspace():
        end -= 1
    kept = text[:end].rstrip()
    return f"{kept} …" if kept else "…"

"""Claims of a JSON Web Token (RFC 7519), read but never verified, never shown whole."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from dissect.model import Fact

TOKEN_LIMIT = 64 * 1024
# What support needs of a token: for whom, for what, until when.
CLAIMS = (
    "aud",
    "appid",
    "azp",
    "upn",
    "preferred_username",
    "unique_name",
    "tid",
    "scp",
    "exp",
    "iat",
)


def claims(token: str) -> dict[str, Any]:
    """The claims set of a JWS, or an empty dict where the token is opaque or encrypted."""
    parts = token.split(".")
    if len(parts) not in (2, 3) or len(token) > TOKEN_LIMIT:
        return {}
    try:
        raw = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        value = json.loads(raw)
    except (ValueError, binascii.Error, RecursionError):
        return {}  # not a JWS: opaque tokens are normal
    return value if isinstance(value, dict) else {}


def facts(token: str, prefix: str = "") -> dict[str, Fact]:
    """The claims worth showing, as facts; `prefix` keeps two tokens' claims apart."""
    found: dict[str, Fact] = {}
    for name, value in claims(token).items():
        if name not in CLAIMS:
            continue
        if isinstance(value, bool | str):
            found[prefix + name] = value
        elif isinstance(value, int | float):
            found[prefix + name] = int(value)
        elif isinstance(value, list):
            found[prefix + name] = tuple(str(item) for item in value)
    user = found.get(prefix + "upn") or found.get(prefix + "preferred_username")
    if isinstance(user, str) and user:
        found[prefix + "user"] = user.lower()
    return found

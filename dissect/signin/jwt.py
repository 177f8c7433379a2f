"""Claims of a JSON Web Token (RFC 7519), read but never verified, never shown whole."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from dissect.model import Fact
from dissect.redaction.cuts import cut
from dissect.signin.rule import Timed

TOKEN_LIMIT = 64 * 1024
# What support needs of a token: by whom, for whom, for what, until when. `oid`, `tid` and
# `deviceid` are directory ids, no secrets.
CLAIMS = (
    "iss",
    "aud",
    "appid",
    "azp",
    "upn",
    "preferred_username",
    "unique_name",
    "oid",
    "tid",
    "deviceid",
    "scp",
    "roles",
    "amr",
    "ver",
    "nbf",
    "exp",
    "iat",
)
SKEW_S = 300  # what services allow between their clocks
VALUE_LIMIT = 300  # of a claim that is shown; a longer one is something else


def claims(token: str) -> dict[str, Any]:
    """The claims set of a JWS, or an empty dict where the token is opaque or encrypted."""
    parts = token.split(".")
    return _json(parts[1]) if len(parts) in (2, 3) and len(token) <= TOKEN_LIMIT else {}


def header(token: str) -> dict[str, Any]:
    """The JOSE header of a JWS or JWE, or an empty dict where the token is opaque."""
    parts = token.split(".")
    return _json(parts[0]) if len(parts) in (2, 3, 5) and len(token) <= TOKEN_LIMIT else {}


def encrypted(token: str) -> bool:
    """Whether the token is a JWE (RFC 7516): five parts, and an `enc` in its header."""
    return token.count(".") == 4 and "enc" in header(token)


def _json(part: str) -> dict[str, Any]:
    try:
        value = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return {}  # not a JWS: opaque tokens are normal
    return value if isinstance(value, dict) else {}


def facts(token: str, prefix: str = "") -> dict[str, Fact]:
    """The claims worth showing, as facts; `prefix` keeps two tokens' claims apart."""
    found: dict[str, Fact] = {}
    if encrypted(token):
        return {prefix + "token_form": "encrypted"}
    algorithm = header(token).get("alg")
    content = claims(token)
    if content and isinstance(algorithm, str):
        found[prefix + "alg"] = cut(algorithm, VALUE_LIMIT)
    for name in CLAIMS:
        value = content.get(name)
        if isinstance(value, str):
            found[prefix + name] = cut(value, VALUE_LIMIT)
        elif isinstance(value, bool):
            found[prefix + name] = value
        elif isinstance(value, int | float):
            whole = _whole(value)
            if whole is not None:
                found[prefix + name] = whole
        elif isinstance(value, list):
            found[prefix + name] = tuple(cut(str(item), VALUE_LIMIT) for item in value[:20])
    user = next(
        (
            value
            for name in ("upn", "preferred_username", "unique_name")
            if isinstance(value := found.get(prefix + name), str) and value
        ),
        None,
    )
    if user:
        found[prefix + "user"] = user.lower()
    return found


def _whole(value: float) -> int | None:
    try:
        return int(value)
    except (ValueError, OverflowError):
        return None  # NaN or infinity: JSON in all but name


def validity(token: str, at_ns: int) -> str | None:
    """Whether a token's times fit a moment (ns UTC): "expired", "not_yet_valid" or None."""
    return _validity(*_times(token), at_ns)


def valid(tokens: Sequence[str], at_ns: int) -> Timed | None:
    """The `validity` of the first of some tokens that has any, as a fact; None where none of
    them names a time."""
    times = [pair for token in tokens if any(pair := _times(token))]
    if not times:
        return None
    return Timed(
        at_ns,
        lambda ns: next((reported for pair in times if (reported := _validity(*pair, ns))), None),
    )


_Second = int | float | None


def _times(token: str) -> tuple[_Second, _Second]:
    """From when and until when a token is valid, in seconds since 1970."""
    content = claims(token)
    since, until = (
        value if isinstance(value, int | float) else None
        for value in (content.get("nbf"), content.get("exp"))
    )
    return since, until


def _validity(since: _Second, until: _Second, at_ns: int) -> str | None:
    seconds = at_ns // 1_000_000_000
    if until is not None and until + SKEW_S < seconds:
        return "expired"
    if since is not None and since - SKEW_S > seconds:
        return "not_yet_valid"
    return None

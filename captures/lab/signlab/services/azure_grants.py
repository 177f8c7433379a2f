"""Azure AD's authorization codes: what each was issued for, and its one exchange for tokens.

RFC 6749 §4.1, with the proof key of RFC 7636 and the error form of RFC 6749 §4.1.2.1.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import replace
from urllib.parse import urlencode

from .azure_errors import refusal
from .azure_state import AzureState, SignIn
from .world import World, guid, opaque

DECLINED = "User declined to consent to access the app."


def resource_of(scope: str) -> str:
    """The resource that a v2 scope list is for: the part before the permission's name."""
    urls = [word for word in scope.split() if "://" in word]
    return urls[0].rpartition("/")[0] if urls else ""


def challenge_of(verifier: str) -> str:
    """The S256 code challenge (RFC 7636 §4.2)."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def denied(sign_in: SignIn) -> str:
    """Where the browser goes: back to the application without a code (RFC 6749 §4.1.2.1)."""
    refused = replace(refusal(65004, sign_in.correlation_id), text=DECLINED)
    query = {
        "error": "access_denied",
        "error_subcode": "cancel",
        "error_description": refused.description,
        "state": sign_in.client_state,
    }
    return f"{sign_in.redirect_uri}?{urlencode(query)}"


def granted(world: World, state: AzureState, sign_in: SignIn) -> str:
    """Where the browser goes: back to the application with a code."""
    code = world.truth("azuread").secret("authorization_code", "0.AQABAAIAAAD" + opaque(330))
    state.grants[code] = sign_in
    query = {"code": code, "state": sign_in.client_state, "session_state": guid()}
    return f"{sign_in.redirect_uri}?{urlencode(query)}"


def redeem(state: AzureState, form: dict[str, str]) -> tuple[SignIn | None, int]:
    """The sign-in that a code stands for, or the AADSTS number that refuses it; a code works once.

    RFC 6749 §4.1.3: same client, same redirect URI; RFC 7636 §4.6: the verifier hashes to the
    challenge.
    """
    sign_in = state.grants.pop(form.get("code", ""), None)
    if sign_in is None or sign_in.client_id != form.get("client_id"):
        return None, 70000
    if sign_in.redirect_uri != form.get("redirect_uri"):
        return None, 500112
    if sign_in.code_challenge:
        made = challenge_of(form.get("code_verifier", ""))
        if not secrets.compare_digest(made, sign_in.code_challenge):
            return None, 501481
    return sign_in, 0

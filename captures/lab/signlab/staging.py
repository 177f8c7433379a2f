"""What a phone still holds from before a password change: tokens that are good for nothing."""

from __future__ import annotations

import json
import secrets
import time

from .config import Run
from .pki import Issuer
from .services.tokens import jwt

FILE = "stale.json"
TOKEN_SECONDS = 3600


def stage(run: Run) -> None:
    """Write what the past has left; before any actor starts."""
    issued = int(time.time()) - 2 * TOKEN_SECONDS
    claims = {
        "aud": f"https://{run.names.hosts.autodiscover.name}",
        "iss": f"https://sts.windows.net/{run.names.organisation.tenant_id}/",
        "iat": issued,
        "nbf": issued,
        "exp": issued + TOKEN_SECONDS,
        "appid": run.names.organisation.client_id,
        "upn": run.names.user.sip,
        "ver": "1.0",
    }
    tokens = {
        "refresh_token": "AQABAAAAAAD" + secrets.token_urlsafe(560),
        "access_token": jwt(Issuer.load(run.directory / "sign" / "azuread"), claims),
    }
    (run.directory / FILE).write_text(json.dumps(tokens))


def stale_access_token(run: Run) -> str:
    """An access token of Azure AD for the first user, signed well and expired."""
    return str(json.loads((run.directory / FILE).read_text())["access_token"])


def stale_refresh_token(run: Run) -> str:
    """The refresh token that was issued before the first user's password was changed."""
    return str(json.loads((run.directory / FILE).read_text())["refresh_token"])

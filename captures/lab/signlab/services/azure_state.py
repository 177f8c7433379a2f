"""What Azure AD remembers: device codes, sign-ins under way in a browser, sessions, tokens."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from .tokens import jwt
from .world import World, guid, opaque

CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"  # what can be read off a phone's display
TOKEN_SECONDS = 3599


@dataclass
class DeviceFlow:
    """One device code: who may still use it and who approved it (RFC 8628 §3.2)."""

    device_code: str
    user_code: str
    resource: str
    expires: float
    client_id: str = ""
    user: str = ""
    declined: bool = False

    @property
    def expired(self) -> bool:
        return time.monotonic() > self.expires


@dataclass
class SignIn:
    """A browser's sign-in between its first page and its session; `state` travels in wctx."""

    state: str
    flow_token: str
    canary: str
    login_hint: str = ""
    redirect_uri: str = ""
    client_state: str = ""
    device: DeviceFlow | None = None
    user: str = ""
    factors: int = 1
    client_id: str = ""
    resource: str = ""
    code_challenge: str = ""
    consented: bool = False
    correlation_id: str = field(default_factory=guid)


class AzureState:
    def __init__(self, world: World) -> None:
        self._world = world
        self._truth = world.truth("azuread")
        self.devices: dict[str, DeviceFlow] = {}
        self.sign_ins: dict[str, SignIn] = {}
        self.sessions: dict[str, str] = {}  # ESTSAUTH value → user
        self.refreshes: dict[str, str] = {}  # refresh token → user
        self.grants: dict[str, SignIn] = {}  # authorization code → what it was issued for
        self._wrong: dict[str, int] = {}  # user → wrong passwords so far

    def check_password(self, user: str, password: str) -> int:
        """0 when the password is right and the account open, else the AADSTS number."""
        right = self._world.run.passwords.get(user.lower())
        if right is None:
            return 50034
        wrong = self._wrong.get(user, 0)
        if wrong >= self._world.run.scenario.azuread.lockout_after:
            return 50053
        if not secrets.compare_digest(right, password):
            self._wrong[user] = wrong + 1
            return 50126
        return 0

    def new_device(self, resource: str, client_id: str) -> DeviceFlow:
        device_code = self._truth.secret("device_code", "HAQABAAEAAAD" + opaque(112))
        letters = "".join(secrets.choice(CODE_LETTERS) for _ in range(9))
        user_code = self._truth.secret("user_code", letters)
        expires = time.monotonic() + self._world.run.scenario.azuread.expires_in
        flow = DeviceFlow(device_code, user_code, resource, expires, client_id)
        self.devices[device_code] = flow
        return flow

    def device_of(self, user_code: str) -> DeviceFlow | None:
        wanted = user_code.replace("-", "").replace(" ", "").upper()
        return next((d for d in self.devices.values() if d.user_code == wanted), None)

    def new_sign_in(self, **facts: Any) -> SignIn:
        """A sign-in with its flow token, canary and opaque state."""
        sign_in = SignIn(
            state=self._truth.secret("ests_request", "rQIIA" + opaque(210)),
            flow_token=self._truth.secret("flow_token", "AQABAAEAAAD" + opaque(240)),
            canary=self._truth.secret("canary", opaque(40) + "=0:1"),
            **facts,
        )
        self.sign_ins[sign_in.state] = sign_in
        return sign_in

    def sign_in_of(self, state: str) -> SignIn:
        """The sign-in under way that this opaque value names; a new one if it names none."""
        known = self.sign_ins.get(state)
        return known if known is not None else self.new_sign_in()

    def new_session(self, user: str) -> str:
        value = self._truth.secret("cookie", "0.AAAA" + opaque(270))
        self.sessions[value] = user
        return value

    def tokens_for(
        self, user: str, resource: str, *, version: str, client_id: str = ""
    ) -> dict[str, Any]:
        """The token answer of the v1 or v2 endpoint."""
        names, now = self._world.names, int(time.time())
        tenant = names.organisation.tenant_id
        who = names.user2 if user.lower() == names.user2.sip else names.user
        person = {
            "family_name": who.family,
            "given_name": who.given,
            "ipaddr": names.clients.browser,
            "name": who.display,
            "oid": guid(),
            "sub": opaque(32),
            "tid": tenant,
            "unique_name": user,
            "upn": user,
            "ver": "1.0",
        }
        times = {"iat": now, "nbf": now, "exp": now + TOKEN_SECONDS + 1}
        issued = {"iss": f"https://sts.windows.net/{tenant}/", **times}
        client = client_id or names.organisation.client_id
        key = self._world.key("azuread")
        access = {
            "aud": resource,
            **issued,
            "acr": "1",
            "amr": ["pwd"],
            "appid": client,
            "appidacr": "0",
            "scp": "user_impersonation",
            **person,
        }
        answer: dict[str, Any] = {
            "token_type": "Bearer",
            "scope": "user_impersonation",
            "expires_in": str(TOKEN_SECONDS),
            "ext_expires_in": str(TOKEN_SECONDS),
            "expires_on": str(now + TOKEN_SECONDS),
            "not_before": str(now),
            "resource": resource,
            "access_token": jwt(key, access),
            "refresh_token": "AQABAAAAAAD" + opaque(560),
            "id_token": jwt(key, {"aud": client, **issued, **person}),
        }
        if version == "v2":
            for name in ("expires_on", "not_before", "resource"):
                del answer[name]
            answer["scope"] = f"{resource}/user_impersonation openid offline_access"
            answer["expires_in"] = answer["ext_expires_in"] = TOKEN_SECONDS
        self.refreshes[answer["refresh_token"]] = user
        for kind in ("access_token", "refresh_token", "id_token"):
            self._truth.secret(kind, answer[kind])
        return answer

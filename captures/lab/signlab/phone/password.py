"""The phone's older ways in, without a browser: name and password, or a refresh token.

This is the sign-in that a VVX calls "User ID": the phone itself goes to ADFS (WS-Trust) or hands
the password to Azure AD, and has no code on its display.
"""

from __future__ import annotations

import base64
import json
import uuid
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from lxml import etree

from ..config import Run
from ..services.tokens import SAML, instant
from ..services.world import render
from ..staging import stale_access_token, stale_refresh_token
from ..truth import Truth
from .log import PhoneLog
from .pairing import Pairing
from .web import Refused, Web, insist

SAML_GRANT = "urn:ietf:params:oauth:grant-type:saml1_1-bearer"
SOAP = "application/soap+xml; charset=utf-8"


class PasswordSignIn:
    def __init__(self, run: Run, truth: Truth, log: PhoneLog, web: Web, pairing: Pairing) -> None:
        self._run = run
        self._truth = truth
        self._log = log
        self._web = web
        self._pairing = pairing
        self._authority = f"https://{run.names.hosts.azuread.name}/"

    def _password(self, *, old: bool) -> str:
        password = self._run.old_password if old else self._run.password
        return self._truth.secret("password", password)

    def sign_in(self, *, old: bool) -> None:
        """Get tokens for the name and password in the phone's settings. Raises Refused."""
        user = self._run.user.sip
        url = f"{self._authority}{self._run.names.organisation.tenant_path}/userrealm/{quote(user)}"
        answer = self._web.request("GET", f"{url}?api-version=1.0", {"Accept": "application/json"})
        realm = json.loads(answer.body)
        if realm["account_type"] == "Federated":
            active = str(realm["federation_active_auth_url"])
            assertion = insist(
                self._run.scenario.phone, lambda: self._assertion(active, old=old), Refused
            )
            encoded = base64.urlsafe_b64encode(assertion.encode()).rstrip(b"=").decode()
            self._truth.secret("saml_assertion", encoded)
            self._grant({"grant_type": SAML_GRANT, "assertion": encoded, "scope": "openid"})
            return
        form = {"grant_type": "password", "username": user, "password": self._password(old=old)}
        insist(self._run.scenario.phone, lambda: self._grant(form), Refused)

    def refresh(self) -> None:
        """Ask for tokens with a refresh token of before the password change.

        Where that is refused the phone still has an access token, which has expired.
        """
        token = self._truth.secret("refresh_token", stale_refresh_token(self._run))
        try:
            self._grant({"grant_type": "refresh_token", "refresh_token": token})
        except Refused:
            old = self._truth.secret("access_token", stale_access_token(self._run))
            self._pairing.access_token = old

    def _grant(self, form: dict[str, str]) -> None:
        client = {"client_id": self._run.names.organisation.client_id}
        answer = self._pairing.oauth(
            self._authority, "token", {**form, **client, **self._pairing.resource()}
        )
        found: dict[str, Any] = json.loads(answer.body)
        if answer.status != 200:
            number = found["error_codes"][0]
            self._log.write("AuthS", 4, f"token request refused: {found['error']} ({number})")
            raise Refused(f"azuread-{number}")
        self._pairing.take(found)

    def _assertion(self, url: str, *, old: bool) -> str:
        """The SAML assertion of ADFS's usernamemixed endpoint. Raises Refused."""
        body = render(
            "adfs_active_request.xml",
            url=url,
            message_id=f"urn:uuid:{uuid.uuid4()}",
            now=instant(),
            until=instant(timedelta(minutes=5)),
            token_id=f"uuid-{uuid.uuid4()}-1",
            user=self._run.user.sip,
            password=self._password(old=old),
            target="urn:federation:MicrosoftOnline",
        )
        answer = self._web.request("POST", url, {"Content-Type": SOAP}, body.encode())
        found = etree.fromstring(answer.body).find(f".//{{{SAML}}}Assertion")
        if answer.status != 200 or found is None:
            self._log.write("AuthS", 4, f"user name and password refused: {answer.status}")
            raise Refused(f"adfs-{answer.status}")
        text = etree.tostring(found, encoding="unicode", with_tail=False)
        return self._truth.secret("saml_assertion", text)

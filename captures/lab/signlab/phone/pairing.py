"""The phone's pairing: configuration, device code, the poll for tokens (steps 2 and 6)."""

from __future__ import annotations

import json
import secrets
import time
import uuid
from typing import Any
from urllib.parse import urlencode

from ..config import Run
from ..truth import Truth, outcomes
from .log import PhoneLog, shortened
from .web import Answer, Refused, Web

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
PENDING = ("authorization_pending", "slow_down")
EXPIRED = ("code_expired", "expired_token")


class Pairing:
    def __init__(self, run: Run, truth: Truth, log: PhoneLog, web: Web) -> None:
        self._run = run
        self._names = run.names
        self._knobs = run.scenario.phone
        self._truth = truth
        self._log = log
        self._web = web
        self._machine = f"DevicePairingStateMachine(0x{secrets.randbits(28) | 0x40000000:x})"
        self._correlation = str(uuid.uuid4())
        self.access_token = ""
        self._refresh_token = ""

    # The state machine's log lines

    def _entered(self, state: str, context: int, before: str = "") -> None:
        self._log.pairing(f"S/E({state},{before}),rO(5)")
        self._log.pairing(f"<\\SM>(302){self._machine}:Ctx(({context}),(5),Ticks(0))")

    def _received(self, context: int, request: int) -> None:
        event = "(301)kEDevicePairOnRecvDataResponse"
        self._log.pairing(f"<SM>(302){self._machine}:Ctx(({context}),{event},Ticks(0))")
        self._log.pairing(f"parseAndSaveRequiredInfo -> eRequestID ({request})")

    # Step 2

    def configure(self) -> dict[str, str]:
        """The Device Pairing Service's configuration."""
        host = self._names.hosts.pairing.name
        url = f"https://{host}:443/api/DeviceConfig/Polycom/Default?api-version=1.0"
        self._log.pairing(f"Sent request for Device Configuration:{url} (0X{id(self) % 2**31})")
        self._entered("sSDevicePairGetAADUrlAndClientID", 304, "kBaseEventInit")
        answer = self._web.request("GET", url, {"Accept": "application/json"})
        found: dict[str, str] = json.loads(answer.body)
        self._received(304, 1)
        self._log.pairing(
            f"DeviceConfiguration Data: AadEndpointUrl[{found['AadEndpointUrl']}] "
            f"ClientId[{found['ClientId']}]  "
            f"DevicePairingWebsiteUrl[{found['DevicePairingWebsiteUrl']}] "
            f"GraphAPIUrl [{found['GraphAPIUrl']}] AutoDiscoverUrl [{found['AutoDiscoverUrl']}] "
            f"ExchangeOnlineAutoDUrl [{found['ExchangeOnlineAutoDUrl']}]"
        )
        return found

    def oauth(self, authority: str, endpoint: str, form: dict[str, str]) -> Answer:
        """POST a form to an OAuth endpoint of Azure AD, v1 or v2."""
        tenant = self._names.organisation.tenant_path
        v2 = self._knobs.oauth == "v2"
        url = f"{authority}{tenant}/oauth2/{'v2.0/' if v2 else ''}{endpoint}"
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
            "client-request-id": self._correlation,
            "return-client-request-id": "true",
        }
        query = "" if v2 else "?api-version=1.0"
        return self._web.request("POST", url + query, headers, urlencode(form).encode())

    def resource(self, host: str = "") -> dict[str, str]:
        """What the tokens are to be for: `host`, or what the phone was set up with."""
        resource = f"https://{host or self._names.hosts.autodiscover.name}"
        if not host and self._knobs.resource == "graph":
            resource = self._names.links.graph
        if self._knobs.oauth == "v2":
            return {"scope": f"{resource}/.default openid offline_access"}
        return {"resource": resource}

    def device_code(self, config: dict[str, str], attempt: int) -> dict[str, Any]:
        """Ask for a code and show it on the display."""
        self._entered("sSDevicePairGetUserAndDeviceCode", 305, "kEDevicePairOnRecvDataResponse")
        form = {"client_id": config["ClientId"], **self.resource()}
        answer = self.oauth(config["AadEndpointUrl"], "devicecode", form)
        found: dict[str, Any] = json.loads(answer.body)
        url = found.get("verification_url") or found["verification_uri"]
        self._received(305, 2)
        self._log.pairing(
            f"parseDeviceInformation: user_code[{found['user_code']}] "
            f"device_code[{found['device_code']}]  verification_url[{url}]  "
            f"expires_in[{found['expires_in']}]  interval[{found['interval']}]"
        )
        screen = {
            "website": config["DevicePairingWebsiteUrl"],
            "verification_url": url,
            "user_code": found["user_code"],
            "attempt": attempt,
        }
        path = self._run.file("screen", ".json")
        path.with_suffix(".new").write_text(json.dumps(screen))
        path.with_suffix(".new").rename(path)
        return found

    # Step 6

    def poll(self, config: dict[str, str], code: dict[str, Any]) -> str:
        """Poll until tokens or refusal; the OAuth error that ended it, "" when there are tokens."""
        form = {"grant_type": "device_code", "client_id": config["ClientId"]}
        if self._knobs.oauth == "v2":
            form.update(grant_type=DEVICE_GRANT, device_code=code["device_code"])
        else:
            form.update(code=code["device_code"], **self.resource())
        browser = self._run.file("browser", "").name
        after_browser = 0
        while True:
            time.sleep(int(code["interval"]))
            after_browser += browser in outcomes(self._run.directory)
            self._entered("sSDevicePairGetRefreshAndIdTokens", 306)
            stop = "(Timer),Count/Size(1/1),Stop? (Yes)"
            self._log.pairing(f"DevicePairingService's Ticked,Reason{stop}", 3)
            answer = self.oauth(config["AadEndpointUrl"], "token", form)
            found = json.loads(answer.body)
            self._received(306, 3)
            if answer.status == 200:
                self.take(found)
                return ""
            error = str(found["error"])
            text = f"parseIDRefreshTokenData: error[{error}] code{found['error_codes']}"
            self._log.pairing(text, 2 if error in PENDING else 4)
            if error not in PENDING:
                return error
            if after_browser == self._knobs.polls_after_browser:
                self._truth.outcome("still-polling")  # and so it goes on, beyond the capture

    def take(self, found: dict[str, Any]) -> None:
        """Keep the tokens of an answer."""
        self.access_token = found["access_token"]
        self._refresh_token = found["refresh_token"]
        tokens = " ".join(
            f"{kind}[{shortened(found[kind])}]"
            for kind in ("access_token", "refresh_token", "id_token")
        )
        self._log.pairing(f"parseIDRefreshTokenData: {tokens}token_type [{found['token_type']}]")

    def token_for(self, authority: str, client_id: str, host: str) -> str:
        """An access token for one server (RFC 6749 §6), bought with the refresh token."""
        form = {"grant_type": "refresh_token", "refresh_token": self._refresh_token}
        form |= {"client_id": client_id, **self.resource(host)}
        answer = self.oauth(authority, "token", form)
        found = json.loads(answer.body)
        if answer.status != 200:
            raise Refused(f"azuread-{found['error_codes'][0]}")
        self.take(found)
        return self.access_token

    def pair(self) -> tuple[dict[str, str], str]:
        """Configuration and the error that ended it; a new code when the last has expired."""
        config, error = self.configure(), ""
        for attempt in range(1, self._knobs.codes + 1):
            error = self.poll(config, self.device_code(config, attempt))
            if error not in EXPIRED:
                break
        return config, error

"""Home realm discovery: Azure AD's answer to whose user this is, for pages and for programs."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .azure_oauth import dress
from .azure_state import AzureState, SignIn
from .world import World, opaque

MANAGED, FEDERATED = 3, 4  # EstsProperties.DomainType


class Realms:
    def __init__(self, world: World, state: AzureState) -> None:
        self._world = world
        self._state = state
        self._truth = world.truth("azuread")
        self._knobs = world.run.scenario.azuread
        tenant = f"/{world.names.organisation.tenant_path}"
        self.routes = [
            Route(f"{tenant}/GetCredentialType", self.credential_type, methods=["POST"]),
            Route(f"{tenant}/userrealm/{{user}}", self.user_realm),
        ]

    def adfs_url(self, sign_in: SignIn, username: str) -> str:
        """The WS-Federation request ([MS-MWBF] §2.2.2) that sends the browser to ADFS."""
        wctx = f"LoginOptions=3&estsredirect=2&estsrequest={sign_in.state}"
        query = urlencode(
            {
                "client-request-id": sign_in.correlation_id,
                "username": username,
                "wa": "wsignin1.0",
                "wtrealm": "urn:federation:MicrosoftOnline",
                "wctx": wctx,
            }
        )
        return f"https://{self._world.hosts.adfs.name}/adfs/ls/?{query}"

    async def credential_type(self, request: Request) -> Response:
        asked = json.loads(await request.body())
        username, sign_in = (
            asked["username"],
            self._state.sign_in_of(asked.get("originalRequest", "")),
        )
        known = username.lower() in self._world.run.passwords
        federated = known and self._knobs.federated
        credentials: dict[str, Any] = {
            "PrefCredential": 4 if federated else 1,
            "HasPassword": True,
            "RemoteNgcParams": None,
            "FidoParams": None,
            "SasParams": None,
            "CertAuthParams": None,
            "GoogleParams": None,
        }
        if federated:
            credentials["FederationRedirectUrl"] = self.adfs_url(sign_in, username)
        answer = {
            "Username": username,
            "Display": username,
            "IfExistsResult": 0 if known else 1,
            "IsUnmanaged": False,
            "ThrottleStatus": 0,
            "Credentials": credentials,
            "EstsProperties": {
                "UserTenantBranding": None,
                "DomainType": FEDERATED if federated else MANAGED,
            },
            "FlowToken": sign_in.flow_token,
            "IsSignupDisallowed": True,
            "apiCanary": self._truth.secret("canary", opaque(90)),
        }
        response = JSONResponse(answer)
        dress(response, self._world)
        return response

    async def user_realm(self, request: Request) -> Response:
        user, names = request.path_params["user"], self._world.names
        domain = names.organisation.domain
        answer: dict[str, Any] = {
            "Login": user,
            "NameSpaceType": "Federated" if self._knobs.federated else "Managed",
            "DomainName": domain,
            "FederationBrandName": names.organisation.brand,
            "CloudInstanceName": names.hosts.azuread.name,
            "cloud_instance_name": names.hosts.azuread.name,
        }
        if self._knobs.federated:
            query = urlencode(
                {
                    "username": user,
                    "wa": "wsignin1.0",
                    "wtrealm": "urn:federation:MicrosoftOnline",
                    "wctx": "",
                }
            )
            answer["federation_protocol"] = "WSTrust"
            answer["AuthURL"] = f"https://{names.hosts.adfs.name}/adfs/ls/?{query}"
        if request.query_params.get("api-version") == "1.0":  # what clients without a browser ask
            answer["account_type"] = answer["NameSpaceType"]
            if self._knobs.federated:
                trust = f"https://{names.hosts.adfs.name}/adfs/services/trust"
                answer["federation_metadata_url"] = f"{trust}/mex"
                answer["federation_active_auth_url"] = f"{trust}/2005/usernamemixed"
        response = JSONResponse(answer)
        response.headers["access-control-allow-origin"] = f"https://{names.hosts.websignin.name}"
        dress(response, self._world)
        return response

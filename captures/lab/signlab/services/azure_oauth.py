"""Azure AD towards the phone: the devicecode and token endpoints of v1 and v2.

Grants: device code (RFC 8628), and the older ways in: password and refresh token (RFC 6749 §4.3,
§6), and a SAML 1.1 assertion of ADFS, as ADAL sends it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..staging import stale_refresh_token
from .azure_errors import AadError, oauth_error, refusal
from .azure_grants import redeem
from .azure_state import AzureState
from .tokens import federated_user
from .world import World, form_of, guid, set_cookie

DEVICE_GRANTS = ("device_code", "urn:ietf:params:oauth:grant-type:device_code")
SAML_GRANT = "urn:ietf:params:oauth:grant-type:saml1_1-bearer"
Handler = Callable[[Request, dict[str, str], str], Response]
Endpoint = Callable[[Request], Awaitable[Response]]
SERVER_BUILD = "2.1.11787.14 - SEASLR1 ProdSlices"


class AzureOAuth:
    def __init__(self, world: World, state: AzureState) -> None:
        self._world = world
        self._state = state
        self._truth = world.truth("azuread")
        tenant = f"/{world.names.organisation.tenant_path}/oauth2"
        self.routes = []
        for prefix, version in ((f"{tenant}/v2.0", "v2"), (tenant, "v1")):
            for name, handler in (("devicecode", self._devicecode), ("token", self._token)):
                endpoint = self._bind(handler, version)
                self.routes.append(Route(f"{prefix}/{name}", endpoint, methods=["POST"]))

    def _bind(self, handler: Handler, version: str) -> Endpoint:
        """An endpoint around a handler: reads the form, dresses the answer."""

        async def endpoint(request: Request) -> Response:
            form = await form_of(request)
            response = handler(request, form, version)
            dress(response, self._world)
            wanted = request.headers.get("client-request-id")
            if wanted and request.headers.get("return-client-request-id") == "true":
                response.headers["client-request-id"] = wanted
            set_cookie(response, self._truth, "x-ms-gateway-slice", "estsfd")
            set_cookie(response, self._truth, "stsservicecookie", "estsfd")
            return response

        return endpoint

    def _refuse(self, error: str, refused: AadError) -> Response:
        return oauth_error(error, refused, self._world.hosts.azuread.name)

    def _devicecode(self, request: Request, form: dict[str, str], version: str) -> Response:
        field = "scope" if version == "v2" else "resource"
        for name in ("client_id", field):
            if not form.get(name):
                return self._refuse("invalid_request", refusal(90014, field=name))
        resource = form[field].split()[0].removesuffix("/.default")
        flow = self._state.new_device(resource, form["client_id"])
        knobs, names = self._world.run.scenario.azuread, self._world.names
        url = f"https://{names.hosts.shortlink.name}/{names.links.code}"
        number = str if version == "v1" else int
        return JSONResponse(
            {
                "user_code": flow.user_code,
                "device_code": flow.device_code,
                "verification_uri" if version == "v2" else "verification_url": url,
                "expires_in": number(knobs.expires_in),
                "interval": number(knobs.interval),
                "message": f"To sign in, use a web browser to open the page {url} and enter the "
                f"code {flow.user_code} to authenticate.",
            }
        )

    def _token(self, request: Request, form: dict[str, str], version: str) -> Response:
        correlation = request.headers.get("client-request-id", "")
        if form.get("grant_type") not in DEVICE_GRANTS:
            return self._older_grant(form, correlation, version)
        code = form.get("device_code") or form.get("code", "")
        flow = self._state.devices.get(code)
        if flow is None:
            return self._refuse("bad_verification_code", refusal(70002, correlation))
        if flow.expired:
            if version == "v1":
                return self._refuse("code_expired", refusal(70019, correlation))
            return self._refuse("expired_token", refusal(70020, correlation))
        if flow.declined:
            return self._refuse("authorization_declined", refusal(65004, correlation))
        if not flow.user:
            return self._refuse("authorization_pending", refusal(70016, correlation))
        del self._state.devices[code]
        return JSONResponse(
            self._state.tokens_for(
                flow.user, flow.resource, version=version, client_id=flow.client_id
            )
        )

    def _older_grant(self, form: dict[str, str], correlation: str, version: str) -> Response:
        """Password, refresh token or SAML assertion; anything else is no grant."""
        grant, user, number = form.get("grant_type"), form.get("username", ""), 70000
        if grant == "password":
            self._truth.secret("password", form.get("password", ""))
            number = self._state.check_password(user, form.get("password", ""))
        elif grant == "refresh_token" and form.get("refresh_token") == stale_refresh_token(
            self._world.run
        ):
            number = 50132  # from before the password change
        elif grant == "refresh_token":
            user = self._state.refreshes.get(form.get("refresh_token", ""), "")
            number = 0 if user else 70000
        elif grant == "authorization_code":
            self._truth.secret("code_verifier", form.get("code_verifier", ""))
            return self._code_grant(form, correlation, version)
        elif grant == SAML_GRANT:
            user = federated_user(self._world.key("adfs"), form.get("assertion", ""))
            number = 0 if user else 70000
        if number:
            return self._refuse("invalid_grant", refusal(number, correlation, user=user))
        resource = form.get("resource") or form.get("scope", "").split()[0]
        answer = self._state.tokens_for(
            user,
            resource.removesuffix("/.default"),
            version=version,
            client_id=form.get("client_id", ""),
        )
        return JSONResponse(answer)

    def _code_grant(self, form: dict[str, str], correlation: str, version: str) -> Response:
        sign_in, number = redeem(self._state, form)
        if sign_in is None:
            return self._refuse("invalid_grant", refusal(number, correlation))
        answer = self._state.tokens_for(
            sign_in.user, sign_in.resource, version=version, client_id=sign_in.client_id
        )
        answer["scope"] = form.get("scope", answer["scope"])
        return JSONResponse(answer)


def dress(response: Response, world: World) -> None:
    """The headers that every answer of Azure AD carries."""
    response.headers["cache-control"] = "no-store, no-cache"
    response.headers["pragma"] = "no-cache"
    response.headers["expires"] = "-1"
    response.headers["server"] = "Microsoft-IIS/10.0"
    response.headers["strict-transport-security"] = "max-age=31536000; includeSubDomains"
    response.headers["x-content-type-options"] = "nosniff"
    response.headers["p3p"] = 'CP="DSP CUR OTPi IND OTRi ONL FIN"'
    response.headers.setdefault("x-ms-request-id", guid())
    response.headers["x-ms-ests-server"] = SERVER_BUILD

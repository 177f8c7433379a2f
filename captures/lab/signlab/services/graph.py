"""Microsoft Graph as a resource: /me for whoever holds an access token for it (RFC 6750)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .tokens import bearer_claims
from .world import World, guid, utc_text


class Graph:
    def __init__(self, world: World) -> None:
        self._world = world
        self._resource = f"https://{world.hosts.graph.name}"
        self.routes = [Route("/v1.0/me", self.me), Route("/beta/me", self.me)]

    async def me(self, request: Request) -> Response:
        try:
            claims = bearer_claims(self._world.key("azuread"), request, self._resource)
        except ValueError as error:
            return self._refused(str(error))
        version = request.url.path.split("/")[1]
        upn = str(claims["upn"])
        user = {
            "@odata.context": f"{self._resource}/{version}/$metadata#users/$entity",
            "businessPhones": [],
            "displayName": claims["name"],
            "givenName": claims["given_name"],
            "surname": claims["family_name"],
            "mail": upn,
            "userPrincipalName": upn,
            "id": claims["oid"],
        }
        return self._finish(JSONResponse(user))

    def _refused(self, text: str) -> Response:
        inner = {"date": utc_text("%Y-%m-%dT%H:%M:%S"), "request-id": guid()}
        content = {
            "error": {"code": "InvalidAuthenticationToken", "message": text, "innerError": inner}
        }
        response = JSONResponse(content, 401)
        response.headers["www-authenticate"] = (
            'Bearer realm="", authorization_uri='
            f'"https://{self._world.hosts.azuread.name}/common/oauth2/authorize", '
            'client_id="00000003-0000-0000-c000-000000000000"'
        )
        return self._finish(response)

    @staticmethod
    def _finish(response: Response) -> Response:
        response.headers["cache-control"] = "no-cache"
        response.headers["request-id"] = guid()
        response.headers["client-request-id"] = guid()
        response.headers["strict-transport-security"] = "max-age=31536000"
        return response

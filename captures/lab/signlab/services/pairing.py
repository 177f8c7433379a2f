"""The Device Pairing Service, its Web Sign-in page, and the short links that lead to both."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from .world import World, form_of, guid, opaque, render, set_cookie


class Pairing:
    """What a phone asks first: where to get tokens and where to send its user."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.routes = [Route("/api/DeviceConfig/Polycom/Default", self.configuration)]

    async def configuration(self, request: Request) -> Response:
        names = self._world.names
        hosts, links = names.hosts, names.links
        root = f"https://{hosts.autodiscover.name}/autodiscover/autodiscoverservice.svc/root?"
        response = JSONResponse(
            {
                "AadEndpointUrl": f"https://{hosts.azuread.name}/",
                "ClientId": names.organisation.client_id,
                "DevicePairingWebsiteUrl": f"http://{hosts.shortlink.name}/{links.website}",
                "GraphAPIUrl": links.graph,
                "AutoDiscoverUrl": root,
                "ExchangeOnlineAutoDUrl": links.exchange,
            }
        )
        return _finish(response)


class WebSignIn:
    """The page that asks for the SIP address and hands over to Azure AD."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._truth = world.truth("pairing")
        site = f"/{world.names.organisation.pairing_site}"
        self._site = site
        self.routes = [
            Route(f"{site}/", self.page),
            Route(f"{site}/verify", self.verify, methods=["POST"]),
            Route(f"{site}/signedin", self.signed_in),
        ]

    async def page(self, request: Request) -> Response:
        names = self._world.names
        realm = ""
        if self._world.run.scenario.browser.realm == "userrealm":
            tenant = names.organisation.tenant_path
            realm = f"https://{names.hosts.azuread.name}/{tenant}/userrealm"
        page = render("websignin.html", action=f"{self._site}/verify", realm_url=realm)
        response = HTMLResponse(page)
        set_cookie(response, self._truth, "PairingSession", opaque(24))
        return _finish(response)

    async def verify(self, request: Request) -> Response:
        names, form = self._world.names, await form_of(request)
        query = {
            "client_id": names.organisation.web_client_id,
            "response_type": "code",
            "redirect_uri": f"https://{names.hosts.websignin.name}{self._site}/signedin",
            "resource": names.links.graph,
            "login_hint": form.get("login_hint", ""),
            "state": self._truth.secret("state", opaque(18)),
            "nonce": guid(),
        }
        tenant = names.organisation.tenant_path
        target = f"https://{names.hosts.azuread.name}/{tenant}/oauth2/authorize?{urlencode(query)}"
        return _finish(RedirectResponse(target, 302))

    async def signed_in(self, request: Request) -> Response:
        names = self._world.names
        target = f"https://{names.hosts.shortlink.name}/{names.links.code}"
        return _finish(RedirectResponse(target, 302))


class ShortLinks:
    """aka.ms and the page behind its device login link: nothing but redirects."""

    def __init__(self, world: World) -> None:
        names = world.names
        site = names.organisation.pairing_site
        self._website = f"https://{names.hosts.websignin.name}/{site}/"
        self._portal = f"https://{names.hosts.codepage.name}/{names.links.code}"
        tenant = names.organisation.tenant_path
        self._code = f"https://{names.hosts.azuread.name}/{tenant}/oauth2/deviceauth"
        self.shortlink_routes = [
            Route(f"/{names.links.website}", self.website),
            Route(f"/{names.links.code}", self.portal),
        ]
        self.codepage_routes = [Route(f"/{names.links.code}", self.code)]

    async def website(self, request: Request) -> Response:
        return _moved(self._website)

    async def portal(self, request: Request) -> Response:
        return _moved(self._portal)

    async def code(self, request: Request) -> Response:
        return _moved(self._code)


def _moved(target: str) -> Response:
    response = RedirectResponse(target, 301)
    response.headers["server"] = "Kestrel"
    response.headers["cache-control"] = "max-age=0, no-cache, no-store"
    return response


def _finish(response: Response) -> Response:
    response.headers["server"] = "Microsoft-IIS/8.5"
    response.headers["x-powered-by"] = "ASP.NET"
    response.headers["cache-control"] = "no-cache"
    return response

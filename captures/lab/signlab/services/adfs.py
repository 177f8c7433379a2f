"""The customer's ADFS behind its proxy in the DMZ: WS-Federation passive sign-in at /adfs/ls/.

A GET with wa=wsignin1.0 answers with the form; a POST of the right password with a self-posting
form that carries `wresult` ([MS-MWBF] §3.1.5), at once or after a redirect to itself; a wrong one
with the form again, status 200 and an error text.
"""

from __future__ import annotations

import base64
import secrets
from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from .tokens import instant, saml_assertion
from .world import World, form_of, guid, opaque, render, set_cookie

REALM = "urn:federation:MicrosoftOnline"
REJECTED = "Incorrect user ID or password. Type the correct user ID and password, and try again."


class Adfs:
    def __init__(self, world: World) -> None:
        self._world = world
        self._truth = world.truth("adfs")
        self._sessions: set[str] = set()
        self._immutable_id = base64.b64encode(secrets.token_bytes(16)).decode()
        self.routes = [Route("/adfs/ls/", self.sign_in, methods=["GET", "POST"])]

    async def sign_in(self, request: Request) -> Response:
        query = request.query_params
        if query.get("wa") != "wsignin1.0" or query.get("wtrealm") != REALM:
            return PlainTextResponse("MSIS7001: the request is not understood.", 400)
        if request.method == "GET":
            if request.cookies.get("MSISAuth") in self._sessions:
                return self._claims(request)
            return self._form(request, query.get("username", ""), "")
        form = await form_of(request)
        self._truth.secret("password", form.get("Password", ""))
        user, directory = form.get("UserName", ""), self._world.names.organisation.directory
        known = user in (self._world.names.user.sip, f"{directory}\\{user.partition('@')[0]}")
        if not known or not secrets.compare_digest(form["Password"], self._world.run.password):
            return self._form(request, user, REJECTED)
        session = opaque(340)
        self._sessions.add(session)
        if self._world.run.scenario.adfs.answer == "redirect":
            response: Response = RedirectResponse(self._self_url(request), 302)
        else:
            response = self._claims(request)
        set_cookie(response, self._truth, "MSISAuth", session)
        return self._finish(response)

    def _self_url(self, request: Request) -> str:
        return f"https://{self._world.hosts.adfs.name}{request.url.path}?{request.url.query}"

    def _form(self, request: Request, username: str, error: str) -> Response:
        page = render(
            "adfs_login.html",
            brand=self._world.names.organisation.brand,
            action=self._self_url(request),
            username=username,
            error=error,
        )
        return self._finish(HTMLResponse(page))

    def _claims(self, request: Request) -> Response:
        names = self._world.names
        assertion = saml_assertion(
            self._world.key("adfs"),
            "adfs_assertion.xml",
            adfs=names.hosts.adfs.name,
            upn=names.user.sip,
            immutable_id=self._immutable_id,
        )
        wresult = render(
            "adfs_rstr.xml", assertion=assertion, now=instant(), until=instant(timedelta(hours=1))
        ).strip()
        self._truth.secret("saml_assertion", assertion)
        self._truth.secret("wresult", wresult)
        page = render(
            "adfs_post.html",
            action=f"https://{names.hosts.azuread.name}/login.srf",
            wresult=wresult,
            wctx=request.query_params.get("wctx", ""),
        )
        response = HTMLResponse(page)
        now = datetime.now(UTC).strftime("%m/%d/%Y %I:%M:%S %p")
        authenticated = base64.b64encode(now.encode()).decode()
        loop = base64.b64encode(f"{now}\\1".encode()).decode()
        signed_out = base64.b64encode(f"{REALM}|{guid()}|{opaque(24)}".encode()).decode()
        set_cookie(response, self._truth, "MSISAuthenticated", authenticated)
        set_cookie(response, self._truth, "MSISSignOut", signed_out)
        set_cookie(response, self._truth, "MSISLoopDetectionCookie", loop)
        return self._finish(response)

    @staticmethod
    def _finish(response: Response) -> Response:
        response.headers["server"] = "Microsoft-HTTPAPI/2.0"
        response.headers["cache-control"] = "no-cache,no-store"
        response.headers["pragma"] = "no-cache"
        response.headers["expires"] = "-1"
        response.headers["x-frame-options"] = "DENY"
        return response

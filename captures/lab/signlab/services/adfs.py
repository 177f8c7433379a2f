"""The customer's ADFS behind its proxy in the DMZ: WS-Federation passive sign-in at /adfs/ls/.

A GET with wa=wsignin1.0 answers with the form; a POST of the right password with a self-posting
form that carries `wresult` ([MS-MWBF] §3.1.5), at once or after a redirect to itself; a wrong one
with the form again, status 200 and an error text. A SAML 2.0 AuthnRequest at the same place gets
its Response (adfs_saml.py).
"""

from __future__ import annotations

import base64
import secrets
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from ..config import Run
from . import adfs_certificate, adfs_wia
from .adfs_saml import read_request, respond
from .tokens import instant, saml_assertion
from .world import World, form_of, guid, opaque, render, set_cookie, utc_text

REALM = "urn:federation:MicrosoftOnline"
EXPIRED = "Your password has expired. Contact your administrator, or change it and try again."
LOOP_LIMIT, LOOP_SECONDS = 5, 20  # AD FS's own defaults
PORTAL = "/adfs/portal/updatepassword/"
REJECTED = "Incorrect user ID or password. Type the correct user ID and password, and try again."


def is_right(run: Run, user: str, password: str) -> bool:
    """Whether this is the password of the user, named by UPN or as DOMAIN\\name."""
    domain, directory = run.names.organisation.domain, run.names.organisation.directory
    upn = f"{user.partition(chr(92))[2]}@{domain}" if user.startswith(f"{directory}\\") else user
    right = run.passwords.get(upn.lower())
    return right is not None and secrets.compare_digest(right, password)


class Adfs:
    def __init__(self, world: World) -> None:
        self._world = world
        self._truth = world.truth("adfs")
        self._sessions: dict[str, str] = {}  # MSISAuth → user
        self._immutable_id = base64.b64encode(secrets.token_bytes(16)).decode()
        self._knobs = world.run.scenario.adfs
        self.routes = [
            Route("/adfs/ls/", self.sign_in, methods=["GET", "POST"]),
            Route(PORTAL, self.portal),
            Route(adfs_wia.PATH, self.windows),
        ]

    async def sign_in(self, request: Request) -> Response:
        query = request.query_params
        if self._knobs.state == "down":
            page = render("service_unavailable.html")
            return self._finish(HTMLResponse(page, 503, {"server": "Microsoft-HTTPAPI/2.0"}))
        if "SAMLRequest" not in query and (
            query.get("wa") != "wsignin1.0" or query.get("wtrealm") != REALM
        ):
            return PlainTextResponse("MSIS7001: the request is not understood.", 400)
        if request.method == "GET":
            if request.cookies.get("MSISAuth") in self._sessions:
                return self._claims(request, self._sessions[request.cookies["MSISAuth"]])
            if self._knobs.asks == "windows":
                return self._finish(adfs_wia.to_wia(self._world, request))
            return self._form(request, query.get("username", ""), "")
        form = await form_of(request)
        if form.get("AuthMethod") == adfs_certificate.METHOD:
            user = adfs_certificate.user_of(self._world, request)
            if user:
                return self._signed_in(request, user)
            return self._finish(adfs_certificate.to_port(self._world, request))
        self._truth.secret("password", form.get("Password", ""))
        user = form.get("UserName", "")
        if not is_right(self._world.run, user, form.get("Password", "")):
            return self._form(request, user, REJECTED)
        if self._knobs.password == "expired":
            return self._form(request, user, EXPIRED)
        if self._knobs.password == "update":
            host = self._world.hosts.adfs.name
            target = f"https://{host}{PORTAL}?{urlencode({'username': user})}"
            return self._finish(RedirectResponse(target, 302))
        return self._signed_in(request, user)

    async def windows(self, request: Request) -> Response:
        """Windows integrated authentication; 401 until the browser has a ticket to show."""
        user, answer = adfs_wia.negotiated(self._world, request)
        if not user:
            return self._finish(adfs_wia.challenge())
        response = self._signed_in(request, user)
        response.headers["www-authenticate"] = f"Negotiate {answer}"
        return response

    def _signed_in(self, request: Request, user: str) -> Response:
        """The session's cookie, and the token at once or after a redirect."""
        session = opaque(340)
        self._sessions[session] = user
        if self._world.run.scenario.adfs.answer == "redirect":
            response: Response = RedirectResponse(self._self_url(request), 302)
        else:
            response = self._claims(request, user)
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
            certificates=self._knobs.asks == "certificate",
        )
        return self._finish(HTMLResponse(page))

    async def portal(self, request: Request) -> Response:
        """Where a user with an expired password is sent, if the portal is switched on."""
        names = self._world.names
        user = request.query_params.get("username", "")
        page = render("adfs_update.html", brand=names.organisation.brand, username=user)
        return self._finish(HTMLResponse(page))

    @staticmethod
    def _rounds(request: Request) -> list[float]:
        """When this browser got a token lately, by the cookie that ADFS counts with."""
        raw = base64.b64decode(request.cookies.get("MSISLoopDetectionCookie", "") + "==")
        now = datetime.now(UTC).timestamp()
        times = [float(word) for word in raw.decode("ascii", "replace").split("\\") if word]
        return [moment for moment in times if now - moment < LOOP_SECONDS]

    def _loop(self, rounds: list[float]) -> Response:
        seconds = max(1, round(datetime.now(UTC).timestamp() - rounds[0]))
        page = render(
            "adfs_error.html",
            brand=self._world.names.organisation.brand,
            text=f"MSIS7042: The same client browser session has made '{len(rounds) + 1}' requests "
            f"in the last '{seconds}' seconds.",
            activity=guid(),
            now=utc_text("%a, %d %b %Y %H:%M:%S GMT"),
        )
        return self._finish(HTMLResponse(page))

    def _claims(self, request: Request, user: str) -> Response:
        names, rounds = self._world.names, self._rounds(request)
        if len(rounds) >= LOOP_LIMIT:
            return self._loop(rounds)
        if "SAMLRequest" in request.query_params:
            return self._saml_response(request, user)
        assertion = saml_assertion(
            self._world.key("adfs"),
            "adfs_assertion.xml",
            adfs=names.hosts.adfs.name,
            upn=user,
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
        rounds.append(datetime.now(UTC).timestamp())
        counted = "\\".join(f"{moment:.3f}" for moment in rounds)
        loop = base64.b64encode(counted.encode()).decode()
        signed_out = base64.b64encode(f"{REALM}|{guid()}|{opaque(24)}".encode()).decode()
        set_cookie(response, self._truth, "MSISAuthenticated", authenticated)
        set_cookie(response, self._truth, "MSISSignOut", signed_out)
        set_cookie(response, self._truth, "MSISLoopDetectionCookie", loop)
        return self._finish(response)

    def _saml_response(self, request: Request, user: str) -> Response:
        try:
            asked = read_request(self._world, request.url.query)
        except ValueError:
            return PlainTextResponse("MSIS0037: the signature does not verify.", 400)
        response = respond(self._world, asked, user)
        now = datetime.now(UTC).strftime("%m/%d/%Y %I:%M:%S %p")
        authenticated = base64.b64encode(now.encode()).decode()
        set_cookie(response, self._truth, "MSISAuthenticated", authenticated)
        return self._finish(response)

    @staticmethod
    def _finish(response: Response) -> Response:
        response.headers["server"] = "Microsoft-HTTPAPI/2.0"
        response.headers["cache-control"] = "no-cache,no-store"
        response.headers["pragma"] = "no-cache"
        response.headers["expires"] = "-1"
        response.headers["x-frame-options"] = "DENY"
        return response

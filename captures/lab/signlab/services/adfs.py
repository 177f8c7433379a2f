"""The customer's ADFS behind its proxy in the DMZ: WS-Federation passive sign-in at /adfs/ls/.

A GET with wa=wsignin1.0 answers with the form; a POST of the right password with a self-posting
form that carries `wresult` ([MS-MWBF] §3.1.5), at once or after a redirect to itself; a wrong one
with the form again, status 200 and an error text.
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
        ]

    async def sign_in(self, request: Request) -> Response:
        query = request.query_params
        if self._knobs.state == "down":
            page = render("service_unavailable.html")
            return self._finish(HTMLResponse(page, 503, {"server": "Microsoft-HTTPAPI/2.0"}))
        if query.get("wa") != "wsignin1.0" or query.get("wtrealm") != REALM:
            return PlainTextResponse("MSIS7001: the request is not understood.", 400)
        if request.method == "GET":
            if request.cookies.get("MSISAuth") in self._sessions:
                return self._claims(request, self._sessions[request.cookies["MSISAuth"]])
            return self._form(request, query.get("username", ""), "")
        form = await form_of(request)
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

    @staticmethod
    def _finish(response: Response) -> Response:
        response.headers["server"] = "Microsoft-HTTPAPI/2.0"
        response.headers["cache-control"] = "no-cache,no-store"
        response.headers["pragma"] = "no-cache"
        response.headers["expires"] = "-1"
        response.headers["x-frame-options"] = "DENY"
        return response

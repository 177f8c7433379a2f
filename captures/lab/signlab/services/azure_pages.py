"""Azure AD towards the browser: authorize, home realm discovery, login, login.srf, deviceauth."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlencode

from lxml import etree
from signxml.exceptions import InvalidInput, InvalidSignature
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from .applications import title_of
from .azure_consent import Consent
from .azure_errors import AadError, refusal
from .azure_grants import granted, resource_of
from .azure_interrupts import Interrupts
from .azure_oauth import dress
from .azure_realms import Realms
from .azure_state import AzureState, SignIn
from .tokens import SAML, UPN_PATH, verify_assertion
from .world import TEMPLATES, World, form_of, guid, opaque, render, set_cookie

WORDS = {
    50053: "Your account is temporarily locked to prevent unauthorized use. Try again later.",
    50126: "Your account or password is incorrect.",
}


class AzurePages:
    def __init__(self, world: World, state: AzureState) -> None:
        self._world = world
        self._state = state
        self._truth = world.truth("azuread")
        self._knobs = world.run.scenario.azuread
        self._interrupts = Interrupts(world)
        self._consent = Consent(world, state)
        self._realms = Realms(world, state)
        tenant = f"/{world.names.organisation.tenant_path}"
        self._tenant = tenant
        both = ["GET", "POST"]
        self.routes = [
            Route(f"{tenant}/oauth2/authorize", self.authorize),
            Route(f"{tenant}/oauth2/v2.0/authorize", self.authorize),
            *self._realms.routes,
            Route(f"{tenant}/login", self.login, methods=["POST"]),
            Route("/login.srf", self.federated_login, methods=["POST"]),
            Route(f"{tenant}/oauth2/deviceauth", self.device_auth, methods=both),
            Route(f"{tenant}/DeviceAuthTls/reprocess", self.reprocess),
            Route(f"{tenant}/SAS/ProcessAuth", self.second_factor, methods=["POST"]),
            Route("/appverify", self.confirmed, methods=["POST"]),
            Route("/shared/1.0/content/js/signin_core.js", self.script),
            *self._consent.routes,
        ]

    # Pages

    async def authorize(self, request: Request) -> Response:
        query = request.query_params
        sign_in = self._state.new_sign_in(
            login_hint=query.get("login_hint", ""),
            redirect_uri=query.get("redirect_uri", ""),
            client_state=self._truth.secret("state", query.get("state", "")),
            client_id=query.get("client_id", ""),
            resource=query.get("resource") or resource_of(query.get("scope", "")),
            code_challenge=query.get("code_challenge", ""),
        )
        realm = self._world.run.scenario.browser.realm
        if realm == "userrealm" and sign_in.login_hint and self._knobs.federated:
            return self._finish(
                RedirectResponse(self._realms.adfs_url(sign_in, sign_in.login_hint), 302)
            )
        return self._sign_in_page(sign_in)

    def _sign_in_page(self, sign_in: SignIn, refused: AadError | None = None) -> Response:
        host = self._world.hosts.azuread.name
        config: dict[str, Any] = {
            "fShowPersistentCookiesWarning": False,
            "urlPost": f"{self._tenant}/login",
            "urlGetCredentialType": f"https://{host}{self._tenant}/GetCredentialType?mkt=en-US",
            "sPOST_Username": sign_in.login_hint,
            "sErrorCode": str(refused.number) if refused else "",
            "sErrTxt": WORDS.get(refused.number, WORDS[50126]) if refused else "",
            "strServiceExceptionMessage": refused.description if refused else "",
            "sCtx": sign_in.state,
            "sFT": sign_in.flow_token,
            "sFTName": "flowToken",
            "canary": sign_in.canary,
            "apiCanary": self._truth.secret("canary", opaque(90)),
            "correlationId": refused.correlation_id if refused else sign_in.correlation_id,
            "sessionId": refused.trace_id if refused else guid(),
            "locale": {"mkt": "en-US", "lcid": 1033},
            "slMaxRetry": 2,
            "hpgid": 1104,
            "pgid": "ConvergedSignIn",
        }
        page = render("azure_login.html", config=json.dumps(config).replace("<", "\\u003c"))
        return self._finish(HTMLResponse(page))

    def _code_page(self, error: str = "") -> Response:
        sign_in = self._state.new_sign_in()
        page = render(
            "azure_code.html",
            action=f"{self._tenant}/oauth2/deviceauth",
            flow_token=sign_in.flow_token,
            canary=sign_in.canary,
            error=error,
        )
        return self._finish(HTMLResponse(page))

    def _done_page(self, sign_in: SignIn) -> Response:
        client_id = sign_in.device.client_id if sign_in.device else ""
        application = title_of(self._world.names, client_id)
        return self._finish(HTMLResponse(render("azure_done.html", application=application)))

    async def script(self, request: Request) -> Response:
        text = TEMPLATES.get_template("signin_core.js").render()
        response = Response(text, media_type="application/x-javascript")
        response.headers["cache-control"] = "public, max-age=31536000"
        return response

    # Credentials

    async def login(self, request: Request) -> Response:
        form = await form_of(request)
        self._truth.secret("password", form.get("passwd", ""))
        sign_in = self._state.sign_in_of(form.get("ctx", ""))
        user = form.get("login", "")
        number = self._state.check_password(user, form.get("passwd", ""))
        if number:
            return self._sign_in_page(sign_in, refusal(number, sign_in.correlation_id, user=user))
        return self._go_on(sign_in, user)

    async def federated_login(self, request: Request) -> Response:
        form = await form_of(request)
        wctx = parse_qs(form.get("wctx", ""))
        sign_in = self._state.sign_in_of("".join(wctx.get("estsrequest", [])))
        try:
            envelope = etree.fromstring(form.get("wresult", "").encode())
            assertion = envelope.find(f".//{{{SAML}}}Assertion")
            if assertion is None:
                raise ValueError("no assertion in wresult")
            signed = verify_assertion(self._world.key("adfs"), assertion)
            user = signed.findtext(UPN_PATH)
            if not user:
                raise ValueError("no UPN in the assertion")
        except (ValueError, etree.XMLSyntaxError, InvalidSignature, InvalidInput):
            return self._sign_in_page(sign_in, refusal(20012, sign_in.correlation_id))
        if not self._knobs.remembers:
            return self._finish(RedirectResponse(self._realms.adfs_url(sign_in, user), 302))
        return self._go_on(sign_in, user)

    def _go_on(self, sign_in: SignIn, user: str) -> Response:
        """The user is known: ask what else is to be asked, then go where the sign-in was going."""
        sign_in.user = user
        if self._knobs.refuses and self._knobs.refuses_at == "sign-in":
            refused = refusal(self._knobs.refuses, sign_in.correlation_id)
            return self._finish(self._interrupts.refused(refused))
        if self._knobs.mfa and sign_in.factors < 2:
            return self._finish(self._interrupts.second_factor(sign_in))
        if self._consent.is_needed(sign_in):
            return self._finish(self._consent.page(sign_in))
        host = f"https://{self._world.hosts.azuread.name}"
        if sign_in.device is not None:
            self._approve(sign_in)
            target = f"{host}{self._tenant}/DeviceAuthTls/reprocess?" + urlencode(
                {"ctx": sign_in.state, "sessionid": sign_in.correlation_id}
            )
        else:
            target = granted(self._world, self._state, sign_in)
        response = RedirectResponse(target, 302)
        session = self._state.new_session(user)
        set_cookie(response, self._truth, "ESTSAUTH", session)
        persistent = opaque(300)
        set_cookie(response, self._truth, "ESTSAUTHPERSISTENT", persistent, "; max-age=7776000")
        set_cookie(response, self._truth, "SignInStateCookie", opaque(60))
        return self._finish(response)

    async def second_factor(self, request: Request) -> Response:
        form = await form_of(request)
        sign_in = self._state.sign_in_of(form.get("request", ""))
        self._truth.secret("one_time_code", form.get("otc", ""))
        if not sign_in.user or not self._interrupts.is_right(form.get("otc", "")):
            return self._finish(self._interrupts.second_factor(sign_in))
        sign_in.factors = 2
        return self._go_on(sign_in, sign_in.user)

    # The code

    def _approve(self, sign_in: SignIn) -> None:
        """The device gets its tokens, unless the user is to be asked first."""
        if sign_in.device is not None and not self._knobs.confirm:
            sign_in.device.user = sign_in.user

    def _device_page(self, sign_in: SignIn) -> Response:
        """What ends the sign-in of a device: the page that says so, or the question before."""
        if self._knobs.confirm:
            return self._finish(self._interrupts.confirmation(sign_in))
        return self._done_page(sign_in)

    async def confirmed(self, request: Request) -> Response:
        """The user's answer to "Are you trying to sign in to …?"."""
        form = await form_of(request)
        sign_in = self._state.sign_in_of(form.get("ctx", ""))
        if sign_in.device is None or not sign_in.user:
            return self._code_page(refusal(90014, field="ctx").description)
        if form.get("ContinueAuth") != "true":
            sign_in.device.declined = True
            return self._finish(self._interrupts.declined())
        sign_in.device.user = sign_in.user
        return self._done_page(sign_in)

    async def device_auth(self, request: Request) -> Response:
        if request.method == "GET":
            return self._code_page()
        form = await form_of(request)
        flow = self._state.device_of(form.get("otc", ""))
        if flow is None or flow.expired:
            refused = refusal(70018 if flow is None else 70019)
            return self._code_page(refused.description)
        user = self._state.sessions.get(request.cookies.get("ESTSAUTH", ""))
        if user:
            if self._knobs.refuses and self._knobs.refuses_at == "code":
                return self._finish(self._interrupts.refused(refusal(self._knobs.refuses)))
            sign_in = self._state.new_sign_in(device=flow, user=user)
            self._approve(sign_in)
            return self._device_page(sign_in)
        return self._sign_in_page(self._state.new_sign_in(device=flow))

    async def reprocess(self, request: Request) -> Response:
        user = self._state.sessions.get(request.cookies.get("ESTSAUTH", ""))
        sign_in = self._state.sign_ins.get(request.query_params.get("ctx", ""))
        if not user or sign_in is None or sign_in.device is None:
            return self._code_page(refusal(90014, field="ctx").description)
        return self._device_page(sign_in)

    def _finish(self, response: Response) -> Response:
        dress(response, self._world)
        if response.status_code == 200 and response.media_type == "text/html":
            set_cookie(response, self._truth, "buid", "0.AAAA" + opaque(130))
            set_cookie(response, self._truth, "esctx", "AQABAAAAAAD" + opaque(150))
            set_cookie(response, self._truth, "fpc", opaque(36))
            set_cookie(response, self._truth, "x-ms-gateway-slice", "estsfd")
            set_cookie(response, self._truth, "stsservicecookie", "estsfd")
        return response

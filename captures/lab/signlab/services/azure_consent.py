"""The page on which a user lets an application have what it asks for, or does not."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from .applications import title_of
from .azure_grants import denied, granted
from .azure_oauth import dress
from .azure_state import AzureState, SignIn
from .world import World, form_of, render


class Consent:
    """The question whether an application may, and what follows from the answer."""

    def __init__(self, world: World, state: AzureState) -> None:
        self._world = world
        self._state = state
        self._action = f"/{world.names.organisation.tenant_path}/Consent/Set"
        self.routes = [Route(self._action, self.answered, methods=["POST"])]

    def is_needed(self, sign_in: SignIn) -> bool:
        return self._world.run.scenario.azuread.consent and not sign_in.consented

    def page(self, sign_in: SignIn) -> Response:
        """pgid ConvergedConsent: Accept and Cancel."""
        page = render(
            "azure_consent.html",
            action=self._action,
            application=title_of(self._world.names, sign_in.client_id),
            state=sign_in.state,
            flow_token=sign_in.flow_token,
            canary=sign_in.canary,
            correlation=sign_in.correlation_id,
        )
        return HTMLResponse(page)

    async def answered(self, request: Request) -> Response:
        form = await form_of(request)
        sign_in = self._state.sign_ins.get(form.get("ctx", ""))
        if sign_in is None or not sign_in.user:
            return Response("", 400)
        sign_in.consented = form.get("acceptConsent") == "true"
        yes = sign_in.consented
        target = granted(self._world, self._state, sign_in) if yes else denied(sign_in)
        response = RedirectResponse(target, 302)
        dress(response, self._world)
        return response

"""Pages that Azure AD puts between a user who is known and the end of the sign-in.

A second factor, the question whether it is really the user who is signing in to the device, and
the page that ends a sign-in because a policy forbids it. All are HTTP 200 and HTML; the numbers
stand in the page's $Config.
"""

from __future__ import annotations

import json
import secrets
from typing import Any

from starlette.responses import HTMLResponse, Response

from .azure_errors import AadError, refusal
from .azure_state import SignIn
from .world import World, guid, render

CODE_FILE = "one-time-code"  # what the user's other device shows


class Interrupts:
    def __init__(self, world: World) -> None:
        self._world = world
        self._tenant = f"/{world.names.organisation.tenant_path}"
        self._truth = world.truth("azuread")

    def refused(self, refused: AadError) -> Response:
        """The end: error code, request id, correlation id and time for the help desk."""
        names = self._world.names
        return self._page(
            "azure_error.html",
            {
                "pgid": "ConvergedError",
                "iErrorCode": refused.number,
                "strServiceExceptionMessage": refused.description,
                "strMainMessage": "You cannot access this right now",
                "correlationId": refused.correlation_id,
                "sessionId": refused.trace_id,
            },
            number=refused.number,
            trace=refused.trace_id,
            correlation=refused.correlation_id,
            timestamp=refused.timestamp,
            application=names.organisation.application,
            client_id=names.organisation.client_id,
        )

    def second_factor(self, sign_in: SignIn) -> Response:
        """Ask for the code of the user's authenticator; eight digits, as its longer form has."""
        # Not six: in a listing full of numbers nobody could tell that such a code is absent.
        code = f"{secrets.randbelow(10**8):08d}"
        (self._world.run.directory / CODE_FILE).write_text(code)
        needed = refusal(50074, sign_in.correlation_id)
        return self._page(
            "azure_mfa.html",
            {
                "pgid": "ConvergedTFA",
                "sErrorCode": str(needed.number),
                "urlPost": f"{self._tenant}/SAS/ProcessAuth",
                "arrUserProofs": [{"authMethodId": "PhoneAppOTP", "isDefault": True}],
                "correlationId": sign_in.correlation_id,
                "sessionId": guid(),
            },
            action=f"{self._tenant}/SAS/ProcessAuth",
            state=sign_in.state,
            flow_token=sign_in.flow_token,
            canary=sign_in.canary,
        )

    def is_right(self, code: str) -> bool:
        """Whether this is the code that was asked for last."""
        wanted = (self._world.run.directory / CODE_FILE).read_text()
        return secrets.compare_digest(wanted, code)

    def confirmation(self, sign_in: SignIn) -> Response:
        """The question whether it is the user who is signing in: Continue and Cancel."""
        return self._page(
            "azure_confirm.html",
            {"pgid": "CmsiInterrupt", "correlationId": sign_in.correlation_id},
            application=self._world.names.organisation.application,
            state=sign_in.state,
            flow_token=sign_in.flow_token,
            canary=sign_in.canary,
        )

    def declined(self) -> Response:
        return self._page("azure_declined.html", {"pgid": "AppVerifyCancel"})

    @staticmethod
    def _page(template: str, config: dict[str, Any], **values: Any) -> Response:
        text = json.dumps(config).replace("<", "\\u003c")
        return HTMLResponse(render(template, config=text, **values))

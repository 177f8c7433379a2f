"""The error forms of Azure AD: the JSON of its OAuth endpoints and the text in its pages."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import JSONResponse

from .world import guid, utc_text

TEXTS = {
    50034: "The user account {user} does not exist in the directory. To sign into this "
    "application, the account must be added to the directory.",
    50053: "The account is locked, you've tried to sign in too many times with an incorrect user "
    "ID or password.",
    50074: "Strong Authentication is required.",
    50126: "Error validating credentials due to invalid username or password.",
    50132: "The credentials have been revoked due to a recent password change.",
    53003: "Access has been blocked by Conditional Access policies. The access policy does not "
    "allow token issuance.",
    65004: "The user declined to sign in to the application on the device.",
    500112: "The reply address does not match the one of the authorization request.",
    501481: "The Code_Verifier does not match the code_challenge supplied in the authorization "
    "request.",
    70000: "The provided value for the grant is not valid.",
    70002: "Error validating credentials.",
    70016: "Pending end-user authorization.",
    70018: "Invalid verification code due to user typing in wrong user code for device code flow.",
    70019: "Verification code expired.",
    70020: "The provided value for the input parameter 'device_code' is not valid. "
    "This device code has expired.",
    90094: "An administrator has set a policy that prevents you from granting the application "
    "the permissions it is requesting.",
    90014: "The required field '{field}' is missing from the request.",
    20012: "An error occurred while processing the federated sign-in response.",
}


@dataclass(frozen=True)
class AadError:
    """One refusal with the ids that Azure AD's support asks for."""

    number: int
    text: str
    trace_id: str
    correlation_id: str
    timestamp: str

    @property
    def description(self) -> str:
        return (
            f"AADSTS{self.number}: {self.text}\r\nTrace ID: {self.trace_id}\r\n"
            f"Correlation ID: {self.correlation_id}\r\nTimestamp: {self.timestamp}"
        )


def refusal(number: int, correlation_id: str = "", **values: str) -> AadError:
    return AadError(
        number, TEXTS[number].format(**values), guid(), correlation_id or guid(), utc_text()
    )


def oauth_error(error: str, refused: AadError, azuread: str) -> JSONResponse:
    """HTTP 400 as the devicecode and token endpoints answer."""
    content = {
        "error": error,
        "error_description": refused.description,
        "error_codes": [refused.number],
        "timestamp": refused.timestamp,
        "trace_id": refused.trace_id,
        "correlation_id": refused.correlation_id,
        "error_uri": f"https://{azuread}/error?code={refused.number}",
    }
    response = JSONResponse(content, 400)
    response.headers["x-ms-request-id"] = refused.trace_id
    response.headers["x-ms-clitelem"] = f"1,{refused.number},0,,"
    return response

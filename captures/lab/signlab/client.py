"""A program at the PC: OAuth code flow with a proof key and a loopback redirect.

`python -m signlab.client RUNDIR`, inside the PC's namespace. RFC 7636 (S256) and RFC 8252 §7.3: the
program listens on loopback, sends the user's browser to the authorization endpoint, takes the code
that comes back, exchanges it and asks Graph who the user is. What goes over loopback is on no
wire, so it is in no capture and in no notebook.
"""

from __future__ import annotations

import http.server
import json
import os
import secrets
import signal
import ssl
import sys
import uuid
from urllib.parse import parse_qs, urlencode, urlsplit

from .config import Run
from .phone.web import Web
from .services.azure_grants import challenge_of
from .services.world import render
from .truth import Truth

USER_AGENT = "python-requests/2.32.3"
LIBRARY = {"x-client-sku": "MSAL.Python", "x-client-ver": "1.31.0", "x-client-os": "linux"}


class Refused(Exception):
    """The outcome in a word."""


class Redirect:
    """The loopback end of the browser's way back."""

    def __init__(self) -> None:
        self.query: dict[str, str] = {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                outer.query = {name: values[0] for name, values in query.items()}
                ends = "done" if "code" in query else "cancelled"
                page = render("client_return.html", ends=ends).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: a line of the log would hold the code."""

        self._server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://localhost:{self._server.server_port}"

    def wait(self) -> dict[str, str]:
        """The query that the browser brings."""
        while not self.query:
            self._server.handle_request()
        self._server.server_close()
        return self.query


class Client:
    def __init__(self, run: Run) -> None:
        self._run = run
        self._names = run.names
        self._truth = Truth(run, "client")
        context = ssl.create_default_context(cafile=str(run.directory / "ca.crt"))
        context.keylog_filename = str(run.file("client", ".keys"))
        self._web = Web(run, self._truth, context, agent=USER_AGENT)
        self._graph = f"https://{self._names.hosts.graph.name}"
        self._verifier = self._truth.secret("code_verifier", secrets.token_urlsafe(48))
        self._correlation = str(uuid.uuid4())

    def _endpoint(self, name: str) -> str:
        tenant = self._names.organisation.tenant_path
        return f"https://{self._names.hosts.azuread.name}/{tenant}/oauth2/v2.0/{name}"

    def sign_in(self) -> str:
        """The whole of it; the outcome in a word. Raises Refused."""
        redirect = Redirect()
        scope = f"{self._graph}/User.Read openid profile offline_access"
        state = self._truth.secret("state", secrets.token_urlsafe(16))
        client = self._names.organisation.native_client_id
        query = {
            "client_id": client,
            "response_type": "code",
            "redirect_uri": redirect.uri,
            "scope": scope,
            "state": state,
            "code_challenge": challenge_of(self._verifier),
            "code_challenge_method": "S256",
            "nonce": secrets.token_hex(16),
            "client_info": "1",
        }
        self._open(f"{self._endpoint('authorize')}?{urlencode(query)}")
        brought = redirect.wait()
        if not secrets.compare_digest(brought.get("state", ""), state):
            raise Refused("other-state")
        if "error" in brought:
            raise Refused(brought["error"].replace("_", "-"))
        form = {
            "client_id": client,
            "grant_type": "authorization_code",
            "code": brought["code"],
            "redirect_uri": redirect.uri,
            "code_verifier": self._verifier,
            "scope": scope,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded", **LIBRARY}
        headers["client-request-id"] = self._correlation
        body = urlencode(form).encode()
        answer = self._web.request("POST", self._endpoint("token"), headers, body)
        found = json.loads(answer.body)
        if answer.status != 200:
            raise Refused(str(found["error"]).replace("_", "-"))
        bearer = {"Authorization": f"Bearer {found['access_token']}"}
        who = self._web.request("GET", f"{self._graph}/v1.0/me", bearer)
        if who.status != 200:
            raise Refused(f"graph-{who.status}")
        self._web.close()
        return "signed-in"

    def _open(self, url: str) -> None:
        """Have the user's browser open this address, as a desktop does for its programs."""
        path = self._run.directory / "screen.json"
        path.with_suffix(".new").write_text(json.dumps({"website": url, "attempt": 1}))
        path.with_suffix(".new").rename(path)


def main(arguments: list[str]) -> None:
    def leave(*_: object) -> None:
        raise SystemExit(1)

    signal.signal(signal.SIGTERM, leave)
    run = Run.from_arguments(arguments)
    truth = Truth(run, "client")
    try:
        truth.outcome(Client(run).sign_in())
    except Refused as refused:
        truth.outcome(str(refused))


if __name__ == "__main__":
    os.umask(0o077)
    main(sys.argv[1:])

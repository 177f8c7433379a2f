"""What the servers of one zone share: the run, their notebooks, keys and page templates."""

from __future__ import annotations

import base64
import secrets
import uuid
from datetime import UTC, datetime
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qsl

import jinja2
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..config import LAB, Run
from ..pki import Issuer
from ..truth import Truth

TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(LAB / "templates"),
    autoescape=jinja2.select_autoescape(default=True),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class World:
    """The run as the servers see it; truth notebooks are opened on first use."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.names = run.names
        self.hosts = run.names.hosts
        self._truths: dict[str, Truth] = {}
        self._keys: dict[str, Issuer] = {}

    def truth(self, actor: str) -> Truth:
        return self._truths.setdefault(actor, Truth(self.run, actor))

    def key(self, name: str) -> Issuer:
        """The signing certificate sign/NAME."""
        if name not in self._keys:
            self._keys[name] = Issuer.load(self.run.directory / "sign" / name)
        return self._keys[name]


def render(template: str, **values: Any) -> str:
    return TEMPLATES.get_template(template).render(**values)


def opaque(size: int) -> str:
    """An opaque value of `size` random bytes in base64url without padding."""
    return base64.urlsafe_b64encode(secrets.token_bytes(size)).rstrip(b"=").decode()


def guid() -> str:
    return str(uuid.uuid4())


def utc_text(form: str = "%Y-%m-%d %H:%M:%SZ") -> str:
    return datetime.now(UTC).strftime(form)


async def form_of(request: Request) -> dict[str, str]:
    """The fields of an application/x-www-form-urlencoded body, the last of each name."""
    body = await request.body()
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def set_cookie(response: Response, truth: Truth, name: str, value: str, extra: str = "") -> None:
    """Add a Set-Cookie as the cloud services write it, and note its value as a secret."""
    truth.secret("cookie", value)
    attributes = f"; path=/; secure; HttpOnly; SameSite=None{extra}"
    response.headers.append("set-cookie", f"{name}={value}{attributes}")


class Notebook:
    """ASGI middleware: every request and answer of one host goes into its actor's notebook."""

    def __init__(self, app: ASGIApp, world: World, role: str) -> None:
        self._app = app
        self._world = world
        host = getattr(world.hosts, role)
        self._host: str = host.name
        self._truth = world.truth(host.actor)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {k.decode(): v.decode("latin-1") for k, v in scope["headers"]}
        peer = self._world.names.client_at(headers.get("x-lab-client", ""))
        if peer == "browser" and not headers.get("user-agent", "").startswith("Mozilla/"):
            peer = "client"  # the other program at the PC
        query = scope["query_string"].decode("ascii")
        path = scope["raw_path"].decode("ascii") + (f"?{query}" if query else "")
        facts = {
            "method": scope["method"],
            "scheme": headers.get("x-lab-scheme", "https"),
            "host": headers.get("host", self._host),
            "path": path,
        }
        self._truth.message("http", peer, "received", facts)
        for morsel in SimpleCookie(headers.get("cookie", "")).values():
            self._truth.secret("cookie", morsel.value)

        async def noting_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._truth.message("http", peer, "sent", {**facts, "status": message["status"]})
            await send(message)

        await self._app(scope, receive, noting_send)

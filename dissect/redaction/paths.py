"""Paths that requests asked for, so that a cookie's Path can be determined from somebody's
secret."""

from __future__ import annotations

import re

MAX_PATHS = 20_000  # paths of requests, and what they are below, that are remembered
MAX_PATH = 1000  # characters of one
MAX_SEGMENTS = 16  # of one, that cookies may be set for
_SHORT = 3  # characters that are no secret, as the digits of a short number

# Paths of sign-in services and of what they sign in to, as their makers document them.
_DOCUMENTED = frozenset(
    {
        "adfs", "common", "oauth2", "v2.0", "v1.0", "authorize", "token", "login", "logout",
        "kmsi", "devicecode", "deviceauth", "organizations", "consumers", "autodiscover",
        "webticket", "certprov", "mapi", "microsoft-server-activesync", "powershell", "ecp",
        "exchange", "owa", "auth", "realms", "protocol", "openid-connect", "saml", "saml2", "idp",
        "profile", "simplesaml", "shibboleth", "shibboleth.sso", "cas", "nidp", "oauth", "api",
        "signin", "signout", "portal", "meet", "dialin", "scheduler", "reach", "ucwa",
        "groupexpansion", "persistentchat", "account", "accounts", "connect", "session",
        "sessions", "services", "trust", "admin", "public", "static", "my.policy", "vpn", "logon",
        "logonpoint", "citrix", "remote", "rdweb", "certsrv", "wsfed",
    }
)  # fmt: skip


class Paths:
    """The paths of the requests that were met."""

    def __init__(self) -> None:
        self._asked: set[str] = set()

    def note(self, path: str) -> None:
        """Note the path of a request, its query left out: cookies are set for it, and for what
        it is below."""
        end = -1
        for _ in range(MAX_SEGMENTS):
            end = path.find("/", end + 1, MAX_PATH)
            if end < 0 or len(self._asked) >= MAX_PATHS:
                break
            self._asked |= {path[:end], path[: end + 1]}
        if len(self._asked) < MAX_PATHS and len(path) <= MAX_PATH:
            self._asked.add(path)

    def pieces(self, path: str) -> list[tuple[str, bool]]:
        """A cookie's Path (RFC 6265 §4.1.2.4) in pieces, and which of them may be judged as a
        path's: all where something was asked for below it, else those that makers document, and
        those too short for a secret."""
        if path.strip(' "') in self._asked:
            return [(path, True)]
        return [
            (item, index % 2 == 1 or len(item) <= _SHORT or item.lower() in _DOCUMENTED)
            for index, item in enumerate(re.split(r"([/\s\"]+)", path))
        ]

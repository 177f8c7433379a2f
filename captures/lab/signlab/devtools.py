"""What the browser itself says of its traffic (DevTools' network events), for its notebook."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from selenium import webdriver

from .chromium import LOOPBACK
from .config import Run
from .netlog import Challenge
from .truth import Truth


class Traffic:
    """Requests and answers as Chromium reports them, each noted once."""

    def __init__(self, run: Run, driver: webdriver.Chrome, truth: Truth) -> None:
        self._names = run.names
        self._driver = driver
        self._truth = truth
        self._pending: dict[str, dict[str, Any]] = {}

    def note(self) -> None:
        """Write requests and answers since the last call into the notebook."""
        entries: list[dict[str, Any]] = self._driver.get_log("performance")  # type: ignore[no-untyped-call]
        for entry in entries:
            event = json.loads(entry["message"])["message"]
            self._event(event["method"], event["params"])

    def _event(self, method: str, params: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            before = self._pending.get(params["requestId"])
            wall, clock = params["wallTime"], params["timestamp"]
            if before and "redirectResponse" in params:
                self._answered(before, params["redirectResponse"], clock)
            request = params["request"]
            if not request["url"].startswith("http"):
                return
            parts = urlsplit(request["url"])
            if parts.hostname == LOOPBACK:  # on no wire
                self._pending.pop(params["requestId"], None)
                return
            facts = {
                "method": request["method"],
                "scheme": parts.scheme,
                "host": parts.netloc,
                "path": (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
            }
            known = {"facts": facts, "sent": round(wall * 1e9), "offset": wall - clock}
            self._pending[params["requestId"]] = known
        elif method == "Network.requestServedFromCache":
            self._pending.pop(params["requestId"], None)  # nothing on the wire
        elif method == "Network.responseReceived":
            before = self._pending.pop(params["requestId"], None)
            if before:
                self._answered(before, params["response"], params["timestamp"])

    def _answered(self, before: dict[str, Any], response: dict[str, Any], clock: float) -> None:
        if response.get("statusText") == "Internal Redirect":
            return  # Chromium's own way from http to https: not on the wire
        self._asked(before)
        facts = {
            **before["facts"],
            "status": response["status"],
            "protocol": response.get("protocol", ""),
        }
        moment = round((clock + before["offset"]) * 1e9)
        self._truth.message("http", self._peer(facts["host"]), "received", facts, time_ns=moment)

    def _asked(self, pending: dict[str, Any]) -> None:
        facts, sent = pending["facts"], pending["sent"]
        self._truth.message("http", self._peer(facts["host"]), "sent", facts, time_ns=sent)

    def challenged(self, challenge: Challenge) -> None:
        """An answer of 401, and the request sent once more: DevTools do not show them."""
        parts = urlsplit(challenge.url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        facts = {"method": "GET", "scheme": parts.scheme, "host": parts.netloc, "path": path}
        peer = self._peer(parts.netloc)
        reported = {**facts, "status": 401}
        self._truth.message("http", peer, "received", reported, time_ns=challenge.refused_ns)
        self._truth.message("http", peer, "sent", facts, time_ns=challenge.repeated_ns)

    def end(self) -> None:
        """Requests that nobody has answered until now."""
        self.note()
        for pending in self._pending.values():
            self._asked(pending)
        self._pending.clear()

    def _peer(self, host: str) -> str:
        return next(
            (h.actor for h in self._names.hosts.by_role().values() if h.name == host), "unknown"
        )

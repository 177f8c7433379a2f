"""The user at the PC: headless Chromium, driven to type address, password and code.

`python -m signlab.browser RUNDIR`, inside the PC's namespace. Chromium starts at once and says so
with `browser.ready`; the user begins when the phone's display shows a code. SSLKEYLOGFILE and HOME
(with the NSS database that trusts the lab's root) come from the environment.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support import expected_conditions as shown
from selenium.webdriver.support.ui import WebDriverWait

from .config import Run
from .truth import Truth

PAGE_SECONDS = 20
KEYSTROKE = (0.02, 0.07)  # seconds between two keys
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-client-side-phishing-detection",
    "--disable-default-apps",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-pings",
    "--safebrowsing-disable-auto-update",
    "--password-store=basic",
)
FEATURES_OFF = (
    "OptimizationHints,MediaRouter,Translate,AutofillServerCommunication,"
    "CertificateTransparencyComponentUpdater,InterestFeedContentSuggestions"
)
UPGRADES = "HttpsUpgrades,HttpsFirstBalancedModeAutoEnable"
PREFERENCES = {
    "net.network_prediction_options": 2,
    "safebrowsing.enabled": False,
    "credentials_enable_service": False,
    "search.suggest_enabled": False,
    "alternate_error_pages.enabled": False,
}


def start_chromium(run: Run) -> webdriver.Chrome:
    """A browser whose only reachable names are those of the lab's table."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    for flag in FLAGS:
        options.add_argument(flag)
    upgrades = "" if run.scenario.browser.https_upgrade else f",{UPGRADES}"
    options.add_argument(f"--disable-features={FEATURES_OFF}{upgrades}")
    known = ", ".join(f"EXCLUDE {host.name}" for host in run.names.hosts.by_role().values())
    options.add_argument(f"--host-resolver-rules=MAP * ~NOTFOUND, {known}")
    options.add_argument(f"--user-data-dir={run.directory / 'profile'}")
    options.add_experimental_option("prefs", PREFERENCES)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    service = Service(shutil.which("chromedriver") or "chromedriver")
    return webdriver.Chrome(options=options, service=service)


class Person:
    """Reads, thinks and types."""

    def __init__(self, run: Run, driver: webdriver.Chrome) -> None:
        self.run = run
        self.driver = driver
        self.truth = Truth(run, "browser")
        self.wait = WebDriverWait(driver, PAGE_SECONDS, 0.1)
        self._pending: dict[str, dict[str, Any]] = {}

    def think(self, seconds: float) -> None:
        time.sleep(seconds * self.run.scenario.browser.pace)
        self.note_traffic()

    def field(self, element_id: str) -> WebElement:
        found: WebElement = self.wait.until(
            shown.visibility_of_element_located((By.ID, element_id))
        )
        return found

    def type(self, element_id: str, text: str) -> None:
        element = self.field(element_id)
        element.clear()
        for letter in text:
            element.send_keys(letter)
            time.sleep(random.uniform(*KEYSTROKE))

    def press(self, element_id: str) -> None:
        self.field(element_id).click()
        self.note_traffic()

    # What the browser itself says of its traffic (DevTools' network events)

    def note_traffic(self) -> None:
        """Write requests and answers since the last call into the notebook."""
        entries: list[dict[str, Any]] = self.driver.get_log("performance")  # type: ignore[no-untyped-call]
        for entry in entries:
            event = json.loads(entry["message"])["message"]
            self._note(event["method"], event["params"])

    def _note(self, method: str, params: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            before = self._pending.get(params["requestId"])
            wall, clock = params["wallTime"], params["timestamp"]
            if before and "redirectResponse" in params:
                self._answered(before, params["redirectResponse"], clock)
            request = params["request"]
            if not request["url"].startswith("http"):
                return
            parts = urlsplit(request["url"])
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
        self.truth.message("http", self._peer(facts["host"]), "received", facts, time_ns=moment)

    def _asked(self, pending: dict[str, Any]) -> None:
        facts, sent = pending["facts"], pending["sent"]
        self.truth.message("http", self._peer(facts["host"]), "sent", facts, time_ns=sent)

    def end_notes(self) -> None:
        """Requests that nobody has answered until now."""
        self.note_traffic()
        for pending in self._pending.values():
            self._asked(pending)
        self._pending.clear()

    def _peer(self, host: str) -> str:
        return next(
            (h.actor for h in self.run.names.hosts.by_role().values() if h.name == host), "unknown"
        )

    # The steps of the sign-in

    def credentials(self) -> bool:
        """Give the password where it is asked for; whether it was accepted."""
        federated = self.run.scenario.azuread.federated
        box, button = ("passwordInput", "submitButton") if federated else ("i0118", "idSIButton9")
        failed = "errorText" if federated else "passwordError"
        self.field(box)
        self.think(1.5)
        self.type(box, self.truth.secret("password", self.run.typed_password))
        self.press(button)
        if self.run.scenario.browser.password == "right":
            return True
        self.wait.until(lambda d: d.find_element(By.ID, failed).text != "")
        self.think(1.5)
        return False

    def enter_code(self, code: str) -> None:
        self.field("otc")
        self.think(1.2)
        self.type("otc", self.truth.secret("user_code", code))
        self.press("idSIButton9")

    def sign_in(self, screen: dict[str, str]) -> str:
        """The whole of it; the outcome in a word."""
        user = self.run.names.user.sip
        if self.run.scenario.browser.order == "code-first":
            self.driver.get(screen["verification_url"])
            self.enter_code(screen["user_code"])
            self.field("i0116")
            self.think(1.0)
            self.type("i0116", user)
            self.press("idSIButton9")
            if not self.credentials():
                return "gave-up"
        else:
            self.driver.get(screen["website"])
            self.field("sip")
            self.think(1.5)
            self.type("sip", user)
            self.press("verify")
            if not self.credentials():
                return "gave-up"
            self.field("otc")
            if not self.run.scenario.browser.enters_code:
                self.think(1.0)
                return "no-code"
            self.enter_code(screen["user_code"])
        self.field("done")
        self.think(0.5)
        return "signed-in"


def main(directory: Path) -> None:
    def leave(*_: object) -> None:
        raise SystemExit(1)

    signal.signal(signal.SIGTERM, leave)
    run = Run.load(directory)
    driver = start_chromium(run)
    try:
        person = Person(run, driver)
        (directory / "browser.ready").touch()
        screen = directory / "screen.json"
        while not screen.exists():
            time.sleep(0.1)
        person.think(2.0)
        outcome = person.sign_in(json.loads(screen.read_text()))
        person.end_notes()
        for cookie in driver.execute_cdp_cmd("Network.getAllCookies", {})["cookies"]:
            person.truth.secret("cookie", cookie["value"])
        person.truth.outcome(outcome)
    finally:
        driver.quit()


if __name__ == "__main__":
    os.umask(0o077)
    main(Path(sys.argv[1]))

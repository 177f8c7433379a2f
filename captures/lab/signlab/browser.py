"""The user at the PC: headless Chromium, driven to type address, password and code.

`python -m signlab.browser RUNDIR [SEAT]`, inside the PC's namespace. Chromium starts at once and
says so with `browser.ready`; the user begins when the phone's display shows a code. SSLKEYLOGFILE
and HOME (with the NSS database that trusts the lab's root) come from the environment.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from typing import Any
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
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
    options.add_argument(f"--user-data-dir={run.file('profile', '')}")
    options.add_experimental_option("prefs", PREFERENCES)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    service = Service(shutil.which("chromedriver") or "chromedriver")
    return webdriver.Chrome(options=options, service=service)


# What a page shows → what it is; in this order, for an error stands above the form it is about.
# With "+" only where the element has text.
LANDINGS = [
    ["errorText+", "rejected"],
    ["passwordError+", "rejected"],
    ["updatePasswordArea", "password-expired"],
    ["errorArea", "adfs-error"],
    ["unavailable", "unavailable"],
    ["exceptionMessage", "refused"],
    ["cancelled", "declined"],
    ["done", "done"],
    ["idBtn_Back", "confirmation"],
    ["idTxtBx_SAOTCC_OTC", "second-factor"],
    ["sip", "address"],
    ["passwordInput", "adfs-form"],
    ["i0118", "password-form"],
    ["otc", "code"],
    ["i0116", "account"],
]
LOOK = """
var root = document.documentElement, acted = (root.dataset.acted || "").split(" ");
for (var [name, word] of arguments[0]) {
  var wantsText = name.endsWith("+"), found = document.getElementById(name.replace("+", ""));
  if (!found || document.readyState !== "complete" || acted.includes(word)) { continue; }
  var shown = wantsText ? found.textContent.trim() !== "" : found.getClientRects().length > 0;
  if (!shown) { continue; }
  // A page that knows the account already looks its realm up by itself.
  if (word === "account" && window.$Config.sPOST_Username) { continue; }
  root.dataset.acted = acted.concat(word).join(" ");
  return word;
}
return "";
"""
ENDS = {  # nothing more to do → the outcome
    "done": "signed-in",
    "rejected": "gave-up",
    "password-expired": "gave-up",
    "adfs-error": "gave-up",
    "unavailable": "gave-up",
    "refused": "refused",
    "declined": "declined",
}


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

    # What the page is, and what the user does with it

    def landed(self) -> str:
        """Wait for a page, or a part of one, that nothing was done with yet; its word.

        What was done is noted in the document itself, so that the same form in a new page is new.
        """

        def look(driver: webdriver.Chrome) -> str:
            try:
                return str(driver.execute_script(LOOK, LANDINGS) or "")
            except WebDriverException:
                return ""  # between two pages

        word = WebDriverWait(self.driver, PAGE_SECONDS, 0.1).until(look)
        self.note_traffic()
        return str(word)

    def give_address(self) -> None:
        self.think(1.5)
        self.type("sip", self.run.user.sip)
        self.press("verify")

    def give_account(self) -> None:
        self.think(1.0)
        self.type("i0116", self.run.user.sip)
        self.press("idSIButton9")

    def give_password(self, box: str, button: str) -> None:
        self.think(1.5)
        self.type(box, self.truth.secret("password", self.run.typed_password))
        self.press(button)

    def give_code(self, code: str, *, rightly: bool) -> None:
        """Type the phone's code, or one that is as long and another."""
        self.think(1.2)
        typed = code
        if not rightly:
            while typed == code:
                typed = "".join(random.choice("BCDFGHJKLMNPQRSTVWXZ") for _ in code)
        self.type("otc", self.truth.secret("user_code" if rightly else "wrong_code", typed))
        self.press("idSIButton9")

    def give_second_factor(self) -> None:
        self.think(1.5)
        shown_elsewhere = (self.run.directory / "one-time-code").read_text()
        self.type("idTxtBx_SAOTCC_OTC", self.truth.secret("one_time_code", shown_elsewhere))
        self.press("idSubmit_SAOTCC_Continue")

    def sign_in(self, screen: dict[str, str]) -> str:
        """Go from page to page until nothing is left to do; the outcome in a word."""
        knobs = self.run.scenario.browser
        first = "verification_url" if knobs.order == "code-first" else "website"
        self.driver.get(screen[first])
        codes = 0
        while (where := self.landed()) not in ENDS:
            if where == "address":
                self.give_address()
            elif where == "account":
                self.give_account()
            elif where == "adfs-form":
                self.give_password("passwordInput", "submitButton")
            elif where == "password-form":
                self.give_password("i0118", "idSIButton9")
            elif where == "second-factor":
                self.give_second_factor()
            elif where == "confirmation":
                self.think(1.0)
                self.press("idSIButton9" if knobs.confirms else "idBtn_Back")
            elif not knobs.enters_code or (codes and knobs.code != "wrong-first"):
                self.think(1.0)
                return "gave-up" if codes else "no-code"
            else:
                codes += 1
                self.give_code(
                    screen["user_code"],
                    rightly=knobs.code == "right" or (knobs.code == "wrong-first" and codes > 1),
                )
        self.think(0.5 if where == "done" else 1.5)
        return ENDS[where]


def main(arguments: list[str]) -> None:
    def leave(*_: object) -> None:
        raise SystemExit(1)

    signal.signal(signal.SIGTERM, leave)
    run = Run.from_arguments(arguments)
    driver = start_chromium(run)
    try:
        person = Person(run, driver)
        run.file("browser", ".ready").touch()
        screen = wait_for_code(run)
        person.think(2.0)
        outcome = person.sign_in(screen)
        person.end_notes()
        for cookie in driver.execute_cdp_cmd("Network.getAllCookies", {})["cookies"]:
            person.truth.secret("cookie", cookie["value"])
        person.truth.outcome(outcome)
    finally:
        driver.quit()


def wait_for_code(run: Run) -> dict[str, str]:
    """What the phone's display shows, once it is the code that the user is there for."""
    path = run.file("screen", ".json")
    while True:
        if path.exists():
            found: dict[str, str] = json.loads(path.read_text())
            if int(found["attempt"]) >= run.scenario.browser.of_attempt:
                return found
        time.sleep(0.1)


if __name__ == "__main__":
    os.umask(0o077)
    main(sys.argv[1:])

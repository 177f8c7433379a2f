"""The user at the PC: headless Chromium, driven to type address, password and code.

`python -m signlab.browser RUNDIR [SEAT]`, inside the PC's namespace. Chromium starts at once and
says so with `browser.ready`; the user begins when the phone's display shows a code, or when a
program at the PC wants a page opened, or at once, as the scenario says. SSLKEYLOGFILE
and HOME (with the NSS database that trusts the lab's root) come from the environment.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support import expected_conditions as shown
from selenium.webdriver.support.ui import WebDriverWait

from .chromium import start_chromium
from .config import Run
from .devtools import Traffic
from .kerberos import has_realm, log_on
from .netlog import challenges
from .truth import Truth

PAGE_SECONDS = 20
KEYSTROKE = (0.02, 0.07)  # seconds between two keys
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
        self.traffic = Traffic(run, driver, self.truth)

    def think(self, seconds: float) -> None:
        time.sleep(seconds * self.run.scenario.browser.pace)
        self.traffic.note()

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
        self.traffic.note()

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
        self.traffic.note()
        return str(word)

    def give_address(self) -> None:
        self.think(1.5)
        self.type("sip", self.run.user.sip)
        self.press("verify")

    def give_account(self) -> None:
        self.think(1.0)
        self.type("i0116", self.run.user.sip)
        self.press("idSIButton9")

    def give_name(self, box: str) -> None:
        """Type the account's name, unless the page knows it already."""
        if not self.field(box).get_attribute("value"):
            self.type(box, self.run.user.sip)

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
        if knobs.opens == "desktop":
            return "logged-on"
        first = "verification_url" if knobs.order == "code-first" else "website"
        if knobs.opens == "sp":
            self.driver.get(f"https://{self.run.names.hosts.sp.name}/")
        else:
            self.driver.get(screen[first])
        codes = 0
        while (where := self.landed()) not in ENDS:
            if where == "address":
                self.give_address()
            elif where == "account":
                self.give_account()
            elif where == "adfs-form" and self.run.scenario.adfs.asks == "certificate":
                self.think(1.5)
                self.press("certificateOption")
            elif where == "adfs-form":
                self.give_name("userNameInput")
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
        known = True
        if has_realm(run):
            wait_for(run.directory / "recording")
            known = log_on(run, os.environ)
        outcome = "gave-up"
        if known:
            screen = wait_for_code(run)
            person.think(2.0)
            outcome = person.sign_in(screen)
        person.traffic.end()
        for cookie in driver.execute_cdp_cmd("Network.getAllCookies", {})["cookies"]:
            person.truth.secret("cookie", cookie["value"])
    finally:
        driver.quit()
    if has_realm(run):
        for challenge in challenges(run.file("netlog", ".json")):
            person.traffic.challenged(challenge)
    person.truth.outcome(outcome)


def wait_for(path: Path) -> None:
    """Until this file is there."""
    while not path.exists():
        time.sleep(0.1)


def wait_for_code(run: Run) -> dict[str, str]:
    """What the phone's display shows, once it is the code that the user is there for.

    A user who opens a website waits only for the captures to run.
    """
    path = run.file("screen", ".json")
    if run.scenario.browser.opens != "screen":
        wait_for(run.directory / "recording")
        return {}
    while True:
        if path.exists():
            found: dict[str, str] = json.loads(path.read_text())
            if int(found["attempt"]) >= run.scenario.browser.of_attempt:
                return found
        time.sleep(0.1)


if __name__ == "__main__":
    os.umask(0o077)
    main(sys.argv[1:])

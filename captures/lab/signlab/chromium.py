"""Headless Chromium as the lab starts it: reaches the lab's names only, says what it does."""

from __future__ import annotations

import shutil

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from .config import Run
from .kerberos import has_realm

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
LOOPBACK = "localhost"  # where a program at the PC takes the browser's way back
UPGRADES = "HttpsUpgrades,HttpsFirstBalancedModeAutoEnable"
# Chromium notes here that it has met Negotiate, and loads GSSAPI only when next started.
GSSAPI = "net.received_http_auth_negotiate_headers"
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
    names = [LOOPBACK, *(host.name for host in run.names.hosts.by_role().values())]
    known = ", ".join(f"EXCLUDE {name}" for name in names)
    options.add_argument(f"--host-resolver-rules=MAP * ~NOTFOUND, {known}")
    if has_realm(run):  # as an administrator's policy does for sites inside the organisation
        options.add_argument(f"--auth-server-allowlist={run.names.hosts.adfs.name}")
        options.add_experimental_option("localState", {GSSAPI: True})
        options.add_argument(f"--log-net-log={run.file('netlog', '.json')}")
    options.add_argument(f"--user-data-dir={run.file('profile', '')}")
    options.add_experimental_option("prefs", PREFERENCES)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    service = Service(shutil.which("chromedriver") or "chromedriver")
    return webdriver.Chrome(options=options, service=service)

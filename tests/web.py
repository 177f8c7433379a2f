"""Chromium and npm's packages, for tests of what people open in a browser.

Pages are opened from disk (`file:`). What is not installed skips the tests with its name.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

MODULES = Path(sys.prefix) / "web" / "node_modules"
"""Where `make` puts the packages of tests/web/package.json."""


def module(path: str) -> Path:
    """A file of an npm package; skips the test if it is not installed."""
    found = MODULES / path
    if not found.exists():
        pytest.skip(f"npm's {path.partition('/')[0]} is not installed (make installs it)")
    return found


def program(name: str, package: str | None = None) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (apt-get install {package or name})")
    return found


@contextmanager
def chromium(
    folder: Path, *, width: int = 1280, height: int = 900, dark: bool = False
) -> Iterator[Any]:
    """A headless Chromium under selenium; its profile and downloads are in `folder`."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = program("chromium")
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--no-first-run", "--disable-background-networking", "--disable-component-update",
        "--disable-sync", "--hide-scrollbars", f"--window-size={width},{height}",
        f"--user-data-dir={folder / 'profile'}",
        *(("--blink-settings=preferredColorScheme=0",) if dark else ()),
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = Service(
        program("chromedriver", "chromium-driver"), log_output=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(folder)},
    )  # fmt: skip
    driver = webdriver.Chrome(options=options, service=service)
    driver.set_script_timeout(60)
    try:
        yield driver
    finally:
        driver.quit()


def complaints(driver: Any) -> list[str]:
    """What the page wrote to the console as warnings and errors (CSP violations are some)."""
    return [e["message"] for e in driver.get_log("browser") if e["level"] in ("SEVERE", "WARNING")]

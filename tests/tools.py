"""Which programs the tests want, and where they are. `--install` asks apt and npm for the missing.

Run by `make test`; it says plainly what is missing, and tests that need it say so again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

# program → Debian package, what is skipped without it
WANTED = {
    "tshark": ("tshark", "comparison with tshark"),
    "editcap": ("wireshark-common", "captures by two clocks"),
    "openssl": ("openssl", "TLS with real peers"),
    "gnutls-cli": ("gnutls-bin", "TLS with GnuTLS's tools"),
    "pdftoppm": ("poppler-utils", "pages of the PDF as pictures"),
    "plantuml": ("plantuml", "diagrams drawn by PlantUML"),
    "chromium": ("chromium", "the report and Mermaid diagrams in a browser"),
    "chromedriver": ("chromium-driver", "the report and Mermaid diagrams in a browser"),
    "node": ("nodejs", "CONNECT over HTTP/2 with Node's client and proxy"),
    "strace": ("strace", "what each command opens and runs"),
    "npm": ("npm", "Mermaid, axe and the HAR schemas"),
}


def missing() -> list[str]:
    return [program for program in WANTED if shutil.which(program) is None]


def install(programs: list[str]) -> None:
    """Ask apt, twice if need be; say what it answered."""
    packages = [WANTED[program][0] for program in programs]
    apt = shutil.which("apt-get")
    if apt is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        print(f"can't install {', '.join(packages)}: that needs apt-get and root", flush=True)
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for attempt in (1, 2):
        for command in (
            [apt, "update", "-qq"],
            [apt, "install", "-y", "-qq", "--no-install-recommends", *packages],
        ):
            result = subprocess.run(
                command, env=environment, capture_output=True, text=True, check=False
            )
        if result.returncode == 0:
            return
        print(f"apt-get, try {attempt}: {result.stderr.strip()[-500:]}", flush=True)


def install_packages() -> None:
    """npm's packages of tests/web/package.json, beside this Python: see tests/web.py."""
    npm = shutil.which("npm")
    target = Path(sys.prefix) / "web"
    wanted = Path(__file__).parent / "web" / "package.json"
    there = target / wanted.name
    if npm is None or (there.exists() and there.read_text() == wanted.read_text()):
        return
    target.mkdir(exist_ok=True)
    command = [npm, "install", "--no-package-lock", "--no-fund", "--no-audit", "--loglevel=error"]
    shutil.copy(wanted, there)
    result = subprocess.run(command, cwd=target, capture_output=True, text=True, check=False)
    if result.returncode:
        there.unlink()
        print(f"npm: {result.stderr.strip()[-500:]}", flush=True)


def main() -> None:
    if "--install" in sys.argv and missing():
        install(missing())
    if "--install" in sys.argv:
        install_packages()
    for program in missing():
        package, skipped = WANTED[program]
        print(f"MISSING: {program} (package {package}); skipped: {skipped}", flush=True)


if __name__ == "__main__":
    main()

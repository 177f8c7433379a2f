"""Which programs the tests want, and where they are. `--install` asks apt for the missing.

Run by `make test`; it says plainly what is missing, and tests that need it say so again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

# program → Debian package, what is skipped without it
WANTED = {
    "tshark": ("tshark", "comparison with tshark"),
    "openssl": ("openssl", "TLS with real peers"),
    "pdftoppm": ("poppler-utils", "pages of the PDF as pictures"),
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


def main() -> None:
    if "--install" in sys.argv and missing():
        install(missing())
    for program in missing():
        package, skipped = WANTED[program]
        print(f"MISSING: {program} (package {package}); skipped: {skipped}", flush=True)


if __name__ == "__main__":
    main()

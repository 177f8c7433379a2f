"""Known vulnerabilities of what is installed, by pip-audit; part of `make check`.

Exit code 1 on a finding. Where no index tells anything (no network; a mirror without the data)
that is reported, and it is no failure: pip-audit alone would call it "no known vulnerabilities".
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

UNREACHED = "pip-audit: vulnerability data can't be reached here"
LIMIT_S = 180
COMMAND = (
    "-m",
    "pip_audit",
    "--local",
    "--skip-editable",
    "--progress-spinner",
    "off",
    "-f",
    "json",
)


def findings(text: str) -> list[str] | None:
    """A line for each vulnerability of a JSON report; None where it tells of no package."""
    try:
        document: Any = json.loads(text)
    except ValueError:
        return None
    looked_at = [item for item in document.get("dependencies", []) if "vulns" in item]
    if not looked_at:
        return None
    return [
        f"{item['name']} {item['version']}: {found['id']}"
        + (f", mended in {', '.join(found['fix_versions'])}" if found.get("fix_versions") else "")
        for item in looked_at
        for found in item["vulns"]
    ]


def main() -> int:
    try:
        result = subprocess.run(
            [sys.executable, *COMMAND], capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
        found = findings(result.stdout)
    except subprocess.TimeoutExpired:
        found = None
    if found is None:
        print(UNREACHED)
        return 0
    for line in found:
        print(line)
    print(f"pip-audit: {len(found)} known vulnerabilities")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

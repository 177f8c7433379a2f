"""Record sign-ins: `python captures/lab [SCENARIO ...] [--out DIR] [--list] [--probe]`.

Exit codes: 0 recorded, listed, or nothing missing · 1 a recording failed · 2 usage · 3 something
that the lab needs is missing (one line for each) · 130 interrupted.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

from signlab.config import ConfigError, load_scenario, scenario_names
from signlab.probe import missing

CAPTURES = Path(__file__).resolve().parent.parent


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="captures/lab", description="Record real sign-ins.")
    parser.add_argument("scenario", nargs="*", help="scenarios to record (default: all)")
    parser.add_argument("--out", type=Path, default=CAPTURES, help="where the folders go")
    parser.add_argument("--list", action="store_true", help="list the scenarios and exit")
    parser.add_argument("--probe", action="store_true", help="say what is missing and exit")
    parser.add_argument("--keep", action="store_true", help="keep the run's working folder")
    return parser.parse_args()


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def _record_all(scenarios: list[str], out: Path, *, keep: bool) -> int:
    from signlab.processes import LabError
    from signlab.record import record

    failures = 0
    for name in scenarios:
        start = time.monotonic()

        def say(text: str, name: str = name) -> None:
            print(f"{name}: {text}", flush=True)

        try:
            folder = record(name, out, say, keep=keep)
        except (LabError, ConfigError) as error:
            print(f"{name}: failed: {error}", file=sys.stderr, flush=True)
            failures += 1
            continue
        size = sum(path.stat().st_size for path in folder.iterdir())
        say(f"{size / 1000:.0f} kB in {time.monotonic() - start:.0f} s")
    return 1 if failures else 0


def main() -> int:
    arguments = _arguments()
    known = scenario_names()
    if arguments.list:
        for name in known:
            print(f"{name:<24}{load_scenario(name).title}")
        return 0
    lines = missing()
    if arguments.probe or lines:
        for line in lines:
            print(line)
        return 3 if lines else 0
    wrong = [name for name in arguments.scenario if name not in known]
    if wrong:
        print(f"no such scenario: {', '.join(wrong)} (--list shows them)", file=sys.stderr)
        return 2
    # SIGINT too: a shell's background job starts with it ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupted)
    try:
        return _record_all(arguments.scenario or known, arguments.out, keep=arguments.keep)
    except KeyboardInterrupt:
        print("interrupted; everything is put away", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())

"""`make bench`: how long `dissect flow` takes and where, and what tshark takes for the same.

Whole processes are timed from outside, stages in one process; medians of RUNS. The table
goes to standard output and to reports/benchmark.md. Machines differ: compare ratios.
"""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "captures" / "web-signin"
CAPTURES = [str(SAMPLE / "phone.pcapng"), str(SAMPLE / "browser.pcapng")]
RUNS = 7
TSHARK_FIELDS = [
    "frame.number", "frame.time_epoch", "tcp.stream", "ip.src", "http.request.method", "http.host",
    "http.request.uri", "http.response.code", "http2.headers.method", "http2.headers.authority",
    "http2.headers.path", "http2.headers.status", "sip.Method", "sip.Status-Code",
]  # fmt: skip


def median_ms(action: Callable[[], object], runs: int = RUNS) -> float:
    """Median wall time of `action` in ms, after one warm-up."""
    action()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        action()
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def process(*command: str) -> Callable[[], object]:
    return lambda: subprocess.run(command, capture_output=True, check=False, cwd=ROOT)


def processes() -> Iterator[tuple[str, float]]:
    python = [sys.executable, "-m", "dissect"]
    yield "python -c pass", median_ms(process(sys.executable, "-c", "pass"))
    yield "dissect --help", median_ms(process(*python, "--help"))
    yield "dissect flow, two captures, text", median_ms(process(*python, "flow", *CAPTURES))
    picture = ["-o", str(ROOT / "out" / "bench.png")]
    (ROOT / "out").mkdir(exist_ok=True)
    yield "dissect flow, PNG", median_ms(process(*python, "flow", *CAPTURES, *picture), 3)
    if shutil.which("tshark"):
        fields = [word for name in TSHARK_FIELDS for word in ("-e", name)]

        def tshark() -> None:
            for capture in CAPTURES:
                keys = Path(capture).with_suffix(".keys")
                command = ["tshark", "-r", capture, "-n", "-T", "fields", *fields]
                command += ["-o", f"tls.keylog_file:{keys}", "-Y", "http or http2 or sip"]
                subprocess.run(command, capture_output=True, check=True)

        yield "tshark, the same fields of both captures", median_ms(tshark)


def stages() -> Iterator[tuple[str, float]]:
    """Stages of one warm run; each includes those before it, so differences count."""
    from dissect.capture import open_capture
    from dissect.pipeline import RunOptions, Session
    from dissect.render import render

    def packets() -> None:
        for name in CAPTURES:
            with open_capture(name) as capture:
                for _ in capture.packets():
                    pass

    def session() -> Session:
        return Session(RunOptions(tuple(CAPTURES)))

    yield "containers read", median_ms(packets)
    yield "+ reassembly, TLS, HTTP, SIP, DNS", median_ms(lambda: session().messages)
    yield "+ events", median_ms(lambda: session().events)
    yield "+ flow matched", median_ms(lambda: session().charts)
    yield "+ text drawn", median_ms(lambda: render(session().charts, "text"))


def main() -> None:
    # As for a user, whose Python keeps compiled modules: else each run compiles all of them.
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"):
        os.environ.pop(name, None)
    lines = [
        "# Benchmark",
        "",
        (
            f"Python {platform.python_version()}, {platform.system()} {platform.machine()}; "
            f"medians of {RUNS} runs; captures/web-signin, both captures. Made by `make bench`."
        ),
        "",
        "| whole process | ms |",
        "|---|---:|",
    ]
    lines += [f"| {name} | {ms:.0f} |" for name, ms in processes()]
    lines += ["", "| stages in one warm process (cumulative) | ms |", "|---|---:|"]
    lines += [f"| {name} | {ms:.1f} |" for name, ms in stages()]
    for script in ("bench_reader.py", "bench_tls.py", "bench_connections.py"):
        result = subprocess.run(
            [sys.executable, str(ROOT / "benchmarks" / script)],
            capture_output=True,
            text=True,
            check=True,
        )
        lines += ["", f"## {script}", "", "```", result.stdout.rstrip(), "```"]
    text = "\n".join(lines) + "\n"
    print(text)
    (ROOT / "reports" / "benchmark.md").write_text(text, "utf-8")


if __name__ == "__main__":
    main()

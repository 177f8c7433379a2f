"""No secret that the lab's actors used occurs in any output, in any spelling."""

from __future__ import annotations

import base64
import html
import json
import re
import zlib
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from click.testing import CliRunner, Result

from dissect.cli.main import cli
from dissect.model import Opaque, Secret, Text
from tests.lab import ALL as RECORDED
from tests.lab import scenario

EXTENSIONS = ("txt", "json", "png", "svg", "pdf", "html", "md", "mmd", "puml", "csv")
TABLES = ("http", "sip", "tls", "dns", "events", "redirects")


def spellings(value: str) -> set[bytes]:
    """Raw, percent-encoded, HTML- and JSON-escaped, base64 (any alignment) and hex."""
    raw = value.encode()
    plain = {
        value, quote(value, safe=""), quote(value), quote_plus(value),
        html.escape(value), html.escape(html.escape(value)), json.dumps(value)[1:-1],
        json.dumps(json.dumps(value)[1:-1])[1:-1], quote(quote(value, safe=""), safe=""),
        raw.hex(), raw.hex().upper(),
    }  # fmt: skip
    found = {text.encode() for text in plain}
    for shift in range(3):
        # What base64 makes of the value depends on where it starts; its middle does not.
        encoded = base64.b64encode(b"\0" * shift + raw)
        middle = encoded[4:-4] if len(encoded) > 16 else b""
        if len(middle) >= 8:
            found |= {middle, middle.replace(b"+", b"-").replace(b"/", b"_")}
    return {text for text in found if len(text) >= 6}


def unpacked(content: bytes) -> bytes:
    """Content with the deflated streams in it (PDF, PNG) inflated and appended."""
    parts = [content]
    starts = [match.end() for match in re.finditer(rb"stream\r?\n", content)]
    parts += [_inflated(content[start:]) for start in starts]
    if content.startswith(b"\x89PNG"):
        position, data = 8, b""
        while position < len(content):
            length = int.from_bytes(content[position : position + 4], "big")
            kind = content[position + 4 : position + 8]
            body = content[position + 8 : position + 8 + length]
            data += body if kind == b"IDAT" else b""
            if kind in (b"zTXt", b"iTXt"):
                parts.append(_inflated(body.split(b"\0", 2)[-1]))
            position += length + 12
        parts.append(_inflated(data))
    return b"".join(parts)


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data)
    except zlib.error:
        return b""  # a stream that is not deflated is in the raw bytes


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), standalone_mode=False)


def outputs(name: str, folder: Path) -> dict[str, bytes]:
    item = scenario(name)
    captures = [str(path) for path in sorted(item.folder.glob("*.pcapng"))]
    logs = sorted(item.folder.glob("phone*.log"))
    log = tuple(word for path in logs for word in ("--phone-log", str(path)))
    found: dict[str, bytes] = {}

    def keep(label: str, result: Result) -> None:
        assert result.exception is None, (label, result.exception)
        found[label] = result.stdout_bytes + b"\n" + result.stderr_bytes

    for extra in ((), log):
        keep(f"flow {extra[:1]}", run("flow", *captures, *extra))
        keep(f"flow json {extra[:1]}", run("flow", *captures, *extra, "--format", "json"))
    if log:
        keep("flow, log only", run("flow", *log))
    files = [folder / f"chart.{extension}" for extension in EXTENSIONS]
    targets = [word for path in files for word in ("-o", str(path))]
    keep("flow -o", run("flow", *captures, *log, *targets))
    for path in files:
        found[path.name] = unpacked(path.read_bytes())
    turn = RECORDED.index(name)
    printed = ("mermaid", "plantuml", "markdown", "csv")
    for form in printed if name in SHORT else (printed[turn % len(printed)],):
        keep(f"flow {form}", run("flow", *captures, *log, "--format", form))
    archive, masked = folder / "report.har", folder / "masked.html"
    small, scrubbed = folder / "small.pcapng", folder / "scrubbed.pcapng"
    keep("report", run("report", *captures, *log, "-o", str(archive)))
    keep("report of a folder", run("report", str(item.folder), "-o", str(folder / "all")))
    keep("report, anonymous", run("report", *captures, *log, "-o", str(masked), "--anonymize"))
    keep("export", run("export", *captures, "-o", str(small)))
    keep("export --scrub", run("export", *captures, "-o", str(scrubbed), "--scrub"))
    for path in (archive, masked, small, scrubbed, *(folder / "all").glob("*.html")):
        if path.exists():  # where no flow was found there is nothing to export
            found[path.name] = path.read_bytes()
    for number, table in enumerate(TABLES):
        # The rows are the same in each: all three of some recordings, of others by turns.
        forms = ("table", "json", "csv")
        for form in forms if name in SHORT else (forms[(turn + number) % len(forms)],):
            keep(f"{table} {form}", run(table, *captures, "--format", form))
    keep("info", run("info", *captures))
    keep("info json", run("info", *captures, "--format", "json"))
    return found


# Every scenario takes seconds; these have every kind of secret between them.
SILENT = ("clock-skew", "tls10-only", "unknown-ca")  # they end before anybody says a secret
SHORT = ("web-signin-tls13", "wrong-password", "sip-forbidden", "proxy-denies")
ALL = [pytest.param(n, marks=() if n in SHORT else pytest.mark.long) for n in RECORDED]


@pytest.mark.parametrize("name", ALL)
def test_no_secret_in_any_output(name: str, tmp_path: Path) -> None:
    secrets = scenario(name).truth["secrets"]
    assert secrets or name in SILENT
    produced = outputs(name, tmp_path)
    assert len(produced) > (35 if name in SHORT else 22)
    leaks = [
        (label, secret["kind"], secret["value"][:4] + "…")
        for secret in secrets
        for spelling in spellings(secret["value"])
        for label, content in produced.items()
        if spelling in content
    ]
    assert leaks == []


def test_reveal_shows_them_and_says_so() -> None:
    item = scenario("web-signin")
    code = next(s["value"] for s in item.truth["secrets"] if s["kind"] == "user_code")
    hidden, shown = run("flow", *item.captures), run("flow", *item.captures, "--reveal")
    assert code not in hidden.stdout
    assert code in shown.stdout
    assert "--reveal" in shown.stderr
    assert "‹user_code #1›" in hidden.stdout


def test_the_spellings_are_found() -> None:
    """The check itself: a leak in each spelling would be seen."""
    value = 'p?ss "wörd"/12345'
    for text in (
        quote(value), html.escape(value), json.dumps(value), value.encode().hex(),
        base64.b64encode(b"user:" + value.encode()).decode(),
    ):  # fmt: skip
        assert any(spelling in text.encode() for spelling in spellings(value)), text
    packed = b"stream\n" + zlib.compress(value.encode()) + b"endstream"
    assert value.encode() in unpacked(packed)


def test_types_hide_their_value() -> None:
    secret, opaque = Secret("password", "hunter2!"), Opaque(b"hunter2!")
    shown = [str(secret), repr(secret), f"{secret}", f"{secret:>20}", f"{secret!r}"]
    shown += [str(opaque), repr(opaque), f"{opaque}", f"{opaque!s:>9}", str([secret, opaque])]
    shown += [str(Text(("a=", secret))), repr(Text(("a=", secret))), str(ValueError(secret))]
    shown += ["{} {!r}".format(secret, opaque), str({"x": secret}), str({secret: 1})]  # noqa: UP032
    for text in shown:
        assert "hunter2" not in text

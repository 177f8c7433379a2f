"""The whole run: a bundle of capture, key log, phone log and definition through every stage
and into every output."""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from random import Random

from dissect.errors import DissectError
from dissect.pipeline import RunOptions, Session
from tests.fuzz import container, dialogue, mutate
from tests.fuzz.material import MAX_FILE, ROOT, Material
from tests.fuzz.target import Broken, Mutate, Target

TEXTS = ("text", "json", "mermaid", "plantuml", "markdown", "csv", "html")
PICTURES = ("svg", "png", "pdf")  # in their formats nothing else differs: one run in 50 draws them
MAX_OUTPUT = 40 << 20  # bytes of one output
SECRETS = ("canary-Xq7Zw9-form", "canary-Xq7Zw9-cookie", "canary-Xq7Zw9-bearer",
           "canary-Xq7Zw9-json", "canary-Xq7Zw9-query")  # fmt: skip
CANARY = b"Xq7Zw9"
LONG = 12  # characters of a staged secret that is nothing else by chance
_NAMES = {
    dialogue.CAPTURE: "c.pcapng", dialogue.KEY_LOG: "k.keys", dialogue.PHONE_LOG: "phone.log",
    dialogue.FLOW: "flow.toml", dialogue.RSA_KEY: "server.key",
}  # fmt: skip


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder of its own, in memory where the system has such a place."""
    memory = "/dev/shm"
    folder = tempfile.mkdtemp(prefix="fuzz-", dir=memory if os.path.isdir(memory) else None)
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def quiet() -> Iterator[None]:
    with redirect_stdout(io.TextIOWrapper(io.BytesIO())), redirect_stderr(io.StringIO()):
        yield


def options(data: bytes, folder: Path) -> RunOptions:
    """The files of a bundle in a folder, as a user would name them."""
    named: dict[int, list[str]] = {kind: [] for kind in _NAMES}
    for number, (kind, body) in enumerate(dialogue.items(data)):
        path = folder / f"{number}-{_NAMES[kind]}"
        path.write_bytes(body)
        named[kind].append(str(path))
    return RunOptions(
        captures=tuple(named[dialogue.CAPTURE]),
        key_logs=tuple(named[dialogue.KEY_LOG]),
        phone_logs=tuple(named[dialogue.PHONE_LOG]),
        flows=tuple(named[dialogue.FLOW]),
        rsa_keys=tuple(named[dialogue.RSA_KEY]),
        auto_keys=False,
    )


def outputs(session: Session, folder: Path, chance: int) -> Iterator[tuple[str, bytes]]:
    """What every table, format and export shows of a session. `chance` says which of the dear."""
    from dissect import overview, tables
    from dissect.cli.writing import ChartDrawing
    from dissect.render import render
    from dissect.report.har import document

    anonymous = chance % 8 == 0
    drawing = ChartDrawing(session, anonymize=anonymous)
    for name in TEXTS + (PICTURES if chance % 50 == 0 else ()):
        content = render(drawing.charts, name, **drawing._options(name))
        yield name, content if isinstance(content, bytes) else content.encode("utf-8")
    yield "har", document(session, drawing.anonymous).encode("utf-8")
    for name in tables.NAMES:
        found = list(tables.table(name).rows(session))
        yield name, repr(found).encode("utf-8", "replace")
    yield "info", repr(overview.document(session)).encode("utf-8", "replace")
    if session.charts and session.options.captures and chance % 4 == 0:
        from dissect.export.write import export

        for scrub in (False, True):
            path = folder / "small.pcapng"
            export(session, str(path), scrub=scrub)
            yield "export", path.read_bytes()


def run(data: bytes) -> None:
    """One line of error at most; outputs in bounds."""
    chance = zlib.crc32(data)
    with scratch() as folder:
        session = Session(options(data, folder))
        try:
            for name, content in outputs(session, folder, chance):
                if len(content) > MAX_OUTPUT + 100 * len(data):
                    raise Broken(f"{name} is out of proportion")
        except DissectError as error:
            if "\n" in str(error).strip():
                raise Broken(f"an error of two lines: {type(error).__name__}") from None


def secrets(data: bytes) -> None:
    """Packets lost, doubled, in another order, but none changed: no secret is in any output."""
    with scratch() as folder:
        session = Session(options(data, folder))
        try:
            for name, content in outputs(session, folder, 4):
                if CANARY in content or any(value in content for value in staged()):
                    raise Broken(f"a secret is in {name}")
        except DissectError:
            return


@cache
def staged() -> tuple[bytes, ...]:
    """The secrets that the actors of the recordings used; short ones may be other things."""
    found = set()
    for path in sorted((ROOT / "captures").glob("*/truth.json")):
        for secret in json.loads(path.read_text("utf-8"))["secrets"]:
            if len(secret["value"]) >= LONG:
                found.add(secret["value"].encode("utf-8"))
    return tuple(sorted(found))


# ------------------------------------------------------------------ seeds


def _capture_bundles(material: Material) -> Iterator[bytes]:
    """Every capture with the key logs and logs that lie beside it, as far as they are its own."""
    lines = material.key_log_lines
    for path in material.captures():
        size = path.stat().st_size
        data = path.read_bytes()
        if size > MAX_FILE:
            data = container.pcap(container.packets(data)[:200]) or data[:MAX_FILE]
        items = [(dialogue.CAPTURE, data)]
        own = [
            line
            for random, found in lines.items()
            if bytes.fromhex(random.decode()) in data
            for line in found
        ]
        if own:
            items.append((dialogue.KEY_LOG, b"\n".join(own)[:40_000]))
        log = path.with_suffix(".log")
        if log.exists() and log.stat().st_size < 100_000:
            items.append((dialogue.PHONE_LOG, log.read_bytes()))
        if sum(len(body) for _, body in items) < 2 * MAX_FILE:
            yield dialogue.bundle(items)


def _log_bundles(material: Material) -> Iterator[bytes]:
    for path in material.phone_logs():
        if path.stat().st_size < MAX_FILE:
            yield dialogue.bundle([(dialogue.PHONE_LOG, path.read_bytes())])


def _flow_bundles(material: Material) -> Iterator[bytes]:
    """Every definition over a small sign-in."""
    folder = ROOT / "captures" / "wrong-password-managed"
    capture = next(iter(sorted(folder.glob("*.pcapng"))), None)
    keys = b"".join(path.read_bytes() for path in sorted(folder.glob("*.keys")))
    for path in material.definitions():
        body = path.read_bytes()
        if capture is not None and b"match" not in body:  # `match` asks tshark
            items = [(dialogue.CAPTURE, capture.read_bytes()), (dialogue.KEY_LOG, keys)]
            yield dialogue.bundle([*items, (dialogue.FLOW, body)])


def _secret_bundles(material: Material) -> Iterator[bytes]:
    yield dialogue.bundle([(dialogue.CAPTURE, planted())])
    for folder in (path.parent for path in sorted((ROOT / "captures").glob("*/truth.json"))):
        keys = b"\n".join(path.read_bytes() for path in sorted(folder.glob("*.keys")))
        for capture in sorted(folder.glob("*.pcapng")):
            if capture.stat().st_size <= MAX_FILE // 2:
                items = [(dialogue.CAPTURE, capture.read_bytes()), (dialogue.KEY_LOG, keys)]
                yield dialogue.bundle(items)


def planted() -> bytes:
    """A sign-in without TLS, with a secret in each place that a browser sends one in, in
    segments of 50 bytes."""
    form, cookie, bearer, json, query = SECRETS
    body = f"username=a%40x.test&password={form}&kmsi=on"
    asked = (
        f"POST /adfs/ls/?wa=wsignin1.0&client_secret={query} HTTP/1.1\r\nHost: sts.x.test\r\n"
        f"Cookie: MSISAuth={cookie}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
        f"GET /me HTTP/1.1\r\nHost: api.x.test\r\nAuthorization: Bearer {bearer}\r\n\r\n"
    )
    token = f'{{"token_type":"Bearer","access_token":"{json}","expires_in":3599}}'
    answered = (
        f"HTTP/1.1 302 Found\r\nLocation: /\r\nSet-Cookie: MSISAuth={cookie}; path=/\r\n"
        f"Content-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(token)}\r\n\r\n{token}"
    )
    from tests.fuzz.packets import _packet

    ends, base = (b"\x0a\0\0\1", b"\xc0\0\2\x50"), (1000, 7000)
    found = [_packet(ends, base, 0, 0x02, 1000, b""), _packet(ends, base, 1, 0x12, 7000, b"")]
    for direction, text in ((0, asked), (1, answered)):
        raw = text.encode()
        for at in range(0, len(raw), 50):
            number = base[direction] + 1 + at
            found.append(
                _packet(
                    ends, base, direction, 0x18, number, raw[at : at + 50], direction * len(asked)
                )
            )
    packets = [
        container.Packet(101, (1_750_000_000 + n) * 10**9, data) for n, data in enumerate(found)
    ]
    return container.pcap(packets)


def _by_kind(kind: int) -> Mutate:
    return container.mutated if kind == dialogue.CAPTURE else mutate.plain


def _only_order(kind: int) -> Mutate:
    return container.rearranged if kind == dialogue.CAPTURE else _as_it_is


def _as_it_is(data: bytes, dice: Random, others: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    return data


_HUGE = 4 << 20
_FILES, _ORDER = dialogue.of_items(_by_kind), dialogue.of_items(_only_order)
TARGETS = (
    Target("run", run, _capture_bundles, (), None, _FILES, _HUGE, 8.0, 200),
    Target("run-log", run, _log_bundles, (), "log", _FILES, _HUGE, 8.0, 200),
    Target("run-flow", run, _flow_bundles, (), "flow", _FILES, _HUGE, 8.0, 200),
    Target("secrets", secrets, _secret_bundles, (), None, _ORDER, _HUGE, 8.0, 200),
)

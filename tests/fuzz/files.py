"""Readers of files that are no captures: logs, key logs, keys, definitions, golden documents."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from dissect.errors import DefinitionError, UsageError
from tests.fuzz.material import CORPUS, Material
from tests.fuzz.readers import text_of
from tests.fuzz.target import Broken, Target


def phone_log(data: bytes) -> None:
    """A log by the reader that its content asks for, as one file and cut in two."""
    from dissect.engines.logs import LogFile
    from dissect.engines.phone_log import BUILT_IN

    text = text_of(data)
    for reader in BUILT_IN:
        if not reader.fits(text):
            continue
        half = len(text) // 2
        for files in (
            [LogFile(0, "a", text)],
            [LogFile(0, "a", text[:half]), LogFile(1, "b", text[half:])],
        ):
            for message in reader.read(files, 2026):
                repr(message)


def key_log(data: bytes) -> None:
    """Nothing of a secret may stand in what is reported of a line."""
    from dissect.protocols.tls.secret_store import SecretStore

    store = SecretStore()
    reported = [*store.add_key_log(data, "fuzz.keys"), repr(store)]
    for word in re.findall(rb"[0-9a-fA-F]{16,}", data):
        if any(word.decode("latin-1") in line for line in reported):
            raise Broken("a problem quotes a secret")


def rsa_key(data: bytes) -> None:
    from dissect.protocols.tls import rsa_keys

    rsa_keys.needs_password(data)
    try:
        rsa_keys.open_rsa_key(data, "fuzz.key", (b"secret",))
    except UsageError as error:
        if any(
            len(line) > 30 and line.decode("latin-1") in str(error) for line in data.splitlines()
        ):
            raise Broken("an error quotes the key") from None


def definition(data: bytes) -> None:
    from dissect.flow.definition import parse
    from dissect.flow.definition_lint import lint
    from dissect.signin.catalogue import EVENTS

    try:
        found = parse(text_of(data), "fuzz.toml")
    except DefinitionError as error:
        if "\n" in str(error):
            raise Broken("an error of two lines") from None
        return
    lint(found, EVENTS)


def golden(data: bytes) -> None:
    """`check` and `diff` as they read a file: differences, or one line."""
    from dissect.cli.check import _read
    from dissect.cli.main import main
    from dissect.compare import compare
    from tests.fuzz.whole import quiet, scratch

    with scratch() as folder:
        path = folder / "golden.json"
        path.write_bytes(data)
        good = CORPUS / "golden" / "complete.json"
        try:
            document, whole = _read(str(path)), json.loads(good.read_text("utf-8"))
        except UsageError:
            return
        for one, other in ((document, whole), (whole, document), (document, document)):
            try:
                [str(item) for item in compare(one, other)]
            except (ValueError, KeyError, TypeError):
                continue  # `check` says so in one line
        for pair in ((str(path), str(good)), (str(good), str(path))):
            with quiet():
                code = main(["diff", *pair])
            if code not in (0, 1, 2):
                raise Broken(f"diff ends with {code}")


def _of_files(
    list_files: Callable[[Material], list[Path]], limit: int
) -> Callable[[Material], Iterator[bytes]]:
    def seeds(material: Material) -> Iterator[bytes]:
        for path in list_files(material):
            yield path.read_bytes()[:limit]

    return seeds


def _none(material: Material) -> Iterator[bytes]:
    yield from ()


def _keys(material: Material) -> Iterator[bytes]:
    for path in material.files(".key", ".pem", ".der", ".p12"):
        yield path.read_bytes()


_LOGS = ("dissect.engines.log_vvx", "dissect.engines.log_sip", "dissect.engines.sip_text")
TARGETS = (
    Target(
        "phone-log", phone_log, _of_files(Material.phone_logs, 16_000), _LOGS, "log",
        per_byte_us=300,
    ),
    Target(
        "key-log", key_log, _of_files(Material.key_logs, 8_000),
        ("dissect.protocols.tls.secret_store",), "tls",
    ),
    Target("rsa-key", rsa_key, _keys, (), None, max_size=8192, base_s=4),
    Target(
        "definition", definition, _of_files(Material.definitions, 40_000), ("dissect.flow",),
        "flow", max_size=40_000, base_s=4, per_byte_us=300,
    ),
    Target("golden", golden, _none, ("dissect.compare",), "golden", base_s=3),
)  # fmt: skip

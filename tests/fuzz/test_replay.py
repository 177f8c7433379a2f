"""The committed corpus and every earlier finding, by steps and not by time; and that the fuzzers
can find something at all. `make fuzz` makes new mutants."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random

import pytest

import dissect
from dissect.errors import ProtocolError
from dissect.protocols import http1
from tests.fuzz import budget, container, dialogue, packets, streams, whole, worker
from tests.fuzz.material import CORPUS, ROOT, Material
from tests.fuzz.registry import TARGETS
from tests.fuzz.target import GUARDS, Broken, Target

FOUND = Path(__file__).parent / "found"
MAX_CORPUS = 300_000
# Function calls that an input may take. Most for its size takes a byte that makes a message of
# its own in a conversation that is also fed byte by byte; a run draws everything.
CALLS = 3_000_000
CALLS_PER_BYTE = 3_000


def inputs(folder: Path) -> list[object]:
    return [
        pytest.param(path.parent.name, path, id=f"{path.parent.name}-{path.stem}")
        for path in sorted(folder.glob("*/*"))
    ]


@pytest.mark.parametrize(("name", "path"), [*inputs(CORPUS), *inputs(FOUND)])
def test_kept_inputs(name: str, path: Path) -> None:
    data = path.read_bytes()
    assert budget.calls(partial(TARGETS[name].run, data)) < CALLS + CALLS_PER_BYTE * len(data)


def test_every_target_has_a_corpus_and_its_words() -> None:
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS)
    assert {path.name for path in FOUND.iterdir()} <= set(TARGETS)
    assert sum(path.stat().st_size for path in CORPUS.glob("*/*")) < MAX_CORPUS
    named = {target.dictionary for target in TARGETS.values()} - {None}
    assert {path.stem for path in worker.DICTIONARIES.glob("*.dict")} == named
    for target in TARGETS.values():
        assert target.dictionary is None or len(worker.words_of(target)) > 5


@pytest.mark.parametrize("name", TARGETS)
def test_mutants_differ_and_come_again_with_their_seed(name: str) -> None:
    target = TARGETS[name]
    seeds, words = worker.committed(target), worker.words_of(target)

    def mutants(seed: int) -> list[bytes]:
        dice = Random(seed)
        return [target.mutate(dice.choice(seeds), dice, seeds, words) for _ in range(100)]

    assert mutants(1) == mutants(1)
    assert len({*mutants(1), *mutants(2)}) > 60
    for mutant in mutants(3)[:3]:
        target.run(mutant)


def test_any_bytes_are_a_conversation_and_a_bundle() -> None:
    dice = Random(14)
    for _ in range(300):
        data = dice.randbytes(dice.randrange(60))
        dialogue.parts(data)
        dialogue.items(data)
        container.packets(data)
    parts: list[dialogue.Part] = [(0, b"abc"), (1, 7), (1, b""), (0, bytes(70_000))]
    again = dialogue.parts(dialogue.joined(parts))
    assert again[:3] == parts[:3]
    assert b"".join(body for _, body in again[3:] if isinstance(body, bytes)) == bytes(70_000)
    files = [(dialogue.CAPTURE, b"x" * 300), (dialogue.FLOW, b"")]
    assert dialogue.items(dialogue.bundle(files)) == files


# ------------------------------------------------------------------ they can find something


def _planted(run: Callable[[bytes], None]) -> Target:
    return Target("planted", run, lambda material: (), base_s=0.2, per_byte_us=0)


def _loops(data: bytes) -> None:
    while True:
        try:
            list(range(100))
        except Exception:  # as a parser might
            continue


def _raises(data: bytes) -> None:
    if b"B" in data:
        raise KeyError(data)


def _breaks(data: bytes) -> None:
    raise Broken("no such order")


@pytest.mark.skipif(os.name != "posix", reason="bounds by signals and resource")
def test_what_breaks_is_reported() -> None:
    assert worker.why(_planted(lambda data: None), b"x") is None
    raised = worker.why(_planted(_raises), b"AB")
    assert raised is not None
    assert raised[0].startswith("KeyError")
    assert worker.shrunk(_planted(_raises), b"xx" * 50 + b"B" + b"yy" * 50, raised[0]) == b"B"
    reported = worker.why(_planted(_breaks), b"")
    assert reported is not None
    assert reported[0] == "Broken no such order"
    slow = worker.why(_planted(_loops), b"")
    assert slow is not None
    assert slow[0].startswith("too slow")


@pytest.mark.skipif(os.name != "posix", reason="bounds by signals and resource")
@pytest.mark.parametrize(("size", "words"), [(600 << 20, "memory"), (4 << 30, "MemoryError")])
def test_memory_is_bounded(size: int, words: str) -> None:
    program = (
        "from tests.fuzz import budget, worker\nfrom tests.fuzz.target import Target\n"
        f"budget.limit_memory()\nfilled = lambda data: bytearray(b'x') * {size}\n"
        "print(worker.why(Target('a', filled, lambda m: (), base_s=30), b''))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert words in result.stdout


@pytest.mark.parametrize(
    ("error", "found"), [(ProtocolError("a", "b"), False), (ValueError("x"), True)]
)
def test_a_parser_that_raises_something_else_is_found(
    error: Exception, found: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data, *_) = worker.committed(TARGETS["http1"])

    def raises(*_: object) -> None:
        raise error

    monkeypatch.setattr(http1.Http1Parser, "data", raises)
    assert (worker.why(TARGETS["http1"], data) is not None) is found


def test_another_reading_in_pieces_is_found() -> None:
    whole_text = dialogue.parts(worker.committed(TARGETS["http1"])[0])
    found, broken = streams.fed(streams._http1(streams._layer(streams.SecretStore())), whole_text)
    assert not broken
    with pytest.raises(Broken, match="byte by byte"):
        streams.same_in_pieces(
            lambda: streams._sip(streams._layer(streams.SecretStore())), whole_text, found
        )


def test_a_byte_at_a_wrong_place_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if reassembly delivered each byte but the first one place too early."""
    (data, *_) = worker.committed(TARGETS["tcp"])
    TARGETS["tcp"].run(data)
    checked = packets._Checked.data
    monkeypatch.setattr(
        packets._Checked,
        "data",
        lambda self, direction, view, span: checked(self, direction, bytes(view)[1:], span),
    )
    with pytest.raises(Broken, match="not theirs"):
        TARGETS["tcp"].run(data)


def test_every_guard_is_taken_away() -> None:
    """Every module that tells a caught error as an internal one is listed."""
    package = Path(dissect.__file__).parent
    telling = {
        ".".join(path.relative_to(package.parent).with_suffix("").parts)
        for path in package.rglob("*.py")
        if "internal(error)" in path.read_text("utf-8") and path.name != "errors.py"
    }
    assert telling == set(GUARDS)


def test_a_secret_in_an_output_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    (data,) = worker.committed(TARGETS["secrets"])
    whole.secrets(data)
    options = whole.options
    monkeypatch.setattr(whole, "options", lambda d, f: replace(options(d, f), reveal=True))
    with pytest.raises(Broken, match="a secret is in"):
        whole.secrets(data)


def test_all_targets_are_run_and_a_finding_is_exit_1(tmp_path: Path) -> None:
    """As `make fuzz` does; guided by coverage where atheris is installed."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.fuzz", "--seed", "5"]
    command += ["--minutes", "0.03", "--target", "jwt", "--target", "key-log"]
    result = subprocess.run(
        [*command, "--out", str(tmp_path)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.startswith("seed 5; ")
    reported = json.loads((tmp_path / "jwt.json").read_text("utf-8"))
    assert reported["mutants"] > 0
    assert reported["found"] == {}


def test_the_recordings_give_seeds() -> None:
    """Those that are decrypted, too; every parser gets some of a scenario or two."""
    names = ("web-signin-tls13", "wrong-password", "phone-boot", "sip-websocket")
    material = Material(tuple(ROOT / "captures" / name for name in names))
    for name in ("http1", "http2", "sip", "tls", "websocket", "dns-udp", "dhcp", "ntp"):
        seeds = list(TARGETS[name].seeds(material))
        assert seeds, name
        for data in seeds[:3]:
            TARGETS[name].run(data[: TARGETS[name].max_size])

"""A tshark process, and its output as a row a frame. Knows nothing of pyshark."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import IO, Self

from dissect import leftovers
from dissect.capture import SecretsText, read_key_log
from dissect.engines import CaptureInput
from dissect.engines.tshark.private import PrivateFolder
from dissect.engines.tshark.program import CREATION_FLAGS, environment
from dissect.errors import CaptureError
from dissect.protocols.tls.rsa_keys import RsaKey, open_rsa_key

CHUNK = 1 << 18
END_LIMIT = 10  # seconds that a tshark which was told to end may take
STDERR_KEPT = 4000
SEPARATOR = "\x1f"  # between the occurrences of a field
_NOISE = ("Running as user ", "This could be dangerous")


class TsharkRun:
    """One tshark process: its output by and by, its exit code and stderr afterwards.

    A context manager: whatever happens inside, also Ctrl-C, the process has ended and was
    waited for when it is left. `problem` is None or says exit code and stderr in one line.
    """

    def __init__(self, command: Sequence[str], config: str) -> None:
        # A file and not a pipe: nobody has to read it while tshark writes.
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            with leftovers.held():
                self._process = subprocess.Popen(
                    list(command),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=self._errors,
                    cwd=config,  # dissectors look for files in the current folder (IOR.txt)
                    env=environment(config),
                    creationflags=CREATION_FLAGS,
                )
                leftovers.add_process(self._process)
        except OSError as error:
            self._errors.close()
            raise CaptureError(f"tshark can't be run ({error.strerror or error})") from None
        self.code: int | None = None
        self.stderr = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end(kill=True)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def problem(self) -> str | None:
        """Why tshark failed, once it has ended; None if it did not."""
        if not self.code:
            return None
        return f"tshark ended with exit code {self.code}: {self.stderr or 'it says no more'}"

    def output(self) -> Iterator[bytes]:
        """Pieces of standard output until tshark ends."""
        stdout = self._process.stdout
        assert stdout is not None
        while data := stdout.read1(CHUNK):  # type: ignore[attr-defined]
            yield data
        self._end(kill=False)

    def _end(self, *, kill: bool) -> None:
        if self._errors.closed:
            return
        process = self._process
        if kill and process.poll() is None:
            process.kill()
        try:
            process.wait(END_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        finally:
            if process.stdout is not None:
                process.stdout.close()
            self.code = process.returncode
            if self.code is not None:
                leftovers.drop_process(process)
            self._errors.seek(0)
            self.stderr = _one_line(self._errors.read(STDERR_KEPT))
            self._errors.close()


def _one_line(text: bytes) -> str:
    lines = (line.strip() for line in text.decode("utf-8", "replace").splitlines())
    reported = [line for line in lines if line and not any(noise in line for noise in _NOISE)]
    return "; ".join(line.removeprefix("tshark: ") for line in reported)


def preferences(
    folder: PrivateFolder,
    item: CaptureInput,
    logs: Sequence[SecretsText],
    decode_as: Sequence[str] = (),
) -> list[str]:
    """How tshark reads a capture: its keys, and what its ports carry."""
    given = ["-o", "tcp.reassemble_out_of_order:TRUE", "-o", "sip.display_raw_text:TRUE"]
    key_log = folder.key_log(bytes(log.text) for log in logs)
    if key_log is not None:
        given += ["-o", f"tls.keylog_file:{key_log}"]
    for path in folder.rsa_keys(rsa_keys(item)):
        quoted = path.replace("\\", "/").replace('"', "\\x22")
        given += ["-o", f'uat:rsa_keys:"{quoted}",""']
    for selector in decode_as:
        given += ["-d", selector]
    return given


def rsa_keys(item: CaptureInput) -> list[RsaKey]:
    """The servers' private keys of a capture.

    Raises UsageError where one can't be read, CaptureError where its file can't.
    """
    files = (read_key_log(path) for path in item.rsa_keys)
    return [open_rsa_key(bytes(one.text), one.origin, item.rsa_passwords) for one in files]


def fields_command(
    program: str, path: str, parameters: Sequence[str], fields: Sequence[str]
) -> list[str]:
    """The command for a row a frame with every occurrence of some fields."""
    command = [program, "-n", "-r", path, *parameters, "-T", "fields"]
    command += ["-E", "occurrence=a", "-E", f"aggregator={SEPARATOR}"]
    command += ["-E", "separator=/t", "-E", "quote=n"]
    for name in fields:
        command += ["-e", name]
    return command


def rows(run: TsharkRun, count: int) -> Iterator[list[list[str]]]:
    """The rows of a `fields_command`: for each field its occurrences."""
    rest = b""
    for piece in run.output():
        lines = (rest + piece).split(b"\n")
        rest = lines.pop()
        for line in lines:
            cells = line.decode("utf-8", "replace").removesuffix("\r").split("\t")
            # A name out of a hello may hold a tab or a line feed, and such names come last:
            # what is too much is left out, and the rest of a broken line is no row.
            if len(cells) >= count or cells[0].isdigit():
                cells += [""] * (count - len(cells))
                yield [cell.split(SEPARATOR) if cell else [] for cell in cells[:count]]

"""Running tshark: pyshark's command and packets, a plain subprocess between them.

pyshark 0.6 builds the command line and turns PDML into packets; its `FileCapture` is what
`MessageCapture` is made of. What it does between the two is replaced, because it can't hold
what users need; found with pyshark 0.6 and tshark 4.0.17:

- it sets a child watcher of asyncio that Python 3.14 no longer has (AttributeError), and
  inside a running event loop, as in Jupyter, it raises "this event loop is already running";
- stderr goes to a task that runs only while a packet is waited for: its last line, which
  says why tshark ended, is lost; the exit code 1 of a wrong field or a file that is no
  capture is passed over, and the capture looks empty;
- left half read it keeps tshark running until the garbage collector finds it, and then
  waits one second for it: descriptors and zombies pile up over many files;
- its PDML splitter searches its whole buffer again for each 64 KB that come, which is
  quadratic in the size of a packet.

Formats, measured on 2592 frames of the lab's browser (HTTP/2 over TLS) with 273 messages,
2 cores, tshark and parsing one after the other:

    PDML of all frames, pyshark's packets        0.5 s + 2.9 s     52 MB
    PDML, display filter                         0.24 s + 0.20 s   5.8 MB
    PDML, filter, -J (only our protocols)        0.22 s + 0.14 s   3.7 MB
    JSON -x, filter, -J, json.loads              0.25 s + 0.03 s   4.2 MB
    EK -x, filter, -J, json.loads                0.28 s + 0.01 s   2.1 MB
    fields, a row a frame                        0.21 s + 0.00 s   0.2 MB

tshark's own start (0.17 s) outweighs all but the first. PDML with filter and -J was taken:
it is the one format that keeps the order and the raw bytes of every occurrence of a field
in every layer, also of text that is no UTF-8. The facts of connections come from a second
run with `-T fields`, at the same time.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import IO, Any

from packaging.version import Version
from pyshark.capture.file_capture import FileCapture
from pyshark.tshark.output_parser.tshark_xml import packet_from_xml_packet

from dissect.engines.tshark.names import FILTER, PROTOCOLS
from dissect.engines.tshark.program import CREATION_FLAGS, Program, environment
from dissect.errors import CaptureError

CHUNK = 1 << 18
MAX_PACKET = 256 << 20  # bytes of one frame's PDML; past it the rest of the run is given up
END_LIMIT = 10  # seconds that a tshark which was told to end may take
STDERR_KEPT = 4000
SEPARATOR = "\x1f"  # between the occurrences of a field
_END = b"</packet>"
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
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=environment(config),
                creationflags=CREATION_FLAGS,
            )
        except OSError as error:
            self._errors.close()
            raise CaptureError(f"tshark can't be run ({error.strerror or error})") from None
        self.code: int | None = None
        self.stderr = ""

    def __enter__(self) -> TsharkRun:
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
            self._errors.seek(0)
            self.stderr = _one_line(self._errors.read(STDERR_KEPT))
            self._errors.close()


def _one_line(text: bytes) -> str:
    lines = (line.strip() for line in text.decode("utf-8", "replace").splitlines())
    said = [line for line in lines if line and not any(noise in line for noise in _NOISE)]
    return "; ".join(line.removeprefix("tshark: ") for line in said)


class MessageCapture(FileCapture):  # type: ignore[misc]
    """pyshark's capture of the frames that hold messages; its process is a `TsharkRun`."""

    def __init__(self, program: Program, path: str, config: str, parameters: Sequence[str]) -> None:
        super().__init__(
            path,
            keep_packets=False,
            display_filter=FILTER,
            custom_parameters=[*parameters, "-J", PROTOCOLS],
            tshark_path=program.path,
            # Any object keeps pyshark from touching asyncio; nothing here uses it.
            eventloop=object(),
        )
        self._program = program
        self._config = config

    def _get_tshark_version(self) -> Version:
        # pyshark would start `tshark -v` once more for each capture.
        return Version(self._program.release)

    def command(self) -> list[str]:
        """The command line, as pyshark builds it."""
        return [self._program.path, "-n", "-T", "pdml", *self.get_parameters()]

    def start(self) -> TsharkRun:
        return TsharkRun(self.command(), self._config)


def packets(run: TsharkRun) -> Iterator[Any]:
    """pyshark's packets out of the PDML that a run writes."""
    buffer = bytearray()
    looked = 0
    for piece in run.output():
        buffer += piece
        while (end := buffer.find(_END, looked)) >= 0:
            end += len(_END)
            start = buffer.find(b"<packet>")
            yield packet_from_xml_packet(bytes(buffer[start:end]))
            del buffer[:end]
            looked = 0
        looked = max(0, len(buffer) - len(_END))
        if len(buffer) > MAX_PACKET:
            raise CaptureError(f"tshark writes more than {MAX_PACKET} bytes for one frame")


def fields_command(
    program: Program, path: str, parameters: Sequence[str], fields: Sequence[str]
) -> list[str]:
    """The command for a row a frame with every occurrence of some fields."""
    command = [program.path, "-n", "-r", path, *parameters, "-T", "fields"]
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

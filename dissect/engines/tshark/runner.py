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

from collections.abc import Iterator, Sequence
from typing import Any

from packaging.version import Version
from pyshark.capture.file_capture import FileCapture
from pyshark.tshark.output_parser.tshark_xml import packet_from_xml_packet

from dissect.engines.tshark.names import FILTER, PROTOCOLS
from dissect.engines.tshark.process import TsharkRun
from dissect.engines.tshark.program import Program
from dissect.errors import CaptureError

MAX_PACKET = 256 << 20  # bytes of one frame's PDML; past it the rest of the run is given up
_END = b"</packet>"


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

    def _get_tshark_path(self) -> str:
        # pyshark would look for it, and obey a config.ini of the current folder.
        return self._program.path

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

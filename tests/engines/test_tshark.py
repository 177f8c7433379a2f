"""The engine over tshark: troubles that users reported, and what it must never do."""

from __future__ import annotations

import asyncio
import io
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dissect.engines import CaptureInput, tshark
from dissect.engines.tshark import engine, names, process, program
from dissect.errors import CaptureError, UsageError
from dissect.model import HttpRequest, HttpResponse, SipMessage, TlsConnection
from tests.engines.build import tcp_capture
from tests.lab import need_tshark, scenario

posix = pytest.mark.skipif(os.name != "posix", reason="a shell script stands in for tshark")


@pytest.fixture(autouse=True)
def _tshark() -> None:
    need_tshark()


def read(path: str, **options: object) -> list[object]:
    return list(tshark.read([CaptureInput(path)], **options).messages)  # type: ignore[arg-type]


def phone() -> CaptureInput:
    item = scenario("web-signin")
    return CaptureInput(item.phone, found_key_logs=(str(item.folder / "phone.keys"),))


# ------------------------------------------------------------------ what is read


def test_every_message_of_a_segment_is_read(tmp_path: Path) -> None:
    """Troubles 25 and 39: pyshark's `packet.http` is the first of three."""
    asked = b"".join(b"GET /%d HTTP/1.1\r\nHost: h.example\r\n\r\n" % n for n in (1, 2, 3))
    answers = b"".join(b"HTTP/1.1 20%d OK\r\nContent-Length: 1\r\n\r\nx" % n for n in (0, 1, 2))
    found = read(tcp_capture(tmp_path / "c.pcap", [(True, asked), (False, answers)]))
    requests = [item for item in found if isinstance(item, HttpRequest)]
    responses = [item for item in found if isinstance(item, HttpResponse)]
    assert [bytes(item.target) for item in requests] == [b"/1", b"/2", b"/3"]
    assert [item.status for item in responses] == [200, 201, 202]
    assert [item.exchange for item in requests] == [item.exchange for item in responses]


def test_every_occurrence_of_a_header_is_kept(tmp_path: Path) -> None:
    """Trouble 44: the third of three WWW-Authenticate is the one that matters."""
    answer = (
        b"SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\n"
        b"From: <sip:a@x>;tag=1\r\nTo: <sip:a@x>\r\nCall-ID: 1@x\r\nCSeq: 1 REGISTER\r\n"
        b'WWW-Authenticate: NTLM realm="r"\r\nWWW-Authenticate: Kerberos realm="r"\r\n'
        b'WWW-Authenticate: TLS-DSK realm="r", sts-uri="https://s.example/"\r\n'
        b"Content-Length: 0\r\n\r\n"
    )
    path = tcp_capture(tmp_path / "c.pcap", [(False, answer)], port=5060)
    (message,) = (item for item in read(path) if isinstance(item, SipMessage))
    schemes = [value.split()[0] for value in message.header_all("www-authenticate")]
    assert schemes == ["NTLM", "Kerberos", "TLS-DSK"]
    assert (message.status, message.method) == (401, "REGISTER")


def test_a_body_of_any_bytes_and_a_request_without_answer(tmp_path: Path) -> None:
    """Trouble 49: bodies are hex text in tshark's fields; unanswered requests get lost."""
    body = bytes(range(256))
    post = b"POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 256\r\n\r\n" + body
    (message,) = (
        item
        for item in read(tcp_capture(tmp_path / "c.pcap", [(True, post[:90]), (True, post[90:])]))
        if isinstance(item, HttpRequest)
    )
    assert bytes(message.body.data) == body
    span = message.place.span
    assert (span.first_frame, span.last_frame, message.head_frame) == (4, 5, 4)
    assert span.first_ns == 1_700_000_000_375_000_000


@pytest.mark.parametrize("frames", [1, 5])
def test_an_http2_body_in_one_frame_or_in_several(tmp_path: Path, frames: int) -> None:
    """Trouble 53: tshark has another field for each of the two."""
    import hpack

    body = b'{"access_token": "x", "expires_in": 3599}'
    head = hpack.Encoder().encode([(":status", "200"), ("content-type", "application/json")])
    ask = [(":method", "GET"), (":path", "/"), (":scheme", "http"), (":authority", "h")]
    step = -(-len(body) // frames)
    parts = [body[at : at + step] for at in range(0, len(body), step)]
    client = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"")
    client += frame(1, 5, 1, hpack.Encoder().encode(ask))
    server = frame(4, 0, 0, b"") + frame(1, 4, 1, head)
    for number, part in enumerate(parts, 1):
        server += frame(0, number == len(parts), 1, part)
    path = tcp_capture(tmp_path / "c.pcap", [(True, client), (False, server)])
    (message,) = (item for item in read(path) if isinstance(item, HttpResponse))
    assert (message.version, message.status) == ("2", 200)
    assert bytes(message.body.data) == body
    assert message.body.wire_size == len(body)


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


REGISTER = (
    b"REGISTER sip:x SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\n"
    b"To: <sip:a@x>\r\nCall-ID: 1@x\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n"
)


def test_sip_on_an_unusual_port_is_found_by_content_or_given(tmp_path: Path) -> None:
    path = tcp_capture(tmp_path / "c.pcap", [(True, REGISTER)], port=9123)
    (message,) = (item for item in read(path) if isinstance(item, SipMessage))
    assert message.method == "REGISTER"
    given = read(path, decode_as=("tcp.port==9123,http",))
    assert not [item for item in given if isinstance(item, SipMessage)]


@pytest.mark.parametrize("selector", ["9123,sip", "tcp.port==9123", "-r,x", "tcp.port==1,sip;rm"])
def test_a_bad_selector_is_refused(tmp_path: Path, selector: str) -> None:
    with pytest.raises(UsageError, match="decode-as"):
        read(tcp_capture(tmp_path / "c.pcap", []), decode_as=(selector,))


# ------------------------------------------------------------------ secrets


def test_a_key_log_named_relatively_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trouble 17: tshark takes a relative name from its own folder, and says nothing."""
    item = scenario("web-signin")
    monkeypatch.chdir(item.folder)
    found = tshark.read([CaptureInput("phone.pcapng", key_logs=("phone.keys",))])
    rows = [row for row in found.messages if isinstance(row, TlsConnection) and not row.inside]
    assert {row.decrypted for row in rows} == {"full"}
    assert {row.secret_source for row in rows} == {"phone.keys"}


def test_two_key_logs_of_any_spelling_are_merged(tmp_path: Path) -> None:
    """Trouble 13 for tshark: it reads lines up to LF, a byte order mark is a part of one."""
    item = scenario("web-signin")
    lines = (item.folder / "phone.keys").read_bytes().splitlines()
    half = len(lines) // 2
    first, second = tmp_path / "1.keys", tmp_path / "2.keys"
    first.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(lines[:half]))
    second.write_bytes(b"\r".join(lines[half:]))
    found = tshark.read([CaptureInput(item.phone, key_logs=(str(first), str(second)))])
    rows = [row for row in found.messages if isinstance(row, TlsConnection) and not row.inside]
    assert {row.decrypted for row in rows} == {"full"}


def test_the_merged_key_log_is_private_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Path, int]] = []
    original = process.fields_command

    def spy(*arguments: object) -> list[str]:
        command = original(*arguments)  # type: ignore[arg-type]
        (option,) = (word for word in command if word.startswith("tls.keylog_file:"))
        path = Path(option.partition(":")[2])
        assert path.is_absolute()
        seen.append((path, stat.S_IMODE(path.stat().st_mode)))
        return command

    monkeypatch.setattr(process, "fields_command", spy)
    tshark.read([phone()])
    ((path, mode),) = seen
    assert os.name != "posix" or mode == 0o600
    assert not path.parent.exists()


# ------------------------------------------------------------------ robustness


def test_inside_a_running_event_loop_and_in_threads() -> None:
    """Trouble 69."""

    async def inside() -> int:
        return len(tshark.read([phone()]).messages)

    wanted = len(tshark.read([phone()]).messages)
    counts = [asyncio.run(inside())]
    threads = [
        threading.Thread(target=lambda: counts.append(len(tshark.read([phone()]).messages)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [wanted] * 3


def test_without_what_python_3_14_has_taken_from_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("set_child_watcher", "get_child_watcher", "SafeChildWatcher"):
        monkeypatch.delattr(asyncio, name, raising=False)

    def none() -> None:
        raise RuntimeError("there is no current event loop")

    monkeypatch.setattr(asyncio, "get_event_loop", none)
    monkeypatch.setattr(asyncio, "get_event_loop_policy", none)
    assert tshark.read([phone()]).messages


class Runs:
    """Every process that was started, to look at afterwards."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.started: list[subprocess.Popen[bytes]] = []
        original = subprocess.Popen

        def spy(*arguments: object, **options: object) -> subprocess.Popen[bytes]:
            process = original(*arguments, **options)  # type: ignore[call-overload]
            self.started.append(process)
            return process  # type: ignore[no-any-return]

        monkeypatch.setattr(subprocess, "Popen", spy)

    def all_ended(self) -> bool:
        return all(p.returncode is not None and p.stdout.closed for p in self.started if p.stdout)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    program.find()  # asks for the version by a process of its own, once
    return Runs(monkeypatch)


def test_ctrl_c_ends_tshark(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "units", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tshark.read([phone()])
    assert len(runs.started) == 2
    assert runs.all_ended()


@pytest.mark.parametrize("count", [5, pytest.param(40, marks=pytest.mark.long)])
def test_many_files_leave_nothing_behind(runs: Runs, count: int) -> None:
    """Trouble 70."""
    descriptors = Path("/proc/self/fd")
    tshark.read([phone()])
    before = len(list(descriptors.iterdir())) if descriptors.is_dir() else 0
    for _ in range(count):
        tshark.read([phone()])
    assert len(runs.started) == 2 * (count + 1)
    assert runs.all_ended()
    assert (len(list(descriptors.iterdir())) if descriptors.is_dir() else 0) == before


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    item = phone()
    data = Path(item.name).read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    found = tshark.read([CaptureInput("-", key_logs=item.found_key_logs)])
    assert len(found.messages) == len(tshark.read([item]).messages)
    assert found.captures[0].name == "-"


def test_the_report_names_the_tools() -> None:
    """Trouble 73."""
    release = program.find().release
    assert tshark.read([phone()]).captures[0].reader.startswith(f"tshark {release}, pyshark ")


# ------------------------------------------------------------------ tshark that fails


def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A script in the place of tshark."""
    real = need_tshark()
    path = tmp_path / "bin" / "tshark"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n" + script.replace("REAL", real))
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}/bin{os.pathsep}/usr/bin")


@posix
def test_frames_that_tshark_leaves_out_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trouble 71: a short read must not look like a short capture."""
    only_five = 'case "$1" in --version) exec REAL "$@";; esac\nexec REAL "$@" -c 5\n'
    stand_in(tmp_path, monkeypatch, only_five)
    with pytest.raises(CaptureError, match="tshark gave 5 of the 176 frames"):
        tshark.read([phone()])


@posix
def test_exit_code_and_stderr_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(
        tmp_path,
        monkeypatch,
        'case "$1" in --version) exec REAL "$@";; esac\n'
        'REAL "$@"\necho "tshark: the disk is on fire" >&2\nexit 3\n',
    )
    with pytest.raises(CaptureError, match=r"exit code 3: .*the disk is on fire"):
        tshark.read([phone()])


def test_a_damaged_capture_is_read_to_the_damage_with_tsharks_words(tmp_path: Path) -> None:
    path = tmp_path / "cut.pcap"
    whole = Path(tcp_capture(tmp_path / "c.pcap", [(True, b"GET / HTTP/1.1\r\n\r\n")]))
    path.write_bytes(whole.read_bytes()[:-20])
    found = tshark.read([CaptureInput(str(path))])
    assert [item for item in found.messages if isinstance(item, HttpRequest)]
    (reported,) = (text for text in found.warnings if "exit code" in text)
    assert "cut short" in reported


def test_a_field_that_tshark_lacks_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trouble 49: tshark ends with exit code 1 before the first packet."""
    monkeypatch.setattr(engine, "FRAME_FIELDS", (*names.FRAME_FIELDS, "tcp.no_such_field"))
    with pytest.raises(UsageError, match=r"lacks a field .*tcp.no_such_field"):
        tshark.read([phone()])


@posix
def test_an_old_tshark_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, 'echo "TShark (Wireshark) 3.4.16 (Git v3.4.16)"\n')
    with pytest.raises(UsageError, match=r"tshark 3\.4\.16 is too old, 3\.6 is needed: "):
        tshark.read([phone()])


@posix
@pytest.mark.skipif(sys.platform == "darwin", reason="Wireshark's folder is searched there, too")
def test_without_tshark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"^tshark is not installed: .*apt install tshark"):
        tshark.read([phone()])


def test_without_pyshark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyshark", None)
    with pytest.raises(UsageError, match=r"pip install 'dissect-flow\[tshark\]'"):
        tshark.read([phone()])


def test_the_embedded_engine_loads_nothing_of_it() -> None:
    code = (
        "import sys; from dissect.pipeline import RunOptions, Session; "
        f"Session(RunOptions(({scenario('web-signin').phone!r},))).charts; "
        "print([m for m in sys.modules if 'shark' in m])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert result.stdout.strip() == b"[]"


def test_dhcp_and_ntp_as_with_the_embedded_engine(tmp_path: Path) -> None:
    from scapy.layers.dhcp import BOOTP, DHCP
    from scapy.layers.inet import IP, UDP
    from scapy.layers.l2 import Ether
    from scapy.layers.ntp import NTPHeader
    from scapy.utils import wrpcap

    from dissect.engines import embedded

    options = [("message-type", "offer"), ("server_id", "10.1.0.1"), (160, b"https://p.example/")]
    offer = BOOTP(op=2, xid=7, yiaddr="10.1.0.9", chaddr=b"\x00\x04\xf2\x01\x02\x03")
    ether = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    there, back = IP(src="10.1.0.9", dst="10.1.0.1"), IP(src="10.1.0.1", dst="10.1.0.9")
    asked = NTPHeader(version=4, mode=3, sent=3_900_000_000.5)
    answer = NTPHeader(version=4, mode=4, stratum=2, orig=3_900_000_000.5, recv=3_900_000_110.5)
    packets = [
        ether / back / UDP(sport=67, dport=68) / offer / DHCP(options=[*options, "end"]),
        ether / there / UDP(sport=50000, dport=123) / asked,
        ether / back / UDP(sport=123, dport=50000) / answer,
    ]
    path = tmp_path / "c.pcap"
    wrpcap(str(path), packets)
    ours = embedded.read([CaptureInput(str(path))]).messages
    theirs = tshark.read([CaptureInput(str(path))]).messages
    assert [type(item).__name__ for item in ours] == ["DhcpMessage", "NtpMessage", "NtpMessage"]
    assert theirs == ours

"""What Python's ssl can't do, between OpenSSL's own programs over loopback."""

from __future__ import annotations

from pathlib import Path

import pytest

from dissect.protocols.tls.secret_store import CLIENT_EARLY

from ..drive import C, Part, S
from .openssl_peers import needs_openssl, serve
from .peers import SERVER_NAME, Seen, look, store_of

pytestmark = needs_openssl

LINES = (b"first line", b"second line", b"third line, rather longer " + b"x" * 3000)


def echoes(lines: tuple[bytes, ...]) -> tuple[bytes, bytes]:
    sent = b"".join(line + b"\n" for line in lines if len(line) > 1)
    answered = b"".join(line[::-1] + b"\n" for line in lines if len(line) > 1)
    return sent, answered


def seen_with(record: list[Part], keys: Path) -> Seen:
    return look(record, store_of(keys.read_bytes()))


def test_key_updates_of_both_sides(tmp_path: Path) -> None:
    """`k` updates the client's key, `K` asks the server to update its own too."""
    typed = (b"before", b"k", b"after one", b"K", b"after both")
    with serve(tmp_path, "-tls1_3") as server:
        record, _ = server.connect(typed=typed)
        seen = seen_with(record, server.keys)
    assert seen.got == echoes(typed)
    assert (seen.row.decrypted, seen.kinds) == ("full", [])


def test_key_update_in_lost_bytes(tmp_path: Path) -> None:
    typed = (b"before", b"K", b"after one", b"second after")
    with serve(tmp_path, "-tls1_3") as server:
        record, _ = server.connect(typed=typed)
        keys = server.keys.read_bytes()
    # A KeyUpdate is a record of 5 + 5 + 1 + 16 bytes; it is lost here with all around it.
    for direction in (C, S):
        size = 27
        lost = next(
            number for number, (sender, flight) in enumerate(record)
            if sender == direction and isinstance(flight, bytes) and number > 3
            and size in (len(flight), int.from_bytes(flight[3:5]) + 5)
        )  # fmt: skip
        flight = record[lost][1]
        assert isinstance(flight, bytes)
        holed = [*record[:lost], (direction, size), *record[lost + 1 :]]
        if flight[size:]:
            holed.insert(lost + 1, (direction, flight[size:]))
        seen = look(holed, store_of(keys))
        assert seen.got == echoes(typed)
        assert (seen.row.decrypted, seen.row.reason) == ("partial", "lost_segment")


@pytest.mark.parametrize("middlebox", [True, False])
def test_hello_retry_request(tmp_path: Path, middlebox: bool) -> None:
    """Two client hellos with the same random, perhaps with ChangeCipherSpecs around."""
    options = ["-tls1_3", "-groups", "P-384", *([] if middlebox else ["-no_middlebox"])]
    client = ["-groups", "X25519:P-384", *([] if middlebox else ["-no_middlebox"])]
    with serve(tmp_path, *options) as server:
        record, _ = server.connect(*client, typed=LINES)
        seen = seen_with(record, server.keys)
    hellos = [flight for sender, flight in record if sender == C and flight[5:6] == b"\1"]  # type: ignore[index]
    assert len(hellos) + sum(flight[11:12] == b"\1" for _, flight in record) >= 2  # type: ignore[index]
    assert seen.got == echoes(LINES)
    assert (seen.row.decrypted, seen.kinds) == ("full", [])
    assert seen.row.server_name == SERVER_NAME


@pytest.mark.parametrize(
    "options",
    [
        ["-tls1_3", "-record_padding", "512"],
        ["-tls1_3", "-max_send_frag", "512"],
        ["-tls1_3", "-num_tickets", "0"],
        ["-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256"],
        ["-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_8_SHA256"],
        ["-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"],
        ["-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"],
        ["-tls1_2", "-max_send_frag", "512"],
        ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"],
        ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256", "-no_etm"],
        ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA384", "-no_etm"],
        ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA", "-no_etm"],
        ["-tls1_1", "-cipher", "ECDHE-ECDSA-AES256-SHA:@SECLEVEL=0", "-no_etm"],
        ["-tls1", "-cipher", "ECDHE-ECDSA-AES256-SHA:@SECLEVEL=0", "-no_etm"],
        ["-tls1", "-cipher", "ECDHE-ECDSA-AES256-SHA:@SECLEVEL=0"],
    ],
    ids=" ".join,
)
def test_server_options(tmp_path: Path, options: list[str]) -> None:
    client: list[str] = []
    if "-ciphersuites" in options:
        client = ["-ciphersuites", options[-1]]
    elif "-cipher" in options:
        client = ["-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"]
    elif "-record_padding" in options:
        client = ["-record_padding", "256"]
    with serve(tmp_path, *options) as server:
        record, _ = server.connect(*client, typed=LINES)
        seen = seen_with(record, server.keys)
    assert seen.got == echoes(LINES)
    assert (seen.row.decrypted, seen.row.reason, seen.kinds) == ("full", None, [])


def test_renegotiation(tmp_path: Path) -> None:
    """The second client hello is protected and has a random of its own."""
    typed = (b"before", b"R", b"after", b"R", b"at last")
    with serve(tmp_path, "-tls1_2", "-client_renegotiation") as server:
        record, _ = server.connect(typed=typed)
        text = server.keys.read_text()
        seen = look(record, store_of(text))
        first = [line for line in text.splitlines(True) if line.startswith("CLIENT_RANDOM")][:1]
    assert seen.got == echoes(typed)
    assert (seen.row.decrypted, seen.kinds) == ("full", [])
    # With the first handshake's secret alone it goes as far as the second handshake.
    partly = look(record, store_of("".join(first)))
    assert partly.got == echoes(typed[:1])
    assert (partly.row.decrypted, partly.row.reason) == ("partial", "no_secret_for_random")
    assert "renegotiated" in (partly.row.sentence or "")


EARLY = b"GET /early HTTP/1.1\r\n\r\n" + b"e" * 5000


def early_session(
    tmp_path: Path, *server_options: str, retry: bool = False
) -> tuple[list[Part], str]:
    """A session that begins with 0-RTT data, the key log, by an s_client of its own."""
    ticket, data = tmp_path / "ticket.pem", tmp_path / "early"
    data.write_bytes(EARLY)
    with serve(tmp_path, "-tls1_3", "-early_data", "-no_anti_replay", *server_options,
               reverse=False) as server:  # fmt: skip
        server.connect("-sess_out", str(ticket))
        server.keys.unlink()
        record, _ = server.connect("-sess_in", str(ticket), "-early_data", str(data))
        server.process.wait_for(b"GET /early")  # the server has taken it
        return record, server.keys.read_text()


def test_early_data_accepted(tmp_path: Path) -> None:
    record, keys = early_session(tmp_path)
    seen = look(record, store_of(keys))
    assert CLIENT_EARLY in keys
    assert seen.got == (EARLY, b"")
    assert (seen.row.decrypted, seen.row.resumed, seen.kinds) == ("full", True, [])


def test_early_data_without_its_secret(tmp_path: Path) -> None:
    record, keys = early_session(tmp_path)
    rest = "".join(line for line in keys.splitlines(True) if CLIENT_EARLY not in line)
    seen = look(record, store_of(rest))
    assert seen.got == (b"", b"")
    assert (seen.row.decrypted, seen.row.reason) == ("partial", "secret_incomplete")
    assert CLIENT_EARLY in (seen.row.sentence or "")


def test_early_data_rejected(tmp_path: Path) -> None:
    """Another server doesn't know the ticket: the data is not shown, it never arrived."""
    ticket, data = tmp_path / "ticket.pem", tmp_path / "early"
    data.write_bytes(EARLY)
    with serve(tmp_path, "-tls1_3", "-early_data", reverse=False) as server:
        server.connect("-sess_out", str(ticket))
    (tmp_path / "client.keys").unlink()
    with serve(tmp_path, "-tls1_3") as server:
        record, _ = server.connect("-sess_in", str(ticket), "-early_data", str(data), typed=LINES)
        seen = seen_with(record, server.keys)
    assert seen.got == echoes(LINES)
    assert (seen.row.decrypted, seen.kinds) == ("full", [])


def test_early_data_and_hello_retry_request(tmp_path: Path) -> None:
    """A retry rejects the early data, which stands between the two client hellos."""
    ticket, data = tmp_path / "ticket.pem", tmp_path / "early"
    data.write_bytes(EARLY)
    with serve(tmp_path, "-tls1_3", "-early_data", "-no_anti_replay", "-groups", "P-384:X25519",
               reverse=False) as server:  # fmt: skip
        server.connect("-sess_out", str(ticket))
    (tmp_path / "client.keys").unlink()
    with serve(tmp_path, "-tls1_3", "-groups", "P-384") as server:
        record, _ = server.connect(
            "-sess_in", str(ticket), "-early_data", str(data), "-groups", "X25519:P-384",
            typed=LINES,
        )  # fmt: skip
        seen = seen_with(record, server.keys)
    assert seen.got == echoes(LINES)
    assert (seen.row.decrypted, seen.kinds) == ("full", [])

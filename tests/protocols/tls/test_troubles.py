"""The public troubles of TLS tools (../shared/reference/troubles.md 8–31 and 36–38).

Each case names the tests that have its right value; those that had none stand below.
"""

from __future__ import annotations

import json
import ssl
from pathlib import Path

import pytest
from click.testing import CliRunner

from dissect.cli.main import cli

from ...wire import conversation
from ..drive import C, S
from .evidence import records
from .peers import Peers, Session, look, store_of
from .test_damage import flipped, spans

ROOT = Path(__file__).resolve().parents[2]

CASES: dict[int, tuple[str, ...]] = {
    8: (
        "capture/test_containers.py::test_secrets_are_known_before_the_packets",
        "capture/test_containers.py::test_secrets_past_the_spool_are_reported",
        "protocols/tls/test_secret_store.py::test_a_line_split_over_two_logs_is_not_joined",
        "protocols/tls/test_connection_row.py::test_secrets_behind_a_pipe",
    ),
    9: ("export/test_export.py::test_opens_decrypted_with_the_same_messages",),
    10: (
        "protocols/tls/test_connection_row.py::test_no_secret_for_random",
        "protocols/tls/test_connection_row.py::test_log_matches_other_connections",
        "cli/test_errors.py::test_key_log_of_another_session_is_no_error",
    ),
    11: (
        "transport/test_copies.py::"
        "test_frames_with_and_without_a_tag_are_one_stream_and_counted_as_copies",
        "cli/test_info.py::test_two_captures_of_the_same_packets",
    ),
    12: (
        "capture/test_containers.py::test_compression_is_recognised_by_its_first_bytes",
        "capture/test_containers.py::test_damaged_gzip_gives_the_packets_before_it",
        "capture/test_opening.py::test_a_decompressor_that_is_absent_is_named",
    ),
    13: (
        "protocols/tls/test_secret_store.py::test_spellings",
        "protocols/tls/test_secret_store.py::test_glued_lines",
        "protocols/tls/test_secret_store.py::test_broken_lines_are_counted_and_say_nothing",
    ),
    14: ("protocols/tls/test_peers.py::test_five_connections_of_one_key_log",),
    15: ("protocols/tls/test_secret_store.py::test_order_of_lines_does_not_matter",),
    16: (
        "protocols/tls/test_connection_row.py::test_secret_incomplete",
        "protocols/tls/test_connection_row.py::test_only_handshake_secrets",
        "protocols/tls/test_connection_row.py::test_only_application_secrets",
        "protocols/tls/test_connection_row.py::test_label_of_tls12_for_tls13",
    ),
    17: (
        "engines/test_tshark.py::test_a_key_log_named_relatively_is_used",
        "engines/test_tshark.py::test_two_key_logs_of_any_spelling_are_merged",
    ),
    18: (
        "protocols/tls/test_parser.py::test_byte_by_byte",
        "protocols/tls/test_parser.py::test_cut_at_random",
    ),
    19: (
        "protocols/tls/test_matrix.py::test_plaintext_is_what_the_peers_sent",
        "protocols/tls/test_openssl.py::test_server_options",
        "protocols/tls/test_captures.py::test_plaintext_is_that_of_tshark",
    ),
    20: (
        "protocols/tls/test_peers.py::test_resumption",
        "protocols/tls/test_peers.py::"
        "test_tls12_resumed_session_needs_the_secret_of_the_first_only",
        "protocols/tls/test_connection_row.py::test_resumed_names_the_stream_that_it_resumes",
    ),
    21: (
        "protocols/tls/test_openssl.py::test_hello_retry_request",
        "protocols/tls/test_openssl.py::test_early_data_and_hello_retry_request",
    ),
    22: (
        "protocols/tls/test_openssl.py::test_key_updates_of_both_sides",
        "protocols/tls/test_openssl.py::test_key_update_in_lost_bytes",
    ),
    23: (
        "protocols/tls/test_openssl.py::test_early_data_accepted",
        "protocols/tls/test_openssl.py::test_early_data_rejected",
        "protocols/tls/test_openssl.py::test_early_data_without_its_secret",
    ),
    24: ("protocols/tls/test_parser.py::test_handshake_messages_in_records_of_any_size",),
    25: ("protocols/tls/test_troubles.py::test_three_records_in_one_segment",),
    26: ("protocols/tls/test_troubles.py::test_only_application_data_goes_on",),
    27: (
        "protocols/tls/test_parser.py::test_tls13_without_its_beginning",
        "protocols/tls/test_parser.py::test_beginning_missing_and_no_secret_fits",
        "protocols/test_quic.py::test_joined_behind_all_long_headers",
    ),
    28: (
        "protocols/tls/test_troubles.py::test_one_broken_connection_among_good_ones",
        "protocols/tls/test_connection_row.py::test_damaged_record",
    ),
    29: ("protocols/tls/test_troubles.py::test_connections_without_keys_stay_in_the_table",),
    30: ("protocols/tls/test_openssl.py::test_renegotiation",),
    31: (
        "protocols/tls/test_connection_row.py::test_handshake_failed",
        "protocols/tls/test_connection_row.py::test_handshake_failed_in_clear",
        "protocols/tls/test_connection_row.py::test_no_server_hello",
    ),
    36: (
        "protocols/tls/test_connection_row.py::test_lost_segment",
        "protocols/tls/test_parser.py::test_losses_of_any_size_and_place",
        "protocols/tls/test_damage.py::test_key_stream_of_rc4_is_found_again",
    ),
    37: (
        "protocols/test_sniff.py::test_first_bytes_on_any_port_from_either_side",
        "protocols/test_sniff.py::test_port_decides_last",
    ),
    38: (
        "protocols/test_http1.py::test_connect_hands_over_after_a_407",
        "protocols/test_http1.py::test_connect_refused_and_plain_http_follows",
        "protocols/test_http1.py::test_a_tunnel_inside_the_proxys_own_tls_forgets_its_alpn",
    ),
}


def test_every_case_has_tests_that_exist() -> None:
    assert sorted(CASES) == [*range(8, 32), 36, 37, 38]
    for case, names in CASES.items():
        for name in names:
            file, _, function = name.partition("::")
            text = (ROOT / file).read_text("utf-8")
            assert f"def {function}(" in text, f"troubles {case}: {name}"


def written(folder: Path, number: int, session: Session) -> str:
    """A capture of it, on a port of its own: the same connection twice would be one."""
    reported = [(way == C, flight) for way, flight in session.wire if isinstance(flight, bytes)]
    return conversation(folder / f"{number}.pcap", reported, server_port=4430 + number)


def table(captures: list[str], keys: Path) -> list[dict[str, object]]:
    arguments = ["tls", *captures, "-k", str(keys), "--format", "json", "--no-auto-keys"]
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    return [json.loads(line) for line in done.stdout.splitlines()]


GET = b"GET / HTTP/1.1\r\nHost: login.lab.test\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n" + b"0123456789" * 400


def test_three_records_in_one_segment() -> None:
    """Troubles 25: all three are read, in their order."""
    session, _ = Peers().talk(((C, b"one"), (C, b"two"), (C, b"three")))
    joined = Session(keys=session.keys)
    for way, flight in session.wire:
        assert isinstance(flight, bytes)
        if joined.wire and joined.wire[-1][0] == way:
            flight = joined.wire.pop()[1] + flight  # type: ignore[operator]
        joined.wire.append((way, flight))
    assert len([part for part in joined.wire if part[0] == C]) < 4
    seen = look(joined.wire, store_of(session.keys))
    data = [call for call in seen.children[0].calls if call[:2] == ("data", C)]
    assert (data, seen.got[C]) == ([("data", C, 3), ("data", C, 3), ("data", C, 5)], b"onetwothree")


def test_only_application_data_goes_on() -> None:
    """Troubles 26: tickets, a certificate asked for after the handshake and close_notify are
    protected as type 23 in TLS 1.3, and are none of the application's."""
    peers = Peers(ssl.TLSVersion.TLSv1_3, client_certificate=True)
    peers.server.verify_mode = ssl.CERT_OPTIONAL
    peers.server.post_handshake_auth = peers.client.post_handshake_auth = True
    asked: list[ssl.SSLObject] = []
    talked: list[tuple[int, bytes]] = [(C, b"ping"), (S, b"pong"), (C, b"more"), (S, b"done")]

    class Server(ssl.SSLObject):
        def write(self, data: bytes) -> int:  # type: ignore[override]
            if data == b"pong":  # the request goes out with it, and the client answers
                self.verify_client_post_handshake()
                asked.append(self)
            return super().write(data)

    peers.server.sslobject_class = Server
    session, _ = peers.talk(talked)  # type: ignore[arg-type]
    assert asked, "the server has asked for the certificate"
    assert session.client_certificate is not None
    assert len([kind for kind, _ in records(session.wire, S) if kind == 23]) > 6
    seen = look(session.wire, store_of(session.keys))
    assert seen.got == session.plaintext == (b"pingmore", b"pongdone")
    assert (seen.row.decrypted, seen.row.reason, seen.kinds) == ("full", None, [])
    assert [item.subject for item in seen.row.client_certificates] == ["CN=login.lab.test, O=Lab"]


def test_one_broken_connection_among_good_ones(tmp_path: Path) -> None:
    """Troubles 28: three whole ones, one with a bit turned, one that ends within a record."""
    sessions = [Peers().talk(((C, GET), (S, ANSWER), (C, GET), (S, ANSWER)))[0] for _ in range(5)]
    keys = tmp_path / "all.keys"
    keys.write_text("".join(session.keys for session in sessions))
    answers = [span for span in spans(sessions[3].wire, S) if span[2] - span[1] > 4000]
    sessions[3].wire = flipped(sessions[3].wire, S, answers[0][1] + 99)
    last = max(at for at, (way, flight) in enumerate(sessions[4].wire)
               if way == S and len(flight) > 4000)  # type: ignore[arg-type]  # fmt: skip
    cut = sessions[4].wire[last][1]
    assert isinstance(cut, bytes)
    sessions[4].wire = [*sessions[4].wire[:last], (S, cut[:3000])]
    captures = [written(tmp_path, at, session) for at, session in enumerate(sessions)]
    rows = sorted(table(captures, keys), key=lambda row: str(row["capture"]))
    assert [(row["decrypted"], row["reason"]) for row in rows] == [
        *[("full", None)] * 3,
        ("partial", "damaged_record"),
        ("partial", "lost_segment"),
    ]
    assert "ends within a record, of which 3000 bytes" in str(rows[4]["sentence"])


def test_connections_without_keys_stay_in_the_table(tmp_path: Path) -> None:
    """Troubles 29: with server name, protocol, certificate and times, whatever the key log."""
    sessions = [Peers(ssl.TLSVersion.TLSv1_2).talk(((C, GET), (S, ANSWER)))[0] for _ in range(4)]
    keys = tmp_path / "two.keys"
    keys.write_text(sessions[0].keys + sessions[2].keys)
    captures = [written(tmp_path, at, session) for at, session in enumerate(sessions)]
    rows = table(captures, keys)
    rows.sort(key=lambda row: str(row["capture"]))
    assert [row["decrypted"] for row in rows] == ["full", "none", "full", "none"]
    for row in rows:
        assert (row["server_name"], row["alpn"]) == ("login.lab.test", "http/1.1")
        assert row["certificates"] == ["CN=login.lab.test, O=Lab"]
        assert row["time"]
    assert {row["reason"] for row in rows if row["decrypted"] == "none"} == {"no_secret_for_random"}


@pytest.mark.parametrize("cut", [1, 3, 10])
def test_first_packets_missing(cut: int) -> None:
    """Troubles 27: listed with what is missing; TLS 1.3 is decrypted with the one secret left."""
    session, _ = Peers().talk([(way, text) for _ in range(6) for way, text in ((C, GET), (S, GET))])
    rest = session.wire[cut:]
    seen = look(rest, store_of(session.keys))
    assert seen.row.decrypted != "none"
    assert session.plaintext[S].endswith(seen.got[S])
    assert len(seen.got[S]) >= len(GET)
    nobody = look(rest, store_of())
    assert nobody.row.reason in ("no_client_hello", "no_secret_for_random")
    assert nobody.row.record_sizes

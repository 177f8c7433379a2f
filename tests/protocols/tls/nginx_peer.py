"""nginx as a server: Python's client asks it for a file, and what came back is known.

The client here is Python's ssl on a socket: it tells every byte that it sent and got.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .gnutls_peers import free_port
from .openssl_peers import PATIENCE, Relay
from .peers import SERVER_NAME, Recorded, certificate

here = shutil.which("nginx") is not None
needs_nginx = pytest.mark.skipif(not here, reason="nginx is not installed")

_LOG = "log_format tls '$ssl_session_reused $ssl_client_verify $ssl_protocol';\n"
PAGE = b"<title>lab</title>" + bytes(range(32, 127)) * 300
REQUEST = f"GET /page HTTP/1.1\r\nHost: {SERVER_NAME}\r\n\r\n".encode()
LAST = f"GET /missing HTTP/1.1\r\nHost: {SERVER_NAME}\r\nConnection: close\r\n\r\n".encode()


@contextlib.contextmanager
def serve(
    folder: Path, directives: str = "", kind: str = "rsa", outside: str = ""
) -> Iterator[Relay]:
    """`directives` stand in the server's block, `outside` in that around it."""
    _, pem = certificate(kind)
    port = free_port()
    (folder / "page").write_bytes(PAGE)
    folder.chmod(0o755)
    conf = folder / "nginx.conf"
    conf.write_text(
        f"daemon off; master_process off; error_log {folder}/error.log; pid {folder}/pid;\n"
        "events {}\n"
        f"http {{ access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;\n"
        f"fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;\n"
        f"{outside}server {{ listen 127.0.0.1:{port} ssl; root {folder};\n"
        f"ssl_certificate {pem}; ssl_certificate_key {pem};\n{directives} }} }}\n"
    )
    running = subprocess.Popen(["nginx", "-p", str(folder), "-c", str(conf)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    relay = None
    try:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                late = running.poll() is not None or time.monotonic() > until
                assert not late, (folder / "error.log").read_text()
                time.sleep(0.01)
        relay = Relay(port)
        yield relay
    finally:
        if relay is not None:
            relay.close()
        running.terminate()
        running.wait(PATIENCE)


def ask(relay: Relay, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> tuple[
    bytes, ssl.SSLSession | None
]:  # fmt: skip
    """All that the server answered, and the session."""
    with (
        socket.create_connection(("127.0.0.1", relay.port), PATIENCE) as raw,
        context.wrap_socket(raw, server_hostname=SERVER_NAME, session=session) as tls,
    ):
        got = b""
        tls.sendall(REQUEST)
        while PAGE not in got:
            got += tls.recv(1 << 16)
        tls.sendall(LAST)
        while chunk := tls.recv(1 << 16):
            got += chunk
        return got, tls.session


def record(folder: Path, version: str, cipher: str | None, feature: str) -> Recorded:
    from .matrix import VERSIONS

    _, pem = certificate("rsa")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = VERSIONS[version]
    context.keylog_filename = str(folder / "client.keys")
    name = version.replace("TLS ", "TLSv").removesuffix(".0")
    directives = f"ssl_protocols {name};\n"
    if cipher:
        context.set_ciphers(f"{cipher}:@SECLEVEL=0")
        directives += f"ssl_ciphers {cipher}:@SECLEVEL=0;\n"
    if feature == "client certificate":
        context.load_cert_chain(pem)
        directives += f"ssl_verify_client on; ssl_client_certificate {pem};\n"
    if feature == "resumed by id":
        directives += "ssl_session_cache shared:lab:1m; ssl_session_tickets off;\n"
    if feature == "HelloRetryRequest":
        directives += "ssl_ecdh_curve secp521r1;\n"
    log = folder / "tls.log"
    directives += f"access_log {log} tls;\n"
    with serve(folder, directives, outside=_LOG) as relay:
        got, session = ask(relay, context)
        if feature.startswith("resumed"):
            got, _ = ask(relay, context, session)
    assert got.count(b"HTTP/1.1 ") == 2
    keys = (folder / "client.keys").read_bytes()
    *earlier, last = relay.recordings
    reused, verified, spoken = log.read_text().splitlines()[-1].split(" ")
    reported = {
        "session reused": (reused == "r", feature.startswith("resumed")),
        "client certificate": (verified == "SUCCESS", feature == "client certificate"),
        name: (spoken == name, True),
    }
    unsaid = [f"{what}: {is_so}" for what, (is_so, wanted) in reported.items() if is_so != wanted]
    return Recorded(last, keys, (REQUEST + LAST, got), earlier=earlier, unsaid=unsaid)


def tries() -> Iterator[tuple[str, str, str, Callable[[Path], Recorded]]]:
    """(version, suite, feature, how to record it)"""
    if not here:
        return
    features = ("plain", "resumed by ticket", "resumed by id", "client certificate")
    suites = ("ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-RSA-AES128-SHA",
              "AES128-GCM-SHA256", "AES256-SHA256", "CAMELLIA128-SHA")  # fmt: skip
    for cipher in suites:
        for feature in features:
            yield "TLS 1.2", cipher, feature, _later("TLS 1.2", cipher, feature)
    for version in ("TLS 1.0", "TLS 1.1"):
        for feature in ("plain", "resumed by ticket"):
            yield version, "AES128-SHA", feature, _later(version, "AES128-SHA", feature)
    for feature in (*features, "HelloRetryRequest"):
        yield "TLS 1.3", "default", feature, _later("TLS 1.3", None, feature)


def _later(version: str, cipher: str | None, feature: str) -> Callable[[Path], Recorded]:
    return lambda folder: record(folder, version, cipher, feature)

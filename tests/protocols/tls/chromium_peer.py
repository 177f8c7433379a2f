"""Chromium against nginx: the browser writes the key log, nginx logs what passed.

Neither tells every byte of a head. What is known: the request line, the page, and from
nginx's log how many bytes of plaintext each connection took in and gave out.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .nginx_peer import PAGE, serve
from .nginx_peer import here as nginx_here
from .peers import Recorded, Unsupported, certificate

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
here = CHROMIUM is not None and nginx_here
needs_chromium = pytest.mark.skipif(not here, reason="chromium or nginx is not installed")

PATIENCE = 60.0  # seconds; a browser takes its time to start

_LOG = (
    "log_format sizes '$remote_port $request_length $bytes_sent $ssl_session_reused "
    "$ssl_client_verify $request';\n"
)


def _script(then: str) -> bytes:
    """A script that has another loaded, so that connections come one after the other."""
    tag = "document.createElement('script')"
    return f"document.head.appendChild(Object.assign({tag}, {{src: '/{then}'}}));\n".encode()


PARTS = {
    "page": PAGE + b"<script src=/one></script>",
    "one": _script("two"),
    "two": _script("three") * 2,
    "three": b"// the last one\n" * 9,
}


POLICIES = Path("/etc/chromium")  # where Chromium looks for what its owner wants


def with_certificate(folder: Path, pem: Path) -> tuple[list[str], dict[str, str]]:
    """What makes Chromium send a certificate without asking: the beginning of its command,
    and its environment. Its policy is seen by it alone, in a mount namespace of its own."""
    needed = ("unshare", "mount", "certutil", "pk12util", "openssl")
    if os.getuid() != 0 or not POLICIES.is_dir() or None in map(shutil.which, needed):
        raise Unsupported("a policy for Chromium needs root")
    home, policy = folder / "home", folder / "policy"
    database, managed = home / ".pki" / "nssdb", policy / "policies" / "managed"
    database.mkdir(parents=True)
    managed.mkdir(parents=True)
    rule = json.dumps({"pattern": "*", "filter": {}})
    (managed / "lab.json").write_text(json.dumps({"AutoSelectCertificateForUrls": [rule]}))
    store, file = f"sql:{database}", str(folder / "mine.p12")
    for command in (
        ["certutil", "-N", "-d", store, "--empty-password"],
        ["openssl", "pkcs12", "-export", "-in", str(pem), "-inkey", str(pem), "-out", file,
         "-passout", "pass:lab"],
        ["pk12util", "-i", file, "-d", store, "-W", "lab"],
    ):  # fmt: skip
        subprocess.run(command, capture_output=True, check=True)
    mounted = f'mount --bind "{policy}" {POLICIES} && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", mounted, "sh"], {"HOME": str(home)}


def record(folder: Path, directives: str, feature: str = "plain") -> Recorded:
    """The connection on which the page came, or one that resumes the session of that.

    Sizes that differ from nginx's are an error. So that there is another connection nginx
    closes each after its answer.
    """
    assert CHROMIUM is not None
    resumed, asked_for = feature == "resumed by ticket", feature == "client certificate"
    before: list[str] = []
    home: dict[str, str] = {}
    if asked_for:
        _, pem = certificate("rsa")
        before, home = with_certificate(folder, pem)
        directives += f"ssl_verify_client on; ssl_client_certificate {pem};\n"
    log, keys = folder / "sizes.log", folder / "chromium.keys"
    if resumed:
        directives += (
            "keepalive_timeout 0; location ~ ^/(one|two|three)$ { default_type text/javascript; }\n"
        )
    with serve(folder, f"access_log {log} sizes; default_type text/html;\n{directives}",
               outside=_LOG) as relay:  # fmt: skip
        if resumed:
            for name, text in PARTS.items():
                (folder / name).write_bytes(text)
        done = subprocess.run(
            [*before, CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu",
             "--ignore-certificate-errors", "--disable-quic",
             f"--user-data-dir={folder / 'profile'}", "--dump-dom",
             f"https://127.0.0.1:{relay.port}/page"],
            env={**os.environ, **home, "SSLKEYLOGFILE": str(keys)}, capture_output=True,
            timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert b"<title>lab</title>" in done.stdout, done.stderr[-500:]
    sizes: dict[int, list[int]] = {}
    wanted, asked, body = 0, b"", b""
    unsaid: list[str] = []
    for line in log.read_text().splitlines():
        port, taken, given, reused, verified, request = line.split(" ", 5)
        total = sizes.setdefault(int(port), [0, 0])
        total[0] += int(taken)
        total[1] += int(given)
        name = request.split(" ")[1].lstrip("/")
        if (reused == "r") == resumed and name in PARTS and (resumed or name == "page"):
            unsaid = [] if (verified == "SUCCESS") == asked_for else [f"certificate: {verified}"]
            wanted, asked, body = int(port), request.encode(), PARTS[name] if resumed else PAGE
    if not wanted:
        raise Unsupported("no connection of that kind")
    parts = relay.by_port[wanted]
    return Recorded(
        parts,
        keys.read_bytes(),
        (asked + b"\r\n", body),
        whole=False,
        earlier=[other for other in relay.recordings if other is not parts and other],
        sizes=(sizes[wanted][0], sizes[wanted][1]),
        unsaid=unsaid,
        ech=True,  # to nobody in particular, so that the real ones do not stand out
    )


SUITES12 = (
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-RSA-AES128-SHA",
    "AES128-GCM-SHA256",
)
SUITES13 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")


def tries() -> Iterator[tuple[str, str, str, Callable[[Path], Recorded]]]:
    """(version, suite, feature, how to record it)"""
    if not here:
        return
    features = ("plain", "resumed by ticket", "client certificate")
    for suite in SUITES12:
        only = f"ssl_protocols TLSv1.2; ssl_ciphers {suite}:@SECLEVEL=0;\n"
        for feature in features:
            yield "TLS 1.2", suite, feature, _later(only, feature)
    for suite in SUITES13:
        only = f"ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites {suite};\n"
        for feature in features:
            yield "TLS 1.3", suite, feature, _later(only, feature)
        retry = only + "ssl_ecdh_curve secp384r1;\n"
        yield "TLS 1.3", suite, "HelloRetryRequest", _later(retry, "HelloRetryRequest")


def _later(directives: str, feature: str) -> Callable[[Path], Recorded]:
    return lambda folder: record(folder, directives, feature)

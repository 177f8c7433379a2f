"""Files that tshark has to be given by name and nobody else may read.

A merged key log, a capture that came through a pipe, and an empty folder in the place of
the user's Wireshark profile; all in one folder of mode 0700 that vanishes with `close`.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from dissect import leftovers
from dissect.protocols.tls.rsa_keys import RsaKey

_COPY = 1 << 20
PLUGINS = "plugins"  # in a profile: the place that Wireshark itself uses on Windows
EXTCAP = "extcap"
# Wireshark 4.4 and newer read this first of all Lua, then none. Older ones find only this.
_NO_LUA = "enable_lua = false\n"
# What Wireshark can use of a line (`tls_keylog_process_lines`): exactly one blank between words,
# digits in pairs, anything behind them; and the two labels of RFC 9850 §2.3 that older releases
# pass over. A secret is as long as its kind is: more or fewer digits are something else, unless
# a lost line end has put the next label there.
_SECRET = re.compile(
    rb"^(?:"
    rb"CLIENT_RANDOM (?:XX){32} (?:XX){48}"
    rb"|RSA Session-ID:(?:XX){1,32}+ Master-Key:(?:XX){48}"
    rb"|RSA (?:XX){8} (?:XX){48}"
    rb"|(?:PMS_CLIENT_RANDOM|ECH_SECRET|ECH_CONFIG) (?:XX){32} (?:(?!E[AC][A-Z]++_)XX)++"
    rb"|(?:(?:CLIENT|SERVER)_(?:HANDSHAKE_TRAFFIC_SECRET|TRAFFIC_SECRET_0)"
    rb"|CLIENT_EARLY_TRAFFIC_SECRET|(?:EARLY_)?EXPORTER_SECRET)"
    rb" (?:XX){32} (?:XX){32}(?:(?:XX){16}(?:(?:XX){16})?+)?+"
    rb")(?:(?!X)|(?=[CE][A-Z]++_))".replace(b"XX", b"[0-9A-Fa-f]{2}").replace(
        b"X)", b"[0-9A-Fa-f])"
    ),
    re.MULTILINE,
)


class PrivateFolder:
    """A folder of our own; on Windows the user's temporary folder is private by itself."""

    def __init__(self) -> None:
        with leftovers.held():
            # tshark runs in another current folder than we do.
            self.path = Path(tempfile.mkdtemp(prefix="dissect-")).absolute()
            leftovers.add_path(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the folder with all in it. tshark must have ended, Windows insists."""
        shutil.rmtree(self.path, ignore_errors=True)
        if not self.path.exists():
            leftovers.drop_path(self.path)

    def config(self) -> str:
        """A Wireshark profile with nothing in it, no plugin, no extcap program, and Lua off."""
        folder = self.path / "profile"
        if not folder.exists():
            for name in (PLUGINS, EXTCAP):
                (folder / name).mkdir(parents=True)
            (folder / PLUGINS / "init.lua").write_text(_NO_LUA, "utf-8")
        return str(folder)

    def key_log(self, texts: Iterable[bytes]) -> str | None:
        """What tshark reads of the key logs, as one file; None if that is nothing.

        Comments and whatever else a log holds are left out: they may be anybody's secrets.
        tshark reads a line up to LF and takes a byte order mark for a part of it.
        """
        found = [match[0] for text in texts for match in _SECRET.finditer(_plain(bytes(text)))]
        return self._write("keys.log", b"\n".join(found) + b"\n") if found else None

    def rsa_keys(self, keys: Iterable[RsaKey]) -> list[str]:
        """Servers' private keys, a file each, without their passwords: tshark can give one
        only for PKCS#12."""
        return [self._write(f"rsa-{number}.pem", key.pem) for number, key in enumerate(keys)]

    def capture(self, source: BinaryIO) -> str:
        """What comes from `source`, as a file that can be read twice."""
        path = self.path / "capture"
        # One system call a read: a signal that comes between two of a longer one would wait.
        read: Callable[[int], bytes] = getattr(source, "read1", source.read)
        with os.fdopen(_create(path), "wb") as file, contextlib.closing(source):
            while data := read(_COPY):
                file.write(data)
        return str(path)

    def _write(self, name: str, data: bytes) -> str:
        path = self.path / name
        with os.fdopen(_create(path), "wb") as file:
            file.write(data)
        return str(path)


def _create(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)


def _plain(text: bytes) -> bytes:
    if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = text.decode("utf-16", "replace").encode("utf-8")
    return text.removeprefix(b"\xef\xbb\xbf").replace(b"\r", b"\n").replace(b"\0", b"")

"""The secrets of one capture: key logs in NSS format (RFC 9850) and what sessions taught.

Nothing here shows a secret: not in repr, not in a problem's text. Everything is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dissect.protocols.tls.rsa_keys import RsaKey, open_rsa_key

MAX_SECRETS = 1_000_000  # lines of key logs kept; at some 270 bytes each
MAX_PROBLEMS = 100  # problems reported for one key log
# Sessions remembered for resumption; that of the oldest is reported as `resumed_without_secret`.
MAX_SESSIONS = 20_000
MAX_GUESSES = 200_000  # record numbers tried on connections without a beginning
MAX_TRIALS = 2_000_000  # record numbers tried after losses, and one more for two bytes of TLS
MAX_ALTERNATIVES = 8  # conflicting secrets kept for one label and random

CLIENT_RANDOM = "CLIENT_RANDOM"
CLIENT_EARLY = "CLIENT_EARLY_TRAFFIC_SECRET"
CLIENT_HANDSHAKE = "CLIENT_HANDSHAKE_TRAFFIC_SECRET"
SERVER_HANDSHAKE = "SERVER_HANDSHAKE_TRAFFIC_SECRET"
CLIENT_TRAFFIC = "CLIENT_TRAFFIC_SECRET_0"
SERVER_TRAFFIC = "SERVER_TRAFFIC_SECRET_0"
PREMASTER = "PMS_CLIENT_RANDOM"
RSA = "RSA"  # by the first 8 bytes of the encrypted premaster secret
SESSION = "RSA Session-ID"  # by session id

# label → sizes of the secret in bytes; None: any (a premaster secret has its group's size)
_HASHES = (32, 48, 64)
LABELS: dict[str, tuple[int, ...] | None] = {
    CLIENT_RANDOM: (48,),
    CLIENT_EARLY: _HASHES,
    CLIENT_HANDSHAKE: _HASHES,
    SERVER_HANDSHAKE: _HASHES,
    CLIENT_TRAFFIC: _HASHES,
    SERVER_TRAFFIC: _HASHES,
    "CLIENT_TRAFFIC_SECRET_N": _HASHES,  # OpenSSL's, after a KeyUpdate: derived, not needed
    "SERVER_TRAFFIC_SECRET_N": _HASHES,
    "EARLY_EXPORTER_MASTER_SECRET": _HASHES,
    "EARLY_EXPORTER_SECRET": _HASHES,
    "EXPORTER_SECRET": _HASHES,
    "ECH_SECRET": None,
    "ECH_CONFIG": None,
    PREMASTER: None,
}
TLS13_LABELS = (CLIENT_HANDSHAKE, SERVER_HANDSHAKE, CLIENT_TRAFFIC, SERVER_TRAFFIC)

_LINE = re.compile(rb"([A-Z0-9_]+)[ \t]+([0-9A-Fa-f]{64})[ \t]+([0-9A-Fa-f]+)")
_RSA_LINE = re.compile(rb"RSA[ \t]+([0-9A-Fa-f]{16})[ \t]+([0-9A-Fa-f]{96})")
_SESSION_LINE = re.compile(
    rb"RSA[ \t]+Session-ID:((?:[0-9A-Fa-f]{2}){1,32})[ \t]+Master-Key:([0-9A-Fa-f]{96})"
)
# A lost line end glues two lines: the second begins where a label does. A label may begin
# with letters that are also hex digits, so it is searched for, not the end of the digits.
_GLUED = re.compile(
    rb"(?<=[0-9A-Fa-f])(?="
    + b"|".join(label.encode("ascii") + rb"[ \t]" for label in LABELS)
    + rb"|RSA[ \t])"
)
_WORD = re.compile(rb"(?=[A-Z])(?:[A-Z0-9]{1,16}_){1,5}(?:SECRET|RANDOM|KEY|CONFIG)(?:_\d{1,2})?")
_WRITTEN = re.compile(rb"[^\r\n]+")  # a line that is not empty
_LINE_END = re.compile(rb"\r\n|\r|\n")
_NUMBER = 4  # bytes of a log's number before a secret
# No word of a label, but a part of a secret: a blank behind a label may be lost.
_HEX_RUN = re.compile(r"[0-9A-F]{6}|^[0-9A-F]+$")


@dataclass(frozen=True, slots=True, repr=False)
class LoggedSecret:
    """A secret of a key log and the name of that log."""

    secret: bytes
    origin: str


@dataclass(frozen=True, slots=True, repr=False)
class TlsSession:
    """The master secret of a session that may be resumed, and the stream that made it."""

    master: bytes
    origin: str
    stream: int


class SecretStore:
    """All secrets that are known for one capture; one store serves all its connections."""

    def __init__(self) -> None:
        # By label, then by client random; a secret has the number of its log before it. A dict
        # for each random, an object for each secret take twice the memory.
        self._logged: dict[str, dict[bytes, bytes | tuple[bytes, ...]]] = {}
        self._origins: dict[str, int] = {}
        self.origins: list[str] = []  # the names of the key logs, in the order of the numbers
        self._sessions: dict[bytes, TlsSession] = {}
        self._claimed: dict[bytes, str] = {}
        self.rsa_keys: list[RsaKey] = []
        # Connections that lacked a secret: client random → stream. It may come too late.
        self.missed: dict[bytes, int] = {}
        self.guesses = MAX_GUESSES  # what is left of them for this capture
        self.trials = MAX_TRIALS
        self.count = 0
        self.randoms = 0  # connections that the key logs have secrets for
        self._full = False

    def __repr__(self) -> str:
        return f"<SecretStore {self.count} secrets from {len(self._origins)} key logs>"

    # ------------------------------------------------------------- key logs

    def add_key_log(self, text: bytes, origin: str) -> list[str]:
        """Add the lines of a key log; what can't be read is returned, a sentence a line.

        `origin` names the log in reports ("phone.keys", "phone.pcapng DSB 1"). Line ends
        may be LF, CRLF or CR, hex digits of either case; a byte order mark, NUL padding,
        blank lines, comments and labels unknown here are passed over (RFC 9850 §2).
        """
        if origin not in self._origins:
            self._origins[origin] = len(self.origins)
            self.origins.append(origin)
        if text[:2] in (b"\xff\xfe", b"\xfe\xff"):  # a shell that redirects in UTF-16
            text = bytes(text).decode("utf-16", "replace").encode("utf-8")
        problems: list[str] = []
        number, counted = 1, 0
        full = self._full
        for found in _WRITTEN.finditer(text):
            line = found[0].strip(b" \t\0\x0b\x0c\xef\xbb\xbf")
            if not line or line.startswith(b"#"):
                continue
            for problem in self._add_line(line, origin):
                if len(problems) < MAX_PROBLEMS:
                    number += len(_LINE_END.findall(text, counted, found.start()))
                    counted = found.start()
                    problems.append(f"line {number}: {problem}")
                elif len(problems) == MAX_PROBLEMS:
                    problems.append(f"more than {MAX_PROBLEMS} problems: the rest is not listed")
        if self._full and not full:
            problems.insert(0, f"more than {MAX_SECRETS} secrets: the rest is left out")
        return problems

    def _add_line(self, line: bytes, origin: str) -> Iterator[str]:
        match = _LINE.fullmatch(line)
        if match is not None:
            problem = self._add_secret(match[1].decode(), match[2], match[3], origin)
            if problem is None:
                return
        parts = _GLUED.split(line)
        if len(parts) > 1:
            yield f"{len(parts)} secrets stand on one line, a line end is missing"
            for part in parts:
                yield from self._add_line(part.strip(), origin)
            return
        if match is not None and problem is not None:
            yield problem
            return
        if match := _SESSION_LINE.fullmatch(line):
            self._keep(SESSION, bytes.fromhex(match[1].decode()), match[2], origin)
        elif match := _RSA_LINE.fullmatch(line):
            self._keep(RSA, bytes.fromhex(match[1].decode()), match[2], origin)
        else:
            yield _what_is_wrong(line)

    def _add_secret(self, label: str, random: bytes, secret: bytes, origin: str) -> str | None:
        if label not in LABELS:
            return None  # those of other protocols and of times to come (RFC 9850 §2.2)
        sizes = LABELS[label]
        if len(secret) % 2 or (sizes and len(secret) // 2 not in sizes):
            wanted = " or ".join(str(2 * size) for size in sizes or ())
            return f"the secret of {label} has {len(secret)} hex digits, not {wanted or 'even'}"
        return self._keep(label, bytes.fromhex(random.decode()), secret, origin)

    def _keep(self, label: str, key: bytes, secret: bytes, origin: str) -> str | None:
        known = self._logged.setdefault(label, {})
        before = known.get(key, ())
        secrets = (before,) if isinstance(before, bytes) else before
        value = bytes.fromhex(secret.decode())
        if any(other[_NUMBER:] == value for other in secrets):
            return None
        if self.count >= MAX_SECRETS:
            self._full = True
            return None
        if len(secrets) >= MAX_ALTERNATIVES:
            return f"more than {MAX_ALTERNATIVES} secrets of {label} for one random"
        if not before:
            self.randoms += not self._has(key)
        marked = self._origins[origin].to_bytes(_NUMBER) + value
        known[key] = (*secrets, marked) if secrets else marked
        self.count += 1
        return None

    def _has(self, random: bytes) -> bool:
        return any(random in known for known in self._logged.values())

    def add_rsa_key(self, data: bytes, origin: str, passwords: Sequence[bytes] = ()) -> None:
        """Add a server's private key (PEM, DER, PKCS#12); of the passwords one may fit.

        Raises UsageError where it can't be read.
        """
        self.rsa_keys.append(open_rsa_key(data, origin, passwords))

    # ------------------------------------------------------------- look-up

    def miss(self, client_random: bytes, stream: int) -> None:
        """Note that a connection has ended without a secret."""
        if len(self.missed) < MAX_SECRETS:
            self.missed[client_random] = stream

    @property
    def too_late(self) -> frozenset[int]:
        """The streams of connections whose secrets came when they had ended."""
        return frozenset(stream for random, stream in self.missed.items() if self._has(random))

    def lookup(self, label: str, key: bytes) -> tuple[LoggedSecret, ...]:
        """The secrets of a label for a client random (`RSA`: for the key given above)."""
        known = self._logged.get(label)
        found = known.get(key) if known else None
        return self._named(found) if found else ()

    def _named(self, found: bytes | tuple[bytes, ...]) -> tuple[LoggedSecret, ...]:
        marked = (found,) if isinstance(found, bytes) else found
        return tuple(
            LoggedSecret(one[_NUMBER:], self.origins[int.from_bytes(one[:_NUMBER])])
            for one in marked
        )

    def labels_for(self, client_random: bytes) -> frozenset[str]:
        return frozenset(label for label, known in self._logged.items() if client_random in known)

    def claim(self, client_random: bytes, name: str) -> None:
        """Note that a connection (to the server `name`) used the secrets of this random."""
        if self._has(client_random):
            self._claimed[client_random] = name

    @property
    def claimed_names(self) -> tuple[str, ...]:
        """The servers whose connections the key logs decrypted so far, each once, sorted."""
        return tuple(sorted(set(self._claimed.values())))

    @property
    def claimed(self) -> int:
        return len(self._claimed)

    def unclaimed(self, label: str) -> Iterator[tuple[bytes, LoggedSecret]]:
        """Secrets of a label that no connection used so far, with their client randoms."""
        for random, found in self._logged.get(label, {}).items():
            if random not in self._claimed:
                for secret in self._named(found):
                    yield random, secret

    def decrypted(self, client_random: bytes, master: bytes) -> None:
        """Note that a master secret proved to be that of a connection, wherever it came from.
        For stores that collect what opens a capture; this one keeps nothing of it."""

    # ------------------------------------------------------------- sessions

    def remember_session(self, ident: bytes, session: TlsSession) -> None:
        """`ident` is a session id or a ticket; a newer session replaces an older one."""
        if not ident:
            return
        self._sessions.pop(ident, None)
        if len(self._sessions) >= MAX_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[ident] = session

    def session(self, ident: bytes) -> TlsSession | None:
        known = self._sessions.get(ident)
        if known is None:
            for logged in self.lookup(SESSION, ident):
                return TlsSession(logged.secret, logged.origin, -1)
        return known


def _what_is_wrong(line: bytes) -> str:
    """Why a line can't be used, in words that hold nothing of its values."""
    words = line.split()
    label = words[0].decode("ascii", "replace")
    if label not in LABELS and label != RSA:
        if _WORD.fullmatch(words[0]) and not _HEX_RUN.search(label):
            return f"the label {label} is unknown"
        return "this is no line of a key log"
    if len(words) < 3:
        return f"the line of {label} is cut short"
    if len(words) > 3:
        return f"the line of {label} has more than three fields"
    if len(words[1]) != 64 and label != RSA:
        return f"the client random of {label} has {len(words[1])} hex digits, not 64"
    return f"the line of {label} is not hexadecimal"

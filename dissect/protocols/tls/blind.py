"""Connections of TLS 1.3 whose beginning was not captured.

Without the hellos nothing says which secret is theirs. If the key logs hold secrets that
no connection has used, those are tried, with every suite of their size and the first
record numbers: a tag that fits proves the guess. Bounds keep it cheap, for one record
and for the whole capture.
"""

from __future__ import annotations

from collections.abc import Iterator

from dissect.protocols.tls.code_points import APPLICATION_DATA
from dissect.protocols.tls.direction_state import Phase, TrafficKey
from dissect.protocols.tls.key_schedule import TrafficSecret
from dissect.protocols.tls.keyring import LABELS
from dissect.protocols.tls.secret_store import LoggedSecret, SecretStore
from dissect.protocols.tls.suites import Suite, suite

MAX_GUESSED = 3  # records of a direction that are tried
# Record numbers tried for one of them, by what it may be protected with.
MAX_NUMBERS: dict[Phase, int] = {"application": 256, "handshake": 16}
MAX_CANDIDATES = 16  # unused secrets tried
SUITES = tuple(suite(code) for code in (0x1301, 0x1302, 0x1303, 0x1304, 0x1305))


def guess_key(
    store: SecretStore, header: bytes, payload: bytes, role: int, random: bytes | None
) -> tuple[TrafficKey, Suite, bytes, int] | None:
    """The key that opens a record, its suite, client random and sender's role.

    `role` is that of the sender as far as is known, and tried first; `random` the client
    random, once the other direction's key was found.
    """
    if header[0] != APPLICATION_DATA or header[1:3] != b"\3\3":
        return None
    for phase, numbers in MAX_NUMBERS.items():
        for sender in (role, role ^ 1) if random is None else (role,):
            for candidate, logged in _candidates(store, LABELS[phase][sender], random):
                for suite_ in SUITES:
                    if len(logged.secret) != (48 if suite_.prf == "sha384" else 32):
                        continue
                    store.guesses -= numbers
                    if store.guesses < 0:
                        return None
                    traffic = TrafficSecret(logged.secret, suite_)
                    opener = traffic.opener()
                    if opener.locate(header, payload, numbers):
                        key = TrafficKey(opener, phase, logged.origin, traffic)
                        return key, suite_, candidate, sender
    return None


def _candidates(
    store: SecretStore, label: str, random: bytes | None
) -> Iterator[tuple[bytes, LoggedSecret]]:
    if random is not None:
        yield from ((random, logged) for logged in store.lookup(label, random))
        return
    for _, candidate in zip(range(MAX_CANDIDATES), store.unclaimed(label), strict=False):
        yield candidate

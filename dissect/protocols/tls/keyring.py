"""From a connection's hellos and the secret store to keys, or to the reason why not."""

from __future__ import annotations

from dissect.model import TlsReason
from dissect.protocols.tls import secret_store
from dissect.protocols.tls.direction_state import Phase, TrafficKey
from dissect.protocols.tls.key_schedule import Agreement, TrafficSecret
from dissect.protocols.tls.rsa_keys import matches
from dissect.protocols.tls.secret_store import SecretStore
from dissect.protocols.tls.suites import Suite

MAX_STRANGERS = 16  # unused secrets tried for one direction

Master = tuple[bytes, "str | None"]  # a master secret and its key log

# (label of what the client sends, label of what the server sends)
LABELS: dict[Phase, tuple[str, str]] = {
    "early": (secret_store.CLIENT_EARLY, ""),
    "handshake": (secret_store.CLIENT_HANDSHAKE, secret_store.SERVER_HANDSHAKE),
    "application": (secret_store.CLIENT_TRAFFIC, secret_store.SERVER_TRAFFIC),
}


def traffic_keys(
    store: SecretStore, client_random: bytes, suite: Suite, phase: Phase, role: int
) -> list[TrafficKey]:
    """TLS 1.3: the keys that the key logs give for a phase; `role` 1 is the server."""
    label = LABELS[phase][role]
    if not label or suite.cipher is None or not suite.tls13:
        return []
    size = 48 if suite.prf == "sha384" else 32
    keys = []
    for logged in store.lookup(label, client_random):
        if len(logged.secret) == size:
            traffic = TrafficSecret(logged.secret, suite)
            keys.append(TrafficKey(traffic.opener(), phase, logged.origin, traffic))
    return keys


def strangers(store: SecretStore, suite: Suite, phase: Phase, role: int) -> list[TrafficKey]:
    """TLS 1.3: keys of secrets that no connection has used so far, of any client random.

    Secrets of a connection with Encrypted Client Hello are logged under the random of the
    inner hello, which nobody sees on the wire (RFC 9849 §5).
    """
    label = LABELS[phase][role]
    size = 48 if suite.prf == "sha384" else 32
    keys: list[TrafficKey] = []
    for random, logged in store.unclaimed(label):
        if len(keys) >= MAX_STRANGERS or store.guesses <= 0:
            break
        if len(logged.secret) == size:
            store.guesses -= 1
            traffic = TrafficSecret(logged.secret, suite)
            keys.append(TrafficKey(traffic.opener(), phase, logged.origin, traffic, random=random))
    return keys


def updated_key(key: TrafficKey) -> TrafficKey | None:
    """The key after a KeyUpdate of its sender."""
    if key.traffic is None or key.phase != "application":
        return None
    traffic = key.traffic.updated()
    return TrafficKey(traffic.opener(), "application", key.origin, traffic)


def masters(
    store: SecretStore,
    agreement: Agreement,
    *,
    encrypted_premaster: bytes | None,
    session_hash: bytes | None,
    sessions: tuple[bytes, ...],
    certificate: bytes | None,
) -> list[Master]:
    """TLS 1.2 and before: master secrets worth trying, each with its key log, best first.

    `sessions` are the session id and ticket by which an earlier session may be resumed.
    `certificate` (DER) tells which private key is the server's.
    """
    found: list[Master] = []

    def add(master: bytes, origin: str | None) -> None:
        if all(known != master for known, _ in found):
            found.append((master, origin))

    for logged in store.lookup(secret_store.CLIENT_RANDOM, agreement.client_random):
        add(logged.secret, logged.origin)
    premasters = list(store.lookup(secret_store.PREMASTER, agreement.client_random))
    if encrypted_premaster:
        premasters += store.lookup(secret_store.RSA, encrypted_premaster[:8])
    for logged in premasters:
        add(agreement.master(logged.secret, session_hash), logged.origin)
    if encrypted_premaster:
        for key in store.rsa_keys:
            if certificate is None or matches(key, certificate):
                premaster = key.premaster(encrypted_premaster)
                if premaster is not None:
                    add(agreement.master(premaster, session_hash), key.origin)
    for ident in sessions:
        session = store.session(ident)
        if session is not None:
            add(session.master, session.origin)
    return found


def why_no_secret(
    store: SecretStore, client_random: bytes, wanted: str, resumed: bool, rsa: bool = False
) -> tuple[TlsReason, str]:
    """Why the store has no secret `wanted` for this connection; the detail is that label.

    `rsa` tells that a private key would do: the client sent an encrypted premaster secret.
    """
    if rsa and store.rsa_keys:
        return "rsa_key_wrong", wanted
    if not store.origins:
        return "no_secret_for_random", wanted
    labels = store.labels_for(client_random)
    if wanted in labels:
        return "wrong_secret", ""  # there is one, but its size is not that of the suite's hash
    if labels:
        return "secret_incomplete", wanted
    if resumed:
        return "resumed_without_secret", wanted
    return "no_secret_for_random", wanted

"""The secrets that a capture is read with: its key logs, those inside it, servers' RSA keys."""

from __future__ import annotations

from dissect.capture import CaptureFile, read_key_log
from dissect.engines import CaptureInput
from dissect.protocols.tls.secret_store import SecretStore


def secret_store(
    capture: CaptureFile, item: CaptureInput
) -> tuple[SecretStore, tuple[str, ...], list[str]]:
    """The store, the origins of the key logs that were given or found, and warnings.

    Raises UsageError for a key log or key that can't be read.
    """
    store = SecretStore()
    warnings: list[str] = []
    logs = [read_key_log(path) for path in (*item.key_logs, *item.found_key_logs)]
    for secrets in (*logs, *capture.secrets):
        problems = store.add_key_log(secrets.text, secrets.origin)
        if secrets.problem:
            problems.insert(0, secrets.problem)
        warnings += [f"{secrets.origin}: {problem}" for problem in problems]
    for path in item.rsa_keys:
        key = read_key_log(path)
        store.add_rsa_key(bytes(key.text), key.origin, item.rsa_passwords)
    return store, tuple(secrets.origin for secrets in logs), warnings

"""The sentences of a connection's row: why it stayed undecrypted, and what to do about it."""

from __future__ import annotations

from dissect.model import TlsReason
from dissect.protocols.tls.certificates import read_chain
from dissect.protocols.tls.direction_state import DirectionState
from dissect.protocols.tls.negotiation import Negotiation
from dissect.protocols.tls.secret_store import SecretStore

MAX_NAMED = 3  # servers named in a sentence


def wrong(talk: Negotiation, state: DirectionState, tags: str) -> str:
    return (
        f"the secret that the key log gives for this connection is wrong: {tags} records "
        f"from the {who(talk, state)} fail their integrity check"
    )


def bad(talk: Negotiation, state: DirectionState, tags: str) -> str:
    number, frame = state.bad or (0, 0)
    return (
        f"the secret is right, but {tags} records from the {who(talk, state)} fail their "
        f"integrity check, the first of them record {number} in frame {frame}: the capture holds "
        "other bytes than were sent, capture again; these records are left out"
    )


def of(
    reason: TlsReason, detail: str, talk: Negotiation, state: DirectionState, store: SecretStore
) -> str:
    if reason == "no_secret_for_random":
        return _no_secret(store, renegotiated=talk.facts.origin is not None)
    if reason == "secret_incomplete":
        return f"the key log has secrets for this connection, but no {detail}"
    if reason == "resumed_without_secret":
        resumes = talk.facts.resumes
        earlier = "an earlier session" if resumes is None else f"the session of stream {resumes}"
        return f"it resumes {earlier}, and the key log has no {detail} for this connection"
    if reason == "rsa_key_wrong":
        return (
            "none of the RSA keys given is that of the server's certificate; pass the key of "
            f"{_subject(talk)} or a key log"
        )
    if reason == "cipher_unsupported":
        return f"{detail} can't be decrypted by this program"
    if reason == "wrong_secret" and not detail:
        return "the secret that the key log gives has another size than the cipher suite needs"
    if reason == "wrong_secret":
        return wrong(talk, state, detail)
    if reason == "damaged_record":
        unpacked = f"what the {who(talk, state)} sent can't be unpacked: {detail}"
        return bad(talk, state, state.tags) if state.bad else unpacked
    if reason in ("lost_segment", "cut_by_snaplen"):
        missing = f"{lost(state)} from the {who(talk, state)} were not captured"
        return f"{missing}{advice(state)}: {detail}"
    return detail


def _subject(talk: Negotiation) -> str:
    chain = read_chain(talk.facts.chains.get("server", ())[:1])
    return chain[0].subject if chain and chain[0].subject else "the server"


def _no_secret(store: SecretStore, *, renegotiated: bool) -> str:
    if not store.origins and store.rsa_keys:
        return (
            "the key exchange was not RSA, so the server's private key can't open it; record a "
            "key log (SSLKEYLOGFILE) and pass it with -k"
        )
    if not store.origins:
        return "no key log was given; record one (SSLKEYLOGFILE) and pass it with -k"
    count = f"{store.count} secret{'' if store.count == 1 else 's'}"
    logs = "the key log has" if len(store.origins) == 1 else "the key logs have"
    if renegotiated:
        return f"{logs} {count}, none for the handshake that this connection renegotiated"
    sentence = f"{logs} {count}, none for this connection"
    names = [name for name in store.claimed_names if name]
    if names:
        more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
        matched = ", ".join(names[:MAX_NAMED]) + more
        return f"{sentence}; they match connections to {matched}: was another program recorded?"
    if not store.claimed:
        return f"{sentence} and none for any other so far: is it the log of another session?"
    return sentence


def who(talk: Negotiation, state: DirectionState) -> str:
    return "server" if talk.role(state) else "client"


def lost(state: DirectionState) -> str:
    return f"{state.lost} bytes" if state.lost else "an unknown number of bytes"


def loss(state: DirectionState) -> TlsReason:
    return "cut_by_snaplen" if state.gaps and state.cuts == state.gaps else "lost_segment"


def advice(state: DirectionState) -> str:
    if loss(state) == "cut_by_snaplen":
        return " because packets were cut (capture them whole: tcpdump -s 0)"
    return ""

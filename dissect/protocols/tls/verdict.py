"""The row of a connection: what was agreed, what was decrypted, and if not, why not.

Every reason is one of the codes of `TlsReason` with a sentence that tells what to do.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dissect.errors import ProtocolError
from dissect.model import Alert, RecordShape, Span, TlsConnection, TlsReason
from dissect.protocols.base import Layer
from dissect.protocols.tls import groups, words
from dissect.protocols.tls.certificates import read_chain
from dissect.protocols.tls.facts import Facts
from dissect.protocols.tls.fingerprints import Transport, ja3s, ja4s, of_client
from dissect.protocols.tls.half import Half
from dissect.protocols.tls.handshake import PRE_SHARED_KEY, ClientHello
from dissect.protocols.tls.negotiation import Negotiation
from dissect.protocols.tls.secrets import SecretStore

MAX_NAMED = 3  # servers named in a sentence

_NO_SECRET = ("no_secret_for_random", "secret_incomplete", "resumed_without_secret")

Why = tuple[TlsReason | None, str | None]
_LATE: tuple[TlsReason, str] = (
    "secrets_after_packets",
    "the secrets stand behind the packets in the capture, and it was read only once; save it to "
    "a file and read that",
)


def describe(
    layer: Layer,
    talk: Negotiation,
    alerts: tuple[Alert, ...],
    shapes: tuple[RecordShape, ...],
    store: SecretStore,
    round_trips_ns: tuple[int, ...] = (),
) -> TlsConnection:
    """The row of a connection that has ended."""
    halves, facts = talk.halves, talk.facts
    opened = sum(half.opened for half in halves)
    hidden = sum(half.data_shut + half.blind for half in halves)
    hidden += sum(half.shut and not half.data_shut for half in halves)
    # A loss before anything was protected hides nothing, if it ended before that.
    hidden += sum(bool(half.gaps) and not talk.finished[talk.role(half)] for half in halves)
    state = "none" if not opened else "partial" if hidden else "full"
    reason, sentence = _why(talk, alerts, store, whole=state == "full")
    chains = facts.chains
    return TlsConnection(
        place=layer.place(0, _span(halves)),
        server_name=facts.server_name,
        alpn=facts.alpn,
        version=None if facts.version is None else words.version_name(facts.version),
        cipher_suite=facts.suite.name if facts.suite else None,
        resumed=facts.resumed,
        decrypted=state,  # type: ignore[arg-type]
        reason=reason,
        sentence=sentence,
        secret_source=facts.origin,
        certificates=read_chain(chains.get("server", ())),
        client_certificates=read_chain(chains.get("client", ())),
        alerts=alerts,
        shapes=() if state == "full" else shapes,
        bytes_decrypted=sum(half.bytes_opened for half in halves),
        retried=talk.retried,
        round_trips_ns=round_trips_ns,
        **hello_fields(facts),
    )


def hello_fields(facts: Facts, transport: Transport = "t") -> dict[str, Any]:
    """The fields of a `TlsConnection` that the hellos alone tell."""
    client, server = facts.client, facts.server
    found: dict[str, Any] = {"group": facts.group, "early_data": facts.early_data}
    if client is not None:
        found["groups"] = groups.offered(client)
        found["alpn_offered"] = _tolerant(client)
        found["ech"] = client.ech
        found["ja3"], found["ja4"] = of_client(client, transport)
    if server is not None:
        if client is not None and client.early_data and PRE_SHARED_KEY not in server.extensions:
            found["early_data"] = "rejected"  # nothing was resumed whose data it could be
        found["ja3s"], found["ja4s"] = ja3s(server), ja4s(server, transport)
    return found


def _tolerant(client: ClientHello) -> tuple[str, ...]:
    try:
        return client.protocols
    except ProtocolError:  # told as an anomaly when it was read
        return ()


def came_late(row: TlsConnection) -> TlsConnection:
    """The row of a connection whose secrets came after it had ended."""
    return replace(row, reason=_LATE[0], sentence=_LATE[1])


def _span(halves: tuple[Half, Half]) -> Span:
    spans = [span for half in halves for span in (half.first, half.last) if span is not None]
    if not spans:
        return Span(0, 0, 0, 0)
    whole = spans[0]
    for span in spans[1:]:
        whole = whole.to(span)
    return whole


def _why(talk: Negotiation, alerts: tuple[Alert, ...], store: SecretStore, *, whole: bool) -> Why:
    client, server = talk.halves[talk.client], talk.halves[talk.client ^ 1]
    failure = _failure(talk, alerts)
    if failure is not None:
        return "handshake_failed", failure
    if whole:
        return None, None
    return (
        _one_sided(talk, client, server)
        or _without_hello(talk, client, server)
        or _given_up(talk, store, server)
        or _given_up(talk, store, client)
        or _damaged(talk, client, server)
        or (None, None)  # nothing was protected, so nothing is hidden
    )


def _failure(talk: Negotiation, alerts: tuple[Alert, ...]) -> str | None:
    """How the handshake failed, if it did: a fatal alert before any application data."""
    client, server = talk.halves[talk.client], talk.halves[talk.client ^ 1]
    if client.data_opened + server.data_opened:
        return None
    if client.shut and server.shut and client.data_shut and server.data_shut:
        return None
    for alert in alerts:
        if alert.level == "fatal":
            sender = "server" if talk.role(talk.halves[alert.direction]) else "client"
            return (
                f"the {sender} broke off the handshake with the alert {alert.description} "
                f"(frame {alert.frame})"
            )
    return None


def _one_sided(talk: Negotiation, client: Half, server: Half) -> Why | None:
    if client.bytes_in and server.bytes_in:
        return None
    if client.bytes_in and talk.client_hello is not None and client.records < 2:
        return None  # a hello that nobody answered
    seen, missing = ("client", "server") if client.bytes_in else ("server", "client")
    return "one_direction_only", (
        f"only what the {seen} sent was captured; capture where the {missing}'s packets pass too"
    )


def _without_hello(talk: Negotiation, client: Half, server: Half) -> Why | None:
    if talk.client_hello is None:
        if client.gaps or (server.gaps and not client.bytes_in):
            advice = _advice(client)
            return _loss(client), (
                f"{_lost(client)} were not captured at the start{advice}, the client hello among "
                "them; its random is needed to find the secrets"
            )
        return "no_client_hello", (
            "the client hello was not captured, so the connection can't be matched to a secret; "
            "start the capture before the connection"
        )
    if talk.server_hello is None:
        if server.gaps:
            advice = _advice(server)
            return _loss(server), (
                f"{_lost(server)} of the server's handshake were not captured{advice}, its hello "
                "among them; without it no key can be derived"
            )
        return "no_server_hello", "the capture has no server hello that answers the client's"
    return None


def _given_up(talk: Negotiation, store: SecretStore, half: Half) -> Why | None:
    if half.why is None:
        return None
    reason, detail = half.why
    if reason in _NO_SECRET and _came_late(talk, store, detail):
        return _LATE
    if reason == "no_secret_for_random" and talk.client_hello is not None:
        store.miss(talk.client_hello.random, talk.stream)
    if reason == "lost_segment":
        reason = _loss(half)
    return reason, _sentence(reason, detail, talk, half, store)


def _came_late(talk: Negotiation, store: SecretStore, wanted: str) -> bool:
    """Whether the secret was added after the connection had needed it."""
    if talk.client_hello is None:
        return False
    labels = store.labels_for(talk.client_hello.random)
    return wanted in labels


def _damaged(talk: Negotiation, client: Half, server: Half) -> Why | None:
    for half in (server, client):
        if half.gaps:
            advice = _advice(half)
            return _loss(half), (
                f"{_lost(half)} from the {_who(talk, half)} were not captured{advice}; what came "
                "behind was taken up again"
            )
    failed = client.failed + server.failed
    if not failed:
        return None
    return "wrong_secret", (
        f"the secret opens the connection, but {failed} of "
        f"{failed + client.opened + server.opened} records fail their integrity check: the "
        "capture holds other bytes than were sent; these records are left out"
    )


def _sentence(
    reason: TlsReason, detail: str, talk: Negotiation, half: Half, store: SecretStore
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
        return (
            f"the secret that the key log gives for this connection is wrong: {detail} records "
            f"from the {_who(talk, half)} fail their integrity check"
        )
    if reason in ("lost_segment", "cut_by_snaplen"):
        advice = _advice(half)
        return f"{_lost(half)} from the {_who(talk, half)} were not captured{advice}: {detail}"
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


def _who(talk: Negotiation, half: Half) -> str:
    return "server" if talk.role(half) else "client"


def _lost(half: Half) -> str:
    return f"{half.lost} bytes" if half.lost else "an unknown number of bytes"


def _loss(half: Half) -> TlsReason:
    return "cut_by_snaplen" if half.gaps and half.cuts == half.gaps else "lost_segment"


def _advice(half: Half) -> str:
    if _loss(half) == "cut_by_snaplen":
        return " because packets were cut (capture them whole: tcpdump -s 0)"
    return ""

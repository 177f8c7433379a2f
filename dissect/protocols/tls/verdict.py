"""The row of a connection: what was agreed, what was decrypted, and if not, why not.

Every reason is one of the codes of `TlsReason` with a sentence that tells what to do.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dissect.errors import ProtocolError
from dissect.model import Alert, Ranges, Span, TlsConnection, TlsReason
from dissect.protocols.base import Layer
from dissect.protocols.tls import groups, sentences, words
from dissect.protocols.tls.certificates import read_chain
from dissect.protocols.tls.facts import Facts
from dissect.protocols.tls.fingerprints import Transport, ja3s, of_client
from dissect.protocols.tls.half import Half
from dissect.protocols.tls.handshake import PRE_SHARED_KEY, ClientHello
from dissect.protocols.tls.negotiation import Negotiation
from dissect.protocols.tls.notes import Notes
from dissect.protocols.tls.secrets import SecretStore

_NO_SECRET = ("no_secret_for_random", "secret_incomplete", "resumed_without_secret")

Why = tuple[TlsReason | None, str | None]
_LATE: tuple[TlsReason, str] = (
    "secrets_after_packets",
    (
        "the secrets stand behind the packets in the capture, and it was read only once; save it "
        "to a file and read that"
    ),
)


def describe(layer: Layer, talk: Negotiation, notes: Notes, store: SecretStore) -> TlsConnection:
    """The row of a connection that has ended."""
    halves, facts = talk.halves, talk.facts
    alerts = tuple(notes.alerts)
    opened = sum(half.opened for half in halves)
    hidden = sum(half.data_shut + half.blind for half in halves)
    hidden += sum(half.sealed + half.failed > 0 and not half.data_shut for half in halves)
    hidden += sum(half.unfinished > 0 for half in halves)
    # A loss before anything was protected hides nothing, if it ended before that.
    hidden += sum(bool(half.gaps) and not talk.finished[talk.role(half)] for half in halves)
    state = "none" if not opened else "partial" if hidden else "full"
    reason, sentence = _why(talk, alerts, store, whole=state == "full")
    chains = facts.chains
    return TlsConnection(
        place=layer.place(0, _span(halves), _ranges(halves)),
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
        shapes=() if state == "full" else tuple(notes.shapes),
        bytes_decrypted=sum(half.bytes_opened for half in halves),
        retried=talk.retried,
        round_trips_ns=tuple(notes.trips.found_ns),
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
        found["ja3s"] = ja3s(server)
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


def _ranges(halves: tuple[Half, Half]) -> Ranges:
    """All records of both directions, in which nothing is in clear that tells a secret."""
    records = tuple(item for half in halves for item in half.track.ranges(half.direction))
    return Ranges(records, understood=records, verbatim=False)


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
    if all(half.bytes_in or half.cuts for half in (client, server)):
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
            missing, advice = sentences.lost(client), sentences.advice(client)
            return sentences.loss(client), (
                f"{missing} were not captured at the start{advice}, the client hello among "
                "them; its random is needed to find the secrets"
            )
        return "no_client_hello", (
            "the client hello was not captured, so the connection can't be matched to a secret; "
            "start the capture before the connection"
        )
    if talk.server_hello is None:
        if server.gaps:
            missing, advice = sentences.lost(server), sentences.advice(server)
            return sentences.loss(server), (
                f"{missing} of the server's handshake were not captured{advice}, its hello "
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
        reason = sentences.loss(half)
    return reason, sentences.of(reason, detail, talk, half, store)


def _came_late(talk: Negotiation, store: SecretStore, wanted: str) -> bool:
    """Whether the secret was added after the connection had needed it."""
    if talk.client_hello is None:
        return False
    labels = store.labels_for(talk.client_hello.random)
    return wanted in labels


def _damaged(talk: Negotiation, client: Half, server: Half) -> Why | None:
    for half in (server, client):
        if half.gaps:
            missing, sender = sentences.lost(half), sentences.who(talk, half)
            return sentences.loss(half), (
                f"{missing} from the {sender} were not captured{sentences.advice(half)}; what came "
                "behind was taken up again"
            )
    for half in (server, client):
        if half.failed and not talk.sure(half):
            return "wrong_secret", sentences.wrong(talk, half, half.tags)
    for half in (server, client):
        if half.failed:
            return "damaged_record", sentences.bad(talk, half, half.tags)
    for half in (server, client):
        if half.unfinished:
            return "lost_segment", (
                f"what the {sentences.who(talk, half)} sent ends within a record, of which "
                f"{half.unfinished} bytes are there; its content needs the rest: capture until "
                "the connection ends"
            )
    return None

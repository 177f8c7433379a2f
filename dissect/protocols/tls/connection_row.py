"""The row of a connection: what was agreed, what was decrypted, and if not, why not.

Every reason is one of the codes of `TlsReason` with a sentence that tells what to do.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dissect.errors import ProtocolError
from dissect.model import Alert, Ranges, Span, TlsConnection, TlsReason
from dissect.protocols.base import Layer
from dissect.protocols.tls import code_points, explanations, named_groups
from dissect.protocols.tls.certificates import read_chain
from dissect.protocols.tls.direction_state import DirectionState
from dissect.protocols.tls.fingerprints import Transport, ja3s, of_client
from dissect.protocols.tls.handshake import PRE_SHARED_KEY, ClientHello
from dissect.protocols.tls.handshake_facts import Facts
from dissect.protocols.tls.negotiation import Negotiation
from dissect.protocols.tls.observations import Observations
from dissect.protocols.tls.secret_store import SecretStore

_NO_SECRET = ("no_secret_for_random", "secret_incomplete", "resumed_without_secret")

Why = tuple[TlsReason | None, str | None]
_LATE: tuple[TlsReason, str] = (
    "secrets_after_packets",
    (
        "the secrets stand behind the packets in the capture, and it was read only once; save it "
        "to a file and read that"
    ),
)


def describe(
    layer: Layer, talk: Negotiation, notes: Observations, store: SecretStore
) -> TlsConnection:
    """The row of a connection that has ended."""
    states, facts = talk.states, talk.facts
    alerts = tuple(notes.alerts)
    decrypted = sum(state.decrypted for state in states)
    hidden = sum(state.data_undecrypted + state.blind for state in states)
    hidden += sum(
        state.protected + state.failed > 0 and not state.data_undecrypted for state in states
    )
    hidden += sum(state.unfinished > 0 for state in states)
    # A loss before anything was protected hides nothing, if it ended before that.
    hidden += sum(bool(state.gaps) and not talk.finished[talk.role(state)] for state in states)
    extent = "none" if not decrypted else "partial" if hidden else "full"
    reason, sentence = _why(talk, alerts, store, whole=extent == "full")
    chains = facts.chains
    return TlsConnection(
        place=layer.place(0, _span(states), _ranges(states)),
        server_name=facts.server_name,
        alpn=facts.alpn,
        version=None if facts.version is None else code_points.version_name(facts.version),
        cipher_suite=facts.suite.name if facts.suite else None,
        resumed=facts.resumed,
        decrypted=extent,  # type: ignore[arg-type]
        reason=reason,
        sentence=sentence,
        secret_source=facts.origin,
        certificates=read_chain(chains.get("server", ())),
        client_certificates=read_chain(chains.get("client", ())),
        alerts=alerts,
        record_sizes=() if extent == "full" else tuple(notes.record_sizes),
        bytes_decrypted=sum(state.bytes_decrypted for state in states),
        retried=talk.retried,
        round_trips_ns=tuple(notes.trips.found_ns),
        **hello_fields(facts),
    )


def hello_fields(facts: Facts, transport: Transport = "t") -> dict[str, Any]:
    """The fields of a `TlsConnection` that the hellos alone tell."""
    client, server = facts.client, facts.server
    found: dict[str, Any] = {"group": facts.group, "early_data": facts.early_data}
    if client is not None:
        found["groups"] = named_groups.offered(client)
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
    except ProtocolError:  # reported as an anomaly when it was read
        return ()


def came_late(row: TlsConnection) -> TlsConnection:
    """The row of a connection whose secrets came after it had ended."""
    return replace(row, reason=_LATE[0], sentence=_LATE[1])


def _span(states: tuple[DirectionState, DirectionState]) -> Span:
    spans = [span for state in states for span in (state.first, state.last) if span is not None]
    if not spans:
        return Span(0, 0, 0, 0)
    whole = spans[0]
    for span in spans[1:]:
        whole = whole.to(span)
    return whole


def _ranges(states: tuple[DirectionState, DirectionState]) -> Ranges:
    """All records of both directions, in which nothing is in clear that tells a secret."""
    records = tuple(item for state in states for item in state.track.ranges(state.direction))
    return Ranges(records, understood=records, verbatim=False)


def _why(talk: Negotiation, alerts: tuple[Alert, ...], store: SecretStore, *, whole: bool) -> Why:
    client, server = talk.states[talk.client], talk.states[talk.client ^ 1]
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
    client, server = talk.states[talk.client], talk.states[talk.client ^ 1]
    if client.data_decrypted + server.data_decrypted:
        return None
    if (
        client.undecrypted
        and server.undecrypted
        and client.data_undecrypted
        and server.data_undecrypted
    ):
        return None
    for alert in alerts:
        if alert.level == "fatal":
            sender = "server" if talk.role(talk.states[alert.direction]) else "client"
            return (
                f"the {sender} broke off the handshake with the alert {alert.description} "
                f"(frame {alert.frame})"
            )
    return None


def _one_sided(talk: Negotiation, client: DirectionState, server: DirectionState) -> Why | None:
    if all(state.bytes_in or state.cuts for state in (client, server)):
        return None
    if client.bytes_in and talk.client_hello is not None and client.records < 2:
        return None  # a hello that nobody answered
    seen, missing = ("client", "server") if client.bytes_in else ("server", "client")
    return "one_direction_only", (
        f"only what the {seen} sent was captured; capture where the {missing}'s packets pass too"
    )


def _without_hello(talk: Negotiation, client: DirectionState, server: DirectionState) -> Why | None:
    if talk.client_hello is None:
        if client.gaps or (server.gaps and not client.bytes_in):
            missing, advice = explanations.lost(client), explanations.advice(client)
            return explanations.loss(client), (
                f"{missing} were not captured at the start{advice}, the client hello among "
                "them; its random is needed to find the secrets"
            )
        return "no_client_hello", (
            "the client hello was not captured, so the connection can't be matched to a secret; "
            "start the capture before the connection"
        )
    if talk.server_hello is None:
        if server.gaps:
            missing, advice = explanations.lost(server), explanations.advice(server)
            return explanations.loss(server), (
                f"{missing} of the server's handshake were not captured{advice}, its hello "
                "among them; without it no key can be derived"
            )
        return "no_server_hello", "the capture has no server hello that answers the client's"
    return None


def _given_up(talk: Negotiation, store: SecretStore, state: DirectionState) -> Why | None:
    if state.why is None:
        return None
    reason, detail = state.why
    if reason in _NO_SECRET and _came_late(talk, store, detail):
        return _LATE
    if reason == "no_secret_for_random" and talk.client_hello is not None:
        store.miss(talk.client_hello.random, talk.stream)
    if reason == "lost_segment":
        reason = explanations.loss(state)
    return reason, explanations.of(reason, detail, talk, state, store)


def _came_late(talk: Negotiation, store: SecretStore, wanted: str) -> bool:
    """Whether the secret was added after the connection had needed it."""
    if talk.client_hello is None:
        return False
    labels = store.labels_for(talk.client_hello.random)
    return wanted in labels


def _damaged(talk: Negotiation, client: DirectionState, server: DirectionState) -> Why | None:
    for state in (server, client):
        if state.gaps:
            missing, sender = explanations.lost(state), explanations.who(talk, state)
            return explanations.loss(state), (
                f"{missing} from the {sender} were not captured{explanations.advice(state)}; "
                "what came behind was taken up again"
            )
    for state in (server, client):
        if state.failed and not talk.sure(state):
            return "wrong_secret", explanations.wrong(talk, state, state.tags)
    for state in (server, client):
        if state.failed:
            return "damaged_record", explanations.bad(talk, state, state.tags)
    for state in (server, client):
        if state.unfinished:
            return "lost_segment", (
                f"what the {explanations.who(talk, state)} sent ends within a record, of which "
                f"{state.unfinished} bytes are there; its content needs the rest: capture until "
                "the connection ends"
            )
    return None

"""What a TLS connection agreed, and when each direction changes its key.

Handshake messages come in here, whole and in order; keys go out to the two halves.
RFC 8446 §2 and appendix A for TLS 1.3, RFC 5246 §7.3 for what was before.
"""

from __future__ import annotations

from functools import partial

from dissect.model import Direction
from dissect.protocols.tls import blind, code_points, keyring, named_groups, secret_store
from dissect.protocols.tls import handshake as wire
from dissect.protocols.tls.certificates import MAX_CHAIN, decompress
from dissect.protocols.tls.direction_state import DirectionState, Phase, TrafficKey
from dissect.protocols.tls.handshake_facts import Facts
from dissect.protocols.tls.secret_store import SecretStore, TlsSession
from dissect.protocols.tls.suites import suite
from dissect.protocols.tls.until12 import Until12

MAX_EARLY_RECORDS = 4096  # records of rejected or unreadable 0-RTT data passed over
MAX_CERTIFICATES = 1 << 20  # bytes kept of the chains of one connection


class Negotiation:
    """One connection's handshakes: the first, and renegotiations of TLS 1.2."""

    def __init__(
        self, store: SecretStore, states: tuple[DirectionState, DirectionState], stream: int
    ) -> None:
        self.store = store
        self.states = states
        self.stream = stream
        for state in states:
            state.successors = partial(self.successors, state)
        self.facts = Facts()
        self.client: Direction = 0  # the direction in which the TLS client sends
        self.client_hello: wire.ClientHello | None = None
        self.server_hello: wire.ServerHello | None = None
        self.retried = False
        self.finished = [False, False]  # whether a Finished was read: client, server
        self.guessed: bytes | None = None  # client random, where its hello is missing
        self._inner: bytes | None = None  # that of the inner hello of ECH, once it is proven
        self._until12 = Until12(store, self.facts, stream)

    # ------------------------------------------------------------- roles

    def role(self, state: DirectionState) -> int:
        """0 for the direction of the TLS client, 1 for that of the server."""
        return state.direction ^ self.client

    @property
    def tls13(self) -> bool:
        return self.facts.version is not None and (
            self.facts.version >= code_points.TLS13 or self.facts.version >> 8 == 0x7F
        )

    # ------------------------------------------------------------- messages

    def message(self, state: DirectionState, kind: int, body: bytes) -> None:
        """A handshake message. Raises ProtocolError where it is malformed."""
        role = self.role(state)
        if kind == code_points.CLIENT_HELLO:
            hello = wire.parse_client_hello(body)
            self.facts.client = self.facts.client or hello
            self.hello(state, hello)
        elif kind == code_points.SERVER_HELLO:
            self._until12.note(kind, body)
            self._server_hello(state, wire.parse_server_hello(body))
            return
        elif kind == code_points.CERTIFICATE:
            read = wire.parse_certificates13 if self.tls13 else wire.parse_certificates
            self._certificates(role, read(body))
        elif kind == code_points.COMPRESSED_CERTIFICATE:
            self._certificates(role, wire.parse_compressed_certificate(body, decompress))
        elif kind == code_points.NEW_SESSION_TICKET and role == 1:
            self._new_ticket(wire.parse_ticket(body, self.tls13))
        elif kind == code_points.FINISHED:
            self._finished(state, role)
        elif self.tls13:
            self._message13(state, role, kind, body)
        elif kind == code_points.SERVER_KEY_EXCHANGE and self.facts.suite is not None:
            self.facts.group = named_groups.of_key_exchange(self.facts.suite.key_exchange, body)
        self._until12.note(kind, body)

    def _message13(self, state: DirectionState, role: int, kind: int, body: bytes) -> None:
        if kind == code_points.ENCRYPTED_EXTENSIONS and role == 1:
            self.facts.alpn, accepted = wire.parse_encrypted_extensions(body)
            if self.facts.client is not None and self.facts.client.early_data:
                self.facts.early_data = "accepted" if accepted else "rejected"
            self.settle_early(accepted)
        elif kind == code_points.END_OF_EARLY_DATA and role == 0:
            self._install(state, ("handshake", "application"))
        elif kind == code_points.KEY_UPDATE and state.key is not None:
            key = keyring.updated_key(state.key)
            if key is not None:
                state.use([key])
                state.proven = True  # what was derived from a proven key is right

    def version2_hello(self, state: DirectionState, body: bytes) -> None:
        """A client hello in the format of SSL 2.0, for SSL 3.0 and later."""
        self.hello(state, wire.parse_version2_hello(body))

    def hello(self, state: DirectionState, hello: wire.ClientHello) -> None:
        """A client hello; the first one settles who is the client."""
        if self.client_hello is None:
            self.client = state.direction
        again = self.retried and self.server_hello is None
        self.client_hello, self.server_hello = hello, None
        self._until12.begin(hello, again=again)
        if not again:
            self.finished = [False, False]
        self.facts.server_name = hello.server_name or self.facts.server_name
        self.states[state.direction ^ 1].waits = False
        if state.phase == "clear":
            # What follows depends on the server's answer; in a renegotiation it doesn't.
            state.waits = True

    def _server_hello(self, state: DirectionState, hello: wire.ServerHello) -> None:
        client_state = self.states[self.client]
        if state is client_state and self.client_hello is not None:
            return  # both can't be: damaged, or hostile
        if self.client_hello is None:
            self.client = 0 if state.direction else 1
            client_state = self.states[self.client]
        if hello.retry:
            self.retried = True
            self.facts.version = hello.version
            self.facts.suite = suite(hello.suite)
            self.facts.group = named_groups.of_server_hello(hello)
            client_state.waits = False
            return
        self.server_hello = hello
        facts = self.facts
        facts.version, facts.suite = hello.version, suite(hello.suite)
        facts.alpn = hello.protocol
        facts.server = facts.server or hello
        facts.group = named_groups.of_server_hello(hello)
        if self.client_hello is None:
            return
        if self.tls13:
            self._until12.drop()
            self._start13(client_state, state)
        else:
            self._until12.agree(hello, facts.suite)
            client_state.waits = False

    def _certificates(self, role: int, chain: tuple[bytes, ...]) -> None:
        kept: list[bytes] = []
        room = MAX_CERTIFICATES
        for certificate in chain:
            room -= len(certificate)
            if room < 0 or len(kept) == MAX_CHAIN:
                self.facts.limits["limit.tls_certificates"] = (
                    f"a chain of {len(chain)} certificates: those beyond {MAX_CHAIN}, or "
                    f"{MAX_CERTIFICATES >> 10} kB, are not read"
                )
                break
            kept.append(certificate)
        if kept:
            self.facts.chains["server" if role else "client"] = tuple(kept)

    # ------------------------------------------------------------- TLS 1.3

    def _start13(self, client_state: DirectionState, server_state: DirectionState) -> None:
        hello = self.client_hello
        assert hello is not None
        assert self.server_hello is not None
        if wire.PRE_SHARED_KEY in self.server_hello.extensions:
            self.facts.resumed = True
            for ticket in hello.tickets:
                session = self.store.session(ticket)
                if session is not None:
                    self.facts.resumes = session.stream
        self._install(server_state, ("handshake", "application"))
        if hello.early_data and not self.retried and not server_state.undecrypted:
            return  # whether the server takes the early data stands in its next message
        self.settle_early(False if self.retried or not hello.early_data else None)

    def settle_early(self, accepted: bool | None) -> None:
        """The client's key after its hello: `accepted` tells what became of 0-RTT data,
        None that nobody can know."""
        state = self.states[self.client]
        hello, suite_ = self.client_hello, self.facts.suite
        if (
            state.phase != "clear"
            or state.undecrypted
            or hello is None
            or self.server_hello is None
        ):
            return
        assert suite_ is not None
        state.waits = False
        early = hello.early_data and not self.retried
        if early and accepted is not False:
            keys = keyring.traffic_keys(self.store, self._random, suite_, "early", 0)
            if keys:
                state.use(keys)
                return
            state.why = keyring.why_no_secret(
                self.store, self._random, secret_store.CLIENT_EARLY, self.facts.resumed
            )
        self._install(state, ("handshake", "application"))
        if early and state.key is not None:
            state.tolerate = MAX_EARLY_RECORDS

    def _install(self, state: DirectionState, phases: tuple[Phase, ...]) -> None:
        """Give the half the key of the first phase that the key logs have one for.

        Where an earlier phase has none, its records are passed over until one opens.
        """
        hello, suite_ = self.client_hello, self.facts.suite
        assert suite_ is not None
        role = self.role(state)
        if suite_.cipher is None or not suite_.tls13:
            state.close("cipher_unsupported", suite_.name)
            return
        for number, phase in enumerate(phases):
            keys = keyring.traffic_keys(self.store, self._random, suite_, phase, role)
            if keys:
                state.use(keys)
                state.tolerate = MAX_EARLY_RECORDS if number else 0
                return
        ech = hello is not None and hello.ech and self._inner is None
        if ech and not self.store.labels_for(self._random):
            keys = keyring.strangers(self.store, suite_, phases[0], role)
            if keys:
                state.use(keys)
                return
        wanted = keyring.LABELS[phases[-1]][role]
        reason = keyring.why_no_secret(self.store, self._random, wanted, self.facts.resumed)
        state.close(*reason)

    @property
    def _random(self) -> bytes:
        """The client random that secrets are logged for."""
        seen = self.client_hello.random if self.client_hello is not None else b""
        return self._inner or seen or self.guessed or b""

    def guess(self, state: DirectionState, header: bytes, payload: bytes) -> bool:
        """Try to open a record of a connection without a beginning; see `blind`."""
        found = blind.guess_key(self.store, header, payload, self.role(state), self.guessed)
        if found is None:
            return False
        key, suite_, self.guessed, role = found
        self.client = 0 if role == state.direction else 1
        self.facts.version, self.facts.suite = code_points.TLS13, suite_
        self.facts.origin = key.origin
        self.store.claim(self.guessed, "")
        state.adopt(key)
        return True

    # ------------------------------------------------------------- both

    def proven(self, state: DirectionState) -> None:
        """A key of this connection has decrypted its first record."""
        key = state.key
        if key is None or self.client_hello is None:
            return
        self.facts.origin = self.facts.origin or key.origin
        if key.random is not None and self._inner is None:
            self._inner = key.random
            other = self.states[state.direction ^ 1]
            keys = [*([other.key] if other.key else []), *other.rivals]
            ours = [one for one in keys if one.random == self._inner]
            if ours and not other.proven:
                other.use(ours)
        self.store.claim(self._random, self.facts.server_name or "")
        self._until12.proven(key)

    def sure(self, state: DirectionState) -> bool:
        """Whether the half's secret is known to be right, whatever its next record says."""
        return state.proven or (not self.tls13 and self._until12.master is not None)

    def _new_ticket(self, ticket: bytes) -> None:
        if self.tls13:
            # Of TLS 1.3 only who made the session is of use: secrets are never reused.
            self.store.remember_session(ticket, TlsSession(b"", "", self.stream))
        else:
            self._until12.ticket(ticket)

    def change_cipher(self, state: DirectionState) -> None:
        """A ChangeCipherSpec: in TLS 1.3 it means nothing (RFC 8446 D.4)."""
        if self.client_hello is None and self.server_hello is None:
            state.changed = True  # the next record tells which version it is
        elif not self.tls13:
            self._until12.change_cipher(state, self.role(state), answered=self.finished[1])

    def may_wait(self, state: DirectionState) -> bool:
        """Whether a server hello should be kept until the client's is read."""
        if self.client_hello is not None or state.messages.begun:
            return False
        other = self.states[state.direction ^ 1]
        return not (other.ended or other.gaps or other.undecrypted or state.parked_bytes)

    def _finished(self, state: DirectionState, role: int) -> None:
        self.finished[role] = True
        if self.tls13 and state.phase == "handshake":
            self._install(state, ("application",))

    def successors(self, state: DirectionState) -> list[TrafficKey]:
        """Keys that the half may have taken up behind a loss, nearest first."""
        suite_ = self.facts.suite
        greeted = self.client_hello is not None and self.server_hello is not None
        if suite_ is None or not (greeted or self.guessed):
            return []
        if not self.tls13:
            takes = state.phase == "clear" and not state.undecrypted
            return self._until12.keys(self.role(state)) if takes else []
        keys: list[TrafficKey] = []
        phases: tuple[Phase, ...] = ("handshake", "application")
        for phase in phases[phases.index(state.phase) + 1 if state.phase in phases else 0 :]:
            role = self.role(state)
            keys += keyring.traffic_keys(self.store, self._random, suite_, phase, role)
        if state.key is not None:
            updated = keyring.updated_key(state.key)
            if updated is not None:
                keys.append(updated)
        return keys

"""What a TLS connection agreed, and when each direction changes its key.

Handshake messages come in here, whole and in order; keys go out to the two halves.
RFC 8446 §2 and appendix A for TLS 1.3, RFC 5246 §7.3 for what was before.
"""

from __future__ import annotations

from functools import partial

from dissect.model import Direction
from dissect.protocols.tls import blind, groups, keyring, secrets, words
from dissect.protocols.tls import handshake as wire
from dissect.protocols.tls.certificates import MAX_CHAIN, decompress
from dissect.protocols.tls.facts import Facts
from dissect.protocols.tls.half import Half, Key, Phase
from dissect.protocols.tls.secrets import SecretStore, Session
from dissect.protocols.tls.suites import suite
from dissect.protocols.tls.until12 import Until12

MAX_EARLY_RECORDS = 4096  # records of rejected or unreadable 0-RTT data passed over
MAX_CERTIFICATES = 1 << 20  # bytes kept of the chains of one connection


class Negotiation:
    """One connection's handshakes: the first, and renegotiations of TLS 1.2."""

    def __init__(self, store: SecretStore, halves: tuple[Half, Half], stream: int) -> None:
        self.store = store
        self.halves = halves
        self.stream = stream
        for half in halves:
            half.successors = partial(self.successors, half)
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

    def role(self, half: Half) -> int:
        """0 for the direction of the TLS client, 1 for that of the server."""
        return half.direction ^ self.client

    @property
    def tls13(self) -> bool:
        return self.facts.version is not None and (
            self.facts.version >= words.TLS13 or self.facts.version >> 8 == 0x7F
        )

    # ------------------------------------------------------------- messages

    def message(self, half: Half, kind: int, body: bytes) -> None:
        """A handshake message. Raises ProtocolError where it is malformed."""
        role = self.role(half)
        if kind == words.CLIENT_HELLO:
            hello = wire.parse_client_hello(body)
            self.facts.client = self.facts.client or hello
            self.hello(half, hello)
        elif kind == words.SERVER_HELLO:
            self._until12.note(kind, body)
            self._server_hello(half, wire.parse_server_hello(body))
            return
        elif kind == words.CERTIFICATE:
            read = wire.parse_certificates13 if self.tls13 else wire.parse_certificates
            self._certificates(role, read(body))
        elif kind == words.COMPRESSED_CERTIFICATE:
            self._certificates(role, wire.parse_compressed_certificate(body, decompress))
        elif kind == words.NEW_SESSION_TICKET and role == 1:
            self._new_ticket(wire.parse_ticket(body, self.tls13))
        elif kind == words.FINISHED:
            self._finished(half, role)
        elif self.tls13:
            self._message13(half, role, kind, body)
        elif kind == words.SERVER_KEY_EXCHANGE and self.facts.suite is not None:
            self.facts.group = groups.of_key_exchange(self.facts.suite.key_exchange, body)
        self._until12.note(kind, body)

    def _message13(self, half: Half, role: int, kind: int, body: bytes) -> None:
        if kind == words.ENCRYPTED_EXTENSIONS and role == 1:
            self.facts.alpn, accepted = wire.parse_encrypted_extensions(body)
            if self.facts.client is not None and self.facts.client.early_data:
                self.facts.early_data = "accepted" if accepted else "rejected"
            self.settle_early(accepted)
        elif kind == words.END_OF_EARLY_DATA and role == 0:
            self._install(half, ("handshake", "application"))
        elif kind == words.KEY_UPDATE and half.key is not None:
            key = keyring.updated_key(half.key)
            if key is not None:
                half.use([key])
                half.proven = True  # what was derived from a proven key is right

    def version2_hello(self, half: Half, body: bytes) -> None:
        """A client hello in the format of SSL 2.0, for SSL 3.0 and later."""
        self.hello(half, wire.parse_version2_hello(body))

    def hello(self, half: Half, hello: wire.ClientHello) -> None:
        """A client hello; the first one settles who is the client."""
        if self.client_hello is None:
            self.client = half.direction
        again = self.retried and self.server_hello is None
        self.client_hello, self.server_hello = hello, None
        self._until12.begin(hello, again=again)
        if not again:
            self.finished = [False, False]
        self.facts.server_name = hello.server_name or self.facts.server_name
        self.halves[half.direction ^ 1].waits = False
        if half.phase == "clear":
            # What follows depends on the server's answer; in a renegotiation it doesn't.
            half.waits = True

    def _server_hello(self, half: Half, hello: wire.ServerHello) -> None:
        client_half = self.halves[self.client]
        if half is client_half and self.client_hello is not None:
            return  # both can't be: damaged, or hostile
        if self.client_hello is None:
            self.client = 0 if half.direction else 1
            client_half = self.halves[self.client]
        if hello.retry:
            self.retried = True
            self.facts.version = hello.version
            self.facts.suite = suite(hello.suite)
            self.facts.group = groups.of_server_hello(hello)
            client_half.waits = False
            return
        self.server_hello = hello
        facts = self.facts
        facts.version, facts.suite = hello.version, suite(hello.suite)
        facts.alpn = hello.protocol
        facts.server = facts.server or hello
        facts.group = groups.of_server_hello(hello)
        if self.client_hello is None:
            return
        if self.tls13:
            self._until12.drop()
            self._start13(client_half, half)
        else:
            self._until12.agree(hello, facts.suite)
            client_half.waits = False

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

    def _start13(self, client_half: Half, server_half: Half) -> None:
        hello = self.client_hello
        assert hello is not None
        assert self.server_hello is not None
        if wire.PRE_SHARED_KEY in self.server_hello.extensions:
            self.facts.resumed = True
            for ticket in hello.tickets:
                session = self.store.session(ticket)
                if session is not None:
                    self.facts.resumes = session.stream
        self._install(server_half, ("handshake", "application"))
        if hello.early_data and not self.retried and not server_half.shut:
            return  # whether the server takes the early data stands in its next message
        self.settle_early(False if self.retried or not hello.early_data else None)

    def settle_early(self, accepted: bool | None) -> None:
        """The client's key after its hello: `accepted` tells what became of 0-RTT data,
        None that nobody can know."""
        half = self.halves[self.client]
        hello, suite_ = self.client_hello, self.facts.suite
        if half.phase != "clear" or half.shut or hello is None or self.server_hello is None:
            return
        assert suite_ is not None
        half.waits = False
        early = hello.early_data and not self.retried
        if early and accepted is not False:
            keys = keyring.traffic_keys(self.store, self._random, suite_, "early", 0)
            if keys:
                half.use(keys)
                return
            half.why = keyring.why_no_secret(
                self.store, self._random, secrets.CLIENT_EARLY, self.facts.resumed
            )
        self._install(half, ("handshake", "application"))
        if early and half.key is not None:
            half.tolerate = MAX_EARLY_RECORDS

    def _install(self, half: Half, phases: tuple[Phase, ...]) -> None:
        """Give the half the key of the first phase that the key logs have one for.

        Where an earlier phase has none, its records are passed over until one opens.
        """
        hello, suite_ = self.client_hello, self.facts.suite
        assert suite_ is not None
        role = self.role(half)
        if suite_.cipher is None or not suite_.tls13:
            half.close("cipher_unsupported", suite_.name)
            return
        for number, phase in enumerate(phases):
            keys = keyring.traffic_keys(self.store, self._random, suite_, phase, role)
            if keys:
                half.use(keys)
                half.tolerate = MAX_EARLY_RECORDS if number else 0
                return
        ech = hello is not None and hello.ech and self._inner is None
        if ech and not self.store.labels_for(self._random):
            keys = keyring.strangers(self.store, suite_, phases[0], role)
            if keys:
                half.use(keys)
                return
        wanted = keyring.LABELS[phases[-1]][role]
        reason = keyring.why_no_secret(self.store, self._random, wanted, self.facts.resumed)
        half.close(*reason)

    @property
    def _random(self) -> bytes:
        """The client random that secrets are logged for."""
        seen = self.client_hello.random if self.client_hello is not None else b""
        return self._inner or seen or self.guessed or b""

    def guess(self, half: Half, header: bytes, payload: bytes) -> bool:
        """Try to open a record of a connection without a beginning; see `blind`."""
        found = blind.guess_key(self.store, header, payload, self.role(half), self.guessed)
        if found is None:
            return False
        key, suite_, self.guessed, role = found
        self.client = 0 if role == half.direction else 1
        self.facts.version, self.facts.suite = words.TLS13, suite_
        self.facts.origin = key.origin
        self.store.claim(self.guessed, "")
        half.adopt(key)
        return True

    # ------------------------------------------------------------- both

    def proven(self, half: Half) -> None:
        """A key of this connection has opened its first record."""
        key = half.key
        if key is None or self.client_hello is None:
            return
        self.facts.origin = self.facts.origin or key.origin
        if key.random is not None and self._inner is None:
            self._inner = key.random
            other = self.halves[half.direction ^ 1]
            keys = [*([other.key] if other.key else []), *other.rivals]
            ours = [one for one in keys if one.random == self._inner]
            if ours and not other.proven:
                other.use(ours)
        self.store.claim(self._random, self.facts.server_name or "")
        self._until12.proven(key)

    def sure(self, half: Half) -> bool:
        """Whether the half's secret is known to be right, whatever its next record says."""
        return half.proven or (not self.tls13 and self._until12.master is not None)

    def _new_ticket(self, ticket: bytes) -> None:
        if self.tls13:
            # Of TLS 1.3 only who made the session is of use: secrets are never reused.
            self.store.remember_session(ticket, Session(b"", "", self.stream))
        else:
            self._until12.ticket(ticket)

    def change_cipher(self, half: Half) -> None:
        """A ChangeCipherSpec: in TLS 1.3 it means nothing (RFC 8446 D.4)."""
        if self.client_hello is None and self.server_hello is None:
            half.changed = True  # the next record tells which version it is
        elif not self.tls13:
            self._until12.change_cipher(half, self.role(half), answered=self.finished[1])

    def may_wait(self, half: Half) -> bool:
        """Whether a server hello should be kept until the client's is read."""
        if self.client_hello is not None or half.messages.begun:
            return False
        other = self.halves[half.direction ^ 1]
        return not (other.ended or other.gaps or other.shut or half.parked_bytes)

    def _finished(self, half: Half, role: int) -> None:
        self.finished[role] = True
        if self.tls13 and half.phase == "handshake":
            self._install(half, ("application",))

    def successors(self, half: Half) -> list[Key]:
        """Keys that the half may have taken up behind a loss, nearest first."""
        suite_ = self.facts.suite
        greeted = self.client_hello is not None and self.server_hello is not None
        if suite_ is None or not (greeted or self.guessed):
            return []
        if not self.tls13:
            takes = half.phase == "clear" and not half.shut
            return self._until12.keys(self.role(half)) if takes else []
        keys: list[Key] = []
        phases: tuple[Phase, ...] = ("handshake", "application")
        for phase in phases[phases.index(half.phase) + 1 if half.phase in phases else 0 :]:
            role = self.role(half)
            keys += keyring.traffic_keys(self.store, self._random, suite_, phase, role)
        if half.key is not None:
            updated = keyring.updated_key(half.key)
            if updated is not None:
                keys.append(updated)
        return keys

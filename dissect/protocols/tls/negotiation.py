"""What a TLS connection agreed, and when each direction changes its key.

Handshake messages come in here, whole and in order; keys go out to the two halves.
RFC 8446 §2 and appendix A for TLS 1.3, RFC 5246 §7.3 for what was before.
"""

from __future__ import annotations

from functools import partial

from dissect.model import Direction
from dissect.protocols.tls import blind, groups, keyring, secrets, words
from dissect.protocols.tls import handshake as wire
from dissect.protocols.tls.certificates import decompress
from dissect.protocols.tls.facts import Facts
from dissect.protocols.tls.half import Half, Key, Phase
from dissect.protocols.tls.keyring import Master
from dissect.protocols.tls.keys import Agreement
from dissect.protocols.tls.messages import Transcript
from dissect.protocols.tls.protection import Unauthenticated
from dissect.protocols.tls.secrets import SecretStore, Session
from dissect.protocols.tls.suites import Suite, suite

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
        self._full = False  # TLS 1.2: the server sent a whole flight
        self._agreement: Agreement | None = None
        self._premaster: bytes | None = None  # as encrypted by the client
        self._ticket: bytes | None = None  # issued in this handshake
        self._master: Master | None = None  # proven by a tag
        self._transcript = Transcript()

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
            self._transcript.add(kind, body)
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
        elif kind == words.CLIENT_KEY_EXCHANGE:
            self._client_key(body)
        elif kind == words.SERVER_KEY_EXCHANGE and self.facts.suite is not None:
            self.facts.group = groups.of_key_exchange(self.facts.suite.key_exchange, body)
        elif kind == words.SERVER_HELLO_DONE:
            self._full = True
        self._transcript.add(kind, body)
        if kind == words.CLIENT_KEY_EXCHANGE:
            self._transcript.seal()

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
        self._full, self._agreement, self._ticket, self._premaster = False, None, None, None
        if not again:
            self._master, self.finished = None, [False, False]
            self._transcript = Transcript()
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
            self._transcript.drop()
            self._start13(client_half, half)
        else:
            self._agree(hello, facts.suite)
            client_half.waits = False

    def _certificates(self, role: int, chain: tuple[bytes, ...]) -> None:
        kept: list[bytes] = []
        room = MAX_CERTIFICATES
        for certificate in chain:
            room -= len(certificate)
            if room < 0:
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
            keys = keyring.traffic_keys(self.store, self._random(hello), suite_, "early", 0)
            if keys:
                half.use(keys)
                return
            half.why = keyring.why_no_secret(
                self.store, self._random(hello), secrets.CLIENT_EARLY, self.facts.resumed
            )
        self._install(half, ("handshake", "application"))
        if early and half.key is not None:
            half.tolerate = MAX_EARLY_RECORDS

    def _install(self, half: Half, phases: tuple[Phase, ...]) -> None:
        """Give the half the key of the first phase that the key logs have one for.

        Where an earlier phase has none, its records are passed over until one opens.
        """
        hello, suite_ = self.client_hello, self.facts.suite
        assert hello is not None
        assert suite_ is not None
        role = self.role(half)
        if suite_.cipher is None or not suite_.tls13:
            half.close("cipher_unsupported", suite_.name)
            return
        for number, phase in enumerate(phases):
            keys = keyring.traffic_keys(self.store, self._random(hello), suite_, phase, role)
            if keys:
                half.use(keys)
                half.tolerate = MAX_EARLY_RECORDS if number else 0
                return
        if hello.ech and self._inner is None and not self.store.labels_for(hello.random):
            keys = keyring.strangers(self.store, suite_, phases[0], role)
            if keys:
                half.use(keys)
                return
        wanted = keyring.LABELS[phases[-1]][role]
        reason = keyring.why_no_secret(self.store, self._random(hello), wanted, self.facts.resumed)
        half.close(*reason)

    def _random(self, hello: wire.ClientHello) -> bytes:
        """The client random that secrets are logged for."""
        return self._inner or hello.random

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

    # ------------------------------------------------------------- TLS 1.2 and before

    def _agree(self, hello: wire.ServerHello, suite_: Suite) -> None:
        assert self.client_hello is not None
        self._agreement = Agreement(
            hello.version,
            suite_,
            self.client_hello.random,
            hello.random,
            wire.ENCRYPT_THEN_MAC in hello.extensions,
        )

    def _client_key(self, body: bytes) -> None:
        agreement = self._agreement
        if agreement is None or not agreement.suite.key_exchange.startswith("RSA"):
            return
        # SSL 3.0 sends the encrypted secret without its length (RFC 6101 §5.6.7).
        self._premaster = body if agreement.version == words.SSL30 else body[2:]

    def change_cipher(self, half: Half) -> None:
        """A ChangeCipherSpec: in TLS 1.3 it means nothing (RFC 8446 D.4)."""
        if self.tls13:
            return
        if self._agreement is None or self.server_hello is None:
            half.close("no_server_hello" if self.client_hello else "no_client_hello", "")
            return
        if self.role(half) == 1 or self.finished[1]:
            self.facts.resumed = not self._full and not half.gaps
        agreement, suite_ = self._agreement, self._agreement.suite
        if suite_.cipher is None or suite_.tls13:
            half.close("cipher_unsupported", suite_.name)
        elif self.server_hello.compression:
            method = self.server_hello.compression
            half.close("cipher_unsupported", f"compression method {method}")
        elif keys := self._keys12(half):
            half.use(keys)
        else:
            reason = keyring.why_no_secret(
                self.store,
                agreement.client_random,
                secrets.CLIENT_RANDOM,
                self.facts.resumed,
                rsa=self._premaster is not None,
            )
            half.close(*reason)

    def _keys12(self, half: Half) -> list[Key]:
        """The keys that the half may take up when it changes its cipher, best first."""
        agreement, hello = self._agreement, self.server_hello
        assert agreement is not None
        assert hello is not None
        suite_ = agreement.suite
        if suite_.cipher is None or suite_.tls13 or hello.compression:
            return []
        role = self.role(half)
        candidates = self._masters() if self._master is None else [self._master]
        keys = []
        for master, origin in candidates:
            opener = agreement.openers(master)[role]
            keys.append(Key(opener, "application", origin, master=master))
        if not keys and suite_.cipher.kind == "null" and suite_.mac:
            keys.append(Key(Unauthenticated(suite_.mac), "application"))
        return keys

    def _masters(self) -> list[Master]:
        agreement, hello = self._agreement, self.client_hello
        assert agreement is not None
        assert hello is not None
        assert self.server_hello is not None
        idents: tuple[bytes, ...] = ()
        if not self._full:
            idents = (self.server_hello.session_id, *hello.tickets)
            for ident in idents:
                session = self.store.session(ident)
                if session is not None:
                    self.facts.resumes = session.stream
        return keyring.masters(
            self.store,
            agreement,
            encrypted_premaster=self._premaster,
            session_hash=(
                self._transcript.digest(agreement.version, agreement.suite.prf)
                if wire.EXTENDED_MASTER_SECRET in self.server_hello.extensions
                else None
            ),
            sessions=idents,
            certificate=next(iter(self.facts.chains.get("server", ())), None),
        )

    def _new_ticket(self, ticket: bytes) -> None:
        self._ticket = ticket
        if self.tls13:
            # Of TLS 1.3 only who made the session is of use: secrets are never reused.
            self.store.remember_session(ticket, Session(b"", "", self.stream))
        else:
            self._remember_session()

    # ------------------------------------------------------------- both

    def proven(self, half: Half) -> None:
        """A key of this connection has opened its first record."""
        key, hello = half.key, self.client_hello
        if key is None or hello is None:
            return
        self.facts.origin = self.facts.origin or key.origin
        if key.random is not None and self._inner is None:
            self._inner = key.random
            other = self.halves[half.direction ^ 1]
            keys = [*([other.key] if other.key else []), *other.rivals]
            ours = [one for one in keys if one.random == self._inner]
            if ours and not other.proven:
                other.use(ours)
        self.store.claim(self._random(hello), self.facts.server_name or "")
        if key.master is not None and self._master is None:
            self._master = (key.master, key.origin)
            self._remember_session()

    def _remember_session(self) -> None:
        if self._master is None or self.server_hello is None:
            return
        session = Session(self._master[0], self._master[1] or "", self.stream)
        self.store.remember_session(self.server_hello.session_id, session)
        if self._ticket:
            self.store.remember_session(self._ticket, session)

    def _finished(self, half: Half, role: int) -> None:
        self.finished[role] = True
        if self.tls13 and half.phase == "handshake":
            self._install(half, ("application",))

    def successors(self, half: Half) -> list[Key]:
        """Keys that the half may have taken up behind a loss, nearest first."""
        hello, suite_ = self.client_hello, self.facts.suite
        if hello is None or suite_ is None or self.server_hello is None:
            return []
        if not self.tls13:
            if half.phase == "clear" and self._agreement is not None and not half.shut:
                return self._keys12(half)
            return []
        keys: list[Key] = []
        phases: tuple[Phase, ...] = ("handshake", "application")
        for phase in phases[phases.index(half.phase) + 1 if half.phase in phases else 0 :]:
            random = self._random(hello)
            keys += keyring.traffic_keys(self.store, random, suite_, phase, self.role(half))
        if half.key is not None:
            updated = keyring.updated_key(half.key)
            if updated is not None:
                keys.append(updated)
        return keys

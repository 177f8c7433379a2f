"""The keys of one connection up to TLS 1.2: from its handshake to a master secret.

RFC 5246 §7.3 and §8.1, RFC 7627 (extended master secret), RFC 5077 (tickets).
"""

from __future__ import annotations

from dissect.protocols.tls import code_points, compression, keyring, secret_store
from dissect.protocols.tls import handshake as wire
from dissect.protocols.tls.compression import Inflater
from dissect.protocols.tls.direction_state import DirectionState, TrafficKey
from dissect.protocols.tls.handshake_facts import Facts
from dissect.protocols.tls.handshake_messages import Transcript
from dissect.protocols.tls.key_schedule import Agreement
from dissect.protocols.tls.keyring import Master
from dissect.protocols.tls.mac_ciphers import Unauthenticated
from dissect.protocols.tls.protection import Opener
from dissect.protocols.tls.secret_store import SecretStore, TlsSession
from dissect.protocols.tls.suites import Suite


class Until12:
    """One handshake after the other, each with its secrets; `begin` starts the next."""

    def __init__(self, store: SecretStore, facts: Facts, stream: int) -> None:
        self._store = store
        self._facts = facts
        self._stream = stream
        self._client: wire.ClientHello | None = None
        self._server: wire.ServerHello | None = None
        self._full = False  # the server sent a whole flight
        self._agreement: Agreement | None = None
        self._premaster: bytes | None = None  # as encrypted by the client
        self._ticket: bytes | None = None  # issued in this handshake
        self.master: Master | None = None  # proven by a tag
        self._transcript = Transcript()
        self._made: dict[tuple[bytes, int], Opener] = {}  # not taken up yet

    # ------------------------------------------------------------- messages

    def begin(self, hello: wire.ClientHello, *, again: bool) -> None:
        """A client hello; `again` is the second one that a HelloRetryRequest asked for."""
        self._client, self._server = hello, None
        self._full, self._agreement, self._ticket, self._premaster = False, None, None, None
        self._made.clear()
        if not again:
            self.master = None
            self._transcript = Transcript()

    def agree(self, hello: wire.ServerHello, suite: Suite) -> None:
        """The server hello that answers the client's."""
        assert self._client is not None
        self._server = hello
        self._made.clear()
        self._agreement = Agreement(
            hello.version,
            suite,
            self._client.random,
            hello.random,
            wire.ENCRYPT_THEN_MAC in hello.extensions,
        )

    def note(self, kind: int, body: bytes) -> None:
        """A message of the handshake, in its order: the transcript is made of them."""
        if kind == code_points.CLIENT_KEY_EXCHANGE:
            self._client_key(body)
        elif kind == code_points.SERVER_HELLO_DONE:
            self._full = True
        self._transcript.add(kind, body)
        if kind == code_points.CLIENT_KEY_EXCHANGE:
            self._transcript.seal()

    def drop(self) -> None:
        """It is a handshake of TLS 1.3: nothing here will be asked for."""
        self._transcript.drop()

    def _client_key(self, body: bytes) -> None:
        agreement = self._agreement
        if agreement is None or not agreement.suite.key_exchange.startswith("RSA"):
            return
        # SSL 3.0 sends the encrypted secret without its length (RFC 6101 §5.6.7).
        self._premaster = body if agreement.version == code_points.SSL30 else body[2:]

    # ------------------------------------------------------------- keys

    def change_cipher(self, state: DirectionState, role: int, *, answered: bool) -> None:
        """A ChangeCipherSpec of the client (`role` 0) or the server; `answered` tells that
        the server's Finished was read."""
        agreement, hello, facts = self._agreement, self._server, self._facts
        if agreement is None or hello is None:
            state.close("no_server_hello" if self._client else "no_client_hello", "")
            return
        if role == 1 or answered:
            facts.resumed = not self._full and not state.gaps
        suite, method = agreement.suite, hello.compression
        if suite.cipher is None or suite.tls13:
            state.close("cipher_unsupported", suite.name)
        elif method not in (compression.NULL, compression.DEFLATE):
            state.close("cipher_unsupported", f"compression with {compression.name(method)}")
        elif keys := self.keys(role):
            state.use(keys)
        else:
            reason = keyring.why_no_secret(
                self._store,
                agreement.client_random,
                secret_store.CLIENT_RANDOM,
                facts.resumed,
                rsa=self._premaster is not None,
            )
            state.close(*reason)

    def keys(self, role: int) -> list[TrafficKey]:
        """The keys that a side may take up when it changes its cipher, best first."""
        agreement, hello = self._agreement, self._server
        if agreement is None or hello is None:
            return []
        suite = agreement.suite
        if suite.cipher is None or suite.tls13:
            return []
        if hello.compression not in (compression.NULL, compression.DEFLATE):
            return []
        candidates = self._masters(agreement, hello) if self.master is None else [self.master]
        keys = [
            TrafficKey(self._opener(agreement, master, role), "application", origin, master=master)
            for master, origin in candidates
        ]
        if not keys and suite.cipher.kind == "null" and suite.mac:
            keys.append(TrafficKey(Unauthenticated(suite.mac), "application"))
        if hello.compression:
            for key in keys:
                key.unpack = Inflater()
        return keys

    def _opener(self, agreement: Agreement, master: bytes, role: int) -> Opener:
        """That of one side. One derivation makes both, so the other's is kept for it."""
        kept = self._made.pop((master, role), None)
        if kept is not None:
            return kept
        pair = agreement.openers(master)
        self._made[master, role ^ 1] = pair[role ^ 1]
        return pair[role]

    def _masters(self, agreement: Agreement, hello: wire.ServerHello) -> list[Master]:
        assert self._client is not None
        idents: tuple[bytes, ...] = ()
        if not self._full:
            idents = (hello.session_id, *self._client.tickets)
            for ident in idents:
                session = self._store.session(ident)
                if session is not None:
                    self._facts.resumes = session.stream
        extended = wire.EXTENDED_MASTER_SECRET in hello.extensions
        return keyring.masters(
            self._store,
            agreement,
            encrypted_premaster=self._premaster,
            session_hash=(
                self._transcript.digest(agreement.version, agreement.suite.prf)
                if extended
                else None
            ),
            sessions=idents,
            certificate=next(iter(self._facts.chains.get("server", ())), None),
        )

    # ------------------------------------------------------------- sessions

    def proven(self, key: TrafficKey) -> None:
        """A key has decrypted its first record, so its master secret is that of the session."""
        if key.master is not None and self.master is None:
            self.master = (key.master, key.origin)
            if self._agreement is not None:
                self._store.decrypted(self._agreement.client_random, key.master)
            self._remember()

    def ticket(self, ticket: bytes) -> None:
        """The server has issued a session ticket."""
        self._ticket = ticket
        self._remember()

    def _remember(self) -> None:
        if self.master is None or self._server is None:
            return
        session = TlsSession(self.master[0], self.master[1] or "", self._stream)
        self._store.remember_session(self._server.session_id, session)
        if self._ticket:
            self._store.remember_session(self._ticket, session)

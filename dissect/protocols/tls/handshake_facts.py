"""What is known of a TLS connection, gathered for its row and for its child."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from dissect.protocols.tls.suites import Suite

if TYPE_CHECKING:
    from dissect.protocols.tls.handshake import ClientHello, ServerHello


@dataclass(slots=True, repr=False)
class Facts:
    """What the hellos and certificates said; of several handshakes the last one counts.

    `resumes` is the stream of the connection that made the session, `chains` are those of
    "server" and "client" (DER), `origin` the key log whose secret decrypted the first record.
    `client` and `server` are the first hellos, whole ones only; `limits` are the bounds that
    were reached, by kind, in a sentence.
    """

    server_name: str | None = None
    alpn: str | None = None
    version: int | None = None
    suite: Suite | None = None
    resumed: bool = False
    resumes: int | None = None
    chains: dict[str, tuple[bytes, ...]] = field(default_factory=dict)
    origin: str | None = None
    client: ClientHello | None = None
    server: ServerHello | None = None
    group: str | None = None
    early_data: Literal["accepted", "rejected"] | None = None
    limits: dict[str, str] = field(default_factory=dict)

"""The TLS handshake that TLS-DSK carries inside SIP ([MS-SIPAE] §3.1, §3.2).

Each `gssapi-data` holds one flight as TLS records. Its messages are named here; what is
behind the change of cipher is encrypted and named as such.
"""

from __future__ import annotations

from dissect.model import Span
from dissect.protocols.tls import words
from dissect.protocols.tls.records import VERSION2_HELLO, RecordReader

MAX_NAMES = 64  # names given for one blob
_NOWHERE = Span(0, 0, 0, 0)


def handshake_names(blob: bytes) -> tuple[str, ...]:
    """The TLS messages in a `gssapi-data` blob, in order.

    Words of the TLS registries: "client_hello", "certificate", "server_hello_done" …, and
    "change_cipher_spec", "alert", "application_data"; after a change of cipher
    "encrypted_handshake" and "encrypted_alert". A message or record that is cut short is
    named if its type was there. Anything that isn't TLS gives no names, never an error.
    """
    reader = RecordReader()
    records = [(record.kind, record.payload or b"") for record in reader.feed(blob, _NOWHERE)]
    rest = reader.remainder()
    if len(rest) > 5 and reader.broken is None:
        records.append((rest[0], rest[5:]))  # a log that cuts lines cuts the last record
    names: list[str] = []
    handshake = bytearray()
    protected = False
    for kind, payload in records:
        if kind == words.CHANGE_CIPHER_SPEC:
            names.append("change_cipher_spec")
            protected = True
        elif kind == VERSION2_HELLO:
            names.append("client_hello")
        elif kind == words.ALERT:
            names.append("alert" if len(payload) == 2 else "encrypted_alert")
        elif kind == words.APPLICATION_DATA:
            names.append("application_data")
        elif kind == words.HANDSHAKE and protected:
            names.append("encrypted_handshake")
        elif kind == words.HANDSHAKE:
            handshake += payload
            protected = _take_messages(handshake, names)
    if handshake and not protected:
        names.append(words.HANDSHAKE_NAMES.get(handshake[0], "unknown"))
    return tuple(names[:MAX_NAMES])


def _take_messages(handshake: bytearray, names: list[str]) -> bool:
    """Name the whole messages and take them off; True where they turn out encrypted."""
    while len(handshake) >= 4:
        name = words.HANDSHAKE_NAMES.get(handshake[0])
        if name is None:  # a blob that begins behind the change of cipher
            names.append("encrypted_handshake")
            return True
        size = int.from_bytes(handshake[1:4])
        if len(handshake) < 4 + size:
            return False
        names.append(name)
        del handshake[: 4 + size]
    return False

"""TLS-DSK in SIP ([MS-SIPAE]): which TLS messages a header's gssapi-data carries."""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
from collections.abc import Iterator

from dissect.errors import ProtocolError
from dissect.protocols.header_sections import Field

_CARRIERS = frozenset(
    (b"authorization", b"proxy-authorization", b"www-authenticate", b"proxy-authenticate")
)
_GSSAPI_DATA = re.compile(rb'gssapi-data\s*=\s*"?([^",\s]*)', re.IGNORECASE)


class TlsDskError(ProtocolError):
    """A gssapi-data that is no base64 or no TLS; the text never holds the data."""


def tls_dsk_blobs(fields: list[Field]) -> tuple[bytes, ...]:
    """What the gssapi-data of TLS-DSK header fields hold, in wire order.

    Raises TlsDskError when one is no base64.
    """
    blobs: list[bytes] = []
    for name, value in fields:
        if value[:7].lower() != b"tls-dsk" or name.lower() not in _CARRIERS:
            continue
        match = _GSSAPI_DATA.search(value)
        if match is None or not match[1]:
            continue
        try:
            blobs.append(base64.b64decode(match[1], validate=True))
        except (binascii.Error, ValueError) as error:
            raise TlsDskError("sip.tls_dsk", "gssapi-data is not base64") from error
    return tuple(blobs)


def logged_blobs(fields: list[Field]) -> Iterator[tuple[bytes, bool]]:
    """What the gssapi-data of TLS-DSK header fields hold, and whether its end is missing.

    Logs cut their lines; of a blob without its closing quote the whole bytes are given. What
    is no base64 gives nothing.
    """
    for name, value in fields:
        if value[:7].lower() != b"tls-dsk" or name.lower() not in _CARRIERS:
            continue
        match = _GSSAPI_DATA.search(value)
        if match is None:
            continue
        cut = match.end() == len(value)
        text = match[1][: len(match[1]) // 4 * 4] if cut else match[1]
        with contextlib.suppress(binascii.Error, ValueError):
            blob = base64.b64decode(text, validate=True)
            if blob:
                yield blob, cut


def tls_dsk_names(fields: list[Field]) -> tuple[str, ...]:
    """The TLS messages in the gssapi-data of TLS-DSK header fields, in wire order.

    Raises TlsDskError when there is one that can't be read.
    """
    names: list[str] = []
    for blob in tls_dsk_blobs(fields):
        from dissect.protocols.tls.dsk import handshake_names

        try:
            found = handshake_names(blob)
        except ProtocolError as error:
            raise TlsDskError("sip.tls_dsk", f"gssapi-data is no TLS: {error}") from error
        if not found:
            raise TlsDskError("sip.tls_dsk", "gssapi-data is no TLS")
        names += found
    return tuple(names)

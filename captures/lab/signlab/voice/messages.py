"""SIP messages as programs print them in their logs, and the secrets in them."""

from __future__ import annotations

import re

from ..sip import SipMessage, auth_parameters, take
from ..truth import Truth

SDP_KEY = re.compile(rb"^a=crypto:\d+ \S+ inline:([^|\s]+)", re.M)


def parse_message(text: bytes) -> SipMessage:
    """One whole message. Raises ValueError when it is none."""
    buffer = bytearray(text)
    message = take(buffer)
    if message is None:
        raise ValueError(f"not a whole SIP message: {text[:60]!r}")
    return message


def note_secrets(truth: Truth, message: SipMessage) -> None:
    """The digest responses (RFC 7616) and the media keys (RFC 4568) of a message."""
    for name in ("Authorization", "Proxy-Authorization"):
        for value in message.all(name):
            truth.secret("sip_response", auth_parameters(value)[1].get("response", ""))
    for key in SDP_KEY.findall(message.body):
        truth.secret("srtp_key", key.decode())

"""The phone's question for the time (SNTP, RFC 4330); unanswered, its clock stays wrong."""

from __future__ import annotations

import contextlib
import socket
import struct
import time

PORT = 123
EPOCH = 2_208_988_800  # seconds from 1900 to 1970
CLIENT = 3 << 3 | 3  # version 3, mode client
TRIES, PATIENCE = 2, 0.8


def ask_the_time(server: str) -> bool:
    """Ask `server`; whether it answered. The question tells what the phone takes the time for."""
    address = (socket.gethostbyname(server), PORT)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE)
        for _ in range(TRIES):
            now = time.time() + EPOCH
            stamp = struct.pack("!II", int(now), int(now % 1 * 2**32))
            with contextlib.suppress(TimeoutError):
                sock.sendto(bytes([CLIENT]) + bytes(39) + stamp, address)
                sock.recvfrom(512)
                return True
    return False

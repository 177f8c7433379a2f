"""Files in: packets of pcap and pcapng captures as plain tuples, and key logs."""

from __future__ import annotations

from dissect.capture.file import CaptureFile, open_capture
from dissect.capture.linktypes import link_name
from dissect.capture.tally import Packet, SecretsText, read_key_log

__all__ = ["CaptureFile", "Packet", "SecretsText", "link_name", "open_capture", "read_key_log"]

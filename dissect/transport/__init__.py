"""Packets to streams: headers by offset, IP fragments, TCP and UDP."""

from __future__ import annotations

from dissect.transport.assembler import Assembler

__all__ = ["Assembler"]

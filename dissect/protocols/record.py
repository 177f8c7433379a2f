"""All that dissect has to know of a protocol, in one record.

Who adds a protocol on TCP or UDP writes a parser and this record of it; its table, the names of
its keys in JSON, CSV and the documents, and its comparison with tshark follow from that.
"""

from __future__ import annotations

from dataclasses import dataclass

from dissect.protocols.base import StreamReader


@dataclass(frozen=True, slots=True)
class Column:
    """A key of a table's rows: `about` is what it holds, in words for the documents.

    `wireshark` names the field of Wireshark's that holds the same, where there is one."""

    name: str
    about: str
    wireshark: str = ""


@dataclass(frozen=True, slots=True)
class Protocol:
    """A protocol that a plugin adds. Its messages are `model.PluginMessage`s of `reader.name`.

    `about` says in one line what its table holds. `columns` are the facts of its messages, in the
    order of a row; `shows` are those of them that a terminal has room for (all, if none is named).
    `wireshark` is the display filter of the frames in which its messages end: with it, `crosscheck`
    holds each column that names a field of Wireshark's against what tshark reads there.
    """

    reader: StreamReader
    about: str
    columns: tuple[Column, ...]
    shows: tuple[str, ...] = ()
    wireshark: str = ""

    @property
    def name(self) -> str:
        return self.reader.name

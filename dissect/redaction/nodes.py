"""The elements of an HTML page, as libxml2 repairs it, in a tree of our own.

No entities, no DTD, no network, no huge trees. Linear in the page's size: libxml2's own tree is
not, in the attributes of a tag and in depth.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

DEPTH = 256  # elements in one another; a page is read as far as the first that is deeper
ATTRIBUTES = 200  # read of one tag
TOO_DEEP = f"a page of more than {DEPTH} elements in one another is read up to there"
TOO_MANY = f"a tag of a page has more than {ATTRIBUTES} attributes: the others are not read"
PIECE = 16 << 10  # characters that the parser is given at once


class _TooDeep(Exception):
    """Deeper than any page is: libxml2 takes a step for each open element at an end tag."""


@dataclass(slots=True, eq=False)
class Node:
    """An element of a page: names in lower case, and what is in it, in order."""

    tag: str
    attributes: Mapping[str, str]
    parts: list[Node | str] = field(default_factory=list)
    lacks: str = ""  # of a whole page: what of it was not read, and why

    def get(self, name: str) -> str | None:
        return self.attributes.get(name)

    def walk(self) -> Iterator[Node | str]:
        """Itself and all that is in it, in document order."""
        waiting: list[Node | str] = [self]
        while waiting:
            item = waiting.pop()
            yield item
            if isinstance(item, Node):
                waiting += reversed(item.parts)

    def iter(self, *tags: str) -> Iterator[Node]:
        """The elements of these names; all, if none is given."""
        for item in self.walk():
            if isinstance(item, Node) and (not tags or item.tag in tags):
                yield item

    def texts(self) -> Iterator[str]:
        return (item for item in self.walk() if isinstance(item, str))


class _Builder:
    """Makes nodes of what libxml2 reads, scripts and styles without their text.

    Its own tree takes the square of a tag's attributes (9 s for 40,000 of them).
    """

    def __init__(self) -> None:
        self.root = Node("", {})
        self._open = [self.root]

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if len(self._open) > DEPTH:
            self.root.lacks = TOO_DEEP
            raise _TooDeep
        if len(attributes) > ATTRIBUTES:
            self.root.lacks = TOO_MANY
        node = Node(tag, dict(islice(attributes.items(), ATTRIBUTES)))
        self._open[-1].parts.append(node)
        self._open.append(node)

    def end(self, tag: str) -> None:
        if len(self._open) > 1:
            self._open.pop()

    def data(self, text: str) -> None:
        if self._open[-1].tag not in ("script", "style"):
            self._open[-1].parts.append(text)

    def close(self) -> None:
        """Told at the end of the page."""


def page(html: str) -> Node:
    """A page as libxml2 repairs it: as far as it goes, if it is cut or deeper than `DEPTH`."""
    from lxml import etree

    builder = _Builder()
    target: Any = builder  # lxml-stubs know `etree.TreeBuilder` only
    # As bytes: an encoding declaration inside a str is refused by lxml.
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, huge_tree=False, target=target)
    try:
        for at in range(0, len(html), PIECE):  # after an error libxml2 reads its piece to the end
            parser.feed(html[at : at + PIECE].encode("utf-8", "replace"))
        parser.close()
    except _TooDeep:
        pass  # what was read until then counts
    except (etree.LxmlError, ValueError):
        builder.root.lacks = "a page is read up to where libxml2 gives up"
    return builder.root

"""The heads of a chart's lanes: a box for each actor, with its title written upwards where lanes
are narrow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dissect.model import Actor
from dissect.render.canvas import Canvas
from dissect.render.primitives import ASCENT, LINE_SPACING, Block, Box, Item, Text

HEAD, SMALL = 7.5, 7.0
ROTATED_HEIGHT = 92.0


def upright_heads(
    canvas: Canvas,
    actors: Sequence[Actor],
    position: Mapping[str, float],
    pitch: float,
    compact: bool,
) -> Block:
    """Title, host and addresses of each actor, `compact` the title alone; `position` is the middle
    of its lane, `pitch` the width of one."""
    room = min(pitch - 3, 130.0)
    columns: list[list[tuple[str, float, bool, str]]] = []
    # Smaller where that saves a word from being broken.
    spoken = [word for actor in actors for word in actor.title.split()]
    fits = all(canvas.width(word, HEAD, True) <= room - 4 for word in spoken)
    head = HEAD if fits else SMALL
    for actor in actors:
        title = canvas.wrap(actor.title, room - 4, head, True, 3)
        column = [(line, head, True, "ink") for line in title]
        if not compact:
            details = [(actor.host, 6)] if actor.host else []
            own = actor.addresses_of(actor.host)[:2]
            details += [(address, 2) for address in own]
            if len(actor.addresses) > len(own):
                details.append((f"+{len(actor.addresses) - len(own)} more", 1))
            for text, most in details:
                lines = canvas.wrap(text, room - 4, SMALL, lines=most)
                column += [(line, SMALL, False, "soft") for line in lines]
        columns.append(column)
    height = max(sum(size for _, size, _, _ in c) for c in columns) * LINE_SPACING + 5
    items: list[Item] = []
    for actor, column in zip(actors, columns, strict=True):
        x, y = position[actor.ident], 2.5
        items.append(Box(x - room / 2, 0, room, height, "head", 2))
        for line, size, bold, role in column:
            items.append(Text(x, y + size * ASCENT, line, role, size, bold, "center"))
            y += size * LINE_SPACING
    return Block(height + 3, tuple(items))


def rotated_heads(
    canvas: Canvas, actors: Sequence[Actor], position: Mapping[str, float], pitch: float
) -> Block:
    """The titles alone, written upwards."""
    room = pitch - 3
    items: list[Item] = []
    size = min(HEAD, max(SMALL, room - 3))
    for actor in actors:
        x = position[actor.ident]
        if room > size:
            items.append(Box(x - room / 2, 0, room, ROTATED_HEIGHT, "head", 2))
        name = canvas.shorten(actor.title, ROTATED_HEIGHT - 6, size, True)
        baseline = x + size * 0.36
        items.append(Text(baseline, ROTATED_HEIGHT / 2, name, "ink", size, True, "center", True))
    return Block(ROTATED_HEIGHT + 3, tuple(items))

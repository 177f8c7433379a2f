"""Which facts each event may have, and what they mean: `facts.toml`, read when asked for."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from dissect.signin.catalogue import EVENTS


@lru_cache(maxsize=1)
def _tables() -> dict[str, Any]:
    return tomllib.loads((files("dissect.signin") / "facts.toml").read_text("utf-8"))


@lru_cache(maxsize=1)
def event_facts() -> Mapping[str, Mapping[str, str]]:
    """For each event of the catalogue its possible facts by name, each with its meaning.

    A name that ends in `*` stands for all that begin so. What every event may have besides
    is in `always`.
    """
    raw = _tables()
    meanings, groups = raw["facts"], raw["groups"]

    def each(names: Iterable[str]) -> Iterable[str]:
        for name in names:
            yield from groups[name[1:]] if name.startswith("@") else (name,)

    return {
        event: {name: meanings[name] for name in sorted(set(each(raw["events"][event])))}
        for event in EVENTS
    }


@lru_cache(maxsize=1)
def always() -> Mapping[str, str]:
    """Facts that any event may have: what a log or a load balancer adds."""
    raw = _tables()
    return {name: raw["facts"][name] for name in raw["always"]}


@lru_cache(maxsize=1)
def flow_facts() -> Mapping[str, frozenset[str]]:
    """The names that a flow may use of each event."""
    more = frozenset(always())
    return {event: more.union(facts) for event, facts in event_facts().items()}

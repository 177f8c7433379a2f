"""Every event that a test of the rules makes has only facts that are declared for it."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import pytest

from dissect.model import Event
from dissect.signin.catalogue import EVENTS
from dissect.signin.fact_catalogue import flow_facts
from dissect.signin.recogniser import Recogniser


@pytest.fixture(autouse=True)
def declared_facts_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """`Recogniser.finish` fails for a fact that `facts.toml` does not have for its event."""
    plain, known = Recogniser.finish, flow_facts()

    def finish(self: Recogniser, *given: Any, **named: Any) -> list[Event]:
        events = plain(self, *given, **named)
        for event in events:
            for fact in event.facts if event.name in EVENTS else ():
                fits = any(fnmatchcase(fact, entry) for entry in known[event.name])
                assert fits, f"{event.name} has {fact}, which facts.toml does not say"
        return events

    monkeypatch.setattr(Recogniser, "finish", finish)

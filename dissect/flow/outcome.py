"""What became of a sign-in, in a sentence; and where too little could be seen, what would help."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dissect.flow.definition import Definition
from dissect.flow.states import Show
from dissect.flow.verdict import Verdict
from dissect.model import Step

NO_KEY = "no_secret_for_random"


def conclusion(
    definition: Definition, verdict: Verdict, steps: Sequence[Step], show: Show
) -> tuple[str, str]:
    """Headline and advice, either "" where the cause, or a step, says all there is to say."""
    if verdict.status == "complete":
        return "", ""
    unseen = _unseen(definition, verdict, show)
    stopped = next((s for s in verdict.states if s.step.number == verdict.stopped_at), None)
    if unseen and stopped is not None and stopped.status == "hidden" and verdict.cause is None:
        return unseen
    advice = unseen[1] if unseen else ""
    if verdict.cause is not None:
        return verdict.cause.headline, advice if verdict.status == "incomplete" else ""
    return _nothing_more(verdict, steps), advice


def _unseen(definition: Definition, verdict: Verdict, show: Show) -> tuple[str, str] | None:
    """Which steps could not be read, whose connections hide them, and what opens the next ones."""
    hidden = [state for state in verdict.states if state.status == "hidden"]
    undecrypted = [item for state in hidden for item in state.hidden_by]
    if not undecrypted:
        return None
    clients = [
        definition.actor_def(i) for i in dict.fromkeys(item.arrow.from_ for item in undecrypted)
    ]
    numbers = _listed([str(state.step.number) for state in hidden])
    which = f"step {numbers}" if len(hidden) == 1 else f"steps {numbers}"
    reported = list(dict.fromkeys(show(item.event.facts.get("sentence")) for item in undecrypted))
    if any(item.event.facts.get("reason") == NO_KEY for item in undecrypted):
        hints = [f"{actor.title}: {actor.hint}" for actor in clients if actor.hint]
        if hints:  # they say how, so the connection's own sentence need not
            reported = [_without(sentence, "SSLKEYLOGFILE") for sentence in reported]
        reported += hints
    whose = _listed(actor.title for actor in clients)
    headline = f"{which} could not be seen: the connections of {whose} are not decrypted"
    return headline, _sentences(dict.fromkeys(filter(None, reported)))


def _sentences(texts: Iterable[str]) -> str:
    return " ".join(
        f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('?', '.')) else '.'}" for text in texts
    )


def _without(sentence: str, word: str) -> str:
    return "; ".join(clause for clause in sentence.split("; ") if word not in clause)


def _nothing_more(verdict: Verdict, steps: Sequence[Step]) -> str:
    """Of a sign-in that nothing ended: why the step it waits for is not there."""
    step = next((step for step in steps if step.number == verdict.stopped_at), None)
    return step.explanation or "" if step else ""


def _listed(words: Iterable[str]) -> str:
    *first, last = list(words)
    return f"{', '.join(first)} and {last}" if first else last

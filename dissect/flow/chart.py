"""From a verdict to the chart: arrows with labels and evidence, repeats folded, lanes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import msgspec

from dissect.flow.candidates import Candidate
from dissect.flow.definition import HIDDEN, TROUBLE, Definition, StepDef
from dissect.flow.key_arrows import key_arrows
from dissect.flow.outcome import conclusion
from dissect.flow.schema import GESTURE
from dissect.flow.states import Show, StepState, words
from dissect.flow.texts import fill, names
from dissect.flow.verdict import Verdict
from dissect.model import Actor, Arrow, ArrowStatus, Event, SequenceChart, Source, Step

CORRECTED = "order corrected by ack"
NOBODY = ("0.0.0.0", "255.255.255.255", "::")  # before a lease, and to all
SOURCES_KEPT = 200  # of a folded arrow; its count is exact, its list of frames is bounded


@dataclass(slots=True)
class _Drawn:
    key: str
    arrow: Arrow
    fold_key: str | None
    sources: list[Source] = field(default_factory=list)


def draw(
    definition: Definition,
    verdict: Verdict,
    members: Sequence[Candidate],
    show: Show,
    notes: Sequence[str],
) -> SequenceChart:
    """The chart of one sign-in; no string in it holds a secret's value."""
    actors = _actors(definition, members, show)
    placed = [_turned(item, actors) for item in _led(members)]
    steps = tuple(_step(definition, state, placed, show) for state in verdict.states)
    diagnostics = [
        f"step {step.number} is {step.status}: {step.explanation}"
        for step in steps
        if step.explanation and step.status not in ("done", "failed")
    ]
    diagnostics += [
        f"step {state.step.number} had failed before a later attempt went on: {cause.text} "
        f"[{cause.code}, {words(cause.evidence[0])}]"
        for state in verdict.states
        if state.status != "failed"  # then each attempt stands in the chart, and none went on
        for cause in reversed({item.code: item for item in reversed(state.overcome)}.values())
    ]
    diagnostics += dict.fromkeys(notes)
    headline, advice = conclusion(definition, verdict, steps, show)
    return SequenceChart(
        flow=definition.name,
        title=definition.title,
        status=verdict.status,
        stopped_at=verdict.stopped_at,
        cause=verdict.cause,
        actors=actors,
        steps=steps,
        diagnostics=tuple(diagnostics),
        captures=tuple(dict.fromkeys(item.event.source.capture for item in members)),
        subject=_filled_text(definition.subject, members, show),
        headline=headline,
        advice=advice,
        device=_device(definition, members, show),
        kind=definition.kind,
    )


def _led(members: Sequence[Candidate]) -> list[Candidate]:
    """Members with each leading arrow in the step that it led to."""
    placed: list[Candidate] = []
    next_step: dict[str, StepDef] = {}
    for item in reversed(members):
        client = item.event.client.address if item.event.client else item.event.source.capture
        if item.arrow.leads:
            item = replace(item, step=next_step.get(client, item.step))
        else:
            next_step[client] = item.step
        placed.append(item)
    placed.reverse()
    return placed


def _turned(item: Candidate, actors: Sequence[Actor]) -> Candidate:
    """An arrow that either side may send, drawn from the side that did."""
    arrow = item.arrow
    if not arrow.either:
        return item
    addresses = {actor.ident: actor.addresses for actor in actors}
    if item.event.sender in addresses[arrow.to] and item.event.sender not in addresses[arrow.from_]:
        turned = msgspec.structs.replace(arrow, from_=arrow.to, to=arrow.from_)
        return replace(item, arrow=turned)
    return item


def _step(
    definition: Definition, state: StepState, members: Sequence[Candidate], show: Show
) -> Step:
    drawn: list[_Drawn] = []
    for item in members:
        if item.step.number != state.step.number:
            continue
        if item.arrow.key.startswith(TROUBLE):
            continue  # drawn below, in the step that it fails
        if item.arrow.key.startswith(HIDDEN):
            if state.status != "hidden":
                continue  # the step is known from elsewhere: undecrypted connections add nothing
            _add(drawn, item.arrow.key, _undecrypted(item, show), "shut " + str(item.event.host))
        else:
            _add(drawn, item.arrow.key, _arrow(item, show), _fold_key(item, show))
    for trouble, item in state.trouble:
        label = fill(trouble.label, item.event, show)
        arrow = _base(item.event, item.arrow.from_, item.arrow.to, label, "failed")
        _add(drawn, item.arrow.key, arrow, f"trouble {trouble.code}")
    keyed = [(item.key, _closed(item)) for item in drawn]
    gesture = state.step.gesture
    if gesture is not None and state.status in ("done", "inferred", "failed") and members:
        first = min((item.event for item in members), key=lambda event: event.time_ns)
        own = keyed[0][1] if keyed else None
        source = own.source if own else first.source
        time_ns = own.time_ns if own else first.time_ns
        made = Arrow(
            time_ns, gesture.from_, gesture.to, gesture.label, "inferred", source, event=GESTURE
        )
        keyed.insert(0, (GESTURE, made))
    explanation = state.explanation
    if state.status == "hidden" and not drawn and state.hidden_by:
        frames = ", ".join(_connection(item.event) for item in state.hidden_by[:3])
        explanation = f"{explanation} ({frames})"
    seen = {item.arrow.key for item in members}
    title = next((t for key, t in state.step.titles.items() if key in seen), state.step.title)
    proof = state.cause.evidence if state.cause else ()
    summary = key_arrows(state.step, title, state.status, keyed, proof)
    arrows = tuple(arrow for _, arrow in keyed)
    return Step(state.step.number, title, state.status, arrows, explanation, summary)


def _fold_key(item: Candidate, show: Show) -> str | None:
    """What equal arrows share that are drawn as one; of failures their code, too."""
    arrow = item.arrow
    if not arrow.fold:
        return None
    return f"{arrow.key} {fill(arrow.fails.code, item.event, show)}" if arrow.fails else arrow.key


def _connection(event: Event) -> str:
    return f"{event.source.capture} {event.source.transport}.stream {event.source.stream}"


def _add(drawn: list[_Drawn], key: str, arrow: Arrow, fold_key: str | None) -> None:
    """Append an arrow, or count it to the latest of its kind if only folded ones lie between."""
    if fold_key is not None:
        for item in reversed(drawn):
            if item.fold_key is None:
                break
            if item.fold_key == fold_key and item.arrow.label == arrow.label:
                item.arrow = replace(item.arrow, count=item.arrow.count + 1, end_ns=arrow.time_ns)
                if len(item.sources) < SOURCES_KEPT:
                    item.sources.append(arrow.source)
                return
    drawn.append(_Drawn(key, arrow, fold_key, [arrow.source]))


def _closed(item: _Drawn) -> Arrow:
    return replace(item.arrow, sources=tuple(item.sources)) if item.arrow.count > 1 else item.arrow


def _arrow(item: Candidate, show: Show) -> Arrow:
    definition = item.arrow
    status: ArrowStatus = "ok"
    if definition.fails is not None:
        status = "failed"
    elif definition.pending:
        status = "pending"
    elif definition.inferred:
        status = "inferred"
    arrow = _base(
        item.event,
        definition.from_,
        definition.to,
        fill(definition.label, item.event, show),
        status,
    )
    note = fill(definition.note, item.event, show)
    if note and arrow.label.endswith(note):
        note = ""  # reported once is enough
    if item.event.after_ns >= item.event.time_ns:
        note = f"{note}; {CORRECTED}" if note else CORRECTED
    return replace(arrow, note=note or None)


def _undecrypted(item: Candidate, show: Show) -> Arrow:
    event = item.event
    up, down = (show(event.facts.get(name)) for name in ("records_up", "records_down"))
    label = f"TLS to {show(event.host) or show(event.facts.get('server'))}, not decrypted"
    arrow = _base(event, item.arrow.from_, item.arrow.to, label, "hidden")
    return replace(arrow, note=f"{up} records up, {down} down; {show(event.facts.get('reason'))}")


def _base(event: Event, sender: str, receiver: str, label: str, status: ArrowStatus) -> Arrow:
    return Arrow(
        time_ns=event.time_ns,
        sender=sender,
        receiver=receiver,
        label=label,
        status=status,
        source=event.source,
        event=event.name,
    )


def _actors(definition: Definition, members: Sequence[Candidate], show: Show) -> tuple[Actor, ...]:
    hosts: dict[str, tuple[int, str]] = {}
    addresses: dict[str, dict[str, None]] = {actor.id: {} for actor in definition.actor}
    names: dict[str, dict[str, str]] = {actor.id: {} for actor in definition.actor}
    kinds = {actor.id: actor.kind for actor in definition.actor}
    for item in members:
        event = item.event
        if (event.source.line is not None and event.client is None) or item.arrow.either:
            continue  # a phone's log names no address; either side proves nothing
        if item.arrow.key.startswith(TROUBLE) and event.host is None:
            continue  # a name that could not be resolved has no address
        for ident, address in ((item.arrow.from_, event.sender), (item.arrow.to, event.receiver)):
            if item.arrow.key.startswith((HIDDEN, TROUBLE)):
                # An undecrypted connection is one row: its sender is the client, whoever sent
                # first.
                end = event.client if kinds[ident] == "client" else event.server
                address = end.address if end else address
            if address not in NOBODY:
                addresses[ident][address] = None
                if kinds[ident] == "server" and event.host:
                    names[ident].setdefault(address, show(event.host))
            if kinds[ident] == "server" and event.host:
                # The host of the flow's earliest step: what later steps add are its helpers.
                known = hosts.setdefault(ident, (item.step.number, event.host))
                hosts[ident] = min(known, (item.step.number, event.host), key=lambda pair: pair[0])
    return tuple(
        Actor(
            actor.id,
            actor.title,
            show(hosts[actor.id][1]) if actor.id in hosts else None,
            tuple(addresses[actor.id]),
            tuple(names[actor.id].get(each, "") for each in addresses[actor.id]),
        )
        for actor in definition.actor
    )


def _filled_text(texts: Sequence[str], members: Sequence[Candidate], show: Show) -> str | None:
    """The first of `texts` (facts, or texts with facts) that an event fills."""
    for text in texts:
        for item in members:
            facts = names(text) or [text]
            if all(item.event.facts.get(name) for name in facts):
                return fill(text if "{" in text else f"{{{text}}}", item.event, show)
    return None


def _device(definition: Definition, members: Sequence[Candidate], show: Show) -> str | None:
    """What the flow's first client is, by its own word."""
    client = next((actor.id for actor in definition.actor if actor.kind == "client"), None)
    own = [item for item in members if item.arrow.from_ == client]
    return _filled_text(definition.device, own, show)

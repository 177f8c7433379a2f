"""Groups that nothing ties to a sign-in: which one they belong to, the surest first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from dissect.flow.candidates import LEADS_NS, CandidateGroup, Claim, differ, has, near, who
from dissect.flow.definition import HIDDEN, TROUBLE, Instance


def assign(
    loose: list[CandidateGroup], found: list[CandidateGroup], rules: Instance
) -> list[CandidateGroup]:
    """Give each loose group to the instance it belongs to, the surest first; returns the rest."""
    waiting = loose
    while waiting:
        # What joins by address or clue brings clues for the next; only when these are at
        # an end may time decide, for one group, and then they get their turn again.
        left = [
            g for g in waiting if not (_join(g, found, by_address) or _join(g, found, _by_clue))
        ]
        if len(left) == len(waiting):
            if not any(_by_time(g, instance) for g in left for instance in found):
                break
            likely = _unrivalled(left, rules.fallback) if rules.time_ties else iter(())
            guessed = next((g for g in likely if _join(g, found, _by_time)), None)
            if guessed is None:
                break
            left.remove(guessed)
        waiting = left
    return waiting


def _unrivalled(
    loose: Sequence[CandidateGroup], begin: tuple[str, ...]
) -> Iterator[CandidateGroup]:
    """Of several addresses that may be one actor at the same time, time alone may choose only
    the one that has a sign-in's beginning, or, failing that, one that can be read."""
    claims: dict[str, dict[str, Claim]] = defaultdict(dict)
    weights = []
    for group in loose:
        undecrypted = all(item.arrow.key.startswith((HIDDEN, TROUBLE)) for item in group.members)
        own = Claim((has(group, begin), not undecrypted), group.start, group.end)
        weights.append(own)
        for actor, address in group.clients:
            claims[actor][address] = own.joined(claims[actor].get(address, own))
    for group, own in zip(loose, weights, strict=True):
        addresses = {address for _, address in group.clients}
        if not any(
            claim.weight >= own.weight and near(group, claim)
            for actor, _ in group.clients
            for address, claim in claims[actor].items()
            if address not in addresses
        ):
            yield group


def _join(
    group: CandidateGroup,
    found: list[CandidateGroup],
    test: Callable[[CandidateGroup, CandidateGroup], bool],
) -> bool:
    """Let the only instance that passes the test absorb the group."""
    options = _nearest(group, [instance for instance in found if test(group, instance)])
    if len(options) != 1:
        return False
    if test is _by_time:
        options[0].notes.append(
            f"{who(group)} is tied to this sign-in by time alone: "
            "no shared code, user or address was seen"
        )
    options[0].absorb(group)
    return True


def by_address(group: CandidateGroup, instance: CandidateGroup) -> bool:
    return bool(group.clients & instance.clients) and near(group, instance)


def _by_clue(group: CandidateGroup, instance: CandidateGroup) -> bool:
    """The same user, say, and nobody else in the same part: one user may have two phones."""
    shared = bool(group.clues & instance.clues)
    return shared and not _rival(group, instance) and near(group, instance)


def _by_time(group: CandidateGroup, instance: CandidateGroup) -> bool:
    """Nothing speaks against it: no other user, no other address for the same actor."""
    # The cheapest first: at a firewall there are thousands of clients.
    if _rival(group, instance) or differ(group, instance):
        return False
    return near(group, instance)


def could_join(group: CandidateGroup, instance: CandidateGroup) -> bool:
    """Whether a group that was left out may be part of a sign-in: nothing speaks against it."""
    return any(test(group, instance) for test in (by_address, _by_clue, _by_time))


def _rival(group: CandidateGroup, instance: CandidateGroup) -> bool:
    """Both have a client that plays the same actor, at different addresses."""
    actors = {actor for actor, _ in instance.clients}
    return (
        any(actor in actors for actor, _ in group.clients) and not group.clients & instance.clients
    )


def _nearest(group: CandidateGroup, options: list[CandidateGroup]) -> list[CandidateGroup]:
    """Of several that fit: those that share a clue, then the one that it led to, then
    those whose time spans the group's start, then the last that had begun."""
    if len(options) < 2:
        return options
    options = [option for option in options if group.clues & option.clues] or options
    led = [option for option in options if 0 <= option.start - group.end <= LEADS_NS]
    if led:
        return [min(led, key=lambda option: option.start)]
    if any(differ(group, option) for option in options):
        options = [option for option in options if not differ(group, option)]
    spanning = [o for o in options if o.start <= group.start <= o.end]
    if spanning:
        return spanning
    # Of sign-ins one after the other, what comes between belongs to the one that had begun.
    ordered = sorted(options, key=lambda option: option.start)
    begun = [option for option in ordered if option.start <= group.start]
    if begun and all(one.end <= two.start for one, two in pairwise(ordered)):
        return [begun[-1]]
    return options

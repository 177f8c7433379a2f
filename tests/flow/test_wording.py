"""What a verdict says of whom and what: no blame, no name and no id that the packets don't bear
out. Frames and addresses are the truth files', or tshark's."""

from __future__ import annotations

import pytest

from dissect.errors import DefinitionError
from dissect.flow.definition import parse
from dissect.model import Actor, SequenceChart
from dissect.pipeline import RunOptions, Session
from tests.flow.test_shared_values import FLOW
from tests.lab import scenario


def chart(name: str) -> SequenceChart:
    return Session(RunOptions(tuple(scenario(name).captures))).charts[0]


def test_an_id_of_another_servers_message_is_left_out() -> None:
    """The firewall's reset has no correlation id; Azure AD's tokens' answer before it has, which
    is in no log of the server that the phone could not reach."""
    cause = chart("tcp-reset").cause
    assert cause is not None
    assert not cause.identifiers
    assert cause.identified_by is None
    own = chart("wrong-password-managed").cause
    assert own is not None
    assert own.identifiers
    assert own.identified_by is None


def test_a_reset_is_of_a_side_and_not_of_a_machine() -> None:
    """The lab's firewall sent it with the server's address."""
    cause = chart("tcp-reset").cause
    assert cause is not None
    assert "from the server's side" in cause.text


def test_an_untrusted_issuer_is_named() -> None:
    """tshark: x509sat of the certificate's issuer in frame 30 is the lab's inspection CA."""
    cause = chart("unknown-ca").cause
    assert cause is not None
    assert "issued by CN=Inspection CA" in cause.text


def test_every_address_stands_beside_the_name_it_was_asked_by() -> None:
    found = chart("web-signin")
    truth = scenario("web-signin").truth["names"]
    named = {entry["address"]: entry["host"] for entry in truth.values() if entry["host"]}
    reported = {
        address: name
        for actor in found.actors
        for address, name in zip(actor.addresses, actor.names, strict=True)
        if name
    }
    assert len(reported) > 5
    assert reported.items() <= named.items()


def test_where_an_actor_is() -> None:
    actor = Actor("sfb", "Servers", "a.test", ("192.0.2.1", "192.0.2.2", "192.0.2.3"),
                  ("b.test", "a.test", "a.test"))  # fmt: skip
    assert actor.where == "a.test 192.0.2.2, 192.0.2.3, b.test 192.0.2.1"
    assert Actor("pc", "Computer", None, ("192.0.2.9",), ("",)).where == "192.0.2.9"


def test_failures_with_different_codes_are_not_drawn_as_one() -> None:
    """The second phone's password is refused until the account is locked: five 400s by the truth
    file, of which `tshark -Y 'http.response.code == 400' -V` shows 50126 in three, then 50053."""
    charts = Session(RunOptions(tuple(scenario("account-locked").captures))).charts
    (active,) = [found for found in charts if found.flow == "adfs-active"]
    failed = [arrow for arrow in active.steps[0].arrows if arrow.status == "failed"]
    reported = [(arrow.count, (arrow.note or "").partition(":")[0]) for arrow in failed]
    assert reported == [(3, "AADSTS50126"), (2, "AADSTS50053")]


def test_a_step_is_called_by_what_was_seen_in_it() -> None:
    """A managed domain has no ADFS; the federated one keeps the reference's words."""
    assert chart("wrong-password-managed").steps[3].title == "Azure AD itself asks for credentials"
    assert chart("wrong-password").steps[3].title.startswith("Azure AD redirects to ADFS")


def test_titles_name_arrows_that_there_are() -> None:
    wrong = FLOW.replace("number = 1\n", 'number = 1\ntitles = { "askd" = "Nobody" }\n')
    with pytest.raises(DefinitionError, match=r'x\.toml:\d+: step 1: no arrow is called "askd"'):
        parse(wrong, "x.toml")

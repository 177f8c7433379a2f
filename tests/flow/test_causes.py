"""Cause codes: declared once, referred to by definitions and documents, unknown ones refused."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

from dissect.errors import DefinitionError
from dissect.flow.causes import Causes, alternatives, registry
from dissect.flow.definition import built_in, parse
from dissect.flow.definition_lint import lint
from dissect.flow.texts import unbalanced
from dissect.signin.catalogue import EVENTS

DOCS = Path(__file__).resolve().parents[2] / "docs"
FLOW = """
schema = 1
name = "mine"
title = "Mine"

[instance]
keys = []
anchors = ["oauth.token.requested"]

[[actor]]
id = "device"
title = "Device"
kind = "client"

[[actor]]
id = "server"
title = "Server"
hosts = ["*"]

[[step]]
number = 1
title = "the token"
between = ["device", "server"]
done_when = [["oauth.token.issued"]]

[[step.arrow]]
event = "oauth.token.requested"
from = "device"
to = "server"
label = "token?"

[[step.arrow]]
event = "oauth.token.issued"
from = "server"
to = "device"
label = "tokens"

[[step.arrow]]
event = "oauth.token.refused"
from = "server"
to = "device"
label = "refused"
"""


def failing(table: str, more: str = "") -> str:
    return f"{FLOW}\n[step.arrow.fails]\n{table}\n{more}"


@pytest.mark.parametrize(
    ("template", "codes"),
    [
        ("tcp.refused", ["tcp.refused"]),
        ("a.[{b}|c]", ["a.{b}", "a.c"]),
        ("[{x}|a.{b}]", ["{x}", "a.{b}"]),
        ("a[.{b}]", ["a.{b}", "a"]),
        ("a.[{b}|c].[d|e]", ["a.{b}.d", "a.{b}.e", "a.c.d", "a.c.e"]),
    ],
)
def test_a_template_becomes_each_of_its_alternatives(template: str, codes: list[str]) -> None:
    assert alternatives(template) == codes


def test_of_several_declared_codes_the_longest_is_meant() -> None:
    known = Causes()
    for code, declared in (
        ("sip.487", "sip.487"),
        ("sip.{status}", "sip.*"),
        ("azuread.http_{status}", "azuread.http_*"),
        ("azuread.{code}", "azuread.*"),
        ("{clock_code}", "clock.skew"),
    ):
        found = known.declared(code)
        assert found is not None
        assert found.code == declared
    assert known.declared("nothing.such") is None
    assert known.declared("{other}") is None


def test_each_shipped_cause_is_whole() -> None:
    errors = tomllib.loads((files("dissect.signin") / "errors.toml").read_text("utf-8"))
    for code, cause in registry().items():
        assert all((cause.text, cause.remedy, cause.means, cause.source, cause.said)), code
        assert all(unbalanced(text) is None for text in (cause.text, cause.remedy)), code
        assert set(cause.said) <= {*EVENTS, "tshark.*"}, code
        assert set(cause.catalogue) <= set(errors), code


@pytest.mark.parametrize("flow", built_in())
def test_each_code_of_a_shipped_flow_is_declared_for_its_event(flow: str) -> None:
    definition, known = built_in()[flow], Causes()
    events = {arrow.key: arrow.event for _, arrow in definition.arrows}
    ends = [(a.fails.code, a.event) for _, a in definition.arrows if a.fails]
    ends += [(item.code, events[item.last]) for item in definition.unfinished]
    ends += [(item.code, item.event) for item in definition.trouble]
    assert [known.problem(code, event) for code, event in ends] == [None] * len(ends)


def test_each_shipped_cause_is_reported_by_some_flow() -> None:
    used = set()
    for definition in built_in().values():
        codes = [arrow.fails.code for _, arrow in definition.arrows if arrow.fails]
        codes += [item.code for item in (*definition.unfinished, *definition.trouble)]
        used |= {cause.code for code in codes for cause in Causes().of(code) if cause}
    assert used == set(registry())


def test_the_documented_table_is_the_registry() -> None:
    text = (DOCS / "troubleshooting.md").read_text("utf-8")
    table = text.partition("## Cause codes")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    expected = [f"| `{c.code.replace('*', '…')}` | {c.means} |" for c in registry().values()]
    assert rows == expected


def test_a_code_alone_takes_sentence_and_remedy_from_its_cause() -> None:
    fails = parse(failing('code = "oauth.{error}"'), "mine.toml").step[0].arrow[2].fails
    declared = registry()["oauth.*"]
    assert fails is not None
    assert (fails.text, fails.remedy) == (declared.text, declared.remedy)


def test_a_flow_may_have_its_own_words_for_a_cause() -> None:
    table = 'code = "tls.alert.{alert}"\ntext = "mine"\nremedy = "do"'
    fails = parse(failing(table), "mine.toml").step[0].arrow[2].fails
    assert fails is not None
    assert (fails.text, fails.remedy, fails.headline) == ("mine", "do", "")


def test_an_unknown_code_is_an_error_that_names_its_line_and_what_is_meant() -> None:
    text = failing('code = "oauth.expired_tokn2"'.replace("oauth", "auth"))
    line = text.splitlines().index('code = "auth.expired_tokn2"') + 1
    with pytest.raises(DefinitionError) as error:
        parse(text, "mine.toml")
    wording = str(error.value)
    assert wording.startswith(f'mine.toml:{line}: no cause is called "auth.expired_tokn2"')
    assert 'but "oauth.expired_token"' in wording


def test_a_cause_may_be_said_of_its_events_only() -> None:
    with pytest.raises(DefinitionError, match=r'"dns\.nxdomain" is for dns.failed, not for'):
        parse(failing('code = "dns.nxdomain"'), "mine.toml")


def test_a_flow_declares_causes_of_its_own() -> None:
    own = '[[cause]]\ncode = "mine.*"\ntext = "no: {error}"\nremedy = "ask"\n'
    fails = parse(failing('code = "mine.{error}"', own), "mine.toml").step[0].arrow[2].fails
    assert fails is not None
    assert (fails.text, fails.remedy) == ("no: {error}", "ask")
    bound = own + 'said = ["oauth.token.issued"]\n'
    with pytest.raises(DefinitionError, match=r"is for oauth\.token\.issued"):
        parse(failing('code = "mine.{error}"', bound), "mine.toml")


def test_what_is_nearly_a_declared_code_is_doubted() -> None:
    words = '\ntext = "t"\nremedy = "r"'
    near = parse(failing('code = "oauth.return_refussed"' + words), "mine.toml")
    assert lint(near) == []  # "oauth.*" declares all of its kind
    near = parse(failing('code = "webticket.refussed"' + words), "mine.toml")
    assert [reported.partition(": ")[2] for reported in lint(near)] == [
        'step 1: no cause is called "webticket.refussed", but "webticket.refused"'
    ]
    far = parse(failing('code = "ldap.timeout"' + words), "mine.toml")
    assert lint(far) == []


def test_an_unfinished_flow_and_trouble_refer_to_causes_as_well() -> None:
    more = '\n[[unfinished]]\nlast = "oauth.token.requested"\ncode = "nothing.like"\n'
    with pytest.raises(DefinitionError, match=r'"nothing\.like"'):
        parse(FLOW + more, "mine.toml")
    more = '\n[[trouble]]\nevent = "tcp.reset"\nlabel = "reset"\ncode = "tcp.reset"\n'
    trouble = parse(FLOW + more, "mine.toml").trouble[0]
    assert (trouble.text, trouble.headline) == (
        registry()["tcp.reset"].text,
        registry()["tcp.reset"].headline,
    )

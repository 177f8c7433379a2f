"""What a definition says that can't be meant is reported with its line, and what to write
instead."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dissect.errors import DefinitionError
from dissect.flow.definition import built_in, parse
from dissect.flow.definition_lint import lint
from dissect.pipeline import RunOptions, Session
from dissect.signin.catalogue import EVENTS
from tests.lab import CAPTURES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "flows.md"
(RADIUS,) = (
    block
    for block in re.findall(r"^ *```toml\n(.*?)^ *```$", PAGE.read_text("utf-8"), re.M | re.S)
    if "[instance]" in block and "[[step]]" in block
)
RADIUS += """
[values.text]
"bye" = "Good bye"

[[unfinished]]
last = "asked"
code = "radius.silent"
text = "no answer for {user}"
remedy = "Look whether the server runs."
"""


def changed(old: str, new: str) -> str:
    assert old in RADIUS, old
    return RADIUS.replace(old, new, 1)


def line_of(text: str, needle: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if needle in line)


@pytest.mark.parametrize(
    ("old", "new", "at", "words"),
    [
        ("[ for {user}]", " {usr}", "{usr}", 'step 1: label: arrow "asked" has no fact "usr"'),
        ("[ for {user}]", "[ for {user}", "[ for {user}", 'a "[" without its other half'),
        ("[ for {user}]", " for user}", "for user}", 'a "}" without its other half'),
        ('"Access-Reject"', '"Access-Reject {host} {server} {meaning}"', "", ""),
        ('"Access-Accept"', '"Access-Accept {remedy}"', "{remedy}", 'no fact "remedy"'),
        ("[: {text}]", "[: {txt}]", "{txt}", 'arrow "rejected" has no fact "txt", but'),
        ('for {user}"\nremedy', 'for {text}"\nremedy', "no answer", 'arrow "asked" has no fact'),
        ('keys = ["radius.id"]', 'keys = ["radius.ident"]', "keys", 'no arrow has a fact "radius.'),
        ('subject = ["user"]', 'subject = ["usr"]', "subject", 'no arrow has a fact "usr"'),
        ('subject = ["user"]', 'subject = ["{usr}"]', "subject", 'no arrow has a fact "usr"'),
        ("[values.text]", "[values.txt]", "[values.txt]", "[values.txt]: no arrow with `match`"),
        ('label = "Access-A', 'where = { x = 1 }\nlabel = "Access-A', "where", 'where: arrow "acc'),
        ('label = "Access-A', 'secrets = ["x"]\nlabel = "Access-A', "secrets", "secrets: arrow"),
        ('to = "nas"', 'to = "server"', 'from = "server"', 'from and to are both "server"'),
        ('match = { tshark = "radius.code == 2" }\nfields = ["radius.id"]', 'event = "dns.queryed"',
         "dns.queryed", 'no event "dns.queryed", but "dns.queried"'),
    ],
)  # fmt: skip
def test_a_warning_for_what_is_not_meant(old: str, new: str, at: str, words: str) -> None:
    text = changed(old, new)
    found = lint(parse(text, "mine.toml"), EVENTS)
    if not words:
        assert found == []
        return
    (reported,) = found
    assert words in reported
    line = line_of(text, at) + ("both" in reported)
    assert reported.startswith(f"mine.toml:{line}: "), reported


def test_nothing_is_doubted_that_is_meant() -> None:
    assert lint(parse(RADIUS, "mine.toml"), EVENTS) == []
    assert [reported for item in built_in().values() for reported in lint(item, EVENTS)] == []


def test_events_of_a_plugin_are_not_known() -> None:
    text = changed('match = { tshark = "radius.code == 2" }\nfields = ["radius.id"]', 'event = "x"')
    assert lint(parse(text, "mine.toml"), None) == []


def test_a_run_says_it(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    device = (PAGE.parents[1] / "plugins" / "flows" / "device-code.toml").read_text("utf-8")
    mine.write_text(device.replace('"oauth.token.issued"', '"oauth.token.isued"'))
    run = Session(RunOptions((str(CAPTURES / "web-signin" / "phone.pcapng"),), flows=(str(mine),)))
    _ = run.charts
    assert any(f"{mine}:" in line and "oauth.token.isued" in line for line in run.diagnostics)


@pytest.mark.parametrize(
    ("old", "new", "at", "words"),
    [
        ('label = "Access-Accept"', 'label = "x"\nsettled_by = ["accepted"]', "settled_by",
         "unknown key `settled_by` in [[step.arrow]]: it belongs in [[step]]"),
        ("[step.arrow.fails]", "[step.fails]", "[step.fails]", "it belongs in [[step.arrow]]"),
        ('label = "Access-Accept"', 'label = "x"\nfolded = true', "folded", "is it `fold`?"),
        ('kind = "client"', 'kind = "phone"', 'kind = "phone"', '"client", "server", "person"'),
        ('"bye" = "Good bye"', '"bye" = 7', '"bye" = 7', "Expected `str`, got `int`"),
        ('{ tshark = "radius.code == 2" }', '"radius.code == 2"', '= "radius.code == 2"',
         'write match = { tshark = "…" }'),
        ("between = [", "between = 7 #", "between = 7", "Expected `array`"),
        ('[["accepted"]]', '["accepted"]', "done_when", 'write ["accepted"] in a list of'),
        ("number = 1\n", "", "[[step]]", "[[step]] lacks `number`"),
        ('id = "accepted"\n', "", "code == 2", "needs an `id`"),
    ],
)  # fmt: skip
def test_an_error_says_what_to_write(old: str, new: str, at: str, words: str) -> None:
    text = changed(old, new)
    with pytest.raises(DefinitionError) as caught:
        parse(text, "mine.toml")
    line = line_of(text, at) - ("needs" in words)  # the arrow's header
    assert str(caught.value).startswith(f"mine.toml:{line}: ")
    assert words in str(caught.value)


def test_the_line_of_what_is_twice() -> None:
    text = changed('id = "rejected"', 'id = "asked"')
    first, second = (n for n, line in enumerate(text.splitlines(), 1) if line == 'id = "asked"')
    with pytest.raises(DefinitionError, match=rf"^mine\.toml:{second}: .* in line {first}$"):
        parse(text, "mine.toml")


def test_two_actors_of_one_name() -> None:
    text = changed('id = "server"', 'id = "nas"')
    with pytest.raises(DefinitionError, match='two actors are called "nas"'):
        parse(text, "mine.toml")


def test_a_missing_table() -> None:
    text = RADIUS[: RADIUS.index("[instance]")] + RADIUS[RADIUS.index("[[actor]]") :]
    with pytest.raises(DefinitionError, match=r"lacks \[instance\]"):
        parse(text, "mine.toml")


def test_steps_that_do_not_rise() -> None:
    text = RADIUS + RADIUS[RADIUS.index("[[step]]") : RADIUS.index("[[step.arrow]]")]
    line = max(n for n, each in enumerate(text.splitlines(), 1) if each.startswith("number"))
    with pytest.raises(DefinitionError, match=rf"^mine\.toml:{line}: step numbers must rise"):
        parse(text, "mine.toml")

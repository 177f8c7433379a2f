"""Parts of definitions: put where they are included, told where they are written, kept in bounds.

What an included part must come to is written out by hand here, as a definition without parts.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from click.testing import CliRunner

from dissect.cli.main import cli
from dissect.errors import DefinitionError
from dissect.flow import includes, reading
from dissect.flow.definition import Definition, built_in, json_schema, load, parse
from dissect.flow.definition_lint import lint
from dissect.signin.catalogue import EVENTS

HEAD = """schema = 1
name = "mine"
title = "Mine"

[instance]
keys = []
anchors = ["asked"]

[[actor]]
id = "pc"
title = "PC"
kind = "client"

[[actor]]
id = "login"
title = "Login"

[[step]]
number = 1
title = "One"

[[step.arrow]]
id = "asked"
event = "hrd.requested"
from = "pc"
to = "login"
label = "asks"
"""
PART = """schema = 1

[words]
who = "the client"
fate = "refused"

[[arrow]]
event = "hrd.answered"
from = "server"
to = "client"
label = "{status} for {who}"
where = { namespace = "managed" }

[[arrow]]
id = "no"
event = "hrd.failed"
from = "server"
to = "client"
at = "server"
label = "no"
after = ["hrd.answered", "asked"]
within = { of = "hrd.answered", seconds = 3 }

[arrow.fails]
code = "hrd.{code}"
text = "{who} was {fate}: {text}"
remedy = "Ask {who}."

[[unfinished]]
last = "hrd.answered"
code = "cut"
text = "{who} went away"
remedy = "Wait."

[[trouble]]
event = "tcp.reset"
label = "reset"
code = "tcp.reset"
text = "{who} was cut off"
remedy = "Look."

[values.status]
200 = "fine"
"*" = "odd"
"""
INCLUDED = """
[[step.arrow]]
include = "part.toml"
actors = { server = "login", client = "pc" }
words = { who = "the PC" }
at = "login"
where = { paired = true }
prefix = "x."
"""
PLAIN = '\n[[step.arrow]]\ninclude = "p0.toml"\n'
BY_HAND = """
[[step.arrow]]
id = "x.hrd.answered"
event = "hrd.answered"
from = "login"
to = "pc"
at = "login"
label = "{status} for the PC"
where = { namespace = "managed", paired = true }

[[step.arrow]]
id = "x.no"
event = "hrd.failed"
from = "login"
to = "pc"
at = "login"
label = "no"
where = { paired = true }
after = ["x.hrd.answered", "asked"]
within = { of = "x.hrd.answered", seconds = 3 }

[step.arrow.fails]
code = "hrd.{code}"
text = "the PC was refused: {text}"
remedy = "Ask the PC."
"""
ARROW = """schema = 1
[[arrow]]
event = "hrd.failed"
from = "pc"
to = "login"
label = "l"
"""
AFTER = """
[[step.arrow]]
event = "hrd.failed"
from = "login"
to = "pc"
label = "another"
"""
TABLES = """
[[unfinished]]
last = "x.hrd.answered"
code = "cut"
text = "the PC went away"
remedy = "Wait."

[[trouble]]
event = "tcp.reset"
label = "reset"
code = "tcp.reset"
text = "the PC was cut off"
remedy = "Look."
"""


def made(definition: Definition) -> dict[str, Any]:
    given: dict[str, Any] = msgspec.to_builtins(definition)
    del given["locations"], given["include"]
    return given


def files(folder: Path, **texts: str) -> Path:
    """`mine.toml` and the parts beside it."""
    for name, text in texts.items():
        (folder / f"{name}.toml").write_text(text, "utf-8")
    return folder / "mine.toml"


def problem(path: Path) -> str:
    with pytest.raises(DefinitionError) as caught:
        load(str(path))
    return str(caught.value).replace(f"{path.parent}{os.sep}", "")


def line(needle: str, text: str, nth: int = 0) -> int:
    return [n for n, each in enumerate(text.splitlines(), 1) if needle in each][nth]


# ------------------------------------------------------------------ what it comes to


def test_it_comes_to_what_is_written_out_by_hand(tmp_path: Path) -> None:
    own = '\n[values.status]\n200 = "good"\n'
    mine = files(tmp_path, mine=HEAD + INCLUDED + AFTER + own, part=PART)
    both = '\n[values.status]\n200 = "good"\n"*" = "odd"\n'
    assert made(load(str(mine))) == made(parse(HEAD + BY_HAND + AFTER + TABLES + both, "hand"))


def test_own_tables_come_before_those_of_the_head(tmp_path: Path) -> None:
    own = PART[PART.index("[[trouble]]") : PART.index("[values")].replace("Look.", "Look first.")
    shared = "schema = 1\n" + own.replace("first", "later")
    head = HEAD.replace("\n[instance]", 'include = ["b.toml", "troubles"]\n\n[instance]', 1)
    found = load(str(files(tmp_path, mine=head + own, b=shared))).trouble
    assert [item.remedy for item in found[:2]] == ["Look first.", "Look later."]
    assert len(found) == 2 + len(load("wsfed-passive").trouble)


def test_a_part_of_parts_hands_actors_and_words_on(tmp_path: Path) -> None:
    inner = PART.replace("server", "s")
    outer = """schema = 1
words = { name = "it" }

[[arrow]]
include = "part.toml"
actors = { s = "server" }
words = { who = "our {name}" }
"""
    entry = '\n[[step.arrow]]\ninclude = "sub/outer.toml"\nwords = { name = "PC" }\n'
    entry += 'actors = { server = "login", client = "pc" }\n'
    (tmp_path / "sub").mkdir()
    files(tmp_path / "sub", outer=outer, part=inner)
    _, answered, no = load(str(files(tmp_path, mine=HEAD + entry))).step[0].arrow
    assert (answered.from_, answered.to, no.at) == ("login", "pc", "login")
    assert answered.label == "{status} for our PC"
    assert no.fails is not None
    assert no.fails.text == "our PC was refused: {text}"


def test_twice_with_a_prefix_and_not_without(tmp_path: Path) -> None:
    entry = INCLUDED.replace('prefix = "x."', "")
    twice = HEAD + entry + entry.replace('"the PC"', '"it"') + 'prefix = "y."\n'
    assert len(load(str(files(tmp_path, mine=twice, part=PART))).step[0].arrow) == 5
    text = HEAD + entry + entry
    reported = problem(files(tmp_path, mine=text))
    at = line('include = "part.toml"', text, 1)
    assert reported.startswith(f'mine.toml:{at}: two arrows are called "no"')
    assert "prefix" in reported


# ------------------------------------------------------------------ where it is written


@pytest.mark.parametrize(
    ("file", "old", "new", "at", "words"),
    [
        ("part", 'label = "no"', "label = 7", "label = 7", "Expected `str`"),
        ("part", 'to = "client"', 'too = "client"', "too =", "is it `to`?"),
        ("part", "[[arrow]]", "[[arow]]", "[[arow]]", "is it `arrow`?"),
        ("part", "schema = 1", "schema = 2", "schema", "1"),
        ("part", '"hrd.answered", "asked"', '"nobody"', "nobody", 'no arrow is called "nobody"'),
        ("part", 'from = "server"', 'from = "sever"', '"sever"', 'no actor is called "sever"'),
        ("part", 'label = "no"', 'label = "no"\nfields = ["x"]', "fields", "`fields` are for"),
        ("part", 'event = "hrd.failed"', 'match = { tshark = " " }', "match", "no display filter"),
        ("part", 'last = "hrd.answered"', 'last = "none"', "last =", '"none"'),
        ("part", "[words]", "[words", "", "part.toml: "),
        ("mine", 'server = "login"', 'server = "nobody"', "actors", 'no actor is called "nobody"'),
        ("mine", 'server = "login"', 'serve = "login"', "actors", 'has no actor "serve"; it has'),
        ("mine", 'who = "the PC"', 'whom = "the PC"', "words", 'no word "whom"; it has fate, who'),
        ("mine", 'at = "login"', 'at = "nobody"', "at = ", 'no actor is called "nobody"'),
        ("mine", 'prefix = "x."', 'label = "x"', 'label = "x"', "unknown key `label`"),
        ("mine", "words = {", "word = {", "word =", "is it `words`?"),
        ("mine", "part.toml", "parts", '"parts"', 'no part is called "parts"'),
        ("mine", "part.toml", "home-reelm", "home-reelm", 'is it "home-realm"?'),
        ("mine", "number = 1", 'number = 1\nprefix = "a"', 'prefix = "a"', "in the place of"),
    ],
)  # fmt: skip
def test_an_error_is_where_it_is_written(
    tmp_path: Path, file: str, old: str, new: str, at: str, words: str
) -> None:
    texts = {"mine": HEAD + INCLUDED, "part": PART}
    assert old in texts[file]
    texts[file] = texts[file].replace(old, new, 1)
    reported = problem(files(tmp_path, **texts))
    assert words in reported
    if at:
        assert reported.startswith(f"{file}.toml:{line(at, texts[file])}: "), reported


def test_a_part_with_arrows_in_the_head(tmp_path: Path) -> None:
    head = HEAD.replace("\n[instance]", 'include = ["part.toml"]\n\n[instance]', 1)
    reported = problem(files(tmp_path, mine=head, part=PART))
    assert (
        reported
        == 'mine.toml:4: "part.toml" has arrows: include it in a step, in the place of an arrow'
    )


def test_a_part_without_arrows_in_a_step(tmp_path: Path) -> None:
    text = HEAD + PLAIN.replace("p0.toml", "troubles")
    reported = problem(files(tmp_path, mine=text))
    at = line("include", text)
    assert reported == f'mine.toml:{at}: "troubles" has no arrows: include it in the head'


def test_a_warning_is_where_it_is_written(tmp_path: Path) -> None:
    part = PART.replace('"{who} was cut off"', '"[{who} was cut off"')
    part = part.replace('event = "tcp.reset"', 'event = "tcp.rest"')
    mine = HEAD.replace('event = "hrd.requested"', 'match = { tshark = "ldap" }')
    mine += INCLUDED + '\n[values.result]\n1 = "x"\n'
    found = lint(load(str(files(tmp_path, mine=mine, part=part))), EVENTS)
    statement = [reported.replace(f"{tmp_path}{os.sep}", "") for reported in found]
    assert [reported.partition(": ")[0] for reported in statement] == [
        f"mine.toml:{line('[values.result]', mine)}",
        f"part.toml:{line('tcp.rest', part)}",
        f"part.toml:{line('was cut off', part)}",
        f"part.toml:{line('[values.status]', part)}",
    ], statement


def test_a_fact_that_an_include_asks_for_is_doubted_there(tmp_path: Path) -> None:
    part = PART.replace(
        'event = "hrd.failed"', 'match = { tshark = "ldap" }\nfields = { a = "ldap.b" }'
    )
    mine = HEAD + INCLUDED
    found = lint(load(str(files(tmp_path, mine=mine, part=part))), EVENTS)
    where = [reported for reported in found if "where:" in reported]
    assert [reported.replace(f"{tmp_path}{os.sep}", "") for reported in where] == [
        f'mine.toml:{line("where = { paired", mine)}: step 1: where: arrow "x.no" has no fact '
        '"paired"; its fields are a'
    ]


# ------------------------------------------------------------------ what may not be


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("/etc/part.toml", "without `..`"),
        ("../part.toml", "without `..`"),
        ("sub/../../part.toml", "without `..`"),
        ("sub\\\\part.toml", "without `..`"),
        ("C:part.toml", "without `..`"),
        ("a\\u0000.toml", "without `..`"),
        ("\\u001b[31m.toml", "without `..`"),
        ("absent.toml", "there is no file"),
        ("folder.toml", "there is no file"),
        ("link.toml", "lies outside"),
        ("loop.toml", "loop"),
        ("a/" * 3000 + "x.toml", ""),
        ("big.toml", "more than 64 KiB"),
        ("latin.toml", "UTF-8"),
        ("deep.toml", ""),
        ("number.toml", ""),
    ],
)
def test_a_file_that_may_not_be_included(tmp_path: Path, name: str, words: str) -> None:
    folder = tmp_path / "flows"
    folder.mkdir()
    (tmp_path / "part.toml").write_text(PART, "utf-8")
    (folder / "folder.toml").mkdir()
    if os.name != "nt":
        (folder / "link.toml").symlink_to(tmp_path / "part.toml")
        (folder / "loop.toml").symlink_to(folder / "loop.toml")
    elif name in ("link.toml", "loop.toml"):
        pytest.skip("links need a privilege there")
    (folder / "big.toml").write_text(PART + "#" * 70_000, "utf-8")
    (folder / "latin.toml").write_bytes(b"schema = 1\nabout = '\xe9'\n")
    (folder / "deep.toml").write_text(f"schema = {'[' * 50_000}", "utf-8")
    (folder / "number.toml").write_text(f"schema = {'1' * 5_000}", "utf-8")
    reported = problem(files(folder, mine=HEAD + INCLUDED.replace("part.toml", name)))
    assert words in reported
    assert reported.isprintable()
    if words:
        assert reported.startswith(f"mine.toml:{line('include', HEAD + INCLUDED)}: ")


def test_a_link_within_the_folder_is_a_file_of_it(tmp_path: Path) -> None:
    if os.name == "nt":
        pytest.skip("links need a privilege there")
    (tmp_path / "other.toml").symlink_to(tmp_path / "part.toml")
    text = HEAD + INCLUDED.replace("part.toml", "other.toml")
    assert len(load(str(files(tmp_path, mine=text, part=PART))).step[0].arrow) == 3


def test_a_definition_that_is_text_has_the_shipped_parts_only() -> None:
    with pytest.raises(DefinitionError, match=r"^plugin:\d+: .*only a definition in a file"):
        parse(HEAD + INCLUDED, "plugin")
    entry = (
        '\n[[step.arrow]]\ninclude = "home-realm"\nactors = { browser = "pc", server = "login" }\n'
    )
    assert len(parse(HEAD + entry, "plugin").step[0].arrow) == 4


def test_a_circle(tmp_path: Path) -> None:
    part = 'schema = 1\n[[arrow]]\ninclude = "{}.toml"\n'
    circle = {"p0": part.format("b"), "b": part.format("c"), "c": part.format("b")}
    mine = files(tmp_path, mine=HEAD + PLAIN, **circle)
    assert problem(mine) == "c.toml:3: a part includes itself: b.toml → c.toml → b.toml"
    files(tmp_path, p0='schema = 1\ninclude = ["p0.toml"]\n')
    assert problem(mine) == "p0.toml:2: a part includes itself: p0.toml → p0.toml"


def test_a_chain_that_is_too_long(tmp_path: Path) -> None:
    part = 'schema = 1\n[[arrow]]\ninclude = "{}.toml"\n'
    chain = {f"p{n}": part.format(f"p{n + 1}") for n in range(includes.MAX_DEPTH)}
    chain[f"p{includes.MAX_DEPTH - 1}"] = ARROW
    mine = files(tmp_path, mine=HEAD + PLAIN, **chain)
    assert len(load(str(mine)).step[0].arrow) == 2
    last = {f"p{includes.MAX_DEPTH - 1}": part.format("q"), "q": ARROW}
    assert f"more than {includes.MAX_DEPTH} deep" in problem(files(tmp_path, **last))


def test_parts_that_multiply(tmp_path: Path) -> None:
    """Each includes the next twenty times: 20⁶ arrows, or with empty ones as many includes."""
    entry = '[[arrow]]\ninclude = "{}.toml"\n'
    levels = {f"p{n}": "schema = 1\n" + entry.format(f"p{n + 1}") * 20 for n in range(6)}
    mine = files(tmp_path, mine=HEAD + PLAIN, p6=ARROW, **levels)
    assert f"more than {includes.MAX_ENTRIES}" in problem(mine)
    heads = {f"p{n}": f"schema = 1\ninclude = {[f'p{n + 1}.toml'] * 20}\n" for n in range(6)}
    files(tmp_path, p6="schema = 1\n", **heads)
    assert f"more than {includes.MAX_ENTRIES}" in problem(mine)


def test_words_facts_and_names_that_multiply(tmp_path: Path) -> None:
    words = (
        "schema = 1\nwords = {{ w = '' }}\n[[arrow]]\ninclude = '{}.toml'\nwords = {{ w = '{}' }}\n"
    )
    levels = {f"p{n}": words.format(f"p{n + 1}", "{w}" * 100) for n in range(6)}
    last = ARROW.replace("\n", "\nwords = { w = '' }\n", 1)
    mine = files(tmp_path, mine=HEAD + PLAIN + "words = { w = 'ha' }\n", **levels, p6=last)
    assert re.match(r"p[01]\.toml:5: more than \d+ characters", problem(mine))
    facts = ", ".join(f"f{n} = 1" for n in range(200))
    many = "schema = 1\n" + ARROW.partition("\n")[2] * 40
    mine = files(tmp_path, mine=f"{HEAD}{PLAIN}where = {{ {facts} }}\n", p0=many)
    at = line("where", mine.read_text("utf-8"))
    assert problem(mine).startswith(f"mine.toml:{at}: more than {includes.MAX_ENTRIES}")
    mine = files(tmp_path, mine=f"{HEAD}{PLAIN}prefix = '{'x' * includes.MAX_TEXT}'\n", p0=ARROW)
    assert "characters" in problem(mine)


# ------------------------------------------------------------------ those that are shipped


SHIPPED = sorted((Path(includes.__file__).parent / "definitions" / "parts").glob("*.toml"))


def test_each_shipped_part_is_used_and_has_a_row_on_the_page() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "flows.md").read_text("utf-8")
    folder = SHIPPED[0].parents[1]
    text = "\n".join(path.read_text("utf-8") for path in folder.rglob("*.toml"))
    for path in SHIPPED:
        assert re.search(rf'include = (\[.*)?"{path.stem}"', text), path
        assert re.search(rf"^\|.*`{path.stem}`.*\|", page, re.M), path


def test_a_part_is_no_flow() -> None:
    listed = CliRunner().invoke(cli, ["flows", "--format", "json"]).stdout
    names = {json.loads(row)["name"] for row in listed.splitlines()}
    assert names == set(built_in())
    assert not names & {path.stem for path in SHIPPED}


def test_the_schema_has_includes_and_parts() -> None:
    schema = json.loads(json.dumps(json_schema()))
    part = {**schema, "$ref": "#/$defs/Part"}
    for path in SHIPPED:
        jsonschema.validate(tomllib.loads(path.read_text("utf-8")), part)
    jsonschema.validate(tomllib.loads(PART), part)
    good = tomllib.loads(HEAD + INCLUDED)
    jsonschema.validate(good, schema)
    for key, value in (("words", 3), ("label", "no such key beside an include")):
        broken = tomllib.loads(HEAD + INCLUDED)
        broken["step"][0]["arrow"][1][key] = value
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tomllib.loads(PART), schema)


def test_the_part_of_the_page(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "flows.md").read_text("utf-8")
    (text,) = re.findall(r"^``` toml\n(.*?)^```$", page, re.M | re.S)
    entry = INCLUDED.replace("words", "#").replace("server", "proxy").replace("client", "browser")
    mine = files(tmp_path, mine=HEAD + entry, part=text)
    assert load(str(mine)).step[0].arrow[1].label == "{http_status} {scheme}: asks the user"


def test_only_what_is_asked_for_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from dissect.flow import definition

    read: list[str] = []

    def tables(source: reading.Source, root: type) -> dict[str, Any]:
        read.append(source.name)
        return reading.tables(source, root)

    monkeypatch.setattr(definition, "tables", tables)
    fresh = definition.Definitions()
    definition._shipped.cache_clear()
    assert "wsfed-passive" in fresh
    assert len(list(fresh)) == len(built_in())
    assert read == []
    assert fresh["wsfed-passive"].name == "wsfed-passive"
    assert read == ["wsfed-passive.toml"]
    definition._shipped.cache_clear()
    built_in.cache_clear()


def test_a_shipped_flow_is_called_as_its_file() -> None:
    assert all(name == item.name for name, item in built_in().items())

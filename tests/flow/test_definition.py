"""Definitions that don't fit are refused with file, line and key."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from dissect.errors import DefinitionError
from dissect.flow.definition import built_in, json_schema, load, parse

EXAMPLE = Path(__file__).resolve().parents[2] / "plugins" / "flows" / "device-code.toml"
TEXT = EXAMPLE.read_text("utf-8")


def line_of(needle: str, text: str) -> int:
    return next(n for n, line in enumerate(text.splitlines(), 1) if needle in line)


@pytest.mark.parametrize(
    ("good", "bad", "where", "words"),
    [
        ('title = "Device"', "title = 7", "title = 7", "str"),
        ("number = 2", 'number = "two"', 'number = "two"', "int"),
        ("fold = true", 'fold = "yes"', 'fold = "yes"', "bool"),
        ('label = "polls"', 'labell = "polls"', "", "labell"),
        ('to = "server"\nlabel = "polls"', 'to = "servant"\nlabel = "polls"', 'to = "servant"', "servant"),
        ('anchors = ["oauth.device_code.issued"]', 'anchors = ["oauth.none"]', "oauth.none", "oauth.none"),
        ("number = 2", "number = 1", "", "rise"),
        ('kind = "client"', 'kind = "robot"', 'kind = "robot"', "robot"),
        ("schema = 1", "schema = 2", "schema = 2", "2"),
        ("[instance]", "[instance", "", "line"),
    ],
)  # fmt: skip
def test_what_does_not_fit(good: str, bad: str, where: str, words: str) -> None:
    assert good in TEXT
    text = TEXT.replace(good, bad, 1)
    with pytest.raises(DefinitionError) as caught:
        parse(text, "mine.toml")
    message = str(caught.value)
    assert message.startswith("mine.toml")
    assert words in message
    if where:
        assert f"mine.toml:{line_of(where, text)}:" in message, message


def test_the_schema_accepts_what_is_shipped_and_refuses_what_is_not() -> None:
    import tomllib

    schema = json.loads(json.dumps(json_schema()))
    assert built_in()
    for text in (TEXT, *(p.read_text("utf-8") for p in _shipped())):
        jsonschema.validate(tomllib.loads(text), schema)
    broken = tomllib.loads(TEXT)
    broken["actor"][0]["kind"] = "robot"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema)


def _shipped() -> list[Path]:
    import dissect.flow.definitions as package

    return sorted(Path(next(iter(package.__path__))).glob("*.toml"))


def test_load_by_name_and_file() -> None:
    assert load("vvx-web-signin") is built_in()["vvx-web-signin"]
    assert load(str(EXAMPLE)).name == "my-device-code"


def test_a_definition_can_not_test_for_a_secrets_value() -> None:
    text = TEXT.replace('where = { grant = "device_code" }', 'where = { access_token = "*" }', 1)
    definition = parse(text, "x.toml")
    from dissect.model import Event, Secret, Source

    event = Event(
        "oauth.token.issued",
        0,
        "a",
        "b",
        None,
        Source("x"),
        {"access_token": Secret("access_token", "v")},
    )
    arrow = next(a for _, a in definition.arrows if a.event == "oauth.token.issued")
    assert not arrow.matches(event)

"""Questions made from schemas: the kinds of answers that schemas of channels have, given at a terminal or as name=value."""

import re
from collections import deque
from typing import Literal

import pytest
from pydantic import BaseModel, Field, SecretStr

from services.api.desk.settings_schema import problems
from services.ingest import catalog
from services.local import asking


class Inner(BaseModel):
    """A thing within."""

    name: str


class Sample(BaseModel):
    """One field of each kind."""

    optional: str | None = Field(default=None, title="Optional")
    url: str = Field(title="Address", description="Of the site.")
    many: tuple[str, ...] = Field(default=("a", "b"), title="Many")
    numbers: tuple[int, ...] = Field(default=(), title="Numbers")
    count: int = Field(default=7, title="Count")
    ratio: float | None = Field(default=None, title="Ratio")
    on: bool = Field(default=False, title="On")
    choice: Literal["red", "blue"] = Field(default="red", title="Choice")
    inner: Inner | None = Field(default=None, title="Inner")
    secret: SecretStr | None = Field(default=None, title="Secret")


SCHEMA = Sample.model_json_schema()


class Script:
    """A person who answers as written down, and what they were asked."""

    def __init__(self, *answers: str, yes: bool = False) -> None:
        self.answers = deque(answers)
        self.asked: list[tuple[str, str | None, bool]] = []
        self.heard: list[str] = []
        self.yes = yes

    def ask(self, question: str, *, default: str | None, hidden: bool) -> str:
        self.asked.append((question, default, hidden))
        return self.answers.popleft() or default or ""

    def confirm(self, question: str, *, default: bool) -> bool:
        self.heard.append(question)
        return self.yes

    def say(self, words: str) -> None:
        self.heard.append(words)


def test_what_must_be_there_is_asked_for_until_it_is() -> None:
    person = Script("", "https://site.example")
    found = asking.ask(person, SCHEMA, {}, what="settings", optional=False)
    assert found == {"url": "https://site.example"}
    assert person.asked == [("Address", None, False)] * 2
    assert "  Of the site." in person.heard
    assert "  This must be there." in person.heard
    assert person.heard[-1].startswith("Change further settings (optional, many, ")


def test_what_was_given_is_not_asked_for() -> None:
    person = Script()
    assert asking.ask(person, SCHEMA, {"url": "u"}, what="settings", optional=False) == {"url": "u"}
    assert person.asked == []


def test_every_kind_of_answer_is_read_as_the_schema_wants_it() -> None:
    answers = ["", "x, y", "1,2", "seven", "8", "0.5", "yes", "green", "blue", "{broken", '{"name": "n"}', "hush"]
    person = Script("https://site.example", *answers, yes=True)
    found = asking.ask(person, SCHEMA, {}, what="settings", optional=False)
    assert found == {
        "url": "https://site.example", "many": ["x", "y"], "numbers": [1, 2], "count": 8, "ratio": 0.5, "on": True,
        "choice": "blue", "inner": {"name": "n"}, "secret": "hush",
    }  # fmt: skip
    assert problems(found, SCHEMA, "") == []
    assert {"  This is no whole number.", "  Write one of red, blue.", "  This is not JSON that can be read."} <= set(
        person.heard
    )
    defaults = {question: default for question, default, _ in person.asked}
    assert (defaults["Many"], defaults["Count"], defaults["On"], defaults["Secret"]) == ("a, b", "7", "no", None)
    assert [question for question, _, hidden in person.asked if hidden] == ["Secret"]


def test_enter_leaves_a_default_to_the_channel() -> None:
    person = Script("u", *[""] * 9, yes=True)
    assert asking.ask(person, SCHEMA, {}, what="settings", optional=False) == {"url": "u"}


def test_pairs_are_read_by_the_same_rules() -> None:
    pairs = ["url=https://a.example/?q=1", "many=x,y", "numbers=[3]", "count=9", "on=no", "unknown=kept"]
    assert asking.read_pairs(SCHEMA, pairs) == {
        "url": "https://a.example/?q=1", "many": ["x", "y"], "numbers": [3], "count": 9, "on": False, "unknown": "kept",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ("count=many", "count is no whole number."),
        ("on=perhaps", "on is neither yes nor no."),
        ("inner=x", 'inner is written as JSON, such as {"name": "value"}.'),
        ("numbers=1,b", "numbers is no whole number."),
        ("nothing", "'nothing' is not of the form name=value."),
    ],
)
def test_a_pair_that_cannot_be_read_is_a_sentence(pair: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        asking.read_pairs(SCHEMA, [pair])


@pytest.mark.parametrize("type_", catalog.types())
def test_every_channel_type_can_be_asked_for(type_: str) -> None:
    info = catalog.describe(type_)
    for schema in (info.settings_schema, info.secrets_schema):
        for question in asking.questions(schema):
            assert question.kind in {"string", "integer", "number", "boolean", "array", "object"}
            assert question.title
            assert question.required == (question.name in schema.get("required", ()))
    assert all(one.hidden or one.name == "user" for one in asking.questions(info.secrets_schema))


def test_required_ones_come_first() -> None:
    names = [one.name for one in asking.questions(SCHEMA)]
    assert names[0] == "url"

"""What `webcare channel add` needs to know of a channel: from the command line, from a file of secrets, else from the person."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from services.api.desk.desk import Desk
from services.api.desk.settings_schema import problems
from services.local import asking
from services.local.operator import all_of
from services.local.trouble import LocalTrouble
from shared.kit.errors import NotFound


@dataclass(frozen=True, slots=True)
class Given:
    """What the command line said. `settings` are name=value."""

    type: str
    name: str | None = None
    settings: tuple[str, ...] = ()
    secret_file: Path | None = None
    owned: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """A channel that can be tried out and saved."""

    type: str
    title: str
    name: str
    settings: Mapping[str, Any]
    secrets: Mapping[str, str] = field(repr=False)
    abilities: frozenset[str]
    owned: bool


class Person:
    """The person at the terminal; where nobody can answer, nothing is asked and each question has its usual answer."""

    def __init__(self, *, can_answer: bool) -> None:
        self.can_answer = can_answer

    def ask(self, question: str, *, default: str | None, hidden: bool) -> str:
        """The answer to a question; hidden ones are not shown while they are written."""
        from rich.console import Console
        from rich.prompt import Prompt

        return Prompt.ask(
            question, default=default or "", show_default=bool(default), password=hidden, console=Console(stderr=True)
        )

    def confirm(self, question: str, *, default: bool) -> bool:
        """Yes or no; where nobody can answer, no."""
        from rich.console import Console
        from rich.prompt import Confirm

        return self.can_answer and Confirm.ask(question, default=default, console=Console(stderr=True))

    def say(self, words: str) -> None:
        """A line that explains."""
        sys.stderr.write(f"{words}\n")


async def gather(desk: Desk, given: Given, person: Person) -> Wanted:
    """Everything that a channel of the type needs, which fits what the type publishes. Raises LocalTrouble with what is
    missing or not right, where the person cannot be asked."""
    type_ = await _type(desk, given.type)
    settings = _pairs(type_["settings_schema"], given.settings)
    secrets = _read_secrets(type_["secrets_schema"], given.secret_file)
    name = given.name
    if person.can_answer:
        person.say(f"{type_['title']}. What is in brackets is taken where you only press Enter.")
        name = name or person.ask("Name of the channel", default=type_["title"], hidden=False)
        settings = _asked(person, type_["settings_schema"], settings, "settings", optional=False)
        if type_["secrets_schema"].get("properties"):
            person.say("Secrets are sealed and never shown again.")
            secrets = _asked(person, type_["secrets_schema"], secrets, "secrets", optional=True)
    _hold(type_, settings, secrets, given)
    return Wanted(
        given.type, type_["title"], name or type_["title"], settings, secrets, frozenset(type_["abilities"]), given.owned
    )  # fmt: skip


async def _type(desk: Desk, name: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = orjson.loads(await desk.one("channel_type", name))
    except NotFound:
        names = ", ".join(one["type"] for one in await all_of(desk, "channel_type"))
        raise LocalTrouble(f"There is no channel type {name}. There are: {names}.") from None
    return found


def _asked(
    person: Person, schema: Mapping[str, Any], given: Mapping[str, Any], what: str, *, optional: bool
) -> dict[str, Any]:
    """Asks until what was said fits the schema."""
    found = asking.ask(person, schema, given, what=what, optional=optional)
    while wrong := problems(found, schema, ""):
        for pointer, said in wrong:
            person.say(f"  {pointer[1:] or what} {said}.")
            found.pop(pointer[1:].partition("/")[0], None)
        found = asking.ask(person, schema, found, what=what, optional=False)
    return found


def _hold(type_: Mapping[str, Any], settings: Mapping[str, Any], secrets: Mapping[str, Any], given: Given) -> None:
    wrong = [(f"setting {pointer[1:]}", said) for pointer, said in problems(settings, type_["settings_schema"], "")]
    wrong += [(f"secret {pointer[1:]}", said) for pointer, said in problems(secrets, type_["secrets_schema"], "")]
    if wrong:
        lines = "\n".join(f"  {what} {said}" for what, said in wrong)
        raise LocalTrouble(
            f"This is not enough for a channel of {given.type}:\n{lines}\n"
            "Settings are given with --set name=value, secrets with --secret-file; at a terminal they are asked for."
        )


def _pairs(schema: Mapping[str, Any], pairs: tuple[str, ...]) -> dict[str, Any]:
    try:
        return asking.read_pairs(schema, pairs)
    except ValueError as wrong:
        raise LocalTrouble(str(wrong)) from wrong


def _read_secrets(schema: Mapping[str, Any], file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as wrong:
        raise LocalTrouble(f"{file} cannot be read: {getattr(wrong, 'strerror', None) or 'it is not UTF-8'}.") from None
    if text.lstrip().startswith("{"):
        try:
            found = json.loads(text)
        except ValueError:
            raise LocalTrouble(f"{file} is not JSON that can be read.") from None
        return dict(found)
    lines = [line.strip() for line in text.splitlines()]
    try:
        return asking.read_pairs(schema, [line for line in lines if line and not line.startswith("#")])
    except ValueError:  # its sentence may hold a secret
        raise LocalTrouble(f"{file} is not name=value on each line, nor JSON.") from None

"""Where the verbs stand: who asks, in which workspace, and in which transaction.

A verb takes a `Desk` first. Verbs never commit: the door opens the transaction with `writing()`, and its end commits.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from shared.kit.database import Database, WriteSession
from shared.kit.errors import Forbidden
from shared.kit.pages import Page
from shared.kit.secrets import Vault
from shared.kit.settings import Settings
from shared.models.masking import NOTHING
from shared.models.read_model import ReadModel, Selection
from shared.models.workspace import Role
from shared.store import reading, rows
from shared.store.reading import PersonalDataHidden, Slice
from shared.store.views import NOUNS


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: a key, its role, and the agent it stands for, if any. `hidden` are the kinds of personal data that are hidden
    from the role; where there are any, everything that cannot be masked by its places in a text is hidden too. `rule_id` is set
    where no caller asks, but a rule of automation."""

    key_id: UUID
    role: Role
    name: str
    agent_id: UUID | None = None
    hidden: frozenset[str] = NOTHING
    rule_id: UUID | None = None

    def said(self) -> str:
        """How the actor is named in what is kept: `agent:…`, `key:…` or `rule:…`."""
        if self.rule_id is not None:
            return f"rule:{self.rule_id}"
        return f"agent:{self.agent_id}" if self.agent_id else f"key:{self.key_id}"


@dataclass(frozen=True, slots=True)
class Desk:
    """What a verb works with."""

    workspace_id: UUID
    actor: Actor
    database: Database
    vault: Vault
    settings: Settings
    open_session: WriteSession | None = None

    @property
    def session(self) -> WriteSession:
        """The transaction of this request. A verb that writes outside `writing()` is a mistake of ours."""
        if self.open_session is None:
            raise RuntimeError("this verb writes: call it inside `async with desk.writing()`")
        return self.open_session

    @asynccontextmanager
    async def writing(self) -> AsyncIterator["Desk"]:
        """The same desk with a transaction, committed at the end; an exception undoes it."""
        async with self.database.write(self.workspace_id) as session:
            yield replace(self, open_session=session)

    async def page(
        self,
        noun: str,
        page: Page,
        filters: Mapping[str, Any] | None = None,
        selection: Selection | None = None,
        order: str | None = None,
    ) -> Slice:
        """A page of a noun, as its read model shows it."""
        async with self.reading() as connection:
            return await reading.read_page(
                connection, NOUNS, noun, page, filters=filters, selection=selection, order=order,
                masked=self.actor.hidden,
            )  # fmt: skip

    async def one(self, noun: str, key: Any, selection: Selection | None = None) -> bytes:
        """One of a noun as JSON. Raises NotFound."""
        async with self.reading() as connection:
            return await reading.read_one(connection, NOUNS, noun, key, selection=selection, masked=self.actor.hidden)

    async def texts(self, mention_ids: Sequence[UUID]) -> dict[UUID, str]:
        """What mentions say, as the actor may see it."""
        async with self.reading() as connection:
            found = await reading.read_many(
                connection, NOUNS, "mention", mention_ids, selection={"text": None}, masked=self.actor.hidden
            )
        return {key: orjson.loads(row)["text"] for key, row in found}

    def must_see_everything(self, what: str) -> None:
        """Raises PersonalDataHidden where personal data is hidden from the actor; `what` would show it."""
        if self.actor.hidden:
            raise PersonalDataHidden(f"{what}: personal data is hidden from the role {self.actor.role}.")

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection for single statements that shows this workspace; inside `writing()`, also what was just written."""
        if self.open_session is not None:
            yield await rows.connection_of(self.open_session)
            return
        async with self.database.read(self.workspace_id) as connection:
            yield connection

    def acting_agent(self) -> UUID:
        """The agent who acts. Raises Forbidden where the key stands for nobody."""
        if self.actor.agent_id is None:
            raise Forbidden(
                "This needs an agent: use a key that belongs to one, or name one with the Webcare-Agent header.",
                code="agent_required",
            )
        return self.actor.agent_id


def view(noun: str) -> ReadModel:
    """How a noun is shown: for doors that publish a schema."""
    return NOUNS[noun]

"""Words that are looked for in what customers said. Where something is found by them shows at once: in a mention's query, issue or
brand, in a conversation's queue or clocks. So from whom personal data is hidden, does not choose them."""

from collections.abc import Collection, Mapping
from typing import Any

from services.api.desk.desk import Desk
from shared.rules import filter as filters
from shared.rules.conversation_fields import CONVERSATION_FIELDS, PERSONAL


def may_choose(
    desk: Desk, what: str, words: Collection[str], asked: Mapping[str, Any], standing: object = None
) -> None:
    """Raises PersonalDataHidden where `asked` has other words than `standing`, a row (None: there is none yet), in the fields that
    `words` names, and personal data is hidden from the actor. `what` is their noun: "A query's text"."""
    if any(asked[name] != (getattr(standing, name) if standing is not None else type(asked[name])()) for name in words):
        desk.must_see_everything(f"{what} cannot be set: what it finds would tell whose words they are")


def may_filter(desk: Desk, asked: Mapping[str, Any], standing: Mapping[str, Any] | None = None) -> None:
    """The same of a filter over conversations that looks at the customer's own words. Raises Invalid where it cannot be read."""
    if asked != standing:
        may_ask(desk, filters.parse(asked, CONVERSATION_FIELDS))


def may_ask(desk: Desk, where: filters.Filter) -> None:
    """Raises PersonalDataHidden where a filter looks at what is hidden from the actor."""
    if personal := filters.fields_of(where) & PERSONAL:
        desk.must_see_everything(
            f"A filter by {' and '.join(sorted(personal))} cannot be set: whom it finds would tell of them"
        )

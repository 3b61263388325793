"""Reading lists that give their newest first: each from its top back to where it was read before, several in turn.

How far a list was read moves only when the walk down to that place is over, so that a walk broken off leaves no hole.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from services.ingest.channel import Cursor


@dataclass(slots=True)
class Walk:
    """The part of a cursor that says where reading stands: `read` how far each list was read (a mark of the list's own: a
    moment, an id), `turn` the list being read, `token` the place in it, `top` the mark that counts once its walk is over."""

    lists: Sequence[str]
    read: dict[str, str] = field(default_factory=dict)
    turn: str = ""
    token: str | None = None
    top: str | None = None

    @classmethod
    def of(cls, cursor: Cursor | None, lists: Sequence[str]) -> "Walk":
        """Where reading stands; lists that were taken out of the settings are forgotten, new ones begin."""
        held: Any = (cursor or {}).get("walk") or {}
        read = {name: mark for name, mark in (held.get("read") or {}).items() if name in lists}
        if held.get("turn") not in lists:
            return cls(lists, read, lists[0] if lists else "")
        return cls(lists, read, held["turn"], held.get("token"), held.get("top"))

    @property
    def until(self) -> str | None:
        """The mark down to which the list was read before; None where it never was."""
        return self.read.get(self.turn)

    def step(self, token: str | None, newest: str | None) -> bool:
        """Notes a page: `token` leads on, None where this list is done; `newest` is the mark of the page's newest entry.
        Returns whether more can be read at once."""
        self.top = self.top or newest
        self.token = token
        if token is not None:
            return True
        if self.top is not None:
            self.read[self.turn] = self.top
        self.top = None
        place = self.lists.index(self.turn) + 1
        self.turn = self.lists[place % len(self.lists)]
        return place < len(self.lists)

    def cursor(self) -> dict[str, Any]:
        """As it is stored."""
        held = {"read": self.read, "turn": self.turn, "token": self.token, "top": self.top}
        return {"walk": {name: value for name, value in held.items() if value}}

"""Reading lists that give their newest first: each from its top back to where it was read before, several in turn.

How far a list was read moves only when the walk down to that place is over, so that a walk broken off leaves no hole. A list in
which nothing stood keeps the moment at which it was looked at, so that a later walk knows how far it has to reach.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from services.ingest.channel import Cursor
from services.ingest.networks.json_api import moment
from shared.kit import clock


@dataclass(slots=True)
class Walk:
    """The part of a cursor that says where reading stands: `read` how far each list was read (a mark of the list's own: a
    moment, an id), `walked` when the last walk of each that came to its end was begun, `turn` the list being read, `token` the
    place in it, `top` the mark that counts once its walk is over, `began` when that walk was begun."""

    lists: Sequence[str]
    began: datetime
    read: dict[str, str] = field(default_factory=dict)
    walked: dict[str, str] = field(default_factory=dict)
    turn: str = ""
    token: str | None = None
    top: str | None = None

    @classmethod
    def of(cls, cursor: Cursor | None, lists: Sequence[str]) -> "Walk":
        """Where reading stands; lists that were taken out of the settings are forgotten, new ones begin."""
        now = clock.now()
        held: Any = (cursor or {}).get("walk") or {}
        read, walked = (
            {name: mark for name, mark in (held.get(kind) or {}).items() if name in lists}
            for kind in ("read", "walked")
        )
        if held.get("turn") not in lists:
            return cls(lists, now, read, walked, lists[0] if lists else "")
        began = moment(held.get("began")) if held.get("token") else None
        return cls(lists, began or now, read, walked, held["turn"], held.get("token"), held.get("top"))

    @property
    def until(self) -> str | None:
        """The mark down to which the list was read before; None where it never was, or nothing stood there."""
        return self.read.get(self.turn)

    @property
    def since(self) -> datetime | None:
        """When the last walk of this list that came to its end was begun: what was there by then was read. None before."""
        return moment(self.walked.get(self.turn))

    def floor(self, until: datetime | None, first: timedelta, lag: timedelta) -> datetime:
        """How far back this walk has to reach: to a `lag` before `until`, the moment of the newest entry that was read. Where
        nothing stood in the list, as far as at the very `first`, and to where the last walk was begun."""
        if until is not None:
            return until - lag
        as_at_first = self.began - first
        return as_at_first if self.since is None else min(as_at_first, self.since - lag)

    def step(self, token: str | None, newest: str | None) -> bool:
        """Notes a page: `token` leads on, None where this list is done; `newest` is the mark of the page's newest entry.
        Returns whether more can be read at once."""
        self.top = self.top or newest
        self.token = token
        if token is not None:
            return True
        if self.top is not None:
            self.read[self.turn] = self.top
        self.walked[self.turn] = clock.iso(self.began)
        self.top = None
        place = self.lists.index(self.turn) + 1
        self.turn = self.lists[place % len(self.lists)]
        return place < len(self.lists)

    def cursor(self) -> dict[str, Any]:
        """As it is stored."""
        began = clock.iso(self.began) if self.token else None
        held = {
            "read": self.read, "walked": self.walked, "turn": self.turn, "token": self.token, "top": self.top, "began": began,
        }  # fmt: skip
        return {"walk": {name: value for name, value in held.items() if value}}

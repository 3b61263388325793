"""Each endpoint has a lane of its own: how many tries are on their way to it at once, and how much waits for that.

A lane widens with every answer and halves with every failure, so that a fast receiver gets all it can take and one that
hangs holds a single connection and nobody else up.
"""

from collections import deque
from dataclasses import dataclass, field
from uuid import UUID

from services.api.webhooks.schedule import Verdict
from shared.store.deliveries import Claimed, Letter

FIRST_WIDTH = 2
WIDEST = 16
SOON_S = 2.0
MOST_READY = 256
LONGEST_PAUSE_S = 60.0
_FASTEST_S = 0.005
_IDLE_S = 600.0


@dataclass(slots=True)
class Address:
    """Where an endpoint is, and the keys that sign what goes there."""

    url: str
    keys: tuple[bytes, ...]


@dataclass(slots=True)
class Parcel:
    """A claimed delivery, ready to go. It must leave before `start_by` (the loop's clock), while the lease still
    covers a whole try and its record."""

    claimed: Claimed
    letter: Letter
    address: Address
    start_by: float


@dataclass(slots=True)
class Lane:
    """What is on its way to one endpoint, and what waits for that. Times are the loop's clock."""

    endpoint_id: UUID
    ready: deque[Parcel] = field(default_factory=deque)
    under_way: int = 0
    width: int = FIRST_WIDTH
    pace_s: float = 1.0
    paused_until: float = 0.0
    used_at: float = 0.0
    asked: int = 0
    got: int = 0

    @property
    def ailing(self) -> bool:
        """Whether it has come down to one try at a time."""
        return self.width == 1

    def room(self, now: float) -> int:
        """How many more deliveries it can take: as many as will leave within `SOON_S` at its present pace."""
        if now < self.paused_until:
            return 0
        soon = int(self.width * SOON_S / max(self.pace_s, _FASTEST_S))
        return max(0, min(max(soon, self.width), MOST_READY) - self.under_way - len(self.ready))

    def may_send(self, now: float) -> bool:
        """Whether the next parcel may leave."""
        return bool(self.ready) and self.under_way < self.width and now >= self.paused_until

    def thirsty(self, now: float) -> bool:
        """Whether it is half empty although there was more for it: time to claim."""
        return self.got >= self.asked > 0 and len(self.ready) <= max(self.width, self.asked // 2) and self.room(now) > 0

    def learn(self, verdict: Verdict, took_s: float, now: float) -> None:
        """Adjusts to how a try went."""
        self.used_at = now
        self.pace_s += 0.3 * (took_s - self.pace_s)
        if verdict.reached is False:
            self.width = max(1, self.width // 2)
        else:
            self.width = min(WIDEST, self.width + 1)
        if verdict.pause_s > 0:
            # Not for longer: one answer must not silence an endpoint for a day.
            self.paused_until = now + min(verdict.pause_s, LONGEST_PAUSE_S)

    def idle(self, now: float) -> bool:
        """Whether it can be forgotten."""
        return not self.ready and not self.under_way and now - self.used_at > _IDLE_S

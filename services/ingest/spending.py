"""What a channel may cost in a month, and whether that is spent."""

from datetime import datetime

from services.ingest.channel import BudgetSpent
from shared.kit import clock
from shared.kit.database import WriteSession
from shared.models.channel import Channel
from shared.store import channel_spend

BUDGET_SETTING = "monthly_budget_usd"
"""A channel whose network costs money has this among its settings; unset, nothing is refused."""
MILLIONTHS = 1_000_000


def next_month(at: datetime) -> datetime:
    """When the month after `at` begins."""
    first = at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)


async def within_budget(session: WriteSession, channel: Channel) -> None:
    """Raises BudgetSpent where the channel cost this month what it may."""
    budget = channel.settings.get(BUDGET_SETTING)
    if isinstance(budget, bool) or not isinstance(budget, int | float | str):
        return
    try:
        most = float(budget)
    except ValueError:
        return  # its channel says what is wrong with it
    now = clock.now()
    spent = await channel_spend.in_month(session, channel.workspace_id, channel.id, now) / MILLIONTHS
    if spent >= most:
        until = next_month(now)
        raise BudgetSpent(
            f"This month's budget of {most:.2f} US dollars is spent ({spent:.2f}). It goes on at {until:%Y-%m-%d %H:%M} UTC, "
            f"or when {BUDGET_SETTING} is raised.",
            until,
        )

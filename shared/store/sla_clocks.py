"""SLA clocks as readers need them: those of a conversation, not locked."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from shared.kit.database import WriteSession


async def of_conversation(
    session: WriteSession, workspace_id: UUID, conversation_id: UUID, metric: str | None = None
) -> Sequence[Row[Any]]:
    """The clocks of a conversation (of one metric, or all), in the order in which they began."""
    found = await session.execute(_OF, {"w": workspace_id, "c": conversation_id, "metric": metric})
    return found.all()


_OF = text("""
    SELECT * FROM sla_clock
    WHERE workspace_id = :w AND conversation_id = :c AND (CAST(:metric AS text) IS NULL OR metric = :metric)
    ORDER BY started_at, metric, instance
""")

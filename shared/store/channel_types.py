"""Channel types as ingest published them, the same for all workspaces."""

from sqlmodel import col, select

from shared.kit.database import WriteSession
from shared.models.channel import ChannelType


async def find(session: WriteSession, name: str) -> ChannelType | None:
    """The type of this name, if it was published."""
    return await session.get(ChannelType, name)


async def names(session: WriteSession) -> list[str]:
    """The names of all types that were published."""
    return list((await session.execute(select(col(ChannelType.type)).order_by(col(ChannelType.type)))).scalars())

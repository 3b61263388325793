"""Our own posts, come back by poll, stream or push: one that is an answer of which nobody knew what became settles it."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from services.ingest.incoming_mention import IncomingMention
from shared.acts import replies as acts
from shared.kit.database import WriteSession
from shared.models.reply import Reply, ReplyState
from shared.store import reply as store

BEFORE = timedelta(seconds=60)
"""How much the network's clock may be behind ours."""
SETTLED_BY = "echo"


async def settle(session: WriteSession, workspace_id: UUID, channel_id: UUID, ours: Sequence[IncomingMention]) -> int:
    """Settles replies of unknown outcome that stand among our own posts: the same words, to the same mention (where the network
    says to which), not older than the sending. Returns how many."""
    if not ours:
        return 0
    waiting = await store.of_unknown_outcome(session, workspace_id, channel_id)
    settled = 0
    for post in ours:
        found = next((one for one in waiting if _is(post, *one)), None)
        if found is None:
            continue
        waiting.remove(found)
        reply = await store.lock(session, workspace_id, found[0].id)
        if reply.state == ReplyState.UNKNOWN:
            await acts.sent(
                session, reply, at=post.published_at, external_id=post.external_id, permalink=post.permalink,
                settled_by=SETTLED_BY,
            )  # fmt: skip
            settled += 1
    return settled


def _is(post: IncomingMention, reply: Reply, answered: str | None) -> bool:
    if post.deleted_at is not None or reply.sending_at is None or post.published_at < reply.sending_at - BEFORE:
        return False
    if post.in_reply_to is not None and post.in_reply_to != answered:
        return False
    return _words(post.text) == _words(reply.said())


def _words(text: str) -> list[str]:
    return text.split()

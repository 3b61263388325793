"""What a network tells afterwards of our answers: one of which nobody knew what became is settled, and one that the network took
and then could not deliver has failed after all."""

from collections.abc import Sequence
from uuid import UUID

from services.ingest.exchanged import Receipt
from services.ingest.incoming_mention import cleaned
from shared.acts import replies as acts
from shared.kit.database import WriteSession
from shared.kit.ids import parse_id
from shared.models.reply import Reply, ReplyState
from shared.store import reply as store

SETTLED_BY = "receipt"
UNSAID = "The network did not deliver it, and does not say why."
_OPEN = (ReplyState.SENDING, ReplyState.UNKNOWN)


async def settle(session: WriteSession, workspace_id: UUID, channel_id: UUID, told: Sequence[Receipt]) -> int:
    """Writes down what receipts tell of the answers of a channel; what is told of others, or was known, changes nothing. Returns
    how many answers changed."""
    if not told:
        return 0
    tokens = [token for one in told if one.token and (token := parse_id(one.token)) is not None]
    places = [cleaned(one.external_id) for one in told if one.external_id]
    locked = await store.lock_told(session, workspace_id, channel_id, tokens, places)
    by_token = {reply.id: reply for reply in locked}
    by_place = {reply.external_id: reply for reply in locked if reply.external_id}
    changed = set()
    for one in told:
        token = parse_id(one.token) if one.token else None
        reply = by_token.get(token) if token else None
        if reply is None and one.external_id:
            reply = by_place.get(cleaned(one.external_id))
        if reply is not None and await _learn(session, reply, one):
            changed.add(reply.id)
    return len(changed)


async def _learn(session: WriteSession, reply: Reply, told: Receipt) -> bool:
    """Whether the receipt changed what is known of a locked reply. One that is being sent is settled too: a network may tell of
    it before it answers who sends it, who then leaves it as it is."""
    if told.outcome == "failed":
        if reply.state not in (*_OPEN, ReplyState.SENT):
            return False
        await acts.failed(session, reply, cleaned(told.reason) or UNSAID, settled_by=SETTLED_BY)
        return True
    if reply.state not in _OPEN or (reply.state == ReplyState.SENDING and not told.external_id):
        return False
    place = cleaned(told.external_id) if told.external_id else None
    await acts.sent(session, reply, at=told.at, external_id=place, permalink=None, settled_by=SETTLED_BY)
    return True

"""A process that carries replies and may be killed at any moment; it looks sooner than a real one, so that a test is short."""

import asyncio
from functools import partial

import services.ingest.channels.simulated  # noqa: F401  # loaded once, for the processes that are forked
from services.ingest import in_flight, replies, worker
from shared.kit.settings import Settings
from shared.store import work

LOOKS = (0.2, 0.2, 0.3, 0.3)
LEASE_S, RENEW_S = 3.0, 1.0


def carry(settings: Settings) -> None:
    """Runs the ingest worker until it is killed."""
    replies.LOOKS = LOOKS  # of this process alone
    in_flight.RENEW_S = RENEW_S
    work.claim_replies = partial(work.claim_replies, lease_s=LEASE_S)
    work.renew = partial(work.renew, lease_s=LEASE_S)
    asyncio.run(worker.run(settings, asyncio.Event()))

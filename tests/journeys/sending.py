"""A process that carries replies and moderations and may be killed at any moment; it looks sooner than a real one, so that a test
is short."""

import asyncio
import os
import signal
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from services.ingest import in_flight, moderator, replies, worker
from services.ingest.channel import OutgoingReply, Post, Sent
from services.ingest.channels.simulated import Simulated  # loaded once, for the processes that are forked
from shared.kit.settings import Settings
from shared.store import work

LOOKS = (0.2, 0.2, 0.3, 0.3)
LEASE_S, RENEW_S = 3.0, 1.0


def carry(settings: Settings) -> None:
    """Runs the ingest worker until it is killed."""
    replies.LOOKS = moderator.AGAIN_AFTER = LOOKS  # of this process alone
    in_flight.RENEW_S = RENEW_S
    work.claim_replies = partial(work.claim_replies, lease_s=LEASE_S)
    work.claim_moderations = partial(work.claim_moderations, lease_s=LEASE_S)
    work.renew = partial(work.renew, lease_s=LEASE_S)
    asyncio.run(worker.run(settings, asyncio.Event()))


def carry_until(settings: Settings, asked: Path, deaths: Mapping[int, float]) -> None:
    """The same, until a death: who makes the call to a venue that has its number is killed so many seconds later, whatever it is at
    then. All processes count their calls together in `asked`, a byte each, so that nobody dies with a lock in its hands."""
    reply, counted = Simulated._reply, os.open(asked, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def count_and_ask(channel: Simulated, outgoing: OutgoingReply, visibility: str) -> Sent:
        os.write(counted, b".")
        after_s = deaths.get(os.lseek(counted, 0, os.SEEK_CUR))
        if after_s is not None:
            threading.Timer(after_s, os.kill, (os.getpid(), signal.SIGKILL)).start()
        return await reply(channel, outgoing, visibility)

    Simulated._reply = count_and_ask  # type: ignore[method-assign, assignment]
    carry(settings)


def carry_and_never_tell(settings: Settings) -> None:
    """The same, but what a venue was asked to moderate, and did, never reaches us: the process hangs until it is killed."""
    ask = Simulated._moderate

    async def ask_and_hang(channel: Simulated, action: str, post: Post, reason: str = "") -> None:
        await ask(channel, action, post, reason)
        await asyncio.Event().wait()

    Simulated._moderate = ask_and_hang  # type: ignore[method-assign, assignment]
    carry(settings)

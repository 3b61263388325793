"""The api's worker: gives facts their place, delivers webhooks, keeps house. Several may run."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

from services.api import housekeeping
from services.api.automation import AUTOMATION, Automation
from services.api.figures import WorkerFigures
from services.api.webhooks.delivery import Deliverer
from services.api.webhooks.post import Postman
from shared.kit import logging
from shared.kit.database import Database
from shared.kit.http import HttpClient
from shared.kit.jobs import Nudger, Wakeups, drain
from shared.kit.secrets import Vault
from shared.kit.settings import Settings
from shared.outbox import SEQUENCER
from shared.sequencer import Sequencer
from shared.store import heartbeats
from shared.store.deliveries import DELIVERIES

PROCESS = "api-worker"


@dataclass(frozen=True, slots=True)
class Worker:
    """What this process does when something is to be done."""

    sequencer: Sequencer
    deliverer: Deliverer
    automation: Automation

    async def sequence(self) -> bool:
        """Gives facts their place."""
        return await self.sequencer.once()

    async def deliver(self) -> bool:
        """Sends what is due on its way."""
        return await self.deliverer.once()

    async def automate(self) -> bool:
        """Asks the rules of automation about what was told."""
        return await self.automation.once()


REACTIONS: Mapping[str, Callable[[Worker], Awaitable[bool]]] = {
    SEQUENCER: Worker.sequence,
    DELIVERIES: Worker.deliver,
    AUTOMATION: Worker.automate,
}
"""Which hint wakes what."""

log = logging.get(__name__)


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Works until `stop`, then ends what is under way within seconds. Raises where Postgres is away at the start."""
    database = await Database.open(settings, PROCESS)
    nudger = Nudger(settings)
    vault = Vault(settings.secret_key.get_secret_value())
    figures = WorkerFigures()
    http = HttpClient(settings.allowed_networks)
    sequencer = Sequencer(database, tell=partial(figures.facts, database))
    try:
        async with Wakeups(settings, REACTIONS) as wakeups:

            def tell(kinds: frozenset[str]) -> None:
                nudger.nudge(kinds)
                for kind in kinds & REACTIONS.keys():  # what this very process can do need not go round by Valkey
                    wakeups.wake(kind)

            database.after_commit = tell
            postman = Postman(settings.allowed_networks)
            async with (
                Deliverer(
                    database, vault, postman, lambda: wakeups.wake(DELIVERIES), recorded=figures.tried
                ) as deliverer,
                asyncio.TaskGroup() as group,
            ):
                worker = Worker(sequencer, deliverer, Automation(database, vault, settings))
                for kind, react in REACTIONS.items():
                    group.create_task(drain(kind, wakeups, stop, partial(react, worker)), name=kind)
                for chore in housekeeping.chores(figures, http):
                    group.create_task(housekeeping.keep_doing(chore, database, stop), name=chore.name)
                group.create_task(heartbeats.pulse(database, PROCESS, stop, figures.told), name="heartbeat")
                log.info("the api's worker is ready")
    finally:
        await sequencer.close()
        await nudger.close()
        await http.close()
        await database.close()

"""Writes down what tries came to, many at a time, and draws the consequences for their endpoints."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from uuid import UUID

from services.api.webhooks.schedule import FAILING_FOR_S
from shared import outbox
from shared.kit import logging
from shared.kit.database import Database
from shared.models.facts import WebhookEndpointDisabled
from shared.store import deliveries
from shared.store.deliveries import Claimed, Result

GONE = "The receiver answered 410 Gone."
FAILED_TOO_LONG = "Every try failed for five days."
_GATHER_S = 0.05
_PAUSE_S = 0.5
_AT_ONCE = 4

log = logging.get(__name__)


class Recorder:
    """Takes results and writes them soon, a workspace's in one transaction. What Postgres does not take is kept and
    written when it is back. `written` is called with the deliveries that are no longer ours, `recorded` with the results that
    were written."""

    def __init__(
        self,
        database: Database,
        written: Callable[[Iterable[UUID]], None],
        recorded: Callable[[Iterable[Result]], None],
    ) -> None:
        self._database = database
        self._written = written
        self._recorded = recorded
        self._results: list[Result] = []
        self._returned: list[Claimed] = []
        self._something = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name="recording deliveries")

    def add(self, result: Result) -> None:
        """A try is over."""
        self._results.append(result)
        self._something.set()

    def give_back(self, claimed: Claimed) -> None:
        """A claimed delivery was not tried; somebody else may."""
        self._returned.append(claimed)
        self._something.set()

    async def close(self, within_s: float = 3.0) -> None:
        """Writes what is left. Results that Postgres does not take in time are lost, and those deliveries tried
        again."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        try:
            async with asyncio.timeout(within_s):
                await self.flush()
        except Exception as wrong:  # noqa: BLE001  # the process ends; leases bring back what was not written
            log.warning("results of deliveries were not written", lost=len(self._results), error=type(wrong).__name__)

    async def flush(self) -> None:
        """Writes all there is now. Raises what Postgres raises; then what was not written is kept."""
        by_workspace: defaultdict[UUID, list[Result]] = defaultdict(list)
        for result in self._results:
            by_workspace[result.claimed.workspace_id].append(result)
        self._results = []
        slots = asyncio.Semaphore(_AT_ONCE)

        async def one(workspace_id: UUID, results: list[Result]) -> None:
            written = False
            try:
                async with slots:
                    await self._write(workspace_id, results)
                written = True
            finally:
                if written:
                    self._written(result.claimed.id for result in results)
                    self._recorded(results)
                else:
                    self._results.extend(results)

        done = await asyncio.gather(*(one(*item) for item in by_workspace.items()), return_exceptions=True)
        for wrong in done:
            if isinstance(wrong, BaseException):
                raise wrong
        if self._returned:
            # After the results: an endpoint that was disabled by them gets none of these.
            returned = list(self._returned)
            async with self._database.lookup() as connection:
                await deliveries.release(connection, returned)
            del self._returned[: len(returned)]
            self._written(claimed.id for claimed in returned)

    async def _write(self, workspace_id: UUID, results: list[Result]) -> None:
        well = {one.claimed.endpoint_id for one in results if one.reached is True}
        ailing = {one.claimed.endpoint_id for one in results if one.reached is False} - well
        gone = {one.claimed.endpoint_id for one in results if one.gone}
        # In one order everywhere, so that two workers never wait for each other.
        results.sort(key=lambda one: one.claimed.id)
        async with self._database.write(workspace_id) as session:
            await deliveries.record(session, workspace_id, results)
            await deliveries.note_health(session, workspace_id, sorted(well), sorted(ailing))
            for endpoints, because, failing_for_s in ((gone, GONE, 0.0), (ailing, FAILED_TOO_LONG, FAILING_FOR_S)):
                disabled = await deliveries.disable(
                    session, workspace_id, sorted(endpoints), because, failing_for_s=failing_for_s
                )
                await deliveries.give_up(session, workspace_id, disabled, f"The endpoint was disabled. {because}")
                await outbox.add(
                    session,
                    workspace_id,
                    [WebhookEndpointDisabled(subject_id=one, detail={"because": because}) for one in disabled],
                )

    async def _run(self) -> None:
        while True:
            await self._something.wait()
            # A moment's patience makes one transaction of many results.
            await asyncio.sleep(_GATHER_S)
            self._something.clear()
            try:
                await self.flush()
            except Exception as wrong:  # noqa: BLE001  # whatever it was, results are kept and written later
                log.warning(
                    "results of deliveries wait to be written", waiting=len(self._results), error=repr(wrong)[:200]
                )
                self._something.set()
                await asyncio.sleep(_PAUSE_S)

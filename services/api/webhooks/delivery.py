"""Delivers what is due: claims fairly, posts through each endpoint's lane, hands the results to the recorder.

A delivery is claimed with a lease, posted while the lease covers the whole try, and recorded. So it is tried twice at
once by nobody, and again only where a process died between the post and the record: at least once, in normal running
exactly once.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from types import TracebackType
from uuid import UUID

from services.api.webhooks import schedule, signing
from services.api.webhooks.lanes import Address, Lane, Parcel
from services.api.webhooks.post import TOTAL_S, Postman
from services.api.webhooks.recorder import Recorder
from shared.kit import clock, logging
from shared.kit.database import Database
from shared.kit.errors import WebcareError
from shared.kit.secrets import Vault
from shared.store import deliveries
from shared.store.deliveries import LEASE_S, SECRET_FIELD, Claimed, Letter, Receiver, Result

CLAIM = 500
FIRST_ROOM = 4
MOST_HELD = 2_000
MOST_UNDER_WAY = 400
MOST_AILING = 200
_RECORD_S = 1.5
_WAITS_FOR_LAST_S = 4.0

log = logging.get(__name__)


class Deliverer:
    """Delivers. `async with Deliverer(…) as deliverer: await drain(DELIVERIES, wakeups, stop, deliverer.once)`.

    `wake` ends that drain's sleep: it is called when a lane runs dry. `recorded` hears of every try that was written down.
    """

    def __init__(
        self, database: Database, vault: Vault, postman: Postman, wake: Callable[[], None],
        recorded: Callable[[Iterable[Result]], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self._database = database
        self._vault = vault
        self._postman = postman
        self._wake = wake
        self._recorded = recorded
        self._lanes: dict[UUID, Lane] = {}
        self._held: dict[UUID, Claimed] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self._ailing = 0
        self._crowded = False
        self._closing = False
        self._open = AsyncExitStack()

    async def __aenter__(self) -> "Deliverer":
        await self._open.enter_async_context(self._postman)
        self._recorder = Recorder(self._database, self._let_go, self._recorded)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, wrong: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        for lane in self._lanes.values():
            self._give_back(lane)
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=_WAITS_FOR_LAST_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._recorder.close()
        await self._open.aclose()

    async def once(self) -> bool:
        """Claims what is due and for which there is room, and sends it on its way. False where there was nothing."""
        if len(self._held) >= MOST_HELD:
            return False
        now = asyncio.get_running_loop().time()
        self._forget_idle(now)
        rooms = {lane.endpoint_id: lane.room(now) for lane in self._lanes.values()}
        async with self._database.lookup() as connection:
            claimed = await deliveries.claim(connection, rooms, first_room=FIRST_ROOM, limit=CLAIM)
        got: defaultdict[UUID, int] = defaultdict(int)
        fresh: defaultdict[UUID, list[Claimed]] = defaultdict(list)
        for one in claimed:
            got[one.endpoint_id] += 1
            held = self._held.get(one.id)
            if held is not None:
                # Its lease ended while its result waits to be written: it stays ours, under the new lease.
                held.token = one.token
                continue
            self._held[one.id] = one
            fresh[one.workspace_id].append(one)
        for endpoint_id, room in rooms.items():
            if room:
                self._lanes[endpoint_id].asked, self._lanes[endpoint_id].got = room, got[endpoint_id]
        start_by = now + LEASE_S - TOTAL_S - _RECORD_S
        await asyncio.gather(*(self._load(workspace_id, ones, start_by) for workspace_id, ones in fresh.items()))
        return bool(fresh)

    # ------------------------------------------------------------ from claim to lane

    async def _load(self, workspace_id: UUID, claimed: list[Claimed], start_by: float) -> None:
        try:
            async with self._database.read(workspace_id) as connection:
                receivers = await deliveries.receivers(connection, list({one.endpoint_id for one in claimed}))
                letters = await deliveries.letters(connection, list({one.event_id for one in claimed}))
        except BaseException:
            self._let_go(one.id for one in claimed)  # the lease brings them back
            raise
        addresses: dict[UUID, Address] = {}
        disabled: list[Claimed] = []
        for one in claimed:
            receiver, letter = receivers.get(one.endpoint_id), letters.get(one.event_id)
            if receiver is None or letter is None:
                missing = "endpoint was removed" if receiver is None else "event has expired"
                self._end(one, f"The {missing}.")
            elif receiver.status != "enabled":
                disabled.append(one)
            else:
                self._enqueue(workspace_id, one, receiver, letter, addresses, start_by)
        if disabled:
            await self._give_up(workspace_id, disabled)
        for endpoint_id in addresses:
            self._send(self._lanes[endpoint_id])

    def _enqueue(
        self, workspace_id: UUID, claimed: Claimed, receiver: Receiver, letter: Letter,
        addresses: dict[UUID, Address], start_by: float,
    ) -> None:  # fmt: skip
        if receiver.id not in addresses:
            try:
                addresses[receiver.id] = Address(receiver.url, self._keys(workspace_id, receiver))
            except WebcareError as unreadable:
                self._end(claimed, unreadable.detail, state=schedule.PENDING, delay_s=schedule.DELAYS_S[2])
                return
        lane = self._lanes.get(receiver.id)
        if lane is None:
            # As if it had got all it asked for: what there is beyond its first room, its first answer will ask for.
            lane = self._lanes[receiver.id] = Lane(receiver.id, asked=FIRST_ROOM, got=FIRST_ROOM)
        lane.ready.append(Parcel(claimed, letter, addresses[receiver.id], start_by))

    def _keys(self, workspace_id: UUID, receiver: Receiver) -> tuple[bytes, ...]:
        sealed = [receiver.secret]
        if receiver.former_secret and receiver.former_secret_until and receiver.former_secret_until > clock.now():
            sealed.append(receiver.former_secret)
        return tuple(signing.key_of(self._vault.open(one, workspace_id, SECRET_FIELD)) for one in sealed)

    async def _give_up(self, workspace_id: UUID, claimed: list[Claimed]) -> None:
        """What waits for a disabled endpoint has failed, until somebody enables the endpoint and recovers it."""
        try:
            async with self._database.lookup() as connection:
                await deliveries.release(connection, claimed)
            endpoints = sorted({one.endpoint_id for one in claimed})
            async with self._database.write(workspace_id) as session:
                await deliveries.give_up(session, workspace_id, endpoints, "The endpoint is disabled.")
        finally:
            self._let_go(one.id for one in claimed)

    def _end(self, claimed: Claimed, error: str, *, state: str = schedule.DISCARDED, delay_s: float = 0.0) -> None:
        self._recorder.add(
            Result(claimed, state, clock.now(), latency_ms=0.0, error=error, reached=None, delay_s=delay_s)
        )

    # ------------------------------------------------------------ from lane to receiver

    def _send(self, lane: Lane) -> None:
        """Lets leave what may leave this lane now."""
        now = asyncio.get_running_loop().time()
        while not self._closing and lane.may_send(now):
            if len(self._under_way) >= MOST_UNDER_WAY or (lane.ailing and self._ailing >= MOST_AILING):
                self._crowded = True
                return
            parcel = lane.ready.popleft()
            if now > parcel.start_by:
                self._recorder.give_back(parcel.claimed)
                continue
            lane.under_way += 1
            ailing = lane.ailing
            self._ailing += ailing
            task = asyncio.create_task(self._try(lane, parcel))
            self._under_way.add(task)
            task.add_done_callback(partial(self._arrived, lane, ailing))

    async def _try(self, lane: Lane, parcel: Parcel) -> None:
        at = clock.now()
        letter, claimed = parcel.letter, parcel.claimed
        headers = signing.headers(parcel.address.keys, str(letter.event_id), at, letter.body)
        if letter.traceparent:
            headers["traceparent"] = letter.traceparent
        try:
            outcome = await self._postman.post(parcel.address.url, headers, letter.body)
        except asyncio.CancelledError:
            self._recorder.give_back(claimed)
            raise
        except Exception as wrong:  # a mistake of ours: this delivery's try failed, the others go on
            log.exception("a delivery failed inside")
            outcome = schedule.Outcome(error=f"The try failed on our side ({type(wrong).__name__}).")
        verdict = schedule.judge(outcome, claimed.attempts)
        lane.learn(verdict, outcome.latency_ms / 1_000, asyncio.get_running_loop().time())
        if verdict.gone:
            self._give_back(lane)
        self._recorder.add(
            Result(
                claimed, verdict.state, at, outcome.latency_ms, status=outcome.status, error=verdict.error,
                excerpt=outcome.excerpt, delay_s=verdict.delay_s, reached=verdict.reached, gone=verdict.gone,
            )
        )  # fmt: skip

    def _arrived(self, lane: Lane, ailing: bool, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        lane.under_way -= 1
        self._ailing -= ailing
        self._send(lane)
        if self._crowded:
            self._crowded = False
            for other in list(self._lanes.values()):
                self._send(other)
        if lane.thirsty(asyncio.get_running_loop().time()):
            self._wake()

    def _give_back(self, lane: Lane) -> None:
        while lane.ready:
            self._recorder.give_back(lane.ready.popleft().claimed)

    def _let_go(self, ids: Iterable[UUID]) -> None:
        for one in ids:
            self._held.pop(one, None)

    def _forget_idle(self, now: float) -> None:
        for endpoint_id in [lane.endpoint_id for lane in self._lanes.values() if lane.idle(now)]:
            del self._lanes[endpoint_id]

    def lanes(self) -> Mapping[UUID, Lane]:
        """The lanes there are, by endpoint."""
        return self._lanes

"""Where work waits, in which order, and who gets it; every decision says why and can be taken again from its record.

Queue: the first by position (then id) whose filter matches. Order inside: priority class, nearest deadline (none goes
last), longest wait, id.

What a queue's work takes is written as needs; one without a name means what the conversation has (its language, its country, its
type of channel), and asks nothing of a conversation that does not have it. An agent who names no language at all gets work in
every one.

An agent is excluded for the first of these reasons that holds: not in the queue's teams; offline or away; not on
shift; refused this conversation; a required skill missing; a preferred skill missing that is not dropped yet; no
capacity left; full share in the fairness window. Preferred skills are dropped one by one, the last first, each time the
conversation has waited another `relax_after_s`.

Of those left the highest score gets it: +1000 for whoever answered this person last, within `affinity_s`; up to +300
for free capacity; +20 for each level of a preferred skill, dropped or not; -10 for each conversation got in the
fairness window. Scores are whole numbers. Ties go by a hash of seed, conversation and agent.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Literal
from uuid import UUID

from shared.rules.filter import EVERYTHING, Filter, evaluate
from shared.rules.priority import rank

ANY = "*"
"""The name of a skill that stands for every one of its kind."""
SPOKEN = 3
"""The level of a language that an agent names without one."""
OF_CONVERSATIONS = ("language", "country", "channel")
"""The kinds of skill of which a conversation itself says the name."""

Stage = Literal["own", "widened", "overflow"]
Presence = Literal["online", "away", "offline"]
Reason = Literal[
    "other_team", "absent", "off_shift", "refused", "lacks_skill", "lacks_preferred_skill", "no_capacity", "had_share"
]

AFFINITY, FREE, SKILL, SHARE = 1_000, 300, 20, 10
NEVER = datetime.max.replace(tzinfo=UTC)
"""Stands for "no deadline" in an order key: after every deadline."""

OrderKey = tuple[int, datetime, datetime, UUID]


@dataclass(frozen=True, slots=True)
class Queue:
    """Where conversations wait that match a filter."""

    id: UUID
    position: int
    where: Filter = EVERYTHING
    team_ids: frozenset[UUID] = frozenset()
    secondary_team_ids: frozenset[UUID] = frozenset()
    overflow_agent_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """A skill (`language:nl`, `product:fibre`) and the level, 1 to 5, from which on it counts."""

    skill: str
    level: int = 1


@dataclass(frozen=True, slots=True)
class Item:
    """A conversation that waits. Without `team_ids` every team may have it; `weight` is what it takes of a capacity,
    `queued_at` when it last came to its queue."""

    conversation_id: UUID
    waiting_since: datetime
    priority: str = "normal"
    deadline_at: datetime | None = None
    queue_id: UUID | None = None
    team_ids: frozenset[UUID] = frozenset()
    weight: int = 1
    required: tuple[Need, ...] = ()
    preferred: tuple[Need, ...] = ()
    refused_by: frozenset[UUID] = frozenset()
    last_agent_id: UUID | None = None
    last_agent_at: datetime | None = None
    queued_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """An agent at the moment of a decision. `load` is in weights, `recent` how many came in the fairness window."""

    agent_id: UUID
    team_ids: frozenset[UUID] = frozenset()
    presence: Presence = "online"
    on_shift: bool = True
    capacity: int = 20
    load: int = 0
    skills: Mapping[str, int] = field(default_factory=dict)
    recent: int = 0


@dataclass(frozen=True, slots=True)
class Rules:
    """How a workspace routes. `relax_after_s` 0 never drops a skill, `share` None sets no share."""

    relax_after_s: int = 300
    affinity_s: int = 7 * 24 * 3_600
    share: int | None = None


@dataclass(frozen=True, slots=True)
class Considered:
    """What became of one candidate: a reason for which it was excluded, with words, or a score with its parts."""

    agent_id: UUID
    excluded: Reason | None = None
    detail: str = ""
    score: int | None = None
    parts: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """Who got a conversation, or nobody (None), with every candidate and the preferred skills that were dropped."""

    conversation_id: UUID
    agent_id: UUID | None
    considered: tuple[Considered, ...]
    relaxed: tuple[str, ...]
    seed: str
    decided_at: datetime


def needs(
    written: Iterable[Mapping[str, Any]], *, language: str | None, country: str | None, channel: str | None
) -> tuple[tuple[Need, ...], tuple[Need, ...]]:
    """What a queue asks for a conversation: (required, preferred), in the order written. Each is {kind, name?, level?, required?}."""
    own = {"language": language, "country": country, "channel": channel}
    asked: dict[bool, list[Need]] = {True: [], False: []}
    for one in written:
        name = one.get("name") or own.get(str(one["kind"]))
        if name:
            asked[bool(one.get("required", True))].append(Need(skill_of(one["kind"], name), int(one.get("level") or 1)))
    return tuple(asked[True]), tuple(asked[False])


def skill_of(kind: object, name: object) -> str:
    """A skill as candidates and needs name it: `language:nl`."""
    return f"{kind}:{str(name).casefold()}"


def skills(written: Iterable[Mapping[str, Any]], languages: Iterable[str]) -> dict[str, int]:
    """An agent's skills with their levels: those written, [{kind, name, level?}], and the languages that were only named."""
    known = {skill_of("language", one): SPOKEN for one in languages}
    known |= {skill_of(one["kind"], one["name"]): int(one.get("level") or SPOKEN) for one in written}
    if not any(skill.startswith("language:") for skill in known):
        known[skill_of("language", ANY)] = SPOKEN
    return known


def stage(refusals: int, waited: timedelta, *, after: int, expires: timedelta, widens: bool) -> Stage:
    """Who is asked about work that is pushed: the queue's own teams; after so many refusals its secondary ones too (`widens`: it has
    any); after as many more nobody is asked any more, and it overflows. The time in which an offer would have expired counts as a
    refusal, so that work for which nobody can be asked moves on as well."""
    rounds = max(refusals, waited // expires)
    if rounds < after:
        return "own"
    return "widened" if widens and rounds < 2 * after else "overflow"


def choose_queue(queues: Iterable[Queue], row: Mapping[str, Any]) -> Queue | None:
    """The queue a conversation goes to; None if no filter matches."""
    ordered = sorted(queues, key=lambda queue: (queue.position, queue.id))
    return next((queue for queue in ordered if evaluate(queue.where, row)), None)


def order_key(priority: str, deadline_at: datetime | None, waiting_since: datetime, conversation_id: UUID) -> OrderKey:
    """A conversation's place in its queue: the smallest is next. In SQL the same, with missing deadlines last."""
    return rank(priority), deadline_at or NEVER, waiting_since, conversation_id


def in_order(items: Iterable[Item]) -> list[Item]:
    """The items of a queue, next one first."""
    return sorted(items, key=lambda i: order_key(i.priority, i.deadline_at, i.waiting_since, i.conversation_id))


def relaxed(item: Item, rules: Rules, at: datetime) -> int:
    """How many preferred skills, from the last, are dropped by a moment."""
    if rules.relax_after_s <= 0:
        return 0
    periods = max(at - item.waiting_since, timedelta(0)) // timedelta(seconds=rules.relax_after_s)
    return min(periods, len(item.preferred))


def consider(
    item: Item, candidate: Candidate, rules: Rules, at: datetime, *, waived: Collection[Reason] = ()
) -> Considered:
    """What speaks against an agent, or the agent's score. Reasons in `waived` do not count: who asks is not absent."""
    for reason, detail in _objections(item, candidate, rules, at):
        if reason not in waived:
            return Considered(candidate.agent_id, reason, detail)
    parts = [
        ("affinity", AFFINITY if _is_known(item, candidate, rules, at) else 0),
        ("free capacity", _free(item, candidate)),
        ("skills", SKILL * sum(_level(candidate, need) for need in item.preferred)),
        ("fair share", -SHARE * candidate.recent),
    ]
    counted = tuple((name, points) for name, points in parts if points)
    return Considered(candidate.agent_id, score=sum(points for _, points in counted), parts=counted)


def decide(item: Item, candidates: Iterable[Candidate], rules: Rules, *, at: datetime, seed: str) -> Decision:
    """Who gets a conversation. The order of the candidates does not matter."""
    considered = sorted((consider(item, one, rules, at) for one in candidates), key=lambda one: one.agent_id)
    dropped = relaxed(item, rules, at)
    return Decision(
        conversation_id=item.conversation_id,
        agent_id=pick(considered, item.conversation_id, seed),
        considered=tuple(considered),
        relaxed=tuple(need.skill for need in item.preferred[len(item.preferred) - dropped :]),
        seed=seed,
        decided_at=at,
    )


def pick(considered: Iterable[Considered], conversation_id: UUID, seed: str) -> UUID | None:
    """The agent with the highest score; of equals the one with the smallest hash."""
    scored = [one for one in considered if one.score is not None]
    best = min(
        scored,
        key=lambda one: (-(one.score or 0), _lot(seed, conversation_id, one.agent_id), one.agent_id),
        default=None,
    )
    return None if best is None else best.agent_id


def next_for(
    candidate: Candidate, items: Iterable[Item], rules: Rules, *, at: datetime, waived: Collection[Reason] = ()
) -> tuple[Item | None, list[tuple[Item, Considered]]]:
    """The item an agent who asks gets, and those before it in the order with what spoke against the agent."""
    passed: list[tuple[Item, Considered]] = []
    for item in in_order(items):
        seen = consider(item, candidate, rules, at, waived=waived)
        if seen.excluded is None:
            return item, passed
        passed.append((item, seen))
    return None, passed


def _objections(item: Item, candidate: Candidate, rules: Rules, at: datetime) -> Iterable[tuple[Reason, str]]:
    if item.team_ids and not item.team_ids & candidate.team_ids:
        yield "other_team", "is in none of the queue's teams"
    if candidate.presence != "online":
        yield "absent", f"is {candidate.presence}"
    if not candidate.on_shift:
        yield "off_shift", "is not on shift"
    if candidate.agent_id in item.refused_by:
        yield "refused", "refused this conversation"
    for need in item.required:
        if not _level(candidate, need):
            yield "lacks_skill", f"lacks {need.skill} at level {need.level}"
    for need in item.preferred[: len(item.preferred) - relaxed(item, rules, at)]:
        if not _level(candidate, need):
            yield "lacks_preferred_skill", f"lacks {need.skill} at level {need.level}, which is not dropped yet"
    if candidate.load + item.weight > candidate.capacity:
        yield "no_capacity", f"has {candidate.load} of {candidate.capacity}, and this takes {item.weight}"
    if rules.share is not None and candidate.recent >= rules.share:
        yield "had_share", f"got {candidate.recent} in the fairness window"


def _is_known(item: Item, candidate: Candidate, rules: Rules, at: datetime) -> bool:
    if item.last_agent_id != candidate.agent_id or item.last_agent_at is None:
        return False
    return at - item.last_agent_at <= timedelta(seconds=rules.affinity_s)


def _free(item: Item, candidate: Candidate) -> int:
    free = candidate.capacity - candidate.load - item.weight
    return FREE * max(free, 0) // candidate.capacity if candidate.capacity > 0 else 0


def _level(candidate: Candidate, need: Need) -> int:
    """The agent's level of a skill; 0 if it is below what is needed."""
    level = candidate.skills.get(need.skill, candidate.skills.get(f"{need.skill.partition(':')[0]}:{ANY}", 0))
    return level if level >= need.level else 0


def _lot(seed: str, conversation_id: UUID, agent_id: UUID) -> bytes:
    return blake2b(f"{seed}\0{conversation_id}\0{agent_id}".encode(), digest_size=16).digest()

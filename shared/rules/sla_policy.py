"""SLA policies: which one holds, what it promises, when its clocks start, when they warn.

```
{"position": 1, "filter": {}, "starts_at": "published_at", "ignore_older_than": "P7D",
 "targets": [{"metric": "first_response", "priority": "*", "within": "PT1H", "hours": "business"}],
 "pause_on": {"resolution": ["pending"]}, "warnings": ["0.75", "PT10M"]}
```
`hours` is `business` (the policy's calendar; the default where it has one) or `clock` (every hour counts). A warning is
a part of the target's time, or a time before the deadline, counted in the hours of the target; one that is no shorter
than the target never comes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any, Literal, cast, get_args

from shared.kit.errors import Invalid
from shared.rules import duration
from shared.rules import filter as filters
from shared.rules.business_hours import Calendar
from shared.rules.filter import EVERYTHING, FieldType, Filter
from shared.rules.priority import CLASSES
from shared.rules.sla_clock import Mark, Terms

Metric = Literal["first_response", "next_response", "update", "resolution"]
Hours = Literal["business", "clock"]
StartsAt = Literal["received_at", "published_at"]
Status = Literal["open", "pending", "snoozed"]

METRICS: tuple[Metric, ...] = get_args(Metric)
STATUSES: tuple[Status, ...] = get_args(Status)
EVERY_PRIORITY = "*"
PAUSES: Mapping[Metric, frozenset[str]] = MappingProxyType({"resolution": frozenset({"pending"})})
"""Reply clocks never pause; resolution waits while the customer has the word."""

_LONGEST = timedelta(days=3_660)

Problem = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Target:
    """What a policy promises for a metric: for one priority, or for `*`, every priority without its own."""

    metric: Metric
    priority: str
    within: timedelta
    hours: Hours = "business"


@dataclass(frozen=True, slots=True)
class Threshold:
    """When to warn: after a part of the target's time, or a time before the deadline. One of the two is given."""

    name: str
    part: Decimal | None = None
    before: timedelta | None = None

    def mark(self, within: timedelta) -> Mark | None:
        """Where the warning stands in a target's time; None where it would stand at or before the start."""
        if self.part is not None:
            used = timedelta(microseconds=int(within // timedelta(microseconds=1) * self.part))
        else:
            used = within - (self.before or timedelta(0))
        return Mark(self.name, used) if timedelta(0) < used < within else None


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy as it stands in one version."""

    id: str
    version: int
    position: int
    targets: tuple[Target, ...]
    where: Filter = EVERYTHING
    calendar: Calendar | None = None
    starts_at: StartsAt = "received_at"
    ignore_older_than: timedelta | None = timedelta(days=7)
    pause_on: Mapping[Metric, frozenset[str]] = field(default_factory=lambda: PAUSES)
    warnings: tuple[Threshold, ...] = ()
    automatic_replies_count: bool = False


def choose(policies: Iterable[Policy], row: Mapping[str, Any]) -> Policy | None:
    """The policy that holds for a conversation: the first by position (then id) whose filter matches."""
    ordered = sorted(policies, key=lambda policy: (policy.position, policy.id))
    return next((policy for policy in ordered if filters.evaluate(policy.where, row)), None)


def target_for(policy: Policy, metric: Metric, priority: str) -> Target | None:
    """The promise for a priority, else the one for every priority, else None: no clock."""
    mine = {target.priority: target for target in policy.targets if target.metric == metric}
    return mine.get(priority, mine.get(EVERY_PRIORITY))


def terms(policy: Policy, metric: Metric, priority: str) -> Terms | None:
    """What a clock of this metric runs under from now on; None where the policy promises nothing."""
    target = target_for(policy, metric, priority)
    if target is None:
        return None
    marks = (threshold.mark(target.within) for threshold in policy.warnings)
    return Terms(
        within=target.within,
        calendar=policy.calendar if target.hours == "business" else None,
        marks=tuple(sorted((mark for mark in marks if mark), key=lambda mark: (mark.used, mark.name))),
        policy_id=policy.id,
        policy_version=policy.version,
        priority=priority,
    )


def starts(policy: Policy, *, received_at: datetime, published_at: datetime | None) -> datetime | None:
    """When the clocks of a mention start; None where it was found too late to be owed anything in time.

    A venue's clock may run ahead of ours: a mention is never published after it was received.
    """
    published = min(published_at or received_at, received_at)
    if policy.ignore_older_than is not None and received_at - published > policy.ignore_older_than:
        return None
    return received_at if policy.starts_at == "received_at" else published


def pauses(policy: Policy, metric: Metric, status: str) -> bool:
    """Whether clocks of this metric stand still in this status of the conversation."""
    return status in policy.pause_on.get(metric, frozenset())


def threshold(written: str | float) -> Threshold:
    """A warning as it is written: a part between 0 and 1, or an ISO 8601 duration before the deadline.

    Raises:
        ValueError: a sentence that says what a right one looks like.
    """
    wrong = "Write a warning as a part of the target between 0 and 1, as in 0.75, or as a time before it, as in PT30M."
    text = str(written).strip().upper()
    if text.startswith("P"):
        before = duration.parse(text)
        if before <= timedelta(0):
            raise ValueError(wrong)
        return Threshold(text, before=before)
    try:
        part = Decimal(text)
    except InvalidOperation:
        raise ValueError(wrong) from None
    if isinstance(written, bool) or not part.is_finite() or not 0 < part < 1:
        raise ValueError(wrong)
    return Threshold(f"{part.normalize():f}", part=part.normalize())


def parse(
    data: Mapping[str, Any],
    *,
    policy_id: str,
    version: int,
    fields: Mapping[str, FieldType],
    calendar: Calendar | None,
) -> Policy:
    """The policy that was written down; `calendar` is the one its `calendar_id` names.

    Raises:
        Invalid: with one (JSON pointer, sentence) for each thing that is wrong.
    """
    found: list[Problem] = []
    try:
        where = EVERYTHING if data.get("filter") is None else filters.parse(data["filter"], fields)
    except Invalid as wrong:
        found += [(f"/filter{pointer}", detail) for pointer, detail in wrong.errors]
        where = EVERYTHING
    position = data.get("position", 1)
    if not isinstance(position, int) or isinstance(position, bool):
        found.append(("/position", "Give the position as a whole number: the first policy that matches holds."))
    starts_at = data.get("starts_at", "received_at")
    if starts_at not in get_args(StartsAt):
        found.append(("/starts_at", "Clocks start at received_at or published_at."))
    oldest = None
    if data.get("ignore_older_than", "") is not None:
        oldest = _length(data.get("ignore_older_than", "P7D"), "/ignore_older_than", found)
    policy = Policy(
        id=policy_id,
        version=version,
        position=cast("int", position),
        targets=_targets(data.get("targets"), calendar, found),
        where=where,
        calendar=calendar,
        starts_at=cast("StartsAt", starts_at),
        ignore_older_than=oldest,
        pause_on=_pauses(data.get("pause_on"), found),
        warnings=_warnings(data.get("warnings"), found),
        automatic_replies_count=data.get("automatic_replies_count") is True,
    )
    if found:
        raise Invalid("This SLA policy cannot be used.", errors=found)
    return policy


def _targets(value: object, calendar: Calendar | None, found: list[Problem]) -> tuple[Target, ...]:
    if not isinstance(value, list | tuple) or not value:
        found.append(("/targets", "Promise something: give at least one target with its metric and within."))
        return ()
    targets: dict[tuple[str, str], Target] = {}
    for index, item in enumerate(value):
        here = f"/targets/{index}"
        if not isinstance(item, Mapping):
            found.append((here, "Write a target as an object with metric, priority, within and hours."))
            continue
        before = len(found)
        metric, priority = item.get("metric"), item.get("priority", EVERY_PRIORITY)
        hours = item.get("hours", "clock" if calendar is None else "business")
        if metric not in METRICS:
            found.append((f"{here}/metric", f"Metrics are {', '.join(METRICS)}."))
        if priority not in (*CLASSES, EVERY_PRIORITY):
            found.append((f"{here}/priority", f"Priorities are {', '.join(CLASSES)}, or * for every one."))
        if hours not in get_args(Hours):
            found.append((f"{here}/hours", "Count business hours or clock hours: write business or clock."))
        if hours == "business" and calendar is None:
            found.append((f"{here}/hours", "Business hours need a calendar. Give the policy a calendar_id."))
        within = _length(item.get("within"), f"{here}/within", found)
        if len(found) > before or within is None:
            continue
        target = Target(cast("Metric", metric), priority, within, hours)
        if (target.metric, priority) in targets:
            found.append((here, f"There are two targets for {metric} at priority {priority}. Leave one."))
        targets[target.metric, priority] = target
    return tuple(targets.values())


def _pauses(value: object, found: list[Problem]) -> Mapping[Metric, frozenset[str]]:
    if value is None:
        return PAUSES
    if not isinstance(value, Mapping):
        found.append(("/pause_on", 'Write the statuses by metric, as in {"resolution": ["pending"]}.'))
        return PAUSES
    for metric, statuses in value.items():
        if metric not in METRICS:
            found.append((f"/pause_on/{metric}", f"Metrics are {', '.join(METRICS)}."))
        elif not isinstance(statuses, list | tuple) or not all(status in STATUSES for status in statuses):
            found.append((f"/pause_on/{metric}", f"Give a list of statuses: {', '.join(STATUSES)}."))
    if found:
        return PAUSES
    return {metric: frozenset(statuses) for metric, statuses in value.items()}


def _warnings(value: object, found: list[Problem]) -> tuple[Threshold, ...]:
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        found.append(("/warnings", 'Write a list of warnings, as in ["0.75", "PT10M"].'))
        return ()
    warnings: dict[str, Threshold] = {}
    for index, item in enumerate(value):
        try:
            read = threshold(item)
        except ValueError as wrong:
            found.append((f"/warnings/{index}", str(wrong)))
            continue
        warnings[read.name] = read
    return tuple(warnings.values())


def _length(value: object, here: str, found: list[Problem]) -> timedelta | None:
    if isinstance(value, timedelta):
        length = value
    else:
        try:
            length = duration.parse(value if isinstance(value, str) else "")
        except ValueError as wrong:
            found.append((here, str(wrong)))
            return None
    if not timedelta(0) < length <= _LONGEST:
        found.append((here, "Give a time longer than none and of ten years at most."))
    return length

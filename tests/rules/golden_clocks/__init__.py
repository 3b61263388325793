"""Golden cases of SLA clocks, as text that a person can check: what happened, and what the clock says at some moments.

```
= the glossary's own example
office | 11-20 16:30 start PT1H; 11-23 09:20 pause
11-23 09:10 | running PT40M due 11-23 09:30
11-24 00:00 told | started 11-20 16:30; paused 11-23 09:20
```
The second line names a calendar (`tests/rules/calendars.py`; `none @Zone` counts every hour) and what happened, in the wall clock
of its zone; a line that begins with `;` goes on. `a` and `b` after a time are the first and the second of an hour that comes
twice. The year is 2026 where none is written. `start` and `reapply` take a target and, where wanted, `v2` (version of the
policy), `warn PT30M` (used time), `on another calendar`. `(name)` names a cause, for `annul (name)`.

The other lines say how the clock stands at a moment: state, time used, `due` (the deadline; of a breach also its date) or
`missed` (a breach of what has been cancelled since), or `told`: every fact until then, in order.

Two conversations: `ours`, `theirs` and `merge` (`reply` or `matter`) instead of the second line, then the merged clock; lines
for `ours` and `theirs` say what each has after the merge was undone. `hand over` gives `public` and `private`. `turns` gives a
clock for each metric (`update 2` is the second instance), under a policy that promises the same for all.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

from shared.rules import duration, sla_joining, sla_policy, sla_turns
from shared.rules.sla_clock import Event, EventKind, Mark, Terms
from shared.rules.sla_policy import Policy, Target
from shared.rules.sla_turns import Regime, Turn
from tests.rules.calendars import CALENDARS

FILES = sorted(Path(__file__).parent.glob("*.txt"))

_KINDS: dict[str, EventKind] = {
    "start": "started", "reapply": "reapplied", "reopen": "reopened", "pause": "paused", "resume": "resumed",
    "stop": "stopped", "cancel": "cancelled", "annul": "annulled",
}  # fmt: skip
_TURNS = {"asked", "answered", "paused", "resumed", "resolved", "reopened"}
_AT = re.compile(r"((?:\d{4}-)?\d\d-\d\d \d\d:\d\d(?::\d\d(?:\.\d+)?)?)([ab]?)(?: |$)")


@dataclass
class Look:
    """What a clock says at a moment: of which history, and the words of the answer."""

    at: datetime
    subject: str
    answer: str


@dataclass
class Golden:
    """A case: the histories by name (the only one has none), the zone of its times, and what is known of them by hand."""

    shows: str
    zone: str = "UTC"
    histories: dict[str, tuple[Event, ...]] = field(default_factory=dict)
    looks: list[Look] = field(default_factory=list)

    def moment(self, written: str) -> tuple[datetime, str]:
        """A moment at the head of some words, and the words after it."""
        found = _AT.match(written.strip())
        assert found, f"{self.shows}: no moment in {written!r}"
        day = found[1] if found[1][4] == "-" else f"2026-{found[1]}"
        wall = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(self.zone), fold=int(found[2] == "b"))
        at = wall.astimezone(UTC)
        assert at.astimezone(ZoneInfo(self.zone)).replace(fold=0) == wall.replace(fold=0), f"{written}: no such time"
        first, second = (wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
        assert (first < second) == bool(found[2]), f"{written}: say a or b where, and only where, a time comes twice"
        return at, written.strip()[found.end() :].strip()


def read(path: Path) -> Iterator[Golden]:
    """The cases of a file."""
    text = re.sub(r"\n\s*;", ";", re.sub(r"^#.*$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE))
    for block in re.split(r"^= ", text, flags=re.MULTILINE)[1:]:
        shows, *lines = [line.strip() for line in block.splitlines() if line.strip()]
        golden, parts = Golden(shows), dict[str, tuple[Event, ...]]()
        for line in lines:
            left, right = (part.strip() for part in line.split("|"))
            if _AT.match(left):
                at, subject = golden.moment(left)
                golden.looks.append(Look(at, subject, right))
            elif left.startswith("merge "):
                _merge(golden, parts, left.removeprefix("merge "), right)
            elif left.startswith("hand over"):
                at, _ = golden.moment(right)
                public, private = sla_joining.handed_over(parts[""], at=at, cause="handover")
                golden.histories = {"public": public, "private": private}
            elif left.startswith("turns "):
                _turns(golden, left.removeprefix("turns "), right)
            else:
                name = next((name for name in ("ours", "theirs") if left.startswith(f"{name} ")), "")
                parts[name] = _history(golden, left.removeprefix(name).strip(), right, name)
                golden.histories = {"": parts[name]}
        yield golden


def _calendar(golden: Golden, written: str) -> str:
    name, _, zone = (part.strip() for part in written.partition("@"))
    calendar = CALENDARS[name]
    golden.zone = zone or (calendar.timezone if calendar else "Europe/Amsterdam")
    return name


def _history(golden: Golden, calendar: str, written: str, prefix: str) -> tuple[Event, ...]:
    name = _calendar(golden, calendar)
    made = []
    for number, words in enumerate(written.split(";")):
        at, rest = golden.moment(words)
        cause = re.search(r"\((.+)\)", rest)
        kind, _, rest = re.sub(r"\(.+\)", "", rest).strip().partition(" ")
        terms = _terms(rest, name) if kind in {"start", "reapply"} else None
        made.append(Event(_KINDS[kind], at, cause[1] if cause else f"{prefix}{number}", terms))
    return tuple(made)


def _terms(written: str, calendar: str) -> Terms:
    words, _, other = written.partition(" on ")
    within, *rest = words.split()
    version = next((int(word[1:]) for word in rest if word[0] == "v"), 1)
    marks = [word for before, word in pairwise(rest) if before == "warn"]
    return Terms(
        within=duration.parse(within),
        calendar=CALENDARS[other.strip() or calendar],
        marks=tuple(Mark(mark, duration.parse(mark)) for mark in marks),
        policy_id="standard",
        policy_version=version,
    )


def _merge(golden: Golden, parts: dict[str, tuple[Event, ...]], kind: str, written: str) -> None:
    at, rest = golden.moment(written)
    only = {side: set(re.findall(rf"\((\w+)\) only {side}", rest)) for side in ("ours", "theirs")}
    theirs = (*parts.get("theirs", ()), Event("cancelled", at, "merge"))
    ours = parts.get("ours", ())
    mine, back = sla_joining.split(
        ours, theirs, at=at, cause="merge", only_ours=only["ours"], only_theirs=only["theirs"]
    )
    joined = sla_joining.merged(ours, theirs, at=at, cause="merge", last=kind == "matter")
    golden.histories = {"": joined, "ours": mine, "theirs": back}


def _turns(golden: Golden, head: str, written: str) -> None:
    """`turns office PT1H published ignore=P7D pause=snoozed automatic`, then what was said and done."""
    words = head.split()
    name = _calendar(golden, " ".join(word for word in words if word in CALENDARS or word[0] == "@"))
    within = next(word for word in words if word.startswith("PT"))
    ignore = next((duration.parse(word[7:]) for word in words if word.startswith("ignore=")), timedelta(days=7))
    pauses = {word[6:] for word in words if word.startswith("pause=")}

    def policy(version: int, within: str) -> Policy:
        return Policy(
            "standard", version, 1, tuple(Target(metric, "*", duration.parse(within)) for metric in sla_policy.METRICS),
            calendar=CALENDARS[name],
            starts_at="published_at" if "published" in words else "received_at",
            ignore_older_than=ignore,
            pause_on={m: frozenset(pauses) for m in sla_policy.METRICS} if pauses else sla_policy.PAUSES,
            automatic_replies_count="automatic" in words,
        )  # fmt: skip

    turns: list[Turn] = []
    regimes = [Regime(datetime(2000, 1, 1, tzinfo=UTC), "r0", policy(1, within))]
    for number, one in enumerate(written.split(";")):
        at, rest = golden.moment(one)
        kind, _, more = rest.partition(" ")
        if kind == "policy":
            regimes.append(Regime(at, f"r{number}", policy(number, more)))
            continue
        assert kind in _TURNS, rest
        published = golden.moment(more)[0] if kind == "asked" and more else None
        status = more if kind == "paused" else ""
        turns.append(Turn(kind, at, f"{number}", status, published, automatic=more == "automatic"))  # type: ignore[arg-type]
    for metric in sla_policy.METRICS:
        for number, history in enumerate(sla_turns.histories(turns, metric, regimes), 1):
            golden.histories[f"{metric} {number}"] = history
            golden.histories.setdefault(metric, history)

"""Histories of SLA clocks, as lines that can be read, and how the clock stands afterwards, worked out by hand."""

from dataclasses import dataclass

from shared.rules import duration
from shared.rules.sla_clock import Event, EventKind, Mark, Terms
from tests.rules.calendars import CALENDARS, at


def under(written: str) -> Terms:
    """Terms out of `PT1H office`, with marks after it: `PT1H office 0.5=PT30M`; `v2` is the policy's version."""
    within, calendar, *rest = written.split()
    version = next((int(word[1:]) for word in rest if word.startswith("v")), 1)
    marks = [word.split("=") for word in rest if "=" in word]
    return Terms(
        within=duration.parse(within),
        calendar=CALENDARS[calendar],
        marks=tuple(Mark(name, duration.parse(used)) for name, used in marks),
        policy_id="standard",
        policy_version=version,
    )


KINDS: dict[str, EventKind] = {
    "start": "started",
    "reapply": "reapplied",
    "reopen": "reopened",
    "pause": "paused",
    "resume": "resumed",
    "stop": "stopped",
    "cancel": "cancelled",
}


def history(*lines: str, year: str = "2026-11-") -> list[Event]:
    """Events out of `23T09:00 start PT1H office`: day and time in Amsterdam's winter (+01:00), kind, terms."""
    events = []
    for number, line in enumerate(lines):
        moment, kind, *terms = line.split(maxsplit=2)
        events.append(
            Event(
                kind=KINDS[kind],
                at=at(f"{year}{moment}+01:00"),
                cause=f"cause {number}",
                terms=under(terms[0]) if terms else None,
                reason="waiting for the customer" if kind == "pause" else "",
            )
        )
    return events


@dataclass(frozen=True)
class Case:
    """A history and how the clock stands at `then`; moments as in `history`, None where there is none."""

    shows: str
    lines: tuple[str, ...]
    then: str
    state: str
    elapsed: str
    deadline: str | None
    breached: str | None = None


START = "23T09:00 start PT1H office"  # a Monday
CASES = [
    Case("runs", (START,), "23T09:20", "running", "PT20M", "23T10:00"),
    Case("exactly on the deadline it still runs", (START,), "23T10:00", "running", "PT1H", "23T10:00"),
    Case(
        "just after it is breached",
        (START,),
        "23T10:00:00.000001", "breached", "PT1H0.000001S", "23T10:00", "23T10:00",
    ),
    Case("a breached clock goes on", (START,), "23T12:00", "breached", "PT3H", "23T10:00", "23T10:00"),
    Case("met", (START, "23T09:30 stop"), "24T12:00", "met", "PT30M", "23T10:00"),
    Case("exactly on the deadline is met", (START, "23T10:00 stop"), "24T12:00", "met", "PT1H", "23T10:00"),
    Case("a second late", (START, "23T10:00:01 stop"), "24T12:00", "breached", "PT1H1S", "23T10:00", "23T10:00"),
    Case(
        "a late answer is a breach whenever it is looked at",
        (START, "23T10:01 stop"),
        "23T10:01", "breached", "PT1H1M", "23T10:00", "23T10:00",
    ),
    Case("at once", (START, "23T09:00 stop"), "23T12:00", "met", "PT0S", "23T10:00"),
    Case("Friday half past four", ("20T16:30 start PT1H office",), "23T09:30", "running", "PT1H", "23T09:30"),
    Case(
        "Friday half past four, breached on Monday",
        ("20T16:30 start PT1H office",),
        "23T09:31", "breached", "PT1H1M", "23T09:30", "23T09:30",
    ),
    Case(
        "closing time ends it: an answer in the evening is late",
        ("20T16:00 start PT1H office", "20T20:00 stop"),
        "21T00:00", "breached", "PT1H", "20T17:00", "20T17:00",
    ),
    Case(
        "answered over the weekend with time left",
        ("20T16:30 start PT1H office", "21T15:00 stop"),
        "23T12:00", "met", "PT30M", "23T09:30",
    ),
    Case(
        "clock time",
        ("20T16:30 start PT1H none", "20T17:31 stop"),
        "20T18:00", "breached", "PT1H1M", "20T17:30", "20T17:30",
    ),
    Case("paused", (START, "23T09:30 pause"), "23T15:00", "paused", "PT30M", None),
    Case(
        "resumed with what is left",
        (START, "23T09:30 pause", "23T14:00 resume"),
        "23T14:10", "running", "PT40M", "23T14:30",
    ),
    Case(
        "resumed and breached",
        (START, "23T09:30 pause", "23T14:00 resume"),
        "23T15:00", "breached", "PT1H30M", "23T14:30", "23T14:30",
    ),
    Case(
        "paused over a night",
        (START, "23T09:30 pause", "24T08:00 resume"),
        "24T09:10", "running", "PT40M", "24T09:30",
    ),
    Case(
        "paused twice",
        (START, "23T09:10 pause", "23T09:20 resume", "23T09:30 pause", "23T09:50 resume"),
        "23T10:00", "running", "PT30M", "23T10:30",
    ),
    Case(
        "a pause in a pause is none",
        (START, "23T09:10 pause", "23T09:30 pause", "23T10:00 resume"),
        "23T10:00", "running", "PT10M", "23T10:50",
    ),
    Case("a resumption while it runs is none", (START, "23T09:10 resume"), "23T09:20", "running", "PT20M", "23T10:00"),
    Case("paused on the deadline", (START, "23T10:00 pause"), "23T12:00", "paused", "PT1H", None),
    Case(
        "paused on the deadline, then resumed: no time left",
        (START, "23T10:00 pause", "23T12:00 resume"),
        "23T12:30", "breached", "PT1H30M", "23T12:00", "23T12:00",
    ),
    Case(
        "paused on the deadline and answered",
        (START, "23T10:00 pause", "23T12:00 stop"),
        "23T12:30", "met", "PT1H", None,
    ),
    Case(
        "breached, then paused",
        (START, "23T10:30 pause"),
        "23T12:00", "breached", "PT1H30M", "23T10:00", "23T10:00",
    ),
    Case("answered while paused", (START, "23T09:30 pause", "25T12:00 stop"), "25T13:00", "met", "PT30M", None),
    Case(
        "paused from the start",
        (START, "23T09:00 pause", "23T11:00 resume"),
        "23T11:30", "running", "PT30M", "23T12:00",
    ),
    Case(
        "a pause and a customer's word at one moment: it runs",
        (START, "23T09:30 resume", "23T09:30 pause"),
        "23T09:40", "running", "PT40M", "23T10:00",
    ),
    Case("reopened", (START, "23T09:30 stop", "23T14:00 reopen"), "23T14:10", "running", "PT40M", "23T14:30"),
    Case(
        "reopened and breached",
        (START, "23T09:30 stop", "23T14:00 reopen", "23T14:31 stop"),
        "23T15:00", "breached", "PT1H1M", "23T14:30", "23T14:30",
    ),
    Case(
        "reopened and met again",
        (START, "23T09:30 stop", "23T14:00 reopen", "23T14:30 stop"),
        "23T15:00", "met", "PT1H", "23T14:30",
    ),
    Case(
        "reopened with no time left",
        (START, "23T10:00 stop", "24T14:00 reopen"),
        "24T14:01", "breached", "PT1H1M", "24T14:00", "24T14:00",
    ),
    Case(
        "reopened out of a breach",
        (START, "23T11:00 stop", "24T14:00 reopen"),
        "24T15:00", "breached", "PT3H", "23T10:00", "23T10:00",
    ),
    Case("reopening what runs is nothing", (START, "23T09:30 reopen"), "23T09:40", "running", "PT40M", "23T10:00"),
    Case(
        "a pause after the stop is nothing",
        (START, "23T09:30 stop", "23T09:40 pause", "23T10:00 reopen"),
        "23T10:10", "running", "PT40M", "23T10:30",
    ),
    Case(
        "stopped twice: the first counts",
        (START, "23T09:30 stop", "23T11:00 stop"),
        "23T12:00", "met", "PT30M", "23T10:00",
    ),
    Case("cancelled", (START, "23T09:30 cancel"), "23T12:00", "cancelled", "PT30M", None),
    Case(
        "cancelled for good",
        (START, "23T09:30 cancel", "23T09:40 reopen", "23T09:50 resume"),
        "23T12:00", "cancelled", "PT30M", None,
    ),
    Case("cancelled after a breach", (START, "23T11:00 cancel"), "23T12:00", "cancelled", "PT2H", None, "23T10:00"),
    Case(
        "what is met cannot be cancelled",
        (START, "23T09:30 stop", "23T09:40 cancel"),
        "23T12:00", "met", "PT30M", "23T10:00",
    ),
    Case("more time", (START, "23T09:30 reapply PT4H office"), "23T12:00", "running", "PT3H", "23T13:00"),
    Case(
        "less time",
        ("23T09:00 start PT4H office", "23T09:30 reapply PT1H office"),
        "23T09:40", "running", "PT40M", "23T10:00",
    ),
    Case(
        "less time than is used: due when the new terms came",
        ("23T09:00 start PT4H office", "23T11:00 reapply PT1H office"),
        "23T11:30", "breached", "PT2H30M", "23T11:00", "23T11:00",
    ),
    Case(
        "less time than is used, answered at that moment",
        ("23T09:00 start PT4H office", "23T11:00 reapply PT1H office", "23T11:00 stop"),
        "23T11:30", "met", "PT2H", "23T11:00",
    ),
    Case(
        "more time after a breach does not undo it",
        (START, "23T11:00 reapply PT8H office"),
        "23T12:00", "breached", "PT3H", "23T10:00", "23T10:00",
    ),
    Case(
        "more time on the deadline",
        (START, "23T10:00 reapply PT2H office"),
        "23T10:30", "running", "PT1H30M", "23T11:00",
    ),
    Case(
        "another calendar keeps the time used",
        ("23T16:00 start PT2H office", "23T16:30 reapply PT2H none"),
        "23T17:30", "running", "PT1H30M", "23T18:00",
    ),
    Case(
        "from clock time into business hours",
        ("23T16:00 start PT2H none", "23T16:30 reapply PT2H office"),
        "24T09:00", "running", "PT1H", "24T10:00",
    ),
    Case(
        "new terms in a pause",
        (START, "23T09:30 pause", "23T10:00 reapply PT2H office", "23T11:00 resume"),
        "23T11:30", "running", "PT1H", "23T12:30",
    ),
    Case(
        "new terms for what has stopped hold when it is reopened",
        (START, "23T09:30 stop", "23T10:00 reapply PT2H office", "23T11:00 reopen"),
        "23T11:30", "running", "PT1H", "23T12:30",
    ),
    Case(
        "new terms for what has stopped leave its deadline",
        (START, "23T09:30 stop", "23T10:00 reapply PT2H office"),
        "23T12:00", "met", "PT30M", "23T10:00",
    ),
    Case(
        "the earliest start holds",
        ("23T10:00 start PT4H office", START),
        "23T09:30", "running", "PT30M", "23T10:00",
    ),
    Case("an answer from before the start", (START, "23T08:00 stop"), "23T12:00", "met", "PT0S", "23T10:00"),
    Case("a pause from before the start", (START, "22T08:00 pause"), "23T12:00", "paused", "PT0S", None),
    Case("starts outside the hours", ("22T12:00 start PT1H office",), "23T09:00", "running", "PT0S", "23T10:00"),
    Case(
        "over lunch",
        ("23T12:00 start PT1H lunch", "23T12:45 pause", "23T12:50 resume"),
        "23T13:15", "running", "PT45M", "23T13:30",
    ),
    Case(
        "paused over closing time and a weekend",
        ("20T16:00 start PT2H office", "20T16:30 pause", "22T20:00 resume"),
        "23T09:30", "running", "PT1H", "23T10:30",
    ),
    Case("later events are not known yet", (START, "23T09:30 stop"), "23T09:29", "running", "PT29M", "23T10:00"),
]  # fmt: skip

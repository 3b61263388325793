"""Golden cases of SLA clocks, worked out by hand; how to read them is said in `golden_clocks/__init__.py`.

| group | file | shows |
|---|---|---|
| one clock, event by event | `sla_cases.py` | met, breached, on the deadline, pauses, reopening, new terms, cancelled |
| deadlines | `calendars.py` | hours, holidays, nights, leap days, changes of the wall clock, in seven zones |
| zones | `golden_clocks/zones.txt` | whole histories over both changes in Amsterdam, New York, Lord Howe; Kolkata |
| calendars | `golden_clocks/calendars.txt` | holidays, half-holidays, overnight, leap day, several intervals a day |
| events | `golden_clocks/events.txt` | pauses, reopening, ties, what was told, warnings, unknown and annulled answers |
| new terms | `golden_clocks/terms.txt` | priority, policy and calendar changed while clocks run |
| joined | `golden_clocks/joined.txt` | merge, its undoing, hand-over |
| turns | `golden_clocks/turns.txt` | next_response, update, late-found mentions, automatic and late-settled answers |
"""

import re
from datetime import datetime

import pytest

from shared.rules import duration, sla_clock
from shared.rules.sla_clock import Clock
from tests.rules import golden_clocks
from tests.rules.golden_clocks import Golden, Look

CASES = [golden for path in golden_clocks.FILES for golden in golden_clocks.read(path)]


def test_every_case_has_a_name_of_its_own_and_something_to_say() -> None:
    names = [golden.shows for golden in CASES]
    assert len(names) == len(set(names))
    assert all(golden.looks for golden in CASES)


@pytest.mark.parametrize("golden", CASES, ids=lambda golden: golden.shows)
def test_golden(golden: Golden) -> None:
    for look in golden.looks:
        told = look.subject.endswith("told")
        events = golden.histories.get(look.subject.removesuffix("told").strip(), ())
        if told:
            assert _facts(events, look.at) == _told(golden, look)
        else:
            clock = sla_clock.read(events, look.at)
            assert _says(clock) == _wanted(golden, look), look
            explained = sla_clock.explain(events, look.at)
            counted = [one.end - one.start for one in explained if one.counted]
            assert clock is None or sum(counted, look.at - look.at) == clock.elapsed


def _says(clock: Clock | None) -> tuple[object, ...]:
    if clock is None:
        return ("nothing",)
    return clock.state, duration.write(clock.elapsed), clock.deadline_at, clock.breached_at


def _wanted(golden: Golden, look: Look) -> tuple[object, ...]:
    found = re.fullmatch(r"(\w+)(?: (P\S+))?(?: due (.+?))?(?: missed (.+))?", look.answer)
    assert found, look.answer
    if found[1] == "nothing":
        return ("nothing",)
    due = golden.moment(found[3])[0] if found[3] else None
    missed = golden.moment(found[4])[0] if found[4] else due if found[1] == "breached" else None
    return found[1], found[2], due, missed


def _facts(events: tuple[sla_clock.Event, ...], at: datetime) -> list[tuple[str, datetime]]:
    facts = sla_clock.facts(events, at)
    assert len({fact.key for fact in facts}) == len(facts)
    return [(f"{fact.kind} {fact.detail}" if fact.kind == "warning" else fact.kind, fact.at) for fact in facts]


def _told(golden: Golden, look: Look) -> list[tuple[str, datetime]]:
    told = []
    for words in look.answer.split(";"):
        kind = re.match(r"\s*([a-z]+(?: P\S+)?) ", words)
        assert kind, words
        told.append((kind[1], golden.moment(words[kind.end() :])[0]))
    return told

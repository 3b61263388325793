"""No pattern that reads customers' texts takes more than linear time: twice the text, about twice the time."""

import re
import time
from collections.abc import Callable, Iterator
from datetime import date

import pytest

from services.triage.forms import addresses, amounts, days, names, postcodes, shapes, telephone
from services.triage.reading import Reading
from services.triage.stage import Briefing
from services.triage.stages import entities, pii
from tests.triage.building import a_mention

LENGTH = 20_000
PIECES = (
    "a", "A", "1", " ", "\n", "-", ".", "1 ", "1-", "1.", "a.", "A.", "A. ", "Aa ", "Aa", "a@", "@a", "1:", "a:",
    "(1", "+1", "00", "12 34-56.78 ", "NL91 ABNA 0417 ", "NL91", "straat", "straat 1", "Aastraat ", "van der ",
    "Jan van ", "mijn naam is ", "groet,\n", "mr ", "rue de la ", "12 rue ", "calle de ", "P.O. Box ", "order nr ",
    "order A-", "123456-", "€ 1 000", "1.000.", "12 miljoen ", "3 mei ", "3 de mayo de ", "12-12-", "sinds ", "next ",
    "12 uur ", "zip code ", "address: 12 Aa ", "in Aa-", "#a", "fe80:", "1.1.1.", "tel: ", "call me on ",
    "vlucht KL ", "postcode is ", "Aa Aa Aa Street", "12 Aa Bb ", "é", "😡", "d'", "'", "AB1 ", "AB12",
)  # fmt: skip
MODULES = (addresses, amounts, days, names, postcodes, shapes, telephone, pii, entities)


def patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    for module in MODULES:
        for name, held in vars(module).items():
            if isinstance(held, re.Pattern):
                yield f"{module.__name__.rpartition('.')[2]}.{name}", held
    for language in ("en", "nl", "de", "fr", "es", "it", "pt"):
        calendar = days._calendar(language)
        for name in ("written", "bare", "day_before"):
            yield f"days.{language}.{name}", getattr(calendar, name)


PATTERNS = dict(patterns())


def seconds(work: Callable[[], object], repeats: int) -> float:
    took = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        took.append(time.process_time() - began)
    return min(took)


def is_linear(work: Callable[[str], object], piece: str, length: int = LENGTH) -> bool:
    """Four times the text in less than nine times the time; quadratic work would take sixteen. What is quick anyway
    is not measured: the clock would decide."""
    long = (piece * (length // len(piece) + 1))[:length]
    for repeats in (1, 5, 15):  # only what looks bad is looked at again: others may be busy on this machine
        slow = seconds(lambda: work(long), repeats)
        if slow < 0.01 or slow < 9 * seconds(lambda: work(long[: length // 4]), repeats):
            return True
    return False


def search_all(pattern: re.Pattern[str]) -> Callable[[str], object]:
    return lambda text: sum(1 for _ in pattern.finditer(text))


@pytest.mark.parametrize("name", PATTERNS)
def test_no_pattern_is_worse_than_linear(name: str) -> None:
    assert [piece for piece in PIECES if not is_linear(search_all(PATTERNS[name]), piece)] == []


def test_neither_are_the_rules_together() -> None:
    def rules(text: str) -> None:
        reading = Reading.of(text)
        for _ in shapes.read(reading.text, reading.words, "nl", date(2026, 11, 20), None, ()):
            pass
        for _ in names.people(reading.text, reading.words, given=True):
            pass
        for _ in names.guessed_places(reading.text):
            pass

    assert [piece for piece in PIECES if not is_linear(rules, piece)] == []


def test_neither_is_the_search_for_personal_data() -> None:
    briefing = Briefing("w", "1")

    def search(text: str) -> None:
        pii.assess([a_mention(text, lang="nl")], briefing)

    assert [piece for piece in PIECES if not is_linear(search, piece)] == []


def test_a_pattern_that_is_worse_would_be_seen() -> None:
    assert not is_linear(search_all(re.compile(r"a+b")), "a", LENGTH // 4)  # seen in less text, and sooner

"""The door in front of the gate opens for every text that holds a term's first words, and for hardly any other."""

import re

from hypothesis import given
from hypothesis import strategies as st

from shared.rules.door import Door
from shared.rules.folding import fold, fold_other

WORDS = st.sampled_from(
    [
        "a",
        "b",
        "ab",
        "a_1",
        "12345678",
        "123456789",
        "12345678x",
        "exactly_sixteen_",
        "exactly_sixteen_1",
        "exactly_seixteen_1",
    ]
)
SEPARATORS = st.sampled_from([" ", "  ", "   "])
PHRASES = st.lists(WORDS, min_size=1, max_size=4).map(" ".join)
TEXTS = st.lists(st.tuples(WORDS, SEPARATORS), max_size=8).map(lambda parts: "".join(map("".join, parts)))


@given(st.sets(PHRASES), st.lists(st.tuples(SEPARATORS, TEXTS).map("".join), max_size=6))
def test_as_looking_for_the_first_two_words_of_each(terms: set[str], texts: list[str]) -> None:
    opened = Door([term.encode() for term in sorted(terms)]).opened("\0".join(texts).encode())
    joined = [text.split() for text in texts]
    sure = {at for at, words in enumerate(joined) if any(word in terms and len(word) <= 16 for word in words)}
    starts = [tuple(term.split()[:2]) for term in terms]
    held = {
        at for at, words in enumerate(joined)
        if any(start == tuple(words[n : n + len(start)]) for start in starts for n in range(len(words)))
    }  # fmt: skip
    assert {at for at, is_sure in opened.items() if is_sure} == sure
    assert held <= opened.keys()
    # beyond those there may only be such as hold a word of more than sixteen letters, or whose last word goes on in the next
    for at in opened.keys() - held:
        onward = [*joined[at], *(word for words in joined[at + 1 :] for word in words)]
        last = len(joined[at])
        assert any(start == tuple(onward[last - 1 : last + 1]) for start in starts) or any(
            len(word) > 16 for word in joined[at]
        )


def test_very_many() -> None:
    door = Door([f"brand{n} phone{n}".encode() if n % 2 else f"brand{n}".encode() for n in range(100_000)])
    said = [
        " brand5 phone5 ",
        " brand5 phone7 ",
        " brand4 ",
        " brand100000 ",
        "",
        " phone5 brand5 ",
        " brand99999   phone99999 ",
    ]
    assert door.opened("\0".join(said).encode()) == {0: False, 2: True, 6: False}


@given(st.text())
def test_folding_all_but_ascii_leaves_its_case_only(text: str) -> None:
    folded = fold_other(text)
    assert re.sub("[A-Z]+", lambda found: found.group().lower(), folded) == fold(text)

"""The vectoriser against a naive one that goes letter by letter, and what a text's features must and must not depend on."""

import math
from collections import Counter
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.triage.library import Library
from services.triage.reading import Reading
from services.triage.words.features import HASH_BITS, LETTERS, SIGNS, Block, Features, Vectoriser, together, unworded
from services.triage.words.surface import (
    _NEGATED,
    DIGIT,
    JOINER,
    LETTER,
    LOW_LINE,
    SCOPE,
    SPACE,
    STOP,
    _salt,
    _tables,
    _without_links,
    mixed,
    word_hash,
)

MASK = (1 << HASH_BITS) - 1
WORDS = [
    "not",
    "good",
    "bad",
    "can't",
    "@brand",
    "#fail",
    "so-so",
    "sooooo",
    "http://a.b/c",
    "12:30",
    "niet",
    "é",
    "WOW",
]
SIGNS_IN_TEXTS = [" ", "  ", "\n", "!", "?!", "...", "😡", "👍🏽", "'", "-", "_", "@", "#", "\u200d", "…", "ﬁ", "𝕏"]
TEXTS = st.lists(st.one_of(st.sampled_from(WORDS + SIGNS_IN_TEXTS), st.text(max_size=4)), max_size=14).map("".join)


def folded(text: str) -> list[tuple[str, int]]:
    """The characters of a text as the vectoriser sees them, each with its kind, borders at both ends."""
    folds, kinds, _, _ = _tables()
    shown = _without_links(text)
    kept: list[tuple[str, int]] = [(" ", SPACE)]
    at = 0
    while at < len(shown):
        point = min(ord(shown[at]), len(kinds) - 1)
        letter, kind = chr(folds[point]), int(kinds[point])
        if shown[at] == "@" and at + 1 < len(shown):
            end = at + 1
            while end < len(shown) and kinds[min(ord(shown[end]), len(kinds) - 1)] in (LETTER, DIGIT, LOW_LINE):
                end += 1
            before = kinds[min(ord(shown[at - 1]), len(kinds) - 1)] if at else SPACE
            if end > at + 1 and before not in (LETTER, DIGIT, LOW_LINE):
                kept.append(("\ue002", 10))
                at = end
                continue
        if kind != 4:
            kept.append((letter, kind))
        at += 1
    kept.append((" ", SPACE))
    slim: list[tuple[str, int]] = []
    for place, (letter, kind) in enumerate(kept):
        same = place > 0 and kept[place - 1][0] == letter
        third = same and place > 1 and kept[place - 2][0] == letter
        if same if kind == SPACE else (third and kind != DIGIT):
            continue
        slim.append((letter, kind))
    return slim


def tokens_of(letters: list[tuple[str, int]]) -> list[tuple[str, bool, bool]]:
    """(token, is a word, ends what a negation governs)"""
    bare = [kind in (LETTER, DIGIT) for _, kind in letters]
    inside = [
        kind == JOINER and 0 < at < len(letters) - 1 and bare[at - 1] and bare[at + 1]
        for at, (_, kind) in enumerate(letters)
    ]
    found: list[tuple[str, bool, bool]] = []
    word = ""
    for at, (letter, kind) in enumerate(letters):
        if bare[at] or inside[at]:
            word += letter
            continue
        if word:
            found.append((word, True, False))
        word = ""
        if kind not in (SPACE, LOW_LINE):
            found.append((letter, False, kind == STOP))
    return found


def number_of(letters: str, salt: int, length: int) -> int:
    _, _, _, numbers = _tables()
    total = 0
    for letter in letters:
        total = (total * 0x5851F42D4C957F2D + int(numbers[min(ord(letter), len(numbers) - 1)])) % 2**64
    return one_mixed(((total + length) % 2**64) ^ salt)


def one_mixed(number: int) -> int:
    return int(mixed(numpy.array([number], dtype=numpy.uint64))[0])


def naive(text: str, language: str, negators: frozenset[str]) -> tuple[Counter[int], Counter[int]]:
    """Hashes of words and of letters with how often they occur."""
    letters, salt = folded(text), _salt(language)
    tokens = tokens_of(letters)
    words: Counter[int] = Counter()
    bare = [word_hash(token) ^ (salt if is_word else 0) for token, is_word, _ in tokens]
    for at, (token, is_word, _) in enumerate(tokens):
        negated = False
        for back in range(1, SCOPE + 1):
            if at - back < 0 or tokens[at - back][2]:
                break
            if tokens[at - back][0] in negators:
                negated = True
                break
        marked = negated and is_word and token not in negators
        words[(bare[at] ^ (int(_NEGATED) if marked else 0)) & MASK] += 1
        if at + 1 < len(tokens):
            words[one_mixed((bare[at] * 0xD6E8FEB86659FD93 + bare[at + 1]) % 2**64) & MASK] += 1
    grams: Counter[int] = Counter()
    text_of = "".join(letter for letter, _ in letters)
    spaces = [kind == SPACE for _, kind in letters]
    for length in LETTERS:
        for at in range(len(letters) - length + 1):
            if not any(spaces[at + 1 : at + length - 1]):
                grams[number_of(text_of[at : at + length], salt, length) & MASK] += 1
    return words, grams


def row_of(block: Block, row: int) -> dict[int, float]:
    part = slice(int(block.starts[row]), int(block.starts[row + 1]))
    return dict(zip(block.hashes[part].tolist(), block.values[part].tolist(), strict=True))


def weighed(counts: Counter[int]) -> dict[int, float]:
    values = {gram: 1 + math.log(count) for gram, count in counts.items()}
    length = math.sqrt(sum(value * value for value in values.values()))
    return {gram: value / length for gram, value in values.items()}


@given(st.lists(st.tuples(TEXTS, st.sampled_from(["en", "nl", "und"])), max_size=5))
@settings(max_examples=150, deadline=None)
def test_the_fast_vectoriser_equals_a_naive_one(library: Library, said: list[tuple[str, str]]) -> None:
    texts = [text.replace("\x00", "") for text, _ in said]
    readings = [Reading.of(text) for text in texts]
    found = library.vectoriser().rows(readings, [language for _, language in said])
    assert len(found) == len(said)
    for row, (reading, (_, language)) in enumerate(zip(readings, said, strict=True)):
        words, letters = naive(reading.text, language, library.words("negators"))
        assert row_of(found.words, row) == pytest.approx(weighed(words), abs=1e-5)
        assert row_of(found.letters, row) == pytest.approx(weighed(letters), abs=1e-5)


def features(library: Library, *texts: str, language: str = "en") -> Features:
    return library.vectoriser().rows_of(texts, language)


def test_a_text_has_the_same_features_in_any_batch(library: Library) -> None:
    texts = ["Great!!", "", "@you  not good at all 😡😡", "een hele lange zin " * 40]
    whole = features(library, *texts)
    for row, text in enumerate(texts):
        alone = features(library, text)
        for block in ("words", "letters"):
            assert row_of(getattr(alone, block), 0) == row_of(getattr(whole, block), row)
        assert alone.signs[0].tolist() == whole.signs[row].tolist()
    parts = together([features(library, *texts[:2]), features(library, *texts[2:])])
    for name in ("starts", "hashes", "values", "counts", "entry_of"):
        for block in ("words", "letters"):
            assert getattr(getattr(parts, block), name).tolist() == getattr(getattr(whole, block), name).tolist()


def told(library: Library, text: str) -> list[str]:
    found = features(library, text)
    return [text[start:end] for start, end in zip(found.token_start, found.token_end, strict=True)]


def test_tokens_stand_where_they_stand_in_the_text(library: Library) -> None:
    text = "@you_2: I can't…  waaaait, 👍🏽 see https://a.b/c?d=e #fail a@b.nl"
    assert told(library, text) == [
        "@you_2", ":", "I", "can't", "…", "waaaait", ",", "👍🏽", "see", "https://a.b/c?d=e", "#", "fail", "a", "@", "b", ".", "nl",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("GREAT phone", "great phone"),
        ("café", "cafe"),
        ("I can’t", "I can't"),
        ("@united where", "@delta where"),
        ("look http://a.b/c", "look www.other.org"),
        ("order 123", "order 987"),
        ("nooooo", "nooo"),
        ("a  b", "a\n\t b"),
    ],
)
def test_what_makes_no_difference(library: Library, one: str, other: str) -> None:
    found = features(library, one, other)
    assert row_of(found.words, 0) == row_of(found.words, 1)
    assert row_of(found.letters, 0) == row_of(found.letters, 1)


def test_a_negated_word_is_another_word_until_a_stop(library: Library) -> None:
    plain, negated, stopped = (row_of(features(library, text).words, 0) for text in ("good", "not good", "not. good"))
    good = word_hash("good") & MASK
    assert good in plain
    assert good not in negated
    assert good in stopped


def test_languages_are_apart_but_signs_are_not(library: Library) -> None:
    dutch, english = features(library, "die 😡", language="nl"), features(library, "die 😡")
    shared = row_of(dutch.words, 0).keys() & row_of(english.words, 0).keys()
    assert shared == {word_hash("😡") & MASK}
    far = SIGNS.index("far")
    assert (dutch.signs[0, far], english.signs[0, far]) == (1, 0)
    assert dutch.signs[0, SIGNS.index("far_drawn_out")] == dutch.signs[0, SIGNS.index("drawn_out")]


def signs(library: Library, text: str) -> dict[str, Any]:
    return dict(zip(SIGNS, features(library, text).signs[0].tolist(), strict=True))


def test_signs(library: Library) -> None:
    calm, loud = signs(library, "it is good"), signs(library, "It is NOT good!!! WHY? sooo baaad http://a.b 😡")
    for name in ("exclamations", "questions", "shouted", "capitals", "drawn_out", "links", "negations", "blame"):
        assert loud[name] > calm[name], name
    assert calm["feeling"] > 0 > loud["feeling"]
    bare = unworded(features(library, "it is good"))
    assert bare.signs[0, SIGNS.index("far_feeling")] == pytest.approx(calm["feeling"])
    assert len(bare.words.hashes) == len(bare.letters.hashes) == 0


def test_a_long_text_is_read_in_time(library: Library) -> None:
    vectoriser = Vectoriser(library)
    for text in ("a" * 20_000, "!" * 20_000, "ab " * 6_000, "\ud83d\ude00" * 10_000, "@" * 20_000, "a.b/" * 5_000):
        found = vectoriser.rows([Reading.of(text)], ["en"])
        assert numpy.isfinite(found.words.values).all()
        assert numpy.isfinite(found.signs).all()

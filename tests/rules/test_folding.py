"""Folding: what becomes the same, where words end, and the way back to the original."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rules.folding import Folded, fold, is_bounded


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("STORING", "storing"),
        ("Crème Brûlée", "creme brulee"),
        ("creme\u0301", "creme"),
        ("straße STRAẞE", "strasse strasse"),
        ("ﬁets", "fiets"),
        ("İstanbul ısı", "istanbul isi"),
        ("ΆΛΦΑΣ άλφας", "αλφασ αλφασ"),
        ("Ёлка ёлка", "елка елка"),
        ("Ærø Łódź Đặng", "aero lodz dang"),
        ("doesn’t", "doesn't"),
        ("ＫＬＭ 𝐊𝐋𝐌", "klm klm"),
        ("KLM™", "klm "),
        ("s\u00adto\u200dring\ufeff", "storing"),
        ("☎️", "☎"),
        ("שָׁלוֹם", "שלום"),
        ("مُحَمَّد", "محمد"),
        ("कि", "कि"),
        ("가나", "가나"),
        ("e\u2011mail", "e-mail"),
    ],
)
def test_what_becomes_the_same(written: str, folded: str) -> None:
    assert fold(written) == folded


@pytest.mark.parametrize(("one", "other"), [("कि", "की"), ("か", "が"), ("ก", "กา")])
def test_marks_that_make_another_letter_stay(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@pytest.mark.parametrize(
    ("source", "part", "original"),
    [
        ("x straße y", "strasse", "straße"),
        ("De CAFE\u0301 is", "cafe", "CAFE\u0301"),
        ("ﬁets", "f", "ﬁ"),
        ("ŒUVRE", "oeuvre", "ŒUVRE"),
        ("a\u00adb c", "ab", "a\u00adb"),
        ("😡 Kapot…", "kapot", "Kapot"),
        ("𝐊𝐋𝐌 is", "klm", "𝐊𝐋𝐌"),
    ],
)
def test_leads_back(source: str, part: str, original: str) -> None:
    folded = Folded(source)
    start = folded.text.index(part)
    first, last = folded.original(start, start + len(part))
    assert source[first:last] == original


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("ßéİıﬁ\u0301\u200dがКØ")), max_size=30), st.data())
def test_the_original_of_a_part_folds_to_it(source: str, data: st.DataObject) -> None:
    folded = Folded(source)
    assert folded.text == "".join(fold(letter) for letter in source)
    if not folded.text:
        return
    start = data.draw(st.integers(0, len(folded.text) - 1))
    end = data.draw(st.integers(start + 1, len(folded.text)))
    first, last = folded.original(start, end)
    assert 0 <= first < last <= len(source)
    assert folded.text[start:end] in fold(source[first:last])


@given(st.text(max_size=40))
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text(alphabet=st.characters(min_codepoint=0xC0, max_codepoint=0x24F), max_size=20))
def test_composed_and_decomposed_latin_are_one(text: str) -> None:
    assert fold(unicodedata.normalize("NFD", text)) == fold(unicodedata.normalize("NFC", text))


@pytest.mark.parametrize(
    ("text", "part", "bounded"),
    [
        ("the klm app", "klm", True),
        ("klm", "klm", True),
        ("klms", "klm", False),
        ("xklm", "klm", False),
        ("klm_nl", "klm", False),
        ("klm2", "klm", False),
        ("#klm!", "klm", True),
        ("klm's", "klm", True),
        ("e-mail", "mail", True),
        ("日klm本", "klm", True),
        ("銀行員", "銀行", True),
        ("klm은", "klm", True),
        ("c++ is", "c++", True),
        ("x😡y", "😡", True),
        ("कल", "क", False),
        ("が", "か", False),
        ("กา", "ก", True),
        ("ก่", "ก", False),
    ],
)
def test_where_words_end(text: str, part: str, bounded: bool) -> None:
    folded = fold(text)
    start = folded.index(fold(part))
    assert is_bounded(folded, start, start + len(fold(part))) is bounded

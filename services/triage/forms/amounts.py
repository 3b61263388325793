"""Sums of money that a text names, as `EUR 12.50`: in figures with a sign or a word, and in words ("twintig euro")."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Final, NamedTuple

from services.triage.reading import Word

_CURRENCIES: Final = {
    "EUR": "€ eur euro euros euro's",
    "USD": "$ usd us$ dollar dollars bucks dólares dollari dólar",
    "GBP": "£ gbp pound pounds quid pond pfund livres libras sterline",
    "JPY": "¥ jpy yen",
    "CHF": "chf franken francs franchi sfr",
    "BRL": "r$ brl reais",
    "PLN": "zł pln zloty",
    "SEK": "sek",
    "NOK": "nok",
    "DKK": "dkk",
}
_CURRENCY: Final = {word: code for code, words in _CURRENCIES.items() for word in words.split()}
_SCALES: Final = {
    **dict.fromkeys(("k", "duizend", "thousand", "tausend", "mille", "mil", "mila"), 1_000.0),
    **dict.fromkeys(
        ("m", "mln", "mio", "miljoen", "million", "millions", "millionen", "millones", "milioni", "milhões"), 1e6
    ),
    **dict.fromkeys(("bn", "mld", "mrd", "miljard", "billion", "milliarden", "milliards", "miliardi"), 1e9),
}
_AMOUNT: Final = r"\d{1,3}(?:[.,'\u00a0 ]\d{3}){1,4}(?:[.,]\d{1,2})?(?!\d)|\d{1,12}(?:[.,]\d{1,2})?(?!\d)"
_SCALE: Final = "|".join(sorted(_SCALES, key=len, reverse=True))
_WORDS: Final = "|".join(
    sorted((re.escape(word) for word in _CURRENCY if word[0].isalpha() and word != "r$"), key=len, reverse=True)
)
_SUM = re.compile(
    rf"(?<![\w.,])(?:(?P<sign>€|£|R\$|US\$|\$|¥|(?i:EUR|USD|GBP|CHF|SFr\.?|BRL|PLN|SEK|NOK|DKK)(?![A-Za-z]))[ \u00a0]?"
    rf"(?P<n1>{_AMOUNT})(?:,-|,--|,—)?(?:[ ]?(?P<k1>(?i:{_SCALE}))(?!\w))?"
    rf"|(?P<n2>{_AMOUNT})(?:,-)?[ \u00a0]?(?:(?P<k2>(?i:{_SCALE}))[ ])?(?:d['’]|de )?"
    rf"(?P<word>€|£|zł|(?i:{_WORDS})(?!\w)))"
)
_CENTS = re.compile(
    r"(?<![\w.,])(?P<n>\d{1,3})[ ]?(?P<word>(?i:eurocents?|cents?|centimes|céntimos|centesimi|ct|p))(?!\w)"
)
_MINOR: Final = {"nl": "EUR", "de": "EUR", "fr": "EUR", "es": "EUR", "it": "EUR"}
"""What a cent is of, by language. In English it may be either, and in Portuguese."""


class Sum(NamedTuple):
    """An amount with its currency and its place."""

    value: str
    start: int
    end: int
    confidence: float
    why: str


def read(text: str, words: Sequence[Word], language: str) -> Iterator[Sum]:
    """The sums of money in a text, in figures first."""
    if any(map(str.isdigit, text)):
        for match in _SUM.finditer(text):
            scale = match.group("k1") or match.group("k2")
            amount = _number(match.group("n1") or match.group("n2")) * (_SCALES[scale.lower()] if scale else 1)
            currency = _CURRENCY[(match.group("sign") or match.group("word")).strip().rstrip(".").lower()]
            yield Sum(f"{currency} {amount:.2f}", *match.span(), 0.9, "an amount with its currency")
        for match in _CENTS.finditer(text):
            currency = "EUR" if match.group("word").lower().startswith("euro") else _MINOR.get(language, "")
            if currency and match.group("word").lower() != "p":
                yield Sum(f"{currency} {int(match.group('n')) / 100:.2f}", *match.span(), 0.75, "an amount in cents")
    numbers = _spoken(language)
    for at, (word, start, _) in enumerate(words[:-1]):
        if word not in numbers:
            continue
        following, end = words[at + 1][0], words[at + 1][2]
        amount = float(numbers[word])
        if following in _SCALES and at + 2 < len(words) and len(following) > 1:
            amount *= _SCALES[following]
            following, end = words[at + 2][0], words[at + 2][2]
        if following in _CURRENCY:
            yield Sum(f"{_CURRENCY[following]} {amount:.2f}", start, end, 0.8, "an amount in words")


def _number(said: str) -> float:
    number = re.sub(r"['\u00a0 ]", "", said)
    cut = max(number.rfind("."), number.rfind(","))
    if cut >= 0 and len(number) - cut - 1 in (1, 2):  # 1.234,50 and 1,234.50: the last sign says cents
        return float(re.sub(r"[.,]", "", number[:cut]) + "." + number[cut + 1 :])
    return float(re.sub(r"[.,]", "", number))


_ONES: Final = {
    "en": "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen",
    "nl": "een twee drie vier vijf zes zeven acht negen tien elf twaalf dertien veertien vijftien zestien zeventien achttien negentien",
}
_TENS: Final = {
    "en": "twenty thirty forty fifty sixty seventy eighty ninety",
    "nl": "twintig dertig veertig vijftig zestig zeventig tachtig negentig",
}


@cache
def _spoken(language: str) -> Mapping[str, int]:
    """Numbers in words up to a hundred and a few round ones."""
    if language not in _ONES:
        return {}
    ones, tens = _ONES[language].split(), _TENS[language].split()
    numbers = {word: n for n, word in enumerate(ones, 1)}
    for n, ten in enumerate(tens, 2):
        numbers[ten] = 10 * n
        for one, word in enumerate(ones[:9], 1):
            joined = f"{ten}-{word}" if language == "en" else f"{word}en{ten}"
            numbers[joined] = 10 * n + one
    if language == "en":
        return {**numbers, "hundred": 100, "thousand": 1000}
    return {**numbers, "honderd": 100, "tweehonderd": 200, "driehonderd": 300, "vierhonderd": 400, "vijfhonderd": 500,
            "duizend": 1000}  # fmt: skip

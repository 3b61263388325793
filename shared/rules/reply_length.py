"""How long a reply is, as its venue counts it; by how much it is too long; and how it goes into a numbered thread.

| counted as | what one unit is |
|---|---|
| code_points | a Unicode code point |
| graphemes | what a reader sees as one character: a family of emoji is one |
| utf16_units | a UTF-16 unit: most letters one, most emoji two or more |
| utf8_bytes | a byte of the UTF-8 form |
| x_weighted | as X weighs: letters of most alphabets 1; Chinese, Japanese, Korean and emoji 2; a link 23 |
| mastodon | a grapheme, where a link counts 23 and `@user@host` only its `@user` |

A `url_weight` makes a link count that many units in any of them (and other than 23 in the last two).
"""

import unicodedata
from bisect import bisect_right
from collections.abc import Sequence

import regex

from shared.models.reply_rules import CountedAs, Length
from shared.rules import urls

USUAL_URL_WEIGHT = 23

_GRAPHEME = regex.compile(r"\X")
# What is drawn as one emoji. Sequences joined by U+200D count as one, as they do for the venue where it knows them.
_EMOJI = regex.compile(
    r"\p{Regional_Indicator}{2}"
    r"|[0-9#*]\uFE0F?\u20E3"
    r"|\p{Extended_Pictographic}[\uFE0F\p{Emoji_Modifier}]?[\U000E0020-\U000E007F]*"
    r"(?:\u200D\p{Extended_Pictographic}[\uFE0F\p{Emoji_Modifier}]?)*"
)
_LIGHT = regex.compile(r"[\u0000-\u10FF\u2000-\u200D\u2010-\u201F\u2032-\u2037]")
_REMOTE_HANDLE = regex.compile(r"(?<![=/\w])(@[a-z0-9_]+(?:[.-]+[a-z0-9_]+)*)@[\w.-]*\w", regex.IGNORECASE)
_WORD = regex.compile(r"\S+")
_SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？")


def count(text: str, counted_as: CountedAs, url_weight: int | None = None) -> int:
    """The length of a text in the units of a venue."""
    match counted_as:
        case "code_points":
            return code_points(text, url_weight)
        case "graphemes":
            return graphemes(text, url_weight)
        case "utf16_units":
            return utf16_units(text, url_weight)
        case "utf8_bytes":
            return utf8_bytes(text, url_weight)
        case "x_weighted":
            return x_weighted(text, url_weight)
        case "mastodon":
            return mastodon(text, url_weight)


def code_points(text: str, url_weight: int | None = None) -> int:
    """The length in code points, as they are sent."""
    return len(_weighed(text, url_weight))


def graphemes(text: str, url_weight: int | None = None) -> int:
    """The length in extended grapheme clusters."""
    text = _weighed(text, url_weight)
    return len(text) - text.count("\r\n") if text.isascii() else len(_GRAPHEME.findall(text))


def utf16_units(text: str, url_weight: int | None = None) -> int:
    """The length in UTF-16 units, as JavaScript counts."""
    text = _weighed(text, url_weight)
    return len(text) + sum(letter > "\uffff" for letter in text)


def utf8_bytes(text: str, url_weight: int | None = None) -> int:
    """The length in bytes of UTF-8."""
    return len(_weighed(text, url_weight).encode("utf-8", "surrogatepass"))


def x_weighted(text: str, url_weight: int | None = None) -> int:
    """The weighted length that X holds against its limit of 280. Addresses without http:// count as links too."""
    text = unicodedata.normalize("NFC", text)
    text = _weighed(text, USUAL_URL_WEIGHT if url_weight is None else url_weight, loose=True)
    text, emoji = _EMOJI.subn("", text)
    light = len(_LIGHT.findall(text))
    return light + 2 * (len(text) - light + emoji)


def mastodon(text: str, url_weight: int | None = None) -> int:
    """The length that Mastodon holds against its instance's limit. Put a content warning in front of the text."""
    text = _weighed(text, USUAL_URL_WEIGHT if url_weight is None else url_weight)
    return graphemes(_REMOTE_HANDLE.sub(r"\1", text))


def over_by(text: str, length: Length) -> int:
    """By how many of its venue's units a text is too long; 0 if it fits."""
    return max(0, count(text, length.counted_as, length.url_weight) - length.limit)


def fits(text: str, lengths: Sequence[Length]) -> bool:
    """Whether a text keeps to every limit."""
    return not any(over_by(text, length) for length in lengths)


def split(text: str, lengths: Sequence[Length]) -> list[str]:
    """A text as a numbered thread, `… (1/3)`, each part within every limit; a text that fits stays as it is.

    Parts end between words, if one lies late in the part at the end of a sentence. A word longer than a part is cut
    between graphemes, a link never. White space at the seams goes; all else stays, in order.

    Raises:
        ValueError: a link, or a single character with its number, does not fit into a part.
    """
    if fits(text, lengths):
        return [text]
    for digits in range(1, 4):
        number = " ({0}/{0})".format("9" * digits)
        parts = _parts(text, lengths, number)
        if len(parts) < 10**digits:
            return [f"{part} ({place}/{len(parts)})" for place, part in enumerate(parts, 1)]
    raise ValueError("This text would need a thread of a thousand parts. Shorten it.")


def _weighed(text: str, url_weight: int | None, *, loose: bool = False) -> str:
    """The text with each link replaced by as many letters as it counts; as it is where links have no weight."""
    if url_weight is None:
        return text
    for link in reversed(urls.find(text, bare=loose, loose=loose)):
        text = f"{text[: link.start]}{'x' * url_weight}{text[link.end :]}"
    return text


def _parts(text: str, lengths: Sequence[Length], number: str) -> list[str]:
    words = [found.span() for found in _WORD.finditer(text)]
    links = [(link.start, link.end) for link in urls.find(text)]
    parts: list[str] = []
    first, at = 0, words[0][0] if words else 0
    while first < len(words):
        start = at

        def too_long(last: int, start: int = start) -> bool:
            return not fits(text[start : words[last][1]] + number, lengths)

        # Lengths grow with each word: reach out by doubling, then find the first that is too much by halving.
        reach = 1
        while first + reach < len(words) and not too_long(first + reach):
            reach *= 2
        last = bisect_right(range(first, min(first + reach, len(words))), False, key=too_long) + first
        if last > first:
            last = _sentence_end(text, words, first, last)
            end = words[last - 1][1]
            first, at = last, words[last][0] if last < len(words) else len(text)
        else:
            end = at = _cut(text, start, words[first][1], links, lengths, number)
        parts.append(text[start:end])
    return parts


def _sentence_end(text: str, words: Sequence[tuple[int, int]], first: int, last: int) -> int:
    """Where to end a part: after the last sentence that ends in its last third, else after its last word."""
    if last == len(words):
        return last
    start, end = words[first][0], words[last - 1][1]
    for word in range(last, first, -1):
        ends_at = words[word - 1][1]
        if 3 * (end - ends_at) > end - start:
            break
        if text[:ends_at].endswith(_SENTENCE_ENDS) or "\n\n" in text[ends_at : words[word][0]]:
            return word
    return last


def _cut(
    text: str, start: int, end: int, links: Sequence[tuple[int, int]], lengths: Sequence[Length], number: str
) -> int:
    """Where to cut a word that is longer than a part."""
    for link_start, link_end in links:
        if link_start <= start < link_end:
            raise ValueError(f"The link {text[link_start:link_end]:.60} is longer than this venue allows. Shorten it.")
        if start < link_start < end:
            end = link_start
    ends = [found.end() + start for found in _GRAPHEME.finditer(text[start:end])]
    fitting = bisect_right(ends, False, key=lambda stop: not fits(text[start:stop] + number, lengths))
    if fitting == 0:
        raise ValueError("This venue's limit leaves no room for a numbered thread. Shorten the text.")
    return ends[fitting - 1]

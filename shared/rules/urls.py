"""Where links stand in running text."""

import re
from dataclasses import dataclass

# Endings of names under which people write addresses without http. Two letters are a country's; of the others the usual
# ones, for a list of all would turn "bad.Will never" into a link more often than it would find one.
_ENDINGS = (
    "com|net|org|info|biz|edu|gov|mil|int|name|mobi|eu|app|dev|shop|store|online|site|website|blog|news|social|live|media"
    "|support|help|care|cloud|tech|digital|agency|group|global|world|club|space|link|page|email|bank|energy|travel|events"
    "|academy|amsterdam|berlin|brussels|frl|london|nyc|paris|vlaanderen|wien|museum|coop|jobs|pro|xyz|top|vip|work|zone"
)
_COUNTRIES = (
    "ac|ae|ai|al|am|ar|at|au|az|ba|be|bg|br|bz|by|ca|cc|ch|cl|cn|co|cr|cy|cz|de|dk|do|ec|ee|eg|es|fi|fm|fr|gg|ge|gl|gr|gs"
    "|hk|hr|hu|id|ie|il|im|in|io|ir|is|it|je|jp|ke|kr|kz|la|lb|li|lk|lt|lu|lv|ly|ma|md|me|mk|ms|mt|mx|my|ng|nl|no|nu|nz"
    "|pe|ph|pk|pl|pt|py|qa|ro|rs|ru|sa|sc|se|sg|sh|si|sk|sr|st|su|sv|tc|th|tk|tn|to|tr|tv|tw|ua|ug|uk|us|uy|uz|va|vc|ve|vn"
    "|ws|za"
)
# Endings that are everyday words: a venue that counts them as links counts "my seat away.now" so too.
_WORDS = (
    "actor|africa|asia|auto|baby|band|bar|beauty|beer|best|bet|bid|bike|black|blue|boo|book|boston|box|broker|build|business"
    "|buy|cab|cafe|call|camp|car|cards|care|cars|cash|cat|center|channel|charity|chat|cheap|church|city|click|clinic|coach"
    "|coffee|community|company|cool|country|credit|cruises|dad|data|date|day|deal|deals|delivery|direct|docs|dog|drive|earth"
    "|eat|engineer|exchange|exposed|express|fail|faith|family|fan|fans|farm|fashion|fast|film|final|finance|fish|fit|flights"
    "|fly|food|football|forum|free|fun|fund|fyi|game|games|garden|gay|gift|gifts|gives|glass|gold|golf|got|green|guide|guru"
    "|hair|health|here|holiday|homes|horse|hospital|host|hot|house|how|ink|insure|irish|jot|joy|just|kids|kim|kitchen|land"
    "|law|lease|legal|life|like|loan|lol|loans|lotto|love|luxury|makeup|man|map|market|meet|meme|memorial|men|menu|met|miami"
    "|money|monster|movie|music|navy|network|new|now|one|open|organic|parts|party|pay|pet|phone|photo|photos|pics|pictures"
    "|pid|pin|pink|pizza|place|play|plus|porn|post|press|prime|promo|property|quest|racing|radio|read|red|reise|reisen|rent"
    "|repair|report|rest|review|reviews|rich|rip|room|rsvp|run|safe|sale|save|school|science|scot|secure|security|select"
    "|services|sex|shopping|show|silk|sky|smart|soccer|solutions|spot|star|stream|studio|study|style|sucks|supplies|surf"
    "|swiss|talk|tax|taxi|team|tennis|tickets|tips|tires|today|tools|tours|town|toys|trade|training|trust|tube|tunes|uno"
    "|vacations|vegas|video|vin|vote|voyage|wales|watch|weather|wed|wedding|wiki|win|wine|winners|works|world|wow|yachts|you"
    "|zero|zip"
)
_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
# Full stops and brackets of Chinese and Japanese end an address as white space does.
_REST = r"[^\s<>\"“”«»「」『』（）。、，！？｡\u200b\ufeff]"
_SCHEME = re.compile(rf"(?<![A-Za-z0-9])https?://{_REST}+", re.IGNORECASE)


def _bare(endings: str) -> re.Pattern[str]:
    return re.compile(
        rf"(?<![\w@.$#:/-])(?:{_LABEL}\.){{1,8}}(?:{endings})(?![\w@-]|\.[^\W_])(?::\d{{1,5}})?(?:[/?#]{_REST}*)?",
        re.IGNORECASE,
    )


_BARE = _bare(f"{_ENDINGS}|{_COUNTRIES}")
_LOOSE = _bare(f"{_ENDINGS}|{_COUNTRIES}|{_WORDS}")
_SENTENCE = re.compile(r"[^./?#]*[^\W\d_]\.[A-Z][a-z]+")
_TRAILING = ".,;:!?'\"*_~…’”»"
_PAIRS = {")": "(", "]": "[", "}": "{"}


@dataclass(frozen=True, slots=True)
class FoundUrl:
    """A link in a text: its place in code points, and the address with a scheme."""

    start: int
    end: int
    url: str


def find(text: str, *, bare: bool = True, loose: bool = False) -> list[FoundUrl]:
    """The links in a text, in order, without the marks that belong to the sentence around them.

    With `bare`, addresses without http:// too (`www.example.com`, `example.nl/help`), but no e-mail addresses. Without
    `loose`, a sentence that begins right after a full stop (`niet.De app`) is not taken for an address; some venues do.
    """
    found = [_found(text, match, "") for match in _SCHEME.finditer(text)]
    if bare and "." in text:
        taken = [(link.start, link.end) for link in found]
        found += [
            _found(text, match, "http://")
            for match in (_LOOSE if loose else _BARE).finditer(text)
            if not any(start <= match.start() < end for start, end in taken)
            and (loose or not _SENTENCE.fullmatch(match[0]))
        ]
    return sorted((link for link in found if "." in link.url or "localhost" in link.url), key=lambda link: link.start)


def _found(text: str, match: re.Match[str], scheme: str) -> FoundUrl:
    start, end = match.span()
    while end > start:
        last = text[end - 1]
        opening = _PAIRS.get(last)
        if last in _TRAILING or (opening and text.count(last, start, end) > text.count(opening, start, end)):
            end -= 1
        else:
            break
    return FoundUrl(start, end, scheme + text[start:end])

"""HTML to the text that a reader sees. Written so that no HTML, however hostile, takes more than linear time.

(An HTML5 parser takes minutes for a megabyte of nested <div>, and ours is read in the event loop of a worker.)
"""

import html
import re

LONGEST_HTML = 2_000_000  # characters that are looked at


def _tags(names: str) -> frozenset[str]:
    return frozenset(names.split())


_NEW_PARAGRAPH = _tags(
    "address article aside blockquote body dl fieldset figure footer form h1 h2 h3 h4 h5 h6 header hr main nav ol p "
    "pre section table ul"
)
_NEW_LINE = _tags("caption center dd details div dt figcaption legend li option summary tr")
_NEW_CELL = _tags("td th")
# What is inside these is not text for a reader; inside the first lies all the rest where their end is missing.
_NO_TEXT_TO_THE_END = _tags("script style template iframe noembed noframes xmp")
_NO_TEXT = _NO_TEXT_TO_THE_END | _tags("audio canvas head map math noscript object select svg title video")

_TAG_NAME = re.compile(r"[a-zA-Z][^\s/>]{0,40}")
_BLANKS = re.compile(r"[ \t\n\r\f\u00a0]+")
_MANY_BREAKS = re.compile(r"\n{3,}")
_HUGE_NUMBER = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9a-fA-F]{7,});?")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def plain_text(source: str) -> str:
    """The text of a piece of HTML: tags gone, entities decoded, blocks on lines of their own, blanks collapsed."""
    return _Reader(source[:LONGEST_HTML]).read()


def one_line(source: str) -> str:
    """The text of a piece of HTML that is a title: on one line."""
    return " ".join(plain_text(source).split())


def looks_like_html(source: str) -> bool:
    """Whether a text of unknown kind holds tags or entities."""
    return (
        re.search(r"</?[a-zA-Z][a-zA-Z0-9]{0,10}(?:\s[^<>]{0,500})?/?>|&(?:#\d{1,7}|[a-zA-Z]{2,10});", source)
        is not None
    )


class _Reader:
    def __init__(self, source: str) -> None:
        self._source = source
        self._pieces: list[str] = []
        self._breaks = 0  # line breaks due before the next words
        self._in_pre = 0
        self._last = {sign: source.rfind(sign) for sign in ">\"'"}
        self._never_closed: set[str] = set()

    def read(self) -> str:
        source, at = self._source, 0
        while True:
            opening = source.find("<", at)
            if opening < 0 or opening > self._last[">"]:
                self._say(source[at:])
                break
            self._say(source[at:opening])
            at = self._after_markup(opening)
            if at == opening + 1:
                self._say("<")  # a lone one is text
        lines = "".join(self._pieces).split("\n")
        text = _MANY_BREAKS.sub("\n\n", "\n".join(line.strip(" ") for line in lines))
        return _CONTROL.sub("", text).strip()

    def _say(self, raw: str) -> None:
        raw = raw.removesuffix("]]>")
        if "&" in raw:
            raw = html.unescape(_HUGE_NUMBER.sub("\ufffd", raw))
        if self._in_pre:
            said = raw.replace("\r\n", "\n").replace("\u00a0", " ")
        else:
            said = _BLANKS.sub(" ", raw)
            if self._breaks or not self._pieces or self._pieces[-1].endswith((" ", "\n")):
                said = said.removeprefix(" ")
        if not said:
            return
        if self._breaks and self._pieces:
            self._pieces.append("\n" * self._breaks)
        self._breaks = 0
        self._pieces.append(said)

    def _after_markup(self, opening: int) -> int:
        """Where the markup that begins at `opening` ends; one further than `opening` where it is none."""
        source = self._source
        if source.startswith("<!--", opening):
            end = source.find("-->", opening + 4)
            return len(source) if end < 0 else end + 3
        if source.startswith("<![CDATA[", opening):
            return opening + 9  # a feed's own wrapping, left in by mistake: what it holds is read
        closing = source.startswith("/", opening + 1)
        name_match = _TAG_NAME.match(source, opening + 1 + closing)
        if name_match is None:
            if source[opening + 1 : opening + 2] in ("!", "?", "/"):
                return source.find(">", opening) + 1
            return opening + 1
        name = name_match.group().lower()
        end = self._end_of_tag(name_match.end())
        if name == "pre":
            self._in_pre = max(0, self._in_pre + (-1 if closing else 1))
        self._break_for(name)
        if name in _NO_TEXT and not closing and source[end - 2] != "/":
            end = self._end_of_element(name, end)
        return end

    def _end_of_tag(self, at: int) -> int:
        """Just past the ">" that ends a tag; one inside quotes does not."""
        source = self._source
        while True:
            end = source.find(">", at)
            if end < 0:
                return len(source)
            quotes = [place for sign in "\"'" if (place := source.find(sign, at, end)) >= 0]
            if not quotes:
                return end + 1
            opened = min(quotes)
            sign = source[opened]
            if opened >= self._last[sign]:  # a quote that nothing closes is an ordinary character
                return end + 1
            at = source.find(sign, opened + 1) + 1

    def _end_of_element(self, name: str, at: int) -> int:
        if name in self._never_closed:
            return at
        found = re.compile(rf"</{name}[\s/>]", re.IGNORECASE).search(self._source, at)
        if found is not None:
            return self._source.find(">", found.start() + len(name)) + 1 or len(self._source)
        if name in _NO_TEXT_TO_THE_END:
            return len(self._source)
        self._never_closed.add(name)
        return at

    def _break_for(self, name: str) -> None:
        if name == "br":
            self._breaks = min(self._breaks + 1, 2)
        elif name in _NEW_PARAGRAPH:
            self._breaks = 2
        elif name in _NEW_LINE:
            self._breaks = max(self._breaks, 1)
        elif name in _NEW_CELL:
            self._say(" ")

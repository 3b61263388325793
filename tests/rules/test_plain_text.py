"""HTML to text: what a reader sees, in linear time whatever the HTML."""

import time

import nh3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.rules.plain_text import LONGEST_HTML, looks_like_html, one_line, plain_text

CASES = {
    "": "",
    "plain words": "plain words",
    "<p>Hallo &amp; welkom</p><p>Twee<br>regels</p>": "Hallo & welkom\n\nTwee\nregels",
    "<p>one\n two</p>\n\n<p>three</p>": "one two\n\nthree",
    "<div>a</div><div>b</div>": "a\nb",
    "<div><div><div>a</div></div></div><div>b</div>": "a\nb",
    "a<br><br><br><br>b": "a\n\nb",
    "<ul><li>een</li><li>twee</li></ul>na": "een\ntwee\n\nna",
    "<table><tr><td>1</td><td>2</td></tr><tr><td>3</td></tr></table>": "1 2\n3",
    "<h1>Kop</h1>tekst": "Kop\n\ntekst",
    "<b>vet</b>te <i>tek</i>st": "vette tekst",
    "a <b> b </b> c": "a b c",
    "x<script>alert('<b>')</script>y": "xy",
    "x<SCRIPT type='a>b'>y</script >z": "xz",
    "x<script>never closed": "x",
    "<style>p{}</style>tekst": "tekst",
    "<noscript><img></noscript>x<iframe src=y>fallback</iframe>": "x",
    "<video controls>No video here</video>after": "after",
    "<video>never closed": "never closed",
    "<head><title>T</title></head><body>B</body>": "B",
    "<svg><text>no</text></svg>yes": "yes",
    "<svg/>yes": "yes",
    '<img alt="a > b">na': "na",
    "<a title='x\">y'>link</a>": "link",
    '<a href="x>link</a> en verder': "link en verder",
    "a < b and c > d": "a < b and c > d",
    "I <3 you": "I <3 you",
    "1 <2> 3": "1 <2> 3",
    "tail <": "tail <",
    "cut <a href='": "cut <a href='",
    "<>": "<>",
    "<!-- gone -->here<!-- <p> -->too": "heretoo",
    "<!doctype html><?xml x?>y": "y",
    "<![CDATA[hoi]]>": "hoi",
    "AT&T &copy; &eacute; &#8217; &#x1F621; &nbsp;x": "AT&T © é ’ 😡 x",
    "&lt;b&gt; stays": "<b> stays",
    "&amp;lt; is not decoded twice": "&lt; is not decoded twice",
    "&#0;&#xD800;&#99999999999999999999;": "���",
    "<pre>a\n  b</pre>c": "a\nb\n\nc",
    "line\r\nline": "line line",
    "bell\x07 and \x00": "bell and",
    "😡<br/>😡": "😡\n😡",
    "<p>مرحبا</p>": "مرحبا",
}


@pytest.mark.parametrize(("source", "text"), CASES.items())
def test_what_a_reader_sees(source: str, text: str) -> None:
    assert plain_text(source) == text


def test_a_title_is_one_line() -> None:
    assert one_line("<b>Kop</b><br> met\n\nregels") == "Kop met regels"


@pytest.mark.parametrize(
    ("source", "is_html"),
    [("<p>x", True), ("a &amp; b", True), ("a < b", False), ("<3", False), ("AT&T; hm", False), ("x<br/>y", True)],
)
def test_html_is_told_from_text(source: str, is_html: bool) -> None:
    assert looks_like_html(source) is is_html


# Each made some HTML reader take minutes: unclosed, nested, or half of something.
RUNS = [
    "<div>", "<b>", "<a><b><i>", "<p><table>", '<a "', "<a '", "<a", "<", "<!", "<!--", "<![CDATA[", "</", "<?", "&", "&#",
    "&amp;", "<video>", "<script>", "<audio/>", "<svg>x", "<td> ", " <br>", "<pre>\n", " \n", "<option>", "<a x='\"' y=\"'\">",
]  # fmt: skip


@pytest.mark.parametrize("run", RUNS)
def test_no_html_takes_long(run: str) -> None:
    hostile = run * (150_000 // len(run))
    started = time.process_time()
    plain_text(hostile)
    assert time.process_time() - started < 2


def test_only_so_much_is_looked_at() -> None:
    assert len(plain_text("x" * (LONGEST_HTML + 10))) == LONGEST_HTML


TAGS = ("p", "b", "i", "em", "div", "li", "blockquote", "a", "span", "h2", "code")
WORDS = st.text("abc é<>&;\n\"'😡", max_size=12)


@st.composite
def _html(draw: st.DrawFn, depth: int = 3) -> str:
    if depth == 0 or draw(st.booleans()):
        return draw(WORDS).replace("&", "&amp;").replace("<", "&lt;")
    tag = draw(st.sampled_from(TAGS))
    inner = "".join(draw(st.lists(_html(depth - 1), max_size=3)))
    quoted = draw(WORDS).replace("&", "&amp;").replace('"', "&quot;")
    return f'<{tag} title="{quoted}">{inner}</{tag}>'


@settings(max_examples=150, deadline=None)
@given(_html())
def test_the_words_are_those_that_a_browsers_parser_finds(source: str) -> None:
    """On tidy HTML a full HTML5 parser is the oracle: the same characters, blanks aside."""
    import html

    theirs = html.unescape(nh3.clean(source, tags=set()))
    assert "".join(plain_text(source).split()) == "".join(theirs.split())


@settings(max_examples=150, deadline=None)
@given(st.text("<>/!-&;#x'\" abpre[]CDATA\n\ud800\x00", max_size=80))
def test_nothing_breaks_it(source: str) -> None:
    text = plain_text(source)
    assert text == text.strip()
    assert "\x00" not in text
    assert "\n\n\n" not in text

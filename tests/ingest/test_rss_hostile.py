"""The rss channel against sites that misbehave and attack, and against the mess that honest feeds are."""

import gzip
import time

import pytest

from services.ingest.channel import ChannelBroken, TryLater
from tests.ingest.site import Site, ids_of, item, rss

pytestmark = pytest.mark.usefixtures("now")


BOMB = """<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>
<rss version="2.0"><channel><item><title>&c;</title></item></channel></rss>"""
EXTERNAL = """<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<rss version="2.0"><channel><item><title>&x;</title></item></channel></rss>"""
LOOSE = """<rss version="2.0"><!DOCTYPE rss [<!ENTITY x "boom">]>
<channel><item><title>&x; &nbsp; <b></title></item></channel></rss>"""


@pytest.mark.parametrize(
    "document",
    [
        BOMB.encode(),
        EXTERNAL.encode(),
        LOOSE.encode(),
        b"\n\n" + BOMB.encode(),
        b"<!-- hello --><?php x ?>" + BOMB.partition("?>")[2].encode(),
        BOMB.encode("utf-16"),
        BOMB.replace("?>", ' encoding="utf-16"?>', 1).encode("utf-16-be"),
        BOMB.replace("?>", ' encoding="utf-7"?>', 1).encode().replace(b"<!", b"+ADwAIQ-"),
        b"Warning: x<br>" + BOMB.partition("?>")[2].encode(),
        b'<?xml version="1.0"?><!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "http://x/rss.dtd"><rss></rss>',
    ],
    ids=["bomb", "external", "loose", "blanks", "comment", "utf16", "utf16be", "utf7", "garbage", "rss091"],
)
async def test_no_entity_of_a_feed_is_ever_expanded(document: bytes) -> None:
    site = Site(document, content_type="application/rss+xml")
    try:
        page = await site.channel().page(None)
    except (ChannelBroken, TryLater) as refused:
        assert "passwd" not in str(refused)  # noqa: PT017
    else:
        said = "".join(f"{one.title}{one.text}" for one in page.mentions)
        assert "aaaa" not in said
        assert "root:" not in said
        assert "boom" not in said


async def test_a_document_type_is_refused_in_a_sentence() -> None:
    with pytest.raises(ChannelBroken, match=r"The feed https://site\.example/feed cannot be read: .*DTD"):
        await Site(BOMB).channel().page(None)


async def test_an_answer_over_ten_megabytes_is_not_read() -> None:
    big = rss(item(1, "x" * 10_000_001))
    with pytest.raises(TryLater, match="more than 10,000,000 bytes"):
        await Site(big).channel().page(None)
    with pytest.raises(TryLater, match="more than 10,000,000 bytes"):
        await Site(gzip.compress(big.encode()), content_encoding="gzip").channel().page(None)


async def test_a_feed_cut_off_in_the_middle_is_not_half_read() -> None:
    whole = rss(item(1), item(2, "a long story that must not be stored by half"))
    for length in (len(whole) - 20, len(whole) - 90, len(whole) // 2):
        with pytest.raises(TryLater, match="not whole"):
            await Site(whole[:length]).channel().page(None)


async def test_an_untidy_feed_is_read_all_the_same() -> None:
    untidy = rss(item(1, "fish & chips &copy; <b>bold"), "\x0b", item(2)).replace(
        "<?xml version='1.0'?>", "\r\n <br />"
    )
    page = await Site(untidy, content_type="text/html").channel().page(None)
    assert ids_of(page) == ["id-1", "id-2"]
    assert page.mentions[0].text.startswith("fish & chips ©")


async def test_a_web_page_names_its_feeds() -> None:
    html = """<!DOCTYPE html><html><head><title>Blog</title>
    <link rel="alternate" type="application/rss+xml" title="Posts" href="/posts.xml?a=1&amp;b=2">
    <link rel='alternate' href='https://other.example/atom' type='application/atom+xml'/>
    <link rel="stylesheet" href="/style.css" type="text/css"></head><body><rss></body></html>"""
    with pytest.raises(ChannelBroken) as caught:
        await Site(html, content_type="text/html").channel().page(None)
    message = str(caught.value)
    assert "https://site.example/posts.xml?a=1&b=2" in message
    assert "https://other.example/atom" in message
    assert "style.css" not in message


@pytest.mark.parametrize(
    ("encode", "declared", "header"),
    [
        ("utf-8", "iso-8859-1", "text/xml; charset=us-ascii"),  # both lie
        ("windows-1252", "iso-8859-1", "text/xml"),
        ("windows-1252", None, "text/xml; charset=iso-8859-1"),
        ("windows-1252", "utf-8", "text/xml; charset=windows-1252"),
        ("utf-16", "utf-16", "text/xml"),
        ("utf-8-sig", None, "application/rss+xml"),
        ("iso-8859-15", "iso-8859-15", "application/rss+xml"),
        ("windows-1252", "no-such-charset", "application/rss+xml; charset=also-none"),
    ],
)
async def test_the_mess_of_charsets(encode: str, declared: str | None, header: str) -> None:
    text = rss(item(1, "Café, naïef"))
    if declared:
        text = text.replace("version='1.0'?>", f"version='1.0' encoding='{declared}'?>", 1)
    page = await Site(text.encode(encode), content_type=header).channel().page(None)
    said = page.mentions[0].text
    assert said == "Café, naïef" or (encode == "windows-1252" and declared == "utf-8" and said == "Caf�, na�ef")


async def test_hostile_texts_become_mentions_that_can_be_stored() -> None:
    texts = {
        "nul": "a&#0;b",
        "surrogate": "&#xD83D;x",
        "halves": "&#xD83D;&#xDE21; &#55357;&#56865;",
        "huge number": "&#99999999999999;",
        "deep": "&lt;div&gt;" * 20_000 + "deep",
        "quotes": "&lt;a \"'" * 20_000,
        "bidi": "abc\u202edef",
        "zalgo": "e" + "\u0301" * 500,
        "long word": "x" * 100_000,
    }
    site = Site(rss(*[item(name.replace(" ", "-"), text) for name, text in texts.items()]))
    started = time.process_time()
    page = await site.channel().page(None)
    assert time.process_time() - started < 5
    assert len(page.mentions) == len(texts)
    for mention in page.mentions:
        stored = mention.text.encode()  # which a lone surrogate would not survive
        assert b"\x00" not in stored
        assert mention.raw is not None
    assert next(one.text for one in page.mentions if one.external_id == "id-halves") == "😡 😡"


async def test_a_big_feed_does_not_hold_up_the_others() -> None:
    site = Site(rss(*[item(number, "some words " * 20) for number in range(1_000)]))
    here, everywhere = time.thread_time(), time.process_time()
    await site.channel().page(None)
    here, everywhere = time.thread_time() - here, time.process_time() - everywhere
    assert here < everywhere / 2  # read in the event loop, it would be all of it

"""The bytes of a feed made safe to parse: the encoding decided, DTDs and entities refused, web pages told from feeds.

Feeds are the least trusted and least tidy documents there are, so all this comes before any parser that acts on them.
"""

import io
import re
import xml.sax
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urljoin

import defusedxml
import defusedxml.sax

# Everything a feed has been seen in. UTF-7 and Python's own codecs are not among them: they hide markup from a check.
_ENCODING = re.compile(
    r"utf-?(8|16|32)(-?[lb]e)?|us-ascii|ascii|iso-?8859-?\d{1,2}|latin-?1|windows-?\d{3,4}|cp\d{3,4}|koi8-[ru]|gb2312|gbk"
    r"|gb18030|big5(-?hkscs)?|euc-?(jp|kr)|shift[_-]?jis|iso-2022-jp|tis-620|mac-?roman",
    re.IGNORECASE,
)
_WESTERN = re.compile(r"iso-?8859-?1|latin-?1|us-ascii|ascii", re.IGNORECASE)  # all of them mean windows-1252
_DECLARATION = re.compile(r"\s*<\?xml\b[^>]{0,500}\?>")
_DECLARED = re.compile(r"encoding\s*=\s*[\"']([\w.:-]{1,40})[\"']")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_ROOT = re.compile(r"<(?:rss|feed|rdf:rdf)[\s>]", re.IGNORECASE)
_ROOT_END = re.compile(r"</(?:rss|feed|rdf:rdf)\s*>", re.IGNORECASE)
_FIRST_TAG = re.compile(r"<(?:[\w.-]+:)?([a-zA-Z_][\w.-]*)")
_HARMFUL = re.compile(r"<!\s*(?:ENTITY|DOCTYPE)", re.IGNORECASE)
_PAIR = re.compile(r"&#(?:x(d[89ab][0-9a-f]{2})|(5[56]\d{3}));&#(?:x(d[c-f][0-9a-f]{2})|(5[67]\d{3}));", re.IGNORECASE)
_REFERENCE = re.compile(r"&#(?:x([0-9a-f]+)|([0-9]+));?", re.IGNORECASE)
_NO_XML_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_FEED_LINK = re.compile(r"<link\b[^>]{0,1000}>", re.IGNORECASE)
_FEED_TYPE = re.compile(r"type\s*=\s*[\"']?application/(?:rss\+xml|atom\+xml|feed\+json)", re.IGNORECASE)
_HREF = re.compile(r"href\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]+))", re.IGNORECASE)
_GARBAGE = 5_000  # characters of a server's own complaints that may stand before a feed


class NotAFeed(ValueError):
    """The document is something else, or refused; the message says what."""


class CutOff(ValueError):
    """The document ends in the middle."""


@dataclass(frozen=True, slots=True)
class Document:
    """What may be parsed: the text of a JSON document, or UTF-8 XML without a DTD."""

    json: str | None = None
    xml: bytes | None = None


def safe_document(body: bytes, content_type: str = "", url: str = "") -> Document:
    """The document in `body`, found at `url`. Raises NotAFeed or CutOff."""
    text = _decoded(body, content_type).lstrip("\ufeff \t\r\n")
    if not text:
        raise CutOff("the answer is empty")
    if text.startswith(("{", "[")):
        return Document(json=text)
    return Document(xml=_feed_xml(text, url))


def _decoded(body: bytes, content_type: str) -> str:
    """The text of the document. Valid UTF-8 is UTF-8, whatever header and declaration claim; then the declaration."""
    for mark, encoding in ((b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16")):
        if body.startswith(mark):
            return body.decode(encoding, "replace")
    if body.startswith(b"\xfe\xff"):
        return body.decode("utf-16", "replace")
    if body[:2] in (b"<\x00", b"{\x00"):
        return body.decode("utf-16-le", "replace")
    if body[:2] in (b"\x00<", b"\x00{"):
        return body.decode("utf-16-be", "replace")
    declaration = _DECLARATION.match(body[:600].decode("latin-1"))
    declared = declaration and _DECLARED.search(declaration.group())
    claims = [claim.group(1) for claim in (declared, _CHARSET.search(content_type)) if claim]
    if not any(claim.lower().startswith("iso-2022") for claim in claims):  # which is ASCII, hence UTF-8, to the eye
        try:
            return body.decode()
        except UnicodeDecodeError:
            pass
    for claim in claims:
        if _ENCODING.fullmatch(claim) and not claim.lower().startswith("utf"):
            try:
                return body.decode("windows-1252" if _WESTERN.fullmatch(claim) else claim, "replace")
            except LookupError:
                continue
    return body.decode(
        "utf-8" if any(claim.lower().startswith("utf") for claim in claims) else "windows-1252", "replace"
    )


def _feed_xml(text: str, url: str) -> bytes:
    """The document as clean UTF-8 XML that declares no entity and no DTD."""
    declaration = _DECLARATION.match(text)
    start = _after_prolog(text, declaration.end() if declaration else 0)
    if text[start : start + 9].lower() == "<!doctype" and "html" not in text[start : start + 20].lower():
        raise NotAFeed("it declares a document type (DTD), which is not read because entities in it can be harmful")
    root = _ROOT.search(text, start, start + _GARBAGE)
    first = _FIRST_TAG.search(text, start, start + _GARBAGE)
    if root is None or (first and first.group(1).lower() == "html"):
        raise NotAFeed(_what_it_is(text, first and first.group(1), url))
    text = _REFERENCE.sub(_allowed, _PAIR.sub(_joined, text[root.start() :]))
    document = '<?xml version="1.0" encoding="utf-8"?>' + _NO_XML_CHARACTER.sub("", text)
    encoded = document.encode()
    try:
        defusedxml.sax.parse(io.BytesIO(encoded), xml.sax.ContentHandler(), forbid_dtd=True)
    except defusedxml.DefusedXmlException as harmful:
        raise NotAFeed(
            "it declares entities or a document type (DTD), which can be harmful and is not read"
        ) from harmful
    except xml.sax.SAXException as untidy:
        if _HARMFUL.search(document):
            raise NotAFeed("it is not well-formed and declares entities or a document type (DTD)") from untidy
        if not _ROOT_END.search(document[-2_000:]):
            raise CutOff("the feed ends in the middle") from untidy
    return encoded


def _joined(pair: re.Match[str]) -> str:
    """An emoji written as the two halves that UTF-16 has for it."""
    high, low = (int(x, 16) if x else int(d) for x, d in (pair.group(1, 2), pair.group(3, 4)))
    if not (0xD800 <= high < 0xDC00 <= low < 0xE000):
        return pair.group()
    return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))


def _allowed(reference: re.Match[str]) -> str:
    """A numeric reference if it names a character that XML knows: others make parsers fall over."""
    hexadecimal, decimal = reference.groups()
    digits = hexadecimal or decimal
    number = int(digits, 16 if hexadecimal else 10) if len(digits.lstrip("0")) <= 7 else -1
    if 0x20 <= number < 0xD800 or 0xE000 <= number < 0xFFFE or 0x10000 <= number < 0x110000 or number in (9, 10, 13):
        return reference.group()
    return "\ufffd" if number else ""


def _after_prolog(text: str, at: int) -> int:
    """Past the blanks, comments and instructions that may stand before the first element."""
    while True:
        while at < len(text) and text[at].isspace():
            at += 1
        end = {"<?": "?>", "<!--": "-->"}.get("<!--" if text.startswith("<!--", at) else text[at : at + 2])
        found = text.find(end, at) if end else -1
        if end is None or found < 0:
            return at
        at = found + len(end)


def _what_it_is(text: str, first_tag: str | None, url: str) -> str:
    if first_tag is None or "<html" not in text[:10_000].lower():
        return "it is no feed" if first_tag is None else f"it is no feed: it begins with <{first_tag[:40]}>"
    found: list[str] = []
    for link in _FEED_LINK.finditer(text[:200_000]):
        href = _HREF.search(link.group())
        if href and _FEED_TYPE.search(link.group()):
            address = next(part for part in href.groups() if part is not None).replace("&amp;", "&")
            with suppress(ValueError):  # it is no address
                found.append(urljoin(url, address))
    if not found:
        return "it is a web page, not a feed, and it names no feed"
    return f"it is a web page, not a feed. It names {', '.join(found[:5])}: use {'that' if len(found) == 1 else 'one'}"

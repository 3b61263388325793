"""What somebody wrote in a mail, without what it quotes and without the signature below it. English, Dutch, German, French.

Nothing that was newly written is dropped where there is doubt: greetings and names stay, a forwarded mail stays whole,
answers between quoted lines stay in their order, and a mail that is all quotation comes back as it is.
"""

import re
from collections.abc import Sequence

from shared.rules.plain_text import plain_text

LONGEST_TEXT = 300_000  # characters; what is longer is no letter, and stays as it is
LONGEST_LINE = 400  # characters of a line that is looked at as a mark
MOST_WRAPPED = 4  # lines over which programs break "On … wrote:"
_HEADERS_WITHIN = 8  # lines in which the block of a quoted mail's headers says enough
_QUOTE_BEGINS, _QUOTE_ENDS = "\ue000", "\ue001"  # characters for private use, which no mail means

# "On 20 Nov 2026, at 12:00, Care <care@…> wrote:", in the four languages and both orders of words
_ATTRIBUTION = re.compile(
    r"(?:on|op|am|le|el)\b.{4,}\b(?:wrote|writes|schreef|schrieb|a écrit|heeft .{0,120}geschreven)\b.{0,160}:"
    r"|.{2,160}\b(?:wrote|schreef|schrieb|a écrit)\b(?:\s+(?:on|op|am|le)\b.{4,160})?\s*:"
    r"|(?:le\b.{4,},\s*)?.{2,160}<\S+@\S+>\s*(?:a écrit|wrote|schreef|schrieb)\s*:"
    r"|\d{4}-\d\d-\d\d\s.{0,80}<\S+@\S+>\s*:"
    r"|-{2,}\s*(?:on|op|am|le)\b.{4,}\b(?:wrote|schreef|schrieb|a écrit)\b\s*:?\s*-{2,}",
    re.IGNORECASE | re.DOTALL,
)
_SAYS_WHEN_OR_WHO = re.compile(r"\d|@")
_BEGINS_ATTRIBUTION = re.compile(r"(?:on|op|am|le|el)\s|-{2,}\s*(?:on|op|am|le)\s|\d{4}-\d\d-\d\d\s", re.IGNORECASE)
_ORIGINAL = re.compile(
    r"[-_*\s]{2,}(?:original message|original appointment|oorspronkelijk bericht|originele bericht"
    r"|urspr(?:ü|ue)ngliche nachricht|original-nachricht|message d[’']origine|message original)[-_*\s:]{2,}",
    re.IGNORECASE,
)
_ABOVE = re.compile(
    r"[#\-_=*\s]{0,20}(?:please )?(?:type|write|reply|antwoord|typ uw antwoord|schrijf uw antwoord|bitte (?:antworten|schreiben)"
    r"|veuillez répondre|répondre)\b.{0,40}\b(?:above|boven|oberhalb|über|au-dessus)\b.{0,60}",
    re.IGNORECASE,
)
_FORWARDED = re.compile(
    r"[-\s]{2,}(?:forwarded message|doorgestuurd bericht|weitergeleitete nachricht|message transféré)[-\s]{2,}"
    r"|begin (?:forwarded message|doorgestuurd bericht)\s*:|anfang der weitergeleiteten nachricht\s*:"
    r"|début du message (?:transféré|réexpédié)\s*:",
    re.IGNORECASE,
)
_FROM = re.compile(r"\*?(?:from|van|von|de|expéditeur)\s*:\s*\*?\s*\S", re.IGNORECASE)
_OTHER_HEADERS = re.compile(
    r"\*?(?:(?P<when>sent|date|verzonden|datum|gesendet|envoyé)|(?P<to>to|aan|an|à|cc)"
    r"|(?P<subject>subject|onderwerp|betreff|objet))\s*:\*?",
    re.IGNORECASE,
)
_RULE = re.compile(r"[_\-=*]{5,}")
_SIGNATURE = re.compile(r"--\s?|—\s?|__")
_APP_LINE = re.compile(
    r"(?:sent|verzonden|verstuurd|gesendet|von meinem .{2,60} gesendet|envoyé)"
    r"(?:\s+(?:from|with|via|vanaf|vanuit|met|mit|von|depuis|de|à partir de)\b.{2,80})"
    r"|von meine[mr] .{2,60} gesendet\W?|get outlook for .{2,40}|outlook (?:voor|für|pour) .{2,40}"
    r"|(?:download|télécharger|holen sie sich) outlook .{2,40}"
    r"|(?:sent|verzonden|gesendet|envoyé) .{0,40}\b(?:outlook|gmail|yahoo|proton) ?mail\b.{0,60}",
    re.IGNORECASE,
)
_APP_NAME = re.compile(
    r"iphone|ipad|android|samsung|galaxy|mobile|mobiel|mobil|outlook|yahoo|gmail|proton|huawei|blackberry|windows|smartphone"
    r"|telefoon|handy|gsm|tablet|bluemail|\bmail\b|apple watch|tél[ée]phone",
    re.IGNORECASE,
)
_DISCLAIMER = re.compile(
    r"(?:disclaimer\b|this (?:e-?mail|message)\b.{0,120}\b(?:confidential|intended)"
    r"|(?:de informatie|dit (?:e-?mail)?bericht|deze e-?mail)\b.{0,160}"
    r"\b(?:vertrouwelijk|uitsluitend bestemd|bestemd voor)|diese (?:e-?mail|nachricht)\b.{0,120}\bvertraulich"
    r"|ce (?:message|courriel|mail)\b.{0,160}\b(?:confidentiel|destiné))",
    re.IGNORECASE,
)

# Where programs put the quoted mail in HTML: what begins there runs to the end.
_HTML_TO_THE_END = re.compile(
    r"<(?:div|hr|span|table)\b[^<>]{0,300}?(?:id\s*=\s*[\"']?(?:divRplyFwdMsg|appendonsend|stopSpelling|OLK_SRC_BODY_SECTION"
    r"|ymail_android_signature|mail-editor-reference-message-container)|class\s*=\s*[\"']?(?:gmail_quote|yahoo_quoted|protonmail_quote|zmail_extra))",
    re.IGNORECASE,
)
_HTML_SIGNATURE = re.compile(
    r"<(?:div|span|pre|table)\b[^<>]{0,300}?(?:class|id)\s*=\s*[\"']?(?:gmail_signature|moz-signature|protonmail_signature_block|Signature\b)",
    re.IGNORECASE,
)
_BLOCKQUOTE = re.compile(r"<(/?)blockquote\b[^<>]{0,1000}>", re.IGNORECASE)


def said_in_html(source: str) -> str:
    """What was newly written in a mail's HTML."""
    whole = source
    end = _HTML_TO_THE_END.search(source)
    if end and not _FORWARDED.search(plain_text(source[end.start() : end.start() + 2_000])):
        source = source[: end.start()]
    signature = _HTML_SIGNATURE.search(source)
    if signature and not _BLOCKQUOTE.search(source, signature.start()):
        source = source[: signature.start()]
    text = said_in(_with_marks(source))
    return text or _unmarked(plain_text(whole))


def said_in(text: str) -> str:
    """What was newly written in a mail's plain text."""
    if len(text) > LONGEST_TEXT:
        return _unmarked(text).strip()
    lines = [line.rstrip() if line != "-- " else line for line in _lines(text)]
    kept = _without_end(_without_quotes(lines))
    said = _unmarked("\n".join(kept)).strip()
    return re.sub(r"\n{3,}", "\n\n", said) or _unmarked(text).strip()


def _with_marks(source: str) -> str:
    """The HTML as text, in which the lines of a <blockquote> begin with ">"."""
    source = source.replace(_QUOTE_BEGINS, "").replace(_QUOTE_ENDS, "")
    marked = _BLOCKQUOTE.sub(lambda tag: f"<p>{_QUOTE_ENDS if tag[1] else _QUOTE_BEGINS}</p>", source)
    depth, lines = 0, list[str]()
    for line in plain_text(marked).split("\n"):
        depth = max(0, depth + line.count(_QUOTE_BEGINS) - line.count(_QUOTE_ENDS))
        bare = _unmarked(line)
        if bare == line or bare.strip():
            lines.append(f"> {bare}" if depth else bare)
    return "\n".join(lines)


def _unmarked(text: str) -> str:
    return text.replace(_QUOTE_BEGINS, "").replace(_QUOTE_ENDS, "")


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").split("\n")


def _without_quotes(lines: Sequence[str]) -> list[str]:
    kept: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        bare = line.strip().strip("*").strip()
        if _FORWARDED.fullmatch(bare[:LONGEST_LINE]):
            return [*kept, *lines[at:]]  # what is passed on to us is what we are to read
        if line.lstrip().startswith(">"):
            at += 1
            continue
        after = _after_attribution(lines, at)
        if after is not None:
            if not _is_quoted(lines, after):
                return kept  # no marks on what is quoted: it goes to the end
            at = after
            continue
        if _begins_original(lines, at):
            return kept
        kept.append(line)
        at += 1
    return kept


def _after_attribution(lines: Sequence[str], at: int) -> int | None:
    """The line after "On … wrote:" where that begins at `at`, also wrapped over several lines."""
    first = lines[at].strip()
    if not first or len(first) > LONGEST_LINE:
        return None
    whole = ""
    for count in range(1, MOST_WRAPPED + 1):
        if at + count > len(lines) or not (part := lines[at + count - 1].strip()) or part.startswith(">"):
            return None
        whole = f"{whole} {part}".strip()
        if len(whole) > LONGEST_LINE:
            return None
        if whole.endswith((":", "-")) and _ATTRIBUTION.fullmatch(whole):
            sure = _SAYS_WHEN_OR_WHO.search(whole) or _is_quoted(lines, at + count)
            return at + count if sure else None
        if count == 1 and not _BEGINS_ATTRIBUTION.match(first):
            return None
    return None


def _is_quoted(lines: Sequence[str], at: int) -> bool:
    """Whether the next line that holds something is a quoted one."""
    following = next((one for one in lines[at : at + 10] if one.strip()), "")
    return following.lstrip().startswith(">")


def _begins_original(lines: Sequence[str], at: int) -> bool:
    """Whether the mail that is quoted begins here: a line that says so, or the block of its headers."""
    bare = lines[at].strip()
    if not bare or len(bare) > LONGEST_LINE:
        return False
    if _ORIGINAL.fullmatch(bare) or _ABOVE.fullmatch(bare):
        return True
    start = at
    if _RULE.fullmatch(bare):
        start = next((place for place in range(at + 1, min(at + 4, len(lines))) if lines[place].strip()), at)
    if not _FROM.match(lines[start].strip()):
        return False
    told = {
        found.lastgroup
        for line in lines[start + 1 : start + _HEADERS_WITHIN]
        if (found := _OTHER_HEADERS.match(line.strip()))
    }
    return len(told) >= 2


def _without_end(lines: list[str]) -> list[str]:
    """Without the signature, what a mail program adds below, and what a lawyer does."""
    for at, line in enumerate(lines):
        if at and _SIGNATURE.fullmatch(line) and any(one.strip() for one in lines[:at]):
            lines = lines[:at]
            break
        if (
            at
            and len(line) <= 4_000
            and _DISCLAIMER.match(line.strip()[:LONGEST_LINE])
            and any(one.strip() for one in lines[:at])
        ):
            lines = lines[:at]
            break
    kept = list(lines)
    while kept and (not kept[-1].strip() or _RULE.fullmatch(kept[-1].strip()) or _by_a_program(kept[-1].strip())):
        kept.pop()
    return kept


def _by_a_program(line: str) -> bool:
    return len(line) <= 120 and bool(_APP_LINE.fullmatch(line)) and bool(_APP_NAME.search(line))

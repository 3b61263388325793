"""Which address a link leads to, and whether two links lead to the same page; nothing is fetched.

`canonical` is the address to keep and show: redirect links unwrapped, scheme and host in lower case and ASCII, default
port, user and trackers gone, path and escapes tidied, parameters sorted. A fragment goes, unless it names a comment. A
trailing slash stays as written, except that an empty path is `/`. `key` is for comparing only: besides, http is https,
`www.`, `m.`, `mobile.` and `amp.` in front of a host, a trailing slash and AMP forms do not matter, and all links to one
post of a venue that we know are one (`post_links`). `venue_of` says which post of which channel type that is.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

import idna

from shared.rules.post_links import LinkedPost, post_at

LONGEST = 8_192

_TRACKERS = re.compile(
    r"utm_\w*|fbclid|gclid|gclsrc|dclid|gbraid|wbraid|msclkid|twclid|ttclid|li_fat_id|igshid|igsh|mc_cid|mc_eid|yclid"
    r"|_hsenc|_hsmi|hsctatracking|mkt_tok|vero_id|oly_enc_id|oly_anon_id|s_cid|icid|ncid|cmpid|wt_mc|wickedid|srsltid"
    r"|_ga|_gl|epik|sc_cid|__twitter_impression"
)
# Names too common to drop everywhere.
_TRACKERS_OF = (
    (re.compile(r"(.*\.)?(x|twitter)\.com"), frozenset({"s", "t", "ref_src", "ref_url"})),
    (re.compile(r"(.*\.)?(youtube\.com|youtu\.be|spotify\.com)"), frozenset({"si", "feature", "pp"})),
    (re.compile(r"(.*\.)?instagram\.com"), frozenset({"img_index"})),
    (re.compile(r"(.*\.)?facebook\.com"), frozenset({"mibextid", "rdid", "share_url", "__tn__", "__cft__[0]"})),
    (re.compile(r"(.*\.)?linkedin\.com"), frozenset({"trk", "lipi", "licu", "trackingid", "refid"})),
    (re.compile(r"(.*\.)?reddit\.com"), frozenset({"share_id", "rdt", "context", "ref", "ref_source"})),
    (re.compile(r"(.*\.)?tiktok\.com"), frozenset({"_r", "_t", "is_from_webapp", "sender_device", "is_copy_url"})),
    (re.compile(r"(.*\.)?(aliexpress|alibaba|taobao|tmall)\.[a-z.]+"), frozenset({"spm", "scm", "pvid", "algo_pvid"})),
    (re.compile(r"(.*\.)?amazon\.[a-z.]+"), frozenset({"ref", "ref_", "pd_rd_r", "pd_rd_w", "pd_rd_wg", "psc"})),
)
_COMMENT = re.compile(
    r"(?:comment|comments|issuecomment|isso|reply|answer|post|msg|c|p|dsq-comment|lc)[-_=]?\d+|!.*", re.IGNORECASE
)


def canonical(url: str) -> str | None:
    """The address a link leads to, in its one form; None for what is no http address."""
    parts = _split(unwrap(url))
    return _written(parts) if parts else None


def unwrap(url: str) -> str:
    """Where a redirect link leads, as written inside it, redirects inside redirects included; any other address as it is."""
    parts = _split(url)
    while parts and (target := _target(parts)) and (inner := _split(target)):
        url, parts = target, inner
    return url


def key(url: str) -> str | None:
    """The same for two addresses exactly if they count as one page; None for what is no http address."""
    address = canonical(url)
    if address is None:
        return None
    post = post_at(address)
    parts = urlsplit(post.link if post else address)
    host = re.sub(r"^(?:(?:www|m|mobile|amp)\.)+(?=[^.]+\.)", "", parts.netloc)
    host = host.removesuffix(":443").removesuffix(":80")
    path = parts.path
    while (shorter := path.rstrip("/").removesuffix("/amp")) != path:
        path = shorter
    query = "&".join(part for part in parts.query.split("&") if part not in {"amp", "amp=1", "outputType=amp"})
    return f"https://{host}{path}{'?' if query else ''}{query}{'#' if parts.fragment else ''}{parts.fragment}"


def venue_of(url: str) -> tuple[str, str] | None:
    """The channel type and external id of the post that a link leads to, redirect links and all; None where that cannot
    be told from the address. The same post has the same answer whoever found it: Google Alerts, or its venue."""
    address = canonical(url)
    post: LinkedPost | None = post_at(address) if address else None
    return (post.channel_type, post.external_id) if post and post.channel_type and post.external_id else None


# ---------------------------------------------------------------- addresses in their one form


@dataclass(frozen=True, slots=True)
class _Parts:
    scheme: str
    host: str
    port: int | None
    path: str
    query: str
    fragment: str

    def first(self, *names: str) -> str | None:
        """The first of these parameters that has a value, decoded."""
        given = dict(reversed(parse_qsl(self.query, max_num_fields=200)))
        return next((given[name] for name in names if given.get(name)), None)


def _split(url: str) -> _Parts | None:
    url = re.sub(r"[\t\r\n]", "", url.strip(" \t\r\n\f\v\0"))
    if len(url) > LONGEST:
        return None
    # Browsers read a backslash in front of the query as a slash, so http://a.example\@b.example leads to a.example.
    address = re.match(r"[^?#]*", url)
    if address and "\\" in address[0]:
        url = address[0].replace("\\", "/") + url[address.end() :]
    if url.startswith("//"):
        url = "https:" + url
    try:
        parts: SplitResult = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not host:
        return None
    host = _ascii(host.rstrip("."))
    if host is None:
        return None
    standard = {"http": 80, "https": 443}[parts.scheme]
    return _Parts(parts.scheme, host, None if port == standard else port, parts.path, parts.query, parts.fragment)


def _ascii(host: str) -> str | None:
    """The host as the name system knows it."""
    if ":" in host:
        return f"[{host}]"
    try:
        name = host.lower() if host.isascii() else idna.encode(host, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        return None
    return name if re.fullmatch(r"[a-z0-9._-]*[a-z0-9]", name) else None


def _written(parts: _Parts) -> str:
    path = _without_dots(_escaped(parts.path, "/:@!$&'()*+,;=~")) or "/"
    query = "&".join(sorted(_parameters(parts), key=lambda part: part.partition("=")[0::2]))
    fragment = _escaped(parts.fragment, "/:@!$&'()*+,;=~?") if _COMMENT.fullmatch(parts.fragment) else ""
    port = "" if parts.port is None else f":{parts.port}"
    return f"{parts.scheme}://{parts.host}{port}{path}{'?' if query else ''}{query}{'#' if fragment else ''}{fragment}"


def _parameters(parts: _Parts) -> Iterator[str]:
    own = [names for hosts, names in _TRACKERS_OF if hosts.fullmatch(parts.host)]
    for part in parts.query.split("&"):
        name = unquote(part.partition("=")[0]).lower()
        if part and not _TRACKERS.fullmatch(name) and not any(name in names for names in own):
            yield _escaped(part, "/:@!$'()*+,;=~?")


def _escaped(text: str, safe: str) -> str:
    """One way to write each character: unreserved ones plain, all else as UTF-8 in upper-case escapes."""

    def plain(found: re.Match[str]) -> str:
        letter = chr(int(found[1], 16))
        return letter if letter.isascii() and (letter.isalnum() or letter in "-._~") else found[0].upper()

    return quote(re.sub(r"%([0-9A-Fa-f]{2})", plain, text), safe=f"{safe}%", errors="replace")


def _without_dots(path: str) -> str:
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            if len(kept) > 1:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in {".", ".."}:
        kept.append("")
    return "/".join(kept)


# ---------------------------------------------------------------- redirect links


def _target(parts: _Parts) -> str | None:
    """Where a redirect link leads; None if it is none that we know."""
    for hosts, path, follow in _REDIRECTS:
        if hosts.fullmatch(parts.host) and path.fullmatch(parts.path):
            return follow(parts)
    return None


def _parameter(*names: str) -> "_Follow":
    return lambda parts: parts.first(*names)


def _urldefense(parts: _Parts) -> str | None:
    if parts.path.startswith("/v2"):
        given = parts.first("u")
        return unquote(given.replace("-", "%").replace("_", "/")) if given else None
    found = re.match(r"/v3/__(.+?)__;", parts.path + _asked(parts))
    if found is None or "*" in found[1]:  # * stands for a character kept in a table behind the ;
        return None
    return re.sub(r"^(https?:)/(?!/)", r"\1//", found[1])


def _amp_cache(parts: _Parts) -> str | None:
    found = re.fullmatch(r"/[cvi](/s)?/([^/]+\..+)", parts.path)
    return f"{'https' if found[1] else 'http'}://{found[2]}{_asked(parts)}" if found else None


def _amp_viewer(parts: _Parts) -> str | None:
    found = re.fullmatch(r"/amp(/s)?/([^/]+\..+)", parts.path)
    return f"{'https' if found[1] else 'http'}://{found[2]}{_asked(parts)}" if found else None


def _asked(parts: _Parts) -> str:
    return f"?{parts.query}" if parts.query else ""


def _short_youtube(parts: _Parts) -> str | None:
    return f"https://www.youtube.com/watch?v={parts.path[1:]}&{parts.query}"


def _short_reddit(parts: _Parts) -> str | None:
    return f"https://www.reddit.com/comments/{parts.path[1:]}"


_Follow: TypeAlias = Callable[[_Parts], str | None]
_ANY = re.compile(r".*", re.DOTALL)
_REDIRECTS: tuple[tuple[re.Pattern[str], re.Pattern[str], _Follow], ...] = (
    (re.compile(r"(?:www\.|news\.)?google(?:\.[a-z]{2,3}){1,2}"), re.compile(r"/url"), _parameter("url", "q")),
    (re.compile(r"(?:www\.)?google(?:\.[a-z]{2,3}){1,2}"), re.compile(r"/amp/.+"), _amp_viewer),
    (re.compile(r".+\.cdn\.ampproject\.org"), _ANY, _amp_cache),
    (re.compile(r"lm?\.facebook\.com"), re.compile(r"/l\.php"), _parameter("u")),
    (re.compile(r"(?:www\.)?facebook\.com"), re.compile(r"/(?:flx/warn|l\.php).*"), _parameter("u")),
    (re.compile(r"l\.(?:instagram|threads)\.(?:com|net)|l\.messenger\.com|l\.workplace\.com"), _ANY, _parameter("u")),
    (re.compile(r"out\.reddit\.com"), _ANY, _parameter("url")),
    (re.compile(r"t\.umblr\.com"), re.compile(r"/redirect"), _parameter("z")),
    (re.compile(r"(?:(?:www|m)\.)?youtube\.com"), re.compile(r"/redirect"), _parameter("q")),
    (re.compile(r"youtu\.be"), re.compile(r"/[\w-]{6,20}"), _short_youtube),
    (re.compile(r"redd\.it"), re.compile(r"/\w{3,12}"), _short_reddit),
    (re.compile(r"(?:.+\.)?safelinks\.protection\.outlook\.(?:com|cn)"), _ANY, _parameter("url")),
    (re.compile(r"urldefense(?:\.proofpoint)?\.com"), re.compile(r"/v[23]/.*", re.DOTALL), _urldefense),
    (re.compile(r"(?:www\.)?linkedin\.com"), re.compile(r"/(?:safety/go|redir/redirect)"), _parameter("url")),
    (re.compile(r"(?:(?:www|m)\.)?vk\.com|away\.vk\.com"), re.compile(r"/away(?:\.php)?"), _parameter("to")),
    (re.compile(r"slack-redir\.net"), re.compile(r"/link"), _parameter("url")),
    (re.compile(r"steamcommunity\.com"), re.compile(r"/linkfilter/?"), _parameter("url", "u")),
    (re.compile(r"(?:www\.)?bing\.com"), re.compile(r"/news/apiclick\.aspx"), _parameter("url")),
    (re.compile(r"(?:html\.)?duckduckgo\.com"), re.compile(r"/l/"), _parameter("uddg")),
)

"""Which links in a text hide where they lead, or look like the brand's own address without being it. Pure.

Nothing is fetched and no list of good or bad sites is kept: an address is judged by how it is written alone.
"""

import ipaddress
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

import idna

from shared.rules import urls

SHORTENERS: Final = frozenset((
    "bit.ly", "tinyurl.com", "t.ly", "cutt.ly", "is.gd", "v.gd", "goo.gl", "rb.gy", "shorturl.at", "ow.ly", "tiny.cc",
    "rebrand.ly", "bl.ink", "s.id", "shorte.st", "adf.ly", "qrco.de", "urlz.fr", "lnk.to", "soo.gd",
))  # fmt: skip
"""Hosts that only lead elsewhere and are open to all; those that a venue puts around every link (t.co) hide nothing."""
BAIT: Final = frozenset((
    "login", "signin", "secure", "security", "verify", "verification", "confirm", "account", "update", "unlock", "refund",
    "inloggen", "inlog", "beveiligd", "beveiliging", "verificatie", "verifieer", "bevestig", "betaal", "betaling", "terugbetaling",
))  # fmt: skip
"""Words that phishing puts beside a brand's name in a host: northwind-login.example."""
SHORTEST_NAME: Final = 4
"""Names of fewer letters look like too much: every third host is one letter away from "KPN"."""
SHORTEST_NEAR: Final = 7
"""From so many letters on, a name with one letter changed, added, left out or swapped is taken for that name."""

_MAY_LINK = re.compile(r"[^\W_]\.[^\W_]|://")
_ADDRESS = re.compile(r"https?://([^\s/?#<>\"]+)", re.IGNORECASE)
_SHOWN = (
    re.compile(r"\[([^\]\n]{1,200})\]\((https?://[^\s)]+)\)"),
    re.compile(r"<a\s[^>]{0,300}?href=[\"']?(https?://[^\s\"'>]+)[^>]{0,300}>([^<]{1,200})</a>", re.IGNORECASE),
    re.compile(r"((?:https?://)?(?:[\w-]+\.){1,5}\w{2,}(?:/\S*)?) ?<(https?://[^\s>]+)>"),
)
_ALIKE: Final = {
    ord(pair[0]): pair[1]
    for pair in (
        *("аa", "еe", "оo", "рp", "сc", "уy", "хx", "іi", "јj", "ѕs", "һh", "ԁd", "ԛq", "ԝw", "кk", "мm", "тt", "вb"),
        *("нh", "гr", "пn", "αa", "οo", "νv", "τt", "υu", "ιi", "κk", "εe", "ηn", "χx", "ωw", "ρp", "օo", "ոn", "սu"),
        *("ɡg", "ıi", "øo", "đd", "łl", "ħh", "ŧt", "0o", "1i", "3e", "4a", "5s", "7t", "|i"),
    )
}
"""Signs that are read as another letter. Accents are taken off before."""


@dataclass(frozen=True, slots=True)
class Names:
    """The brand as addresses may spell it: `hosts` that are its own for certain, and `names` of letters and digits alone."""

    hosts: frozenset[str]
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Judged:
    """One address that is not what it seems: the `host` as written, and `what` is the matter in a few words."""

    host: str
    what: str


def names_of(names: Iterable[str], handles: Iterable[str]) -> Names:
    """What is the brand's own: a handle with a dot (@northwind.example, care@northwind.example) is or holds its domain."""
    hosts, spelled = set(), set()
    for handle in handles:
        bare = handle.strip().lower().removeprefix("@")
        local, _, server = bare.rpartition("@")
        if server and "." in server and not local:
            hosts.add(server)
        elif local and "." in local and "." not in server:
            hosts.add(local)
        elif local and _name(server.split(".")[0]) in map(_name, names):
            hosts.add(server)
        spelled.add(_name((local or bare).split(".")[0]))
    spelled |= {_name(name) for name in names}
    return Names(
        frozenset(hosts), frozenset(name for name in spelled if len(name) >= SHORTEST_NAME and not name.isdigit())
    )


def look_alikes(text: str, brand: Names) -> list[Judged]:
    """Addresses that read as the brand's own and are not: other letters that look the same, one letter off, the brand's domain in
    front of a stranger's, or its name beside a word of bait."""
    if not brand.names:
        return []
    found = []
    for host, before_at in _hosts(text):
        if _is_own(host, brand):
            continue
        if what := _posing(host, before_at, brand):
            found.append(Judged(host, what))
    return found


def unsafe(text: str) -> list[Judged]:
    """Addresses that do not say where they lead: numbers in place of a name, letters of several scripts in one word, shorteners, and
    links whose words show another address than they lead to."""
    found = []
    for host, _ in _hosts(text):
        if _is_number(host):
            found.append(Judged(host, "a number in place of a name"))
        elif any(map(_mixes_scripts, _readable(host).split("."))):
            found.append(Judged(host, "letters of several scripts in one name"))
        elif host.removeprefix("www.") in SHORTENERS:
            found.append(Judged(host, "shortened"))
    return [*found, *_mismatched(text)]


def posing_as(handle: str, brand: Names) -> str | None:
    """The brand's name that an account's handle reads as but is written with other signs (n0rthwind); None for none."""
    bare = handle.removeprefix("@").split("@")[0].lower()
    parts = (bare, bare.split(".")[0])
    return next((name for name in sorted(brand.names) if any(_same_look(part, name) for part in parts)), None)


@lru_cache(maxsize=64)  # each text is looked at three times, one after the other
def _hosts(text: str) -> tuple[tuple[str, str], ...]:
    """Every host in the text once, lower case, and what stands before an @ in front of it."""
    if not _MAY_LINK.search(text):
        return ()
    found = [url.url for url in urls.find(text)] + [match[0] for match in _ADDRESS.finditer(text)]
    hosts: dict[tuple[str, str], None] = {}
    for url in found:
        if match := _ADDRESS.match(url):
            before, _, host = unquote(match[1]).rpartition("@")
            host = host.lower()
            host = f"{host.partition(']')[0]}]" if host.startswith("[") else host.split(":")[0].rstrip(".,;!?)]'”’")
            if host:
                hosts[host, before.lower()] = None
    return tuple(hosts)


def _is_own(host: str, brand: Names) -> bool:
    return any(host == own or host.endswith(f".{own}") for own in brand.hosts)


def _posing(host: str, before_at: str, brand: Names) -> str | None:
    labels = _readable(host).split(".")
    if any(_name(part) in brand.names for part in before_at.split(".")):
        return "the brand's name in front of an @"
    if any(f".{host}.".find(f".{own}.") >= 0 for own in brand.hosts):
        return "the brand's address in front of another's"
    for label in labels[:-1]:
        spelled = label.replace("-", "")
        for name in brand.names:
            if spelled == name:
                continue
            if _same_look(spelled, name):
                return "letters that look like the brand's"
            if _one_off(spelled, name):
                return "one letter away from the brand's name"
            words = label.split("-")
            if BAIT & set(words) and (name in words or name == "".join(word for word in words if word not in BAIT)):
                return "the brand's name beside a word of bait"
    return None


def _name(text: str) -> str:
    """Letters and digits alone, lower case, without accents."""
    plain = "".join(
        letter for letter in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(letter)
    )
    return "".join(filter(str.isalnum, plain))


def _look(text: str) -> str:
    """The same for all that the eye takes for one another."""
    return _name(text).translate(_ALIKE).replace("l", "i").replace("rn", "m").replace("vv", "w")


def _same_look(text: str, name: str) -> bool:
    """Whether the text is not the name and looks like it."""
    bare = "".join(filter(str.isalnum, text.lower()))
    return bare != name and _look(bare) == _look(name)


def _one_off(text: str, name: str) -> bool:
    """One letter changed, added, left out, or two neighbours swapped."""
    if len(name) < SHORTEST_NEAR or abs(len(text) - len(name)) > 1 or text == name:
        return False
    start = 0
    while start < min(len(text), len(name)) and text[start] == name[start]:
        start += 1
    one, other = text[start:], name[start:]
    if len(one) == len(other):
        return one[1:] == other[1:] or (one[:2] == other[1::-1] and one[2:] == other[2:])
    return one[1:] == other if len(one) > len(other) else one == other[1:]


def _readable(host: str) -> str:
    """The host with its punycode undone."""
    labels = []
    for label in host.split("."):
        try:
            labels.append(idna.decode(label) if label.startswith("xn--") else label)
        except (idna.IDNAError, UnicodeError):
            labels.append(label)
    return ".".join(labels)


def _mixes_scripts(label: str) -> bool:
    scripts = {unicodedata.name(letter, "").split(" ")[0] for letter in label if letter.isalpha()}
    return len(scripts & {"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"}) > 1


def _is_number(host: str) -> bool:
    """Whether a host is an IP address in any notation that browsers take: dotted, one number, hexadecimal, IPv6."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        parts = host.split(".")
        return len(parts) <= 4 and all(re.fullmatch(r"0x[0-9a-f]+|\d+", part) for part in parts)
    return True


def _mismatched(text: str) -> Iterator[Judged]:
    if "://" not in text or not any(sign in text for sign in "[<"):
        return
    for at, pattern in enumerate(_SHOWN):
        for match in pattern.finditer(text):
            shown, target = (match[2], match[1]) if at == 1 else (match[1], match[2])
            told = [host for host, _ in _hosts(shown)]
            leads = [host for host, _ in _hosts(target)]
            if told and leads and _site(told[0]) != _site(leads[0]):
                yield Judged(leads[0], f"shown as {told[0]}")


def _site(host: str) -> str:
    """The last two labels: close enough to tell one site from another without a list of all endings."""
    return ".".join(host.split(".")[-2:])

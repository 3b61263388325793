"""Which network addresses we may call. Feeds, webhooks and pictures are addresses that strangers gave us.

A name is resolved once, every address it stands for is judged, and the connection goes to exactly the address that was
judged (`shared/kit/http.py` sees to that), so that a name cannot answer one thing to the check and another to the call.
"""

import asyncio
import errno
import re
import socket
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]

RESOLVE_SECONDS = 5.0
LONGEST_URL = 8_192
"""Of what is called, in characters: every server has to take 8,000 bytes (RFC 9110, 4.1), and calls that carry lists or signatures
are that long. What mentions and settings may hold is bounded where they are declared."""
WEB_PORTS = frozenset({80, 443, 8080, 8443})
HTTPS_PORTS = frozenset({443, 8443})
_USUAL_PORT = {"http": 80, "https": 443}

# `ipaddress.is_global` lets NAT64, 6to4, multicast and more through, so the table is our own: the special-purpose
# registries of IANA, and the addresses at which clouds hand out a machine's credentials.
_REFUSED_V4 = tuple(
    (IPv4Network(network), what)
    for network, what in (
        ("0.0.0.0/8", "this machine"),
        ("10.0.0.0/8", "a private network"),
        ("100.64.0.0/10", "a carrier's private network"),
        ("127.0.0.0/8", "this machine"),
        ("168.63.129.16/32", "a cloud's own services"),
        ("169.254.0.0/16", "the local link, where clouds keep credentials"),
        ("172.16.0.0/12", "a private network"),
        ("192.0.0.0/24", "a protocol assignment"),
        ("192.0.2.0/24", "documentation"),
        ("192.31.196.0/24", "a name-server sink"),
        ("192.52.193.0/24", "a multicast relay"),
        ("192.88.99.0/24", "a 6to4 relay"),
        ("192.168.0.0/16", "a private network"),
        ("192.175.48.0/24", "a name-server sink"),
        ("198.18.0.0/15", "a benchmark network"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
# For IPv6 the table says what may be called: 2000::/3 is all that is routed; these parts of it are not for us.
_ROUTED_V6 = IPv6Network("2000::/3")
_REFUSED_V6 = tuple(
    (IPv6Network(network), what)
    for network, what in (
        ("2001::/23", "a protocol assignment"),
        ("2001:db8::/32", "documentation"),
        ("2620:4f:8000::/48", "a name-server sink"),
        ("3fff::/20", "documentation"),
    )
)
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_6TO4 = IPv6Network("2002::/16")
_TEREDO = IPv6Network("2001::/32")
_COMPATIBLE = IPv6Network("::/96")

_HOST_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER_LABEL = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)")
_UNSAFE_IN_URL = re.compile(r"[\x00-\x20\x7f-\x9f\\\u200b-\u200f\u2028-\u202e\u2060\ufeff]")


class AddressRefused(PermissionError):
    """We do not call that address; the message says why and what to do. It is an OSError, as libraries expect."""

    def __init__(self, why: str) -> None:
        super().__init__(errno.EACCES, why)

    def __str__(self) -> str:
        return str(self.strerror)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads: `scheme` http or https, `host` in ASCII and lower case (no brackets), `port`."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Rules:
    """What may be called outside the allowed networks. Inside them http, any port and bare IP addresses are fine."""

    schemes: frozenset[str] = frozenset({"http", "https"})
    ports: frozenset[int] = WEB_PORTS


FEEDS = Rules()
WEBHOOKS = Rules(schemes=frozenset({"https"}), ports=HTTPS_PORTS)


async def system_resolver(host: str, port: int) -> Sequence[str]:
    """The addresses the system's resolver knows for `host`. Raises OSError where there are none."""
    loop = asyncio.get_running_loop()
    answers = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


class AddressGuard:
    """Judges URLs and addresses. `allowed` are networks that may be reached although they are not public.

    One guard serves every outgoing connection of a process: `check` when somebody enters a URL (so that they hear of it
    at once), `addresses` when a connection is made.
    """

    def __init__(
        self, allowed: Iterable[Network | str] = (), *, rules: Rules = FEEDS, resolver: Resolver = system_resolver
    ) -> None:
        self._allowed: tuple[Network, ...] = tuple(ip_network(network) for network in allowed)
        self._rules = rules
        self._resolve = resolver

    async def check(self, url: str) -> Target:
        """Where `url` leads, if that may be called. Raises AddressRefused; a name without an address is refused too."""
        target = read_url(url)
        try:
            await self.addresses(target.host, target.port, scheme=target.scheme)
        except AddressRefused:
            raise
        except OSError as unknown:
            raise AddressRefused(f"{target.host} cannot be found. Check how it is spelled.") from unknown
        return target

    async def addresses(self, host: str, port: int, *, scheme: str | None = None) -> list[str]:
        """The addresses to connect to for `host`, in the resolver's order; never empty.

        All of them are judged: where one is refused, all are, because a name that answers with a public and a private
        address is not to be trusted. Raises AddressRefused; raises OSError where the name cannot be resolved.
        """
        literal = _as_address(host)
        if literal is not None:
            found = [literal]
        else:
            read_host(host)  # `127.1` and `0x7f000001` are names to us and addresses to the resolver
            async with asyncio.timeout(RESOLVE_SECONDS):
                answers = await self._resolve(host, port)
            found = [address for address in map(_as_address, answers) if address is not None]
            if not found:
                raise OSError(f"{host} has no address")
        inside = [address for address in found if self.is_allowed(address)]
        if inside:
            return [str(address) for address in inside]
        for address in found:
            reason = refusal(address)
            if reason is not None:
                raise AddressRefused(
                    f"{host} leads to {address} ({reason}), which is not called. "
                    "If that is meant, add its network to WEBCARE_ALLOWED_NETWORKS."
                )
        if literal is not None:
            raise AddressRefused(f"{host} is a bare IP address. Use the server's name.")
        self._judge_way(host, port, scheme)
        return [str(address) for address in found]

    def is_allowed(self, address: Address) -> bool:
        """Whether the operator listed the network of `address`, or of the IPv4 address mapped into it."""
        forms: list[Address] = [address]
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            forms.append(address.ipv4_mapped)
        return any(form in network for network in self._allowed for form in forms if form.version == network.version)

    def judge_connection(self, address: str, port: int) -> None:
        """The last look, at the address a socket is about to connect to. Raises AddressRefused."""
        known = _as_address(address)
        if known is None:
            raise AddressRefused(f"{address} is not an IP address.")
        if self.is_allowed(known):
            return
        reason = refusal(known)
        if reason is not None:
            raise AddressRefused(f"{known} ({reason}) is not called.")
        self._judge_way(address, port, None)

    def _judge_way(self, host: str, port: int, scheme: str | None) -> None:
        if scheme is not None and scheme not in self._rules.schemes:
            raise AddressRefused(f"{host} is to be called by {scheme}. Use {_either(self._rules.schemes)}.")
        if port not in self._rules.ports:
            raise AddressRefused(f"{host} is to be called on port {port}. Use {_either(self._rules.ports)}.")


def read_url(url: str) -> Target:
    """Takes a URL apart, strictly. Raises AddressRefused where it is not a plain http(s) URL without credentials."""
    if len(url) > LONGEST_URL:
        raise AddressRefused(f"The URL has {len(url)} characters; {LONGEST_URL} are read.")
    if _UNSAFE_IN_URL.search(url):
        raise AddressRefused("The URL contains a space, a backslash or an invisible character. Encode it with %.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as wrong:
        raise AddressRefused(f"The URL cannot be read: {wrong}.") from wrong
    scheme = parts.scheme.lower()
    if scheme not in _USUAL_PORT:
        raise AddressRefused(f"The URL begins with {scheme or 'no scheme'}; it has to begin with http:// or https://.")
    if "@" in parts.netloc:
        raise AddressRefused("The URL carries a user name or a password. Enter them as secrets of the channel instead.")
    if not parts.hostname:
        raise AddressRefused("The URL names no host.")
    if port == 0:
        raise AddressRefused("Port 0 cannot be called.")
    bracketed = "[" in parts.netloc
    host = read_host(parts.hostname)
    if bracketed != (":" in host):
        raise AddressRefused("Brackets in a URL are for IPv6 addresses.")
    return Target(scheme, host, port or _USUAL_PORT[scheme])


def read_host(host: str) -> str:
    """A host as it goes on the wire: a canonical IP address, or an ASCII name in lower case. Raises AddressRefused."""
    if len(host) > 253:
        raise AddressRefused(f"{host[:80]}… is too long for a host name.")
    if "%" in host:
        raise AddressRefused(f"{host} names a zone of this machine or hides a character; write a plain name.")
    if ":" in host:
        address = _as_address(host)
        if address is None:
            raise AddressRefused(f"{host} is not an IPv6 address.")
        return str(address)
    name = host.rstrip(".") if host.endswith(".") and not host.endswith("..") else host
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError as wrong:
            raise AddressRefused(f"{host} is not a host name.") from wrong
    name = name.lower()
    labels = name.split(".")
    if _NUMBER_LABEL.fullmatch(labels[-1]):
        address = _as_address(name)
        if address is None:
            raise AddressRefused(f"{host} is a number that some programs read as an IP address. Use the server's name.")
        return str(address)
    if not all(_HOST_LABEL.fullmatch(label) for label in labels):
        raise AddressRefused(f"{host} is not a host name.")
    return name


def refusal(address: Address) -> str | None:
    """Why `address` is not a public one, in a few words; None where it is. Addresses in addresses are unwrapped."""
    if isinstance(address, IPv4Address):
        return next((what for network, what in _REFUSED_V4 if address in network), None)
    if address in _MAPPED or address in _NAT64:
        inner = refusal(IPv4Address(int(address) & 0xFFFFFFFF))
        return None if inner is None else f"{inner}, wrapped in IPv6"
    if address in _6TO4:
        return f"6to4, wrapping {IPv4Address((int(address) >> 80) & 0xFFFFFFFF)}"
    if address in _TEREDO:
        return f"Teredo, wrapping {IPv4Address(~int(address) & 0xFFFFFFFF)}"
    if address == IPv6Address("::1"):
        return "this machine"
    if address in _COMPATIBLE:
        return "an IPv4 address in a form no longer used"
    if address not in _ROUTED_V6:
        return "not a public IPv6 network"
    return next((what for network, what in _REFUSED_V6 if address in network), None)


def _as_address(text: str) -> Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _either(choices: Collection[object]) -> str:
    return " or ".join(str(choice) for choice in sorted(choices, key=str))

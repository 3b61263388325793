"""Connecting to servers that speak another protocol than HTTP: to an address that was judged, and to no other."""

import ssl
from collections.abc import Collection

from services.ingest.channel_errors import ChannelBroken, TryLater
from shared.kit.http import AddressRefused, HttpClient

CONNECT_S = 10.0


async def judged_address(http: HttpClient, host: str, port: int, usual: Collection[int], what: str) -> str:
    """The IP address to connect to. `usual` are the protocol's ports. Raises ChannelBroken, TryLater."""
    try:
        return await http.address(host, port, usual=usual)
    except AddressRefused as refused:
        raise ChannelBroken(f"{what}: {refused}") from refused
    except OSError as unknown:
        raise TryLater(f"{what}: the name {host} cannot be resolved.") from unknown


def tls() -> ssl.SSLContext:
    """How we speak TLS: certificates are checked, against the name and not the address."""
    return ssl.create_default_context()

"""Connections to addresses that were judged: the guard of `shared/kit/addresses.py` inside httpx and inside aiohttp."""

import socket
import ssl
from collections.abc import Iterable
from functools import cache
from typing import Any

import aiohttp
import httpcore
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult

from shared.kit.addresses import AddressGuard, AddressRefused

MOST_CONNECTIONS = 100
KEPT_CONNECTIONS = 20
KEPT_S = 15.0


@cache
def public_certificates() -> ssl.SSLContext:
    """TLS that trusts who the public authorities vouch for. Made once for a process: reading them takes 50 ms."""
    return httpx.create_ssl_context(trust_env=False)


class GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx's own transport, over a pool whose connections go through the guard."""

    def __init__(self, guard: AddressGuard, ssl_context: ssl.SSLContext | None) -> None:
        context = ssl_context or public_certificates()
        super().__init__(verify=context, trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=MOST_CONNECTIONS,
            max_keepalive_connections=KEPT_CONNECTIONS,
            keepalive_expiry=KEPT_S,
            network_backend=_GuardedBackend(guard),
        )


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Resolves and judges a name, then connects to one of the very addresses that were judged.

    TLS is started by httpcore with the name of the URL, so certificates are checked against the name, not the address.
    """

    def __init__(self, guard: AddressGuard) -> None:
        self._guard = guard
        self._plain = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to `host`. Raises AddressRefused, or what httpcore raises when there is none."""
        try:
            addresses = await self._guard.addresses(host, port)
        except AddressRefused:
            raise
        except TimeoutError as late:
            raise httpcore.ConnectTimeout(f"the name {host} was not resolved in time") from late
        except OSError as unknown:
            raise httpcore.ConnectError(f"the name {host} cannot be resolved") from unknown
        share = None if timeout is None else timeout / len(addresses)
        for address in addresses[:-1]:
            try:
                return await self._plain.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._plain.connect_tcp(addresses[-1], port, share, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        await self._plain.sleep(seconds)


class _GuardedResolver(AbstractResolver):
    """The guard as aiohttp's resolver. aiohttp does not ask it for bare IP addresses; the socket factory sees those."""

    def __init__(self, guard: AddressGuard) -> None:
        self._guard = guard

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The judged addresses of `host`. Raises AddressRefused or OSError."""
        results: list[ResolveResult] = []
        for address in await self._guard.addresses(host, port):
            kind = socket.AF_INET6 if ":" in address else socket.AF_INET
            if family in (socket.AF_UNSPEC, kind):
                flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
                results.append(
                    {"hostname": host, "host": address, "port": port, "family": kind, "proto": 0, "flags": flags}
                )
        return results

    async def close(self) -> None:
        """Nothing is held."""


def guarded_connector(guard: AddressGuard, **options: Any) -> aiohttp.TCPConnector:
    """A connector for aiohttp (webhooks use it for its speed) that connects to judged addresses only.

    A refusal surfaces as aiohttp.ClientConnectorError whose `os_error` is the AddressRefused. Give the session
    `trust_env=False` and each call `allow_redirects=False`: where a redirect leads would be judged too, but a signed
    body is not for whoever stands there.
    """

    def open_socket(info: tuple[Any, ...]) -> socket.socket:
        family, kind, proto, _, address = info
        guard.judge_connection(address[0], address[1])
        return socket.socket(family=family, type=kind, proto=proto)

    return aiohttp.TCPConnector(resolver=_GuardedResolver(guard), socket_factory=open_socket, **options)

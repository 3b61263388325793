"""Being signed in at a server of the AT Protocol with an app password, and calling it.

Signing in is rationed (300 times a day for an account), so a session is kept in the memory of the process and refreshed;
losing it costs one more sign-in. It is stored nowhere.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from services.ingest.channel import Answer, AskForNewCredential, ChannelBroken, HttpClient, SkipThis, TryLater, reading
from services.ingest.networks.json_api import expect_json, parsed, said_in

KEPT = 500  # sessions in one process
MOST_BYTES = 5_000_000
_STALE = frozenset({"ExpiredToken", "InvalidToken", "BadExpiration"})
_WRONG = frozenset({"AccountTakedown", "AccountDeactivated", "AuthFactorTokenRequired", "AuthenticationRequired"})


@dataclass(frozen=True, slots=True)
class Session:
    """A sign-in: our account, and the tokens that prove it."""

    did: str
    handle: str
    access: str
    refresh: str


_sessions: OrderedDict[str, Session] = OrderedDict()


class SignedIn:
    """Calls a server as one account. Without a password calls go out unsigned, which some servers allow for reading."""

    def __init__(self, server: str, name: str, password: str, http: HttpClient) -> None:
        self.server = server.rstrip("/")
        self._name = name
        self._password = password
        self._http = http
        secret = f"{self.server}\n{name}\n{password}"
        self._key = hashlib.blake2b(secret.encode(), digest_size=16).hexdigest()

    @property
    def known(self) -> Session | None:
        """The session, where this process has one."""
        return _sessions.get(self._key)

    async def session(self, *, anew: bool = False) -> Session:
        """The session; signs in where there is none, or `anew`. Raises ChannelError."""
        return await self._sign_in() if anew or self.known is None else self.known

    async def call(
        self,
        method: str,
        nsid: str,
        *,
        params: list[tuple[str, str]] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One call; a session that ended is renewed and the call made again, which a refused one can be. Raises what the
        HTTP client does, and ChannelError where the account cannot be signed in."""
        url = f"{self.server}/xrpc/{nsid}"
        if not self._password:
            return await self._http.request(
                method, _asking(url, params), json=json, headers=headers, max_bytes=MOST_BYTES
            )
        session = await self.session()
        answer = await self._signed_call(session, method, _asking(url, params), json, headers)
        if error_of(answer) not in _STALE:
            return answer
        session = await self._renewed(session)
        return await self._signed_call(session, method, _asking(url, params), json, headers)

    async def _signed_call(
        self, session: Session, method: str, url: str, json: Any, headers: Mapping[str, str] | None
    ) -> Answer:
        signed = {**(headers or {}), "Authorization": f"Bearer {session.access}"}
        return await self._http.request(method, url, json=json, headers=signed, max_bytes=MOST_BYTES)

    async def _renewed(self, old: Session) -> Session:
        known = self.known
        if known is not None and known.access != old.access:
            return known  # somebody else did it meanwhile
        _sessions.pop(self._key, None)
        what = f"Signing in at {self.server}"
        with reading(what):
            answer = await self._http.request(
                "POST", f"{self.server}/xrpc/com.atproto.server.refreshSession",
                headers={"Authorization": f"Bearer {old.refresh}"},
            )  # fmt: skip
        if answer.status in (400, 401):
            return await self._sign_in()
        return self._remember(expect_json(answer, what))

    async def _sign_in(self) -> Session:
        what = f"Signing in at {self.server}"
        if not self._password:
            raise AskForNewCredential(f"{what} needs an app password. Make one in Bluesky's settings and enter it.")
        with reading(what):
            answer = await self._http.request(
                "POST", f"{self.server}/xrpc/com.atproto.server.createSession",
                json={"identifier": self._name, "password": self._password},
            )  # fmt: skip
        if error_of(answer) in _WRONG:
            raise AskForNewCredential(
                f"{what} is refused: {said_in(answer, 'message') or answer.status}. Enter a new app password."
            )
        return self._remember(expect_json(answer, what))

    def _remember(self, told: dict[str, Any]) -> Session:
        fields = [told.get(name) for name in ("did", "handle", "accessJwt", "refreshJwt")]
        if not all(isinstance(one, str) and one for one in fields):
            raise ChannelBroken(f"{self.server} answers a sign-in otherwise than documented. Check the address.")
        session = _sessions[self._key] = Session(*map(str, fields))
        _sessions.move_to_end(self._key)
        while len(_sessions) > KEPT:
            _sessions.popitem(last=False)
        return session


def error_of(answer: Answer) -> str:
    """The name of the error in an answer that is none of success."""
    if answer.status < 400:
        return ""
    try:
        found = parsed(answer.body)
    except ValueError:
        return ""
    name = found.get("error") if isinstance(found, dict) else None
    return name if isinstance(name, str) else ""


def refuse_stale(answer: Answer, what: str) -> None:
    """After a write: a session that ends at once again did nothing; an unsettled limit neither."""
    if error_of(answer) in _STALE:
        raise TryLater(f"{what} takes our session for ended.")
    if error_of(answer) in ("AccountTakedown", "AccountDeactivated"):
        raise AskForNewCredential(f"{what} says that our account is not active.")
    if answer.status == 400:
        raise SkipThis(f"{what} refuses it: {said_in(answer, 'message', 'error') or 400}.")


def _asking(url: str, params: list[tuple[str, str]] | None) -> str:
    return f"{url}?{urlencode(params, safe=':/')}" if params else url

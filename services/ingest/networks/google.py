"""What the venues of Google share: how a program signs in there, and what their errors mean."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr

from services.ingest.channel import ChannelSecrets
from services.ingest.channel_errors import (
    AskForNewCredential,
    OutcomeUnknown,
    TryLater,
    expect_posted,
    expect_read,
    reading,
)
from services.ingest.networks.json_api import Fields, object_in, parsed, until_reset
from services.ingest.networks.signed_tokens import signed_token
from shared.kit import clock
from shared.kit.http import Answer, HttpClient

TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105  # an address
TOKEN_FOR = timedelta(hours=1)
A_MINUTE = timedelta(minutes=1)
_SIGNING_IN = "Google's sign-in"
_PACIFIC = ZoneInfo("America/Los_Angeles")
_TOO_FAST = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED", "servingLimitExceeded"})
_USED_UP = frozenset({"quotaExceeded", "dailyLimitExceeded"})
_NO_RIGHT = frozenset(
    {
        "forbidden",
        "insufficientPermissions",
        "authError",
        "accessNotConfigured",
        "permissionDenied",
        "PERMISSION_DENIED",
    }
    | {"ACCESS_TOKEN_SCOPE_INSUFFICIENT", "SERVICE_DISABLED", "youtubeSignupRequired", "ineligibleAccount"}
)


class SignedInByPerson(ChannelSecrets):
    """What a person's consent gave: for a program that acts in that person's name."""

    client_id: SecretStr | None = Field(
        default=None, title="OAuth client", description="The client's id at Google Cloud."
    )
    client_secret: SecretStr | None = Field(default=None, title="Its secret", description="That client's secret.")
    refresh_token: SecretStr | None = Field(
        default=None, title="Refresh token", description="What consent gave; it stays valid until it is withdrawn."
    )

    def complete(self) -> bool:
        """Whether all three are set."""
        return None not in (self.client_id, self.client_secret, self.refresh_token)


async def token_by_refresh(http: HttpClient, secrets: SignedInByPerson, token_url: str) -> str:
    """An access token in the name of the person who consented. Raises AskForNewCredential where consent is gone."""
    if secrets.client_id is None or secrets.client_secret is None or secrets.refresh_token is None:
        raise AskForNewCredential(
            "Google needs client_id, client_secret and refresh_token for this. Enter them as secrets."
        )
    form = {
        "grant_type": "refresh_token",
        "client_id": secrets.client_id.get_secret_value(),
        "client_secret": secrets.client_secret.get_secret_value(),
        "refresh_token": secrets.refresh_token.get_secret_value(),
    }
    return await _token(http, token_url, form)


async def token_by_service_account(http: HttpClient, key_file: str, scope: str, token_url: str) -> str:
    """An access token of a service account, asked for with a claim signed by its key (RS256). `key_file` is the JSON that
    Google gave; only its names and its key are used, never an address in it."""
    try:
        key = Fields(parsed(key_file.encode()), "key", {})
    except ValueError:
        key = Fields({}, "key", {})
    mail, private_key = key.text("client_email"), key.text("private_key")
    if not mail or not private_key:
        raise AskForNewCredential(
            "The service account's key is not the JSON file that Google gave. Enter the whole file."
        )
    now = clock.now()
    claims = {
        "iss": mail,
        "scope": scope,
        "aud": token_url,
        "iat": int(now.timestamp()),
        "exp": int((now + TOKEN_FOR).timestamp()),
    }
    assertion = signed_token(claims, private_key, key.text("private_key_id") or "", "Google")
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
    return await _token(http, token_url, form)


async def _token(http: HttpClient, token_url: str, form: Mapping[str, str]) -> str:
    with reading(_SIGNING_IN):
        answer = await http.request(
            "POST",
            token_url,
            content=urlencode(form).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
    if answer.status == 400:
        error = _error_name(answer)
        raise AskForNewCredential(
            f"{_SIGNING_IN} refuses our credential ({error}). Give consent again, or enter a new key."
        )
    told = object_in(expect_read(answer, _SIGNING_IN).body, _SIGNING_IN)
    token = told.get("access_token")
    if not isinstance(token, str) or not token:
        raise TryLater(f"{_SIGNING_IN} answers without a token.")
    return token


def read_answer(answer: Answer, what: str) -> dict[str, Any]:
    """The JSON of a good answer to a read. Raises the ChannelError that anything else means."""
    _refuse(answer, what)
    if answer.status == 403:
        raise AskForNewCredential(f"{what} does not let us ({_message(answer) or 403}).")
    return object_in(expect_read(answer, what).body, what)


def posted_answer(answer: Answer, what: str) -> dict[str, Any]:
    """The JSON of an answer that says that something was taken; {} where it says nothing. Raises ChannelError."""
    _refuse(answer, what)
    if answer.status == 403 and _reasons(answer) & _NO_RIGHT:
        raise AskForNewCredential(f"{what} does not let us ({_message(answer) or 403}).")
    expect_posted(answer, what, _message(answer))
    if not answer.body.strip():
        return {}
    try:
        return object_in(answer.body, what)
    except Exception as unreadable:  # whatever it says, it said that with 2xx
        raise OutcomeUnknown(f"{what} answers something that cannot be read.") from unreadable


def gone(answer: Answer) -> bool:
    """Whether what was asked for is not there."""
    return answer.status in (404, 410)


def has_reason(answer: Answer, *names: str) -> bool:
    """Whether Google names one of these as the reason."""
    return bool(_reasons(answer) & set(names))


def until_new_quota() -> timedelta:
    """How long until midnight in California, when the day's quota is given anew."""
    now = clock.now().astimezone(_PACIFIC)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    return max(midnight.astimezone(ZoneInfo("UTC")) - clock.now(), A_MINUTE)


def today() -> str:
    """The day to which what we use is counted: California's."""
    return clock.now().astimezone(_PACIFIC).date().isoformat()


def _refuse(answer: Answer, what: str) -> None:
    if answer.status == 400 and has_reason(answer, "keyInvalid", "keyExpired", "API_KEY_INVALID"):
        raise AskForNewCredential(f"{what} does not know our key. Enter a new one.")
    if answer.status not in (403, 429):
        return
    reasons = _reasons(answer)
    if reasons & _USED_UP:
        raise TryLater(f"{what} has no quota left for today.", until_new_quota())
    if answer.status == 429 or reasons & _TOO_FAST or "RESOURCE_EXHAUSTED" in reasons:
        raise TryLater(f"{what} asks us to wait ({answer.status}).", until_reset(answer) or A_MINUTE)


def _error(answer: Answer) -> Fields:
    try:
        return Fields(parsed(answer.body), "answer", {}).inside("error")
    except ValueError:
        return Fields({}, "error", {})


def _reasons(answer: Answer) -> frozenset[str]:
    error = _error(answer)
    told = [*error.each("errors"), *error.each("details"), error]
    return frozenset(said for one in told for name in ("reason", "status") if (said := one.text(name)))


def _message(answer: Answer) -> str:
    return (_error(answer).text("message") or "")[:300].rstrip(".")


def _error_name(answer: Answer) -> str:
    try:
        return Fields(parsed(answer.body), "answer", {}).text("error") or "400"
    except ValueError:
        return "400"

"""Signatures, checked by the reference implementation of Standard Webhooks."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from services.api.webhooks.signing import UnreadableSecret, headers, key_of
from shared.kit import clock
from shared.kit.secrets import new_webhook_secret


@given(st.binary(min_size=1, max_size=200).map(lambda raw: b'{"x":"' + raw.hex().encode() + b'"}'))
def test_the_reference_implementation_takes_it(body: bytes) -> None:
    secret = new_webhook_secret()
    Webhook(secret).verify(body, headers([key_of(secret)], "an-id", clock.now(), body))


def test_during_a_rotation_both_secrets_are_good() -> None:
    new, former, strange = new_webhook_secret(), new_webhook_secret(), new_webhook_secret()
    sent = headers([key_of(new), key_of(former)], "an-id", clock.now(), b"{}")
    assert len(sent["webhook-signature"].split(" ")) == 2
    Webhook(new).verify(b"{}", sent)
    Webhook(former).verify(b"{}", sent)
    with pytest.raises(WebhookVerificationError):
        Webhook(strange).verify(b"{}", sent)


@pytest.mark.parametrize("changed", [{"webhook-id": "other"}, {"webhook-timestamp": None}, {"body": b'{"a":2}'}])
def test_whatever_is_changed_breaks_it(changed: dict[str, Any]) -> None:
    changed = dict(changed)
    secret, body, at = new_webhook_secret(), b'{"a":1}', clock.now()
    sent = headers([key_of(secret)], "an-id", at, body)
    if "webhook-timestamp" in changed:
        changed["webhook-timestamp"] = str(int((at + timedelta(seconds=1)).timestamp()))
    body = changed.pop("body", body)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, sent | changed)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_not base64", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
def test_a_secret_that_is_none_signs_nothing(secret: str) -> None:
    with pytest.raises(UnreadableSecret, match="rotate"):
        key_of(secret)

"""The push channel: whose deliveries count, and what becomes of each item of a body."""

import base64
import gzip
import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from standardwebhooks.webhooks import Webhook

from services.ingest.channel import NotGenuine, Push, Rejected, SkipThis
from services.ingest.channels.push import MOST_MENTIONS, PushChannel, split_body
from shared.kit import clock
from shared.kit.http import HttpClient

# The vector that the authors of Standard Webhooks publish.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
VECTOR = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
VECTOR_BODY = b'{"test": 2432232314}'
VECTOR_AT = datetime.fromtimestamp(1614265330, UTC)
ITEM = {"external_id": "1", "text": "hello", "published_at": "2021-02-25T15:00:00Z"}


def _channel(**secrets: str) -> PushChannel:
    return PushChannel({}, secrets or {"signing_secret": SECRET}, HttpClient())


def _push(body: bytes = VECTOR_BODY, **changed: str) -> Push:
    headers = {**VECTOR, **{f"webhook-{name}": value for name, value in changed.items()}}
    return Push("POST", {name: value for name, value in headers.items() if value}, body)


def test_the_published_vector_is_genuine() -> None:
    assert _channel().verify(_push(), VECTOR_AT) == "msg_p5jXN8AQM9LWM0D4loKWxJek"


def test_what_the_reference_library_signs_is_genuine() -> None:
    secret = "whsec_" + base64.b64encode(os.urandom(32)).decode()
    now = clock.now().replace(microsecond=0)
    body = json.dumps({"text": "é😡"}).encode()
    signature = Webhook(secret).sign("msg_1", now, body.decode())
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}
    assert _channel(signing_secret=secret).verify(Push("POST", headers, body), now) == "msg_1"


def test_during_a_change_both_secrets_and_any_of_several_signatures_count() -> None:
    new = "whsec_" + base64.b64encode(b"n" * 32).decode()
    channel = _channel(signing_secret=new, former_signing_secret=SECRET)
    assert channel.verify(_push(), VECTOR_AT)
    several = f"v1a,xyz v1,{'A' * 44} {VECTOR['webhook-signature']}"
    assert channel.verify(_push(signature=several), VECTOR_AT)
    with pytest.raises(NotGenuine):
        _channel(signing_secret=new).verify(_push(), VECTOR_AT)


@pytest.mark.parametrize(
    "push",
    [
        _push(b'{"test": 2432232315}'),
        _push(b""),
        _push(id=""),
        _push(timestamp=""),
        _push(signature=""),
        _push(id="msg_other"),
        _push(timestamp="1614265331"),
        _push(timestamp="1614265330.0"),
        _push(timestamp="-1"),
        _push(timestamp="９９９９"),
        _push(timestamp="9" * 40),
        _push(signature="g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        _push(signature="v1,"),
        _push(signature="v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        _push(signature="v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OÉ="),
        _push(id="x" * 300),
    ],
)
def test_what_was_changed_on_the_way_is_not_genuine(push: Push) -> None:
    with pytest.raises(NotGenuine):
        _channel().verify(push, VECTOR_AT)


@pytest.mark.parametrize(
    ("off_by", "genuine"), [(-300, True), (300, True), (-301, False), (301, False), (86_400, False)]
)
def test_a_delivery_is_good_for_five_minutes(off_by: int, genuine: bool) -> None:
    at = VECTOR_AT + timedelta(seconds=off_by)
    if genuine:
        assert _channel().verify(_push(), at)
    else:
        with pytest.raises(NotGenuine, match="five minutes"):
            _channel().verify(_push(), at)


def test_without_a_secret_nothing_is_genuine() -> None:
    empty = PushChannel({}, {}, HttpClient())
    with pytest.raises(NotGenuine, match="no signing secret"):
        empty.verify(_push(), VECTOR_AT)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "not base64 at all!!", "whsec_" + "A" * 24])
def test_a_secret_that_protects_nothing_is_refused(secret: str) -> None:
    with pytest.raises(ValidationError) as caught:
        PushChannel({}, {"signing_secret": secret}, HttpClient())
    assert not secret or secret not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "content_type", "count"),
    [
        (json.dumps(ITEM), "application/json", 1),
        (json.dumps([ITEM, ITEM]), "application/json", 2),
        (json.dumps({"mentions": [ITEM, ITEM, ITEM]}), "", 3),
        (json.dumps([]), "application/json", 0),
        ("\n".join([json.dumps(ITEM)] * 4), "application/x-ndjson; charset=utf-8", 4),
        ("\r\n\r\n".join([json.dumps(ITEM)] * 3) + "\n\n", "application/jsonl", 3),
        ("\n".join([json.dumps(ITEM)] * 5), "application/json", 5),  # meant as lines, said otherwise
        ("\ufeff" + json.dumps(ITEM), "application/x-ndjson", 1),
        (json.dumps(ITEM), "application/x-ndjson", 1),
    ],
)
def test_the_shapes_of_a_body(body: str, content_type: str, count: int) -> None:
    page = _channel().read_push(Push("POST", {"content-type": content_type}, body.encode()), VECTOR_AT)
    assert len(page.mentions) == count
    assert page.skipped == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"3",
        b'"text"',
        b"null",
        b'{"mentions": 3}',
        b'{"mentions": [], "more": true}',
        b'[{"external_id": "1"',
        b'[{"rating": NaN}]',
        b"\xff\xfe[",
        b"[" * 100_000,
        b'["\\ud800",' + b"[" * 100_000,
        gzip.compress(b"[]", mtime=0),
        json.dumps([1] * (MOST_MENTIONS + 1)).encode(),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_whole(body: bytes) -> None:
    with pytest.raises(SkipThis):
        split_body(body, "application/json")


def test_one_bad_item_never_spoils_the_others() -> None:
    items: list[Any] = [ITEM, {**ITEM, "external_id": "2", "colour": "red"}, None, "x", {**ITEM, "external_id": "3"}]
    page = _channel().read_push(Push("POST", {}, json.dumps(items).encode()), VECTOR_AT)
    assert [mention.external_id for mention in page.mentions] == ["1", "3"]
    assert [(one.index, one.code, one.reason) for one in page.skipped] == [
        (1, "invalid_mention", "colour is not a field of a mention."),
        (2, "invalid_mention", "A mention is not an object."),
        (3, "invalid_mention", "A mention is not an object."),
    ]


def test_a_bad_line_keeps_its_place() -> None:
    body = b'{"a": 1}\nnot json\n\n{"a": "\\ud800"}\n{"a": NaN}\n{"a": 2}'
    items = split_body(body, "application/x-ndjson")
    assert [type(item) for item in items] == [dict, Rejected, dict, Rejected, dict]
    assert [item.index for item in items if isinstance(item, Rejected)] == [1, 3]


def test_half_a_surrogate_pair_reaches_the_mention_cleaned() -> None:
    body = (
        b'[{"external_id": "1", "text": "caf\\u00e9 \\ud83d\\ude21 \\ud83d", "published_at": "2021-02-25T15:00:00Z"}]'
    )
    page = _channel().read_push(Push("POST", {}, body), VECTOR_AT)
    assert page.mentions[0].text == "café 😡 �"

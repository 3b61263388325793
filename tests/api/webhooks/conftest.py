"""A receiver for each test that asks for one."""

from collections.abc import AsyncIterator

import pytest

from tests.api.webhooks.receiver import Receiver, a_receiver


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver that listens on loopback while the test runs."""
    async with a_receiver() as found:
        yield found

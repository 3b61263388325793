"""Tests against real servers, started here on loopback."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "interop: against the venue's own server software, started on loopback; see `make interop`"
    )

"""Which version of webcare this is."""

from importlib.metadata import PackageNotFoundError, version


def current() -> str:
    """The installed version; 0.0.0 where the project runs without being installed."""
    try:
        return version("webcare")
    except PackageNotFoundError:
        return "0.0.0"

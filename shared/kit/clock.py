"""What time it is. Everything asks here, so that a test can say what time it is."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


def iso(at: datetime) -> str:
    """RFC 3339 in UTC with milliseconds and `Z`, the one form in which times leave the system."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""What the vault binds a sealed value to: the field of the very row it stands in, so that it opens nowhere else."""

from uuid import UUID


def channel_secrets(channel_id: UUID) -> str:
    """A channel's secrets: a JSON object of texts, sealed whole."""
    return f"channel/{channel_id}/secrets"

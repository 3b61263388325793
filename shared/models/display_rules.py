"""What a venue lets us keep and show of what its people write, as data: published with the channel type.

The house keeps to `store_days` by itself; the other rules are for whoever shows mentions.
"""

from pydantic import BaseModel, ConfigDict, Field


class DisplayRules(BaseModel):
    """A venue's terms for keeping and showing. The default asks for nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    attribution: str | None = Field(
        default=None, min_length=1, max_length=500, description="What must stand beside a post wherever it is shown."
    )
    store_days: int | None = Field(
        default=None, ge=1, description="For how many days after it came in a post may be kept; then its words go."
    )
    excerpt_only: bool = Field(
        default=False, description="Only the beginning of a post may be shown, with the link to it."
    )
    recheck_days: int | None = Field(
        default=None, ge=1, description="After how many days a post must be looked up again before it is shown."
    )

"""What a venue lets us keep and show of what its people write, as data: published with the channel type.

The house keeps to `store_days` by itself; the other rules are for whoever shows mentions.
"""

from collections.abc import Iterator

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
    delete_on_request: bool = Field(
        default=False, description="What its writer or the venue asks to have deleted must be deleted here too."
    )

    def sentences(self) -> Iterator[str]:
        """What the venue asks, a sentence a rule; none where it asks for nothing."""
        if self.attribution:
            yield f"To be shown with: {self.attribution}"
        if self.store_days:
            yield f"Words are kept for {_days(self.store_days)}."
        if self.excerpt_only:
            yield "Only the beginning may be shown, with the link."
        if self.recheck_days:
            yield f"To be looked up again before it is shown after {_days(self.recheck_days)}."
        if self.delete_on_request:
            yield "What its writer or the venue asks to have deleted must go."


def _days(count: int) -> str:
    return "a day" if count == 1 else f"{count} days"

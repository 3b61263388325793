"""From whom personal data is hidden, and which kinds of it: a workspace's setting `masking`."""

from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from shared.models.workspace import Role

SETTING: Final = "masking"
"""Its name among the settings of a workspace."""


class PersonalData(StrEnum):
    """The kinds of personal data that triage finds in a text (the finding `pii`)."""

    EMAIL = "email"
    PHONE = "phone"
    IBAN = "iban"
    CARD = "card"
    NATIONAL_ID = "national_id"
    IP_ADDRESS = "ip_address"
    POSTCODE = "postcode"
    ADDRESS = "address"
    NAME = "name"


ALL: Final = frozenset(kind.value for kind in PersonalData)
NOTHING: Final[frozenset[str]] = frozenset()


class Masking(BaseModel):
    """`roles` do not see personal data. Of `kinds`, a text shows the placeholder; what else could hold personal data is hidden
    whole, whatever the kinds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    roles: tuple[Role, ...] = ()
    kinds: tuple[PersonalData, ...] = Field(default=tuple(PersonalData), min_length=1)

    @field_validator("roles")
    @classmethod
    def _not_all(cls, roles: tuple[Role, ...]) -> tuple[Role, ...]:
        if Role.ADMIN in roles:
            raise ValueError("admin sees everything: somebody has to be able to look, and to change this")
        return tuple(dict.fromkeys(roles))

    @field_validator("kinds")
    @classmethod
    def _once(cls, kinds: tuple[PersonalData, ...]) -> tuple[PersonalData, ...]:
        return tuple(dict.fromkeys(kinds))

    def hidden_from(self, role: Role) -> frozenset[str]:
        """The kinds that are hidden from a role; nothing where it sees personal data."""
        return frozenset(kind.value for kind in self.kinds) if role in self.roles else NOTHING

    def as_setting(self) -> dict[str, list[str]]:
        """As it is kept."""
        return {"roles": [role.value for role in self.roles], "kinds": [kind.value for kind in self.kinds]}

    @classmethod
    def kept(cls, setting: object) -> "Masking":
        """As it was kept. What cannot be read hides everything from everybody but admins: rather too much than too little."""
        if setting is None:
            return cls()
        try:
            return cls.model_validate(setting)
        except ValidationError:
            return cls(roles=tuple(role for role in Role if role != Role.ADMIN))

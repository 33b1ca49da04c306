"""`identity`: which identifiers there are, how far each is trusted, and what must not be joined."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from segmentation.config.model import Name, Section

PERSONAL_TYPES = frozenset({"email", "phone", "name", "address"})
"""Identifier types that are personal without being declared so."""


class IdentifierType(Section):
    """One type of identifier."""

    max_per_person: int | None = Field(None, ge=1, description="No person has more values of this type than this.")
    normalise: Literal["none", "trim", "lower", "email", "phone"] | None = Field(
        None,
        description="How values are made comparable. Default: `email` and `phone` for those types, else `trim`.",
    )
    personal: bool | None = Field(
        None,
        description="Replaced by keyed tokens at ingestion. Default: true for email, phone, name, address.",
    )


class IdentitySettings(Section):
    """How identifiers become persons."""

    identifiers: dict[Name, IdentifierType] = Field(
        min_length=1, description="Identifier types in order of trust, strongest first."
    )
    max_component_size: int = Field(
        500,
        ge=2,
        description="A group of identifiers larger than this is cut at its weakest edges until it is not.",
    )

    def is_personal(self, identifier_type: str) -> bool:
        """Whether values of this type are replaced by tokens."""
        declared = self.identifiers[identifier_type].personal if identifier_type in self.identifiers else None
        return identifier_type in PERSONAL_TYPES if declared is None else declared

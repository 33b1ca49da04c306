"""`identity`: which identifiers there are, how far each is trusted, and what must not be joined."""

from __future__ import annotations

from itertools import chain
from typing import Annotated, Literal

from phonenumbers import SUPPORTED_REGIONS
from pydantic import Field, field_validator, model_validator

from segmentation.config.model import Name, Section

PERSONAL_TYPES = frozenset({"email", "phone", "name", "address"})
"""Identifier types that are personal without being declared so."""


class IdentifierType(Section):
    """One type of identifier."""

    max_per_person: int | None = Field(None, ge=1, description="No person has more values of this type than this.")
    within_days: int | None = Field(
        None,
        ge=1,
        description="`max_per_person` is of values that came within so many days of each other (by the first event of "
        "each): at most 5 cookies within 7 days, however many in all. Default: of all that a person ever had.",
    )
    max_links: dict[Name, Annotated[int, Field(ge=1)]] = Field(
        {},
        description="Other type -> with how many values of it one of this type may be tied, as a device with 2 "
        "user_ids: those to which it is tied most (or last: `shared`) stay, all others are cut. With `shared: nobody`, "
        "a value with more of them is nobody's.",
    )
    shared: Literal["most", "last", "nobody"] = Field(
        "most",
        description="Whose a value is that ties more people together than the limits allow: the person's who used it "
        "most, or last, or nobody's.",
    )
    normalise: Literal["none", "trim", "lower", "email", "phone"] | None = Field(
        None, description="How values are made comparable. Default: `email` and `phone` for those types, else `trim`."
    )
    region: str | None = Field(
        None, description="For phones: ISO 3166 code (GB) of the region whose numbers come without a country code."
    )
    personal: bool | None = Field(
        None, description="Replaced by keyed tokens at ingestion. Default: true for email, phone, name, address."
    )

    told_apart_by: Name | None = Field(
        None,
        description="For records, such as those of a CRM: the describing type that has a name. Two of which the names "
        "are two words each that begin with other letters are never one person's, as those of a household who share an "
        "e-mail. A typing error rarely hits a first letter, but `Bob` is no `Robert`: leave it out where people give "
        "such names.",
    )

    describes: bool = Field(
        False,
        description="Says who somebody is without being theirs alone, as a name or a postcode does: it ties nobody, "
        "and is compared by `matching`. Such types come last.",
    )

    @model_validator(mode="after")
    def _days_are_of_a_limit(self) -> IdentifierType:
        if self.within_days is not None and self.max_per_person is None:
            raise ValueError("within_days says of which days max_per_person is, which is missing")
        return self

    @field_validator("region")
    @classmethod
    def _known_region(cls, region: str | None) -> str | None:
        if region is not None and region not in SUPPORTED_REGIONS:
            raise ValueError(f"'{region}' is no region of ISO 3166 with phone numbers, such as GB or DE")
        return region


class AttributeRule(Section):
    """One attribute of the golden record."""

    field: str = Field(
        pattern=r"^(properties|identifiers)\.[a-z][a-z0-9_]{0,62}$",
        description="What events say it: `properties.NAME` or `identifiers.NAME`.",
    )
    prefer: Literal["most_recent", "most_trusted_source", "most_frequent"] = Field(
        "most_recent", description="Which of several values a person gets; the others stay in `person_attributes`."
    )
    sources: list[str] = Field(
        [], description="For `most_trusted_source`: names of sources, the most trusted first; any other comes last."
    )

    @model_validator(mode="after")
    def _sources_go_with_trust(self) -> AttributeRule:
        if bool(self.sources) != (self.prefer == "most_trusted_source"):
            raise ValueError("sources and `prefer: most_trusted_source` go with each other")
        return self


class MatchingSettings(Section):
    """Records without a shared identifier, such as those of a CRM and of tills, linked by what describes them."""

    records: list[Name] = Field(
        min_length=1, description="Identifier types of which each value stands for one record, such as `crm_id`."
    )
    compare: list[Name | Annotated[list[Name], Field(min_length=2)]] = Field(
        min_length=2,
        description="Types by which records are told to be one person's, such as name and address. One must not follow "
        "from another, as a postcode follows from an address: those of one household would agree on both. A list of "
        "types is compared as one value: `[name, [address, postcode]]`.",
    )
    blocking: list[list[Name]] = Field(
        min_length=2,
        description="Pairs of records are looked at that agree on all types of one of these rules (of `compare`, or "
        "others such as a postcode). Each type of `compare` has to be missing in one of them, from which is learned "
        "how often it differs.",
    )
    join_at: float = Field(0.9, ge=0.5, le=1, description="Records that are this likely one person are joined.")
    suggest_at: float = Field(
        0.7,
        ge=0.01,
        le=1,
        description="Those that are this likely stand in `identity_edges`, cut, for people to decide.",
    )
    max_block: int = Field(
        500,
        ge=2,
        description="A rule by which more records than this agree is refused: their pairs grow with the square.",
    )
    exact_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Share of the pairs of one person of which all of `compare` agrees: a guess to start.",
    )

    @model_validator(mode="after")
    def _can_be_learned(self) -> MatchingSettings:
        if twice := [kind for kind in self.compared_types if self.compared_types.count(kind) > 1]:
            raise ValueError(f"compare names '{twice[0]}' twice: it would count for two")
        for kinds in self.compared:
            if all(set(kinds) <= set(rule) for rule in self.blocking):
                raise ValueError(f"every blocking rule names '{', '.join(kinds)}': give one without it")
        if self.suggest_at > self.join_at:
            raise ValueError("suggest_at must not be above join_at")
        return self

    @property
    def compared(self) -> list[list[str]]:
        """The types that make up each value that is compared."""
        return [[kinds] if isinstance(kinds, str) else kinds for kinds in self.compare]

    @property
    def compared_types(self) -> list[str]:
        """The types of all values that are compared."""
        return list(chain.from_iterable(self.compared))

    @property
    def described_by(self) -> list[str]:
        """All types that are looked at: those of `compare`, then others of `blocking`."""
        return list(dict.fromkeys(chain(self.compared_types, *self.blocking)))


class IdentitySettings(Section):
    """How identifiers become persons."""

    identifiers: dict[Name, IdentifierType] = Field(
        min_length=1, description="Identifier types in order of trust, strongest first."
    )
    max_component_size: int = Field(
        500, ge=2, description="A group of identifiers larger than this is cut at its weakest edges until it is not."
    )
    max_strong_links: int = Field(
        5,
        ge=1,
        description="A value seen together with more than this many values of one strong type (the first, `email`, "
        "`phone`, or one with `max_per_person` of all days) is no identifier but a kiosk or a placeholder: all its "
        "edges are cut.",
    )
    max_links: int = Field(
        200, ge=1, description="A value seen together with more than this many others is cut off in the same way."
    )
    one_task_edges: int = Field(
        2_000_000,
        ge=0,
        description="A graph of no more edges than this, after contraction, is finished in one task; a larger one by "
        "GraphFrames.",
    )

    placeholders: dict[Name, list[str]] = Field(
        {},
        description="Identifier type -> regular expressions of values that name nobody, beside the known ones.",
    )

    attributes: dict[Name, AttributeRule] = Field(
        {}, description="The golden record, `persons.attributes`: attribute -> where its values are, and which is kept."
    )
    overrides: str | None = Field(
        None,
        description="A YAML list or a CSV file of overrides, which outrank everything: `action` (`together`: two "
        "identifiers are one person; `apart`: never; `drop`: one ties nobody to anybody), `left` and `right` "
        "(`type=value`), `reason`. What is taken out of the file is undone.",
    )

    link_events: list[str] = Field(
        [],
        description="Names of events that say which identifiers belong together and nothing else, as the rows of a "
        "link table do: they tie like any other, and are nobody's behaviour, so that no session, feature or audience "
        "sees them, but for attributes that they say. A link table is a source with such a name in quotes as its "
        "`event_name`.",
    )

    matching: MatchingSettings | None = Field(
        None, description="How records without a shared identifier are linked. Default: not at all."
    )

    @model_validator(mode="after")
    def _describing_types_fit(self) -> IdentitySettings:
        describing = [name for name, kind in self.identifiers.items() if kind.describes]
        if describing != list(self.identifiers)[len(self.identifiers) - len(describing) :]:
            raise ValueError("identifier types with `describes: true` must come last")
        for records, names in self.told_apart.items():
            if records in describing or names not in describing:
                raise ValueError(
                    f"{records}.told_apart_by takes a type with `describes: true`, for one without; not '{names}'"
                )
        if self.matching is None:
            return self
        for name, kinds in (
            ("records", self.matching.records),
            ("compare", self.matching.compared_types),
            ("blocking", self.matching.described_by),
        ):
            for named in kinds:
                if named not in self.identifiers or (named in describing) != (name != "records"):
                    wanted = "without" if name == "records" else "with"
                    raise ValueError(
                        f"matching.{name} takes identifier types {wanted} `describes: true`, not '{named}'"
                    )
        return self

    @model_validator(mode="after")
    def _links_are_between_types_that_tie(self) -> IdentitySettings:
        tying = set(self.identifiers) - set(self.describing)
        for name, kind in self.identifiers.items():
            for other, most in kind.max_links.items():
                if not {name, other} <= tying:
                    raise ValueError(f"{name}.max_links is of two types that tie people, not of '{other}'")
                if kind.shared != "nobody" and most >= self._most_links(other):
                    raise ValueError(
                        f"{name}.max_links.{other} is never reached: a value seen with more than "
                        f"{self._most_links(other)} is nobody's (max_strong_links, max_links)"
                    )
        return self

    def _most_links(self, counted: str) -> int:
        """With how many values of a type any may be seen before it is nobody's."""
        if counted not in self.strong_types:
            return self.max_links
        return min(self.max_links, max(self.max_strong_links, self.limits.get(counted, 0)))

    @property
    def describing(self) -> list[str]:
        """Identifier types that tie nobody."""
        return [name for name, kind in self.identifiers.items() if kind.describes]

    def is_personal(self, identifier_type: str) -> bool:
        """Whether values of this type are replaced by tokens."""
        declared = self.identifiers[identifier_type].personal if identifier_type in self.identifiers else None
        return identifier_type in PERSONAL_TYPES if declared is None else declared

    @property
    def ranks(self) -> dict[str, int]:
        """Identifier type -> its place in the order of trust, 0 for the strongest."""
        return {name: rank for rank, name in enumerate(self.identifiers)}

    @property
    def limits(self) -> dict[str, int]:
        """Identifier type -> how many values of it a person may ever have, where that is limited."""
        return {
            name: kind.max_per_person
            for name, kind in self.identifiers.items()
            if kind.max_per_person is not None and kind.within_days is None
        }

    @property
    def windows(self) -> dict[str, tuple[int, int]]:
        """Identifier type -> how many values of it a person may have had come within how many days, where that is
        limited."""
        return {
            name: (kind.max_per_person, kind.within_days)
            for name, kind in self.identifiers.items()
            if kind.max_per_person is not None and kind.within_days is not None
        }

    @property
    def kept_links(self) -> dict[tuple[str, str], int]:
        """(Identifier type, other type) -> to how many values of the other one of the type stays tied, where that is
        limited and one with more is still somebody's."""
        return {
            (name, other): most
            for name, kind in self.identifiers.items()
            if kind.shared != "nobody"
            for other, most in kind.max_links.items()
        }

    @property
    def told_apart(self) -> dict[str, str]:
        """Type of records -> the type with the names that tell them apart."""
        return {name: kind.told_apart_by for name, kind in self.identifiers.items() if kind.told_apart_by is not None}

    @property
    def strong_types(self) -> tuple[str, ...]:
        """Types whose values stand for one person each, or nearly: the first, limited ones, e-mail and phone."""
        return tuple(
            name
            for rank, name in enumerate(self.identifiers)
            if rank == 0 or name in self.limits or name in {"email", "phone"}
        )

    def normalisation(self, identifier_type: str) -> str:
        """How values of this type are made comparable: none, trim, lower, email or phone."""
        declared = self.identifiers[identifier_type].normalise if identifier_type in self.identifiers else None
        return declared or (identifier_type if identifier_type in {"email", "phone"} else "trim")

"""`features`: what is measured of each person.

Shipped features are taken by name (`library`), further ones are declared (`define`, `mixes`). All hold at the end of
one date, see nothing after it, and are DOUBLE columns of the table `features`.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from pydantic import Field, field_validator, model_validator

from segmentation.config.feature_checks import FeatureChecks
from segmentation.config.feature_definition import FeatureDefinition
from segmentation.config.feature_library import DEFAULT_LIBRARY, IN_PERIODS, NEEDED, LibraryName
from segmentation.config.feature_words import Words
from segmentation.config.identity import AttributeRule
from segmentation.config.journeys import JourneySettings
from segmentation.config.mixes import Mix
from segmentation.config.model import Name, Section
from segmentation.config.rfm import Grid, RfmScores, RfmSettings
from segmentation.config.rules import MAX_PARTS, Rule, check_rule, field_kind

MAX_LEVELS = 200
"""Features made from features, one from the other: what Spark plans for each grows with all that are there, so that 200
take half a minute and 2,000 would not end."""


class FeatureSettings(Section):
    """Declared features."""

    library: list[LibraryName] = Field(DEFAULT_LIBRARY, description="Shipped features, by name.")
    purchase: Rule = Field(
        Rule(field="amount", exists=True),
        description="Which events are purchases, or returns of them (negative amounts).",
    )
    before: Rule | None = Field(
        None,
        description="Only what each person did before their first event that meets this, such as a campaign's "
        "exposure: what comes after it is the campaign's doing.",
    )
    passive_events: list[str] = Field(
        [],
        max_length=MAX_PARTS - 1,
        description="Events that happen to a person (a mail sent): no sign of activity for the shipped features.",
    )
    half_life_days: float = Field(
        30, gt=0, le=3650, description="After so many days an event counts half for engagement."
    )
    event_weights: dict[str, float] = Field(
        {}, description="For weighted_engagement: what one event of this name weighs; others weigh nothing."
    )
    funnel: list[str] = Field([], description="For funnel_stage: events in the order in which people come to buy.")
    clv_period_days: int = Field(
        1,
        ge=1,
        le=366,
        description="For clv_frequency, clv_recency, clv_age and clv_monetary: purchases within so many days, counted "
        "back from the date, are one, and all of these are in such periods.",
    )
    category: str | None = Field(
        None,
        description="For category_affinity, category_affinity_by_amount and category_entropy: the field of purchases "
        "that says what of.",
    )
    discount: Rule | None = Field(None, description="For discount_share: which purchases are at a discount.")
    fill: dict[Name, float] = Field({}, description="Feature -> what it is where there is nothing to measure.")
    words: dict[Name, Words] = Field(
        {},
        description="Feature of library, mixes or journeys -> how it is spoken of, who answers for it and how it must "
        "be handled, where that is not as shipped. Of those in define it stands there.",
    )
    define: list[FeatureDefinition] = Field([], description="Features of one's own.")
    mixes: list[Mix] = Field([], description="Shares of the values of a field.")
    journeys: JourneySettings | None = Field(
        None, description="What people do one after the other, on the way to a target or away. Default: none."
    )
    rfm: RfmSettings | None = Field(
        None, description="Scores of recency, frequency and money, and the usual names for them. Default: none."
    )
    checks: FeatureChecks = Field(FeatureChecks(), description="What each run looks for in what it measured.")

    @property
    def definitions(self) -> FeatureSettings:
        """The part that says what is measured, and not what is looked for in it."""
        journeys = self.journeys.measured if self.journeys else None
        unasked: dict[str, object] = {"checks": FeatureChecks(), "rfm": None, "words": {}}
        return self.model_copy(update={**unasked, "journeys": journeys})

    def said_of(self, name: str) -> Words:
        """What the configuration says of a feature beside what is measured."""
        own = next((definition for definition in self.define if definition.name == name), None)
        return own or self.words.get(name) or Words()

    @property
    def sensitive(self) -> set[str]:
        """The features that must not be told by others."""
        said = {**self.words, **{definition.name: definition for definition in self.define}}
        return {name for name, words in said.items() if words.sensitivity == "sensitive"}

    @property
    def grids(self) -> dict[Grid, RfmScores]:
        """Table of scores -> what is scored for it; those that are asked for."""
        if self.rfm is None:
            return {}
        return {"rfm": self.rfm, **({"rfm_engagement": self.rfm.engagement} if self.rfm.engagement else {})}

    @property
    def activity(self) -> Rule | None:
        """What people did, as against what happened to them; None: all events."""
        return Rule(not_=Rule(event=self.passive_events)) if self.passive_events else None

    def version(self, attributes: Mapping[str, AttributeRule] | None = None) -> str:
        """A hash of all that is measured. `attributes`: the rules of those that features name."""
        said = self.definitions.sha256()
        named = set[str]().union(*(definition.attributes for definition in self.define))
        if rules := _say_rules(attributes, named):
            said = hashlib.sha256(json.dumps([said, rules], sort_keys=True).encode()).hexdigest()
        return said[:16]

    def definition(self, name: str, attributes: Mapping[str, AttributeRule] | None = None) -> str:
        """A hash of all that this feature's values depend on: another hash, and they cannot be compared.

        `attributes`: the rules of those that features name.
        """
        named = {d.name: d for d in self.define}
        seen: dict[str, object] = {}

        def follow(feature: str) -> None:
            own = named.get(feature)
            mix = next((m for m in self.mixes if feature in m.columns()), None)
            if self.journeys and feature in self.journeys.names:
                said = self.journeys.definition(feature)
            else:
                declared = own or mix or Section()
                said = declared.model_dump(mode="json", exclude=set(Words.model_fields), exclude_defaults=True)
            rules = _say_rules(attributes, own.attributes if own else ())
            seen[feature] = said, self.fill.get(feature), *([rules] if rules else [])
            for part in own.combination[1] if own and own.combination else ():
                if isinstance(part, str) and part not in seen:
                    follow(part)

        follow(name)
        taken = [shipped for shipped in self.library if shipped in seen]
        own_settings = {NEEDED[shipped][0] for shipped in taken if shipped in NEEDED}
        own_settings |= {"clv_period_days" for shipped in taken if shipped in IN_PERIODS}
        shared = self.model_dump(
            mode="json", include={"purchase", "before", "passive_events", "half_life_days", *own_settings}
        )
        return hashlib.sha256(json.dumps([seen, shared], sort_keys=True).encode()).hexdigest()[:16]

    def names(self) -> list[str]:
        """All columns, in order."""
        mixes = [column for mix in self.mixes for column in mix.columns()]
        journeys = self.journeys.names if self.journeys else []
        return [*self.library, *mixes, *journeys, *(definition.name for definition in self.define)]

    def combination_levels(self) -> Iterator[list[str]]:
        """Names of the features that are made from features, each level only from those before it. Raises
        `graphlib.CycleError` where there is no such order."""
        combined = self._combined
        order = TopologicalSorter(combined)
        order.prepare()
        while order.is_active():
            ready = order.get_ready()
            if level := [name for name in ready if name in combined]:
                yield level
            order.done(*ready)

    @property
    def _combined(self) -> dict[str, list[str]]:
        """Feature that is made from features -> their names."""
        return {d.name: [p for p in d.combination[1] if isinstance(p, str)] for d in self.define if d.combination}

    @field_validator("event_weights")
    @classmethod
    def _weights_are_plain(cls, weights: dict[str, float]) -> dict[str, float]:
        if any(not 0 <= weight <= 1_000_000 for weight in weights.values()):
            raise ValueError("a weight is a number from 0 to 1000000")
        return weights

    @field_validator("purchase", "before", "discount")
    @classmethod
    def _is_of_events(cls, rule: Rule | None) -> Rule | None:
        if rule is not None and (problem := check_rule(rule, "events")):
            raise ValueError(problem)
        return rule

    @model_validator(mode="after")
    def _fits_together(self) -> FeatureSettings:
        problem = next(self._problems(), None)
        if problem:
            raise ValueError(problem)
        return self

    def _problems(self) -> Iterator[str]:
        counts = Counter(self.names())
        reserved = {"person_id", "as_of", "feature_set"} & set(counts)
        twice = sorted(name for name, count in counts.items() if count > 1)
        if twice:
            among = "library, mixes, journeys and define"
            yield f"two features are called '{twice[0]}': every name stands once among {among}"
        if reserved:
            yield f"'{min(reserved)}' is a column of the table features: call the feature something else"
        for shipped in self.library:
            key, what = NEEDED.get(shipped, ("", ""))
            if key and not getattr(self, key):
                yield f"{shipped} needs features.{key}, {what}"
        if self.category is not None and field_kind(self.category, "events") != "text":
            yield f"category must be a text field of events, and '{self.category}' is none"
        for name in self.fill:
            if name not in counts:
                yield f"fill names '{name}', which is no feature here"
        defined = {definition.name for definition in self.define}
        for name in self.words:
            if name not in counts:
                yield f"words names '{name}', which is no feature here"
            if name in defined:
                yield f"words names '{name}', which is declared in define: say it there"
        for name in (name for scored in self.grids.values() for name in scored.features.values()):
            if name not in counts:
                yield f"rfm scores '{name}', which is no feature here: add it to library or define"
        for name, operands in self._combined.items():
            for operand in operands:
                if operand not in counts:
                    yield f"'{name}' is made from '{operand}', which is no feature here: add it to library or define"
        try:
            deep = len(list(self.combination_levels()))
        except CycleError as error:
            yield f"features are made from each other in a circle: {' → '.join(reversed(error.args[1]))}"
        else:
            if deep > MAX_LEVELS:
                yield (
                    f"features are made from each other {deep} deep, and {MAX_LEVELS} is the most: make those at the "
                    "end from what the ones before them are made from"
                )


def _say_rules(attributes: Mapping[str, AttributeRule] | None, named: Collection[str]) -> dict[str, object]:
    """The rules of the attributes that are `named`, as they are hashed."""
    return {name: rule.model_dump(mode="json") for name, rule in (attributes or {}).items() if name in named}

"""`features`: what is measured of each person.

Shipped features are taken by name (`library`), further ones are declared (`define`, `mixes`). All hold at the end of
one date, see nothing after it, and are DOUBLE columns of the table `features`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from segmentation.config.feature_checks import FeatureChecks
from segmentation.config.journeys import JourneySettings
from segmentation.config.model import Name, Section
from segmentation.config.rfm import RfmSettings
from segmentation.config.rules import MAX_PARTS, Rule, RuleTable, check_rule, field_kind, unknown_field

LibraryName = Literal[
    "recency",
    "frequency",
    "monetary",
    "average_basket_value",
    "items_per_basket",
    "tenure",
    "interpurchase_time",
    "interpurchase_cv",
    "purchase_days",
    "returns_share",
    "spend_trend",
    "inactivity",
    "days_active",
    "active_days_last_30",
    "events",
    "engagement",
    "weighted_engagement",
    "activity_trend",
    "sessions",
    "sessions_last_30",
    "session_duration_mean",
    "session_duration_median",
    "events_per_session",
    "bounce_rate",
    "conversion_rate",
    "weekend_share",
    "morning_share",
    "afternoon_share",
    "evening_share",
    "night_share",
    "platforms",
    "platform_entropy",
    "monday_share",
    "tuesday_share",
    "wednesday_share",
    "thursday_share",
    "friday_share",
    "saturday_share",
    "sunday_share",
    "channels",
    "channel_entropy",
    "devices",
    "device_entropy",
    "category_affinity",
    "category_entropy",
    "discount_share",
    "funnel_stage",
    "clv_frequency",
    "clv_recency",
    "clv_age",
    "clv_monetary",
]

DEFAULT_LIBRARY: list[LibraryName] = [
    "recency",
    "frequency",
    "monetary",
    "average_basket_value",
    "tenure",
    "interpurchase_time",
    "interpurchase_cv",
    "days_active",
    "engagement",
    "activity_trend",
    "sessions",
    "session_duration_mean",
    "events_per_session",
    "bounce_rate",
    "weekend_share",
    "evening_share",
]

NEEDED: dict[LibraryName, tuple[str, str]] = {
    "funnel_stage": ("funnel", "the events in order"),
    "weighted_engagement": ("event_weights", "what events weigh"),
    "category_affinity": ("category", "the field that says what was bought"),
    "category_entropy": ("category", "the field that says what was bought"),
    "discount_share": ("discount", "which purchases are at a discount"),
}
"""Shipped features that are made from a setting of their own: its key, and what it says."""

IN_PERIODS: tuple[LibraryName, ...] = ("clv_frequency", "clv_recency", "clv_age", "clv_monetary")
"""Shipped features that are counted in periods of `clv_period_days`."""

SHIPPED_MIXES: dict[str, dict[str, str]] = {
    "channel": {"table": "sessions", "field": "channel"},
    "device": {"table": "sessions", "field": "device"},
    "first_touch": {"table": "sessions", "field": "channel", "touch": "first"},
    "last_touch": {"table": "sessions", "field": "channel", "touch": "last"},
}
"""What a mix of this name is of, where it does not say so itself."""

Aggregate = Literal[
    "count",
    "sum",
    "mean",
    "min",
    "max",
    "median",
    "first",
    "last",
    "distinct",
    "days",
    "share",
    "entropy",
    "top_share",
    "trend",
    "decayed",
]

_NUMERIC = {"sum", "mean", "min", "max", "median", "first", "last"}
_MAY_WEIGH = {"share", "trend", "decayed"}
_OVER_VALUES = {"distinct", "entropy", "top_share"}
PERSON_FIELDS = ("identifier_count", "first_seen", "last_seen")
"""What is known of a person at any date, by the events up to it."""

_OF_THE_CLOCK = {"hour", "weekday"}
_OF_AGGREGATES = ("of", "where", "among", "window_days", "last_sessions", "half_life_days", "sketch")
_COMBINATIONS = ("ratio", "difference", "total", "product")


class Words(Section):
    """How a feature is spoken of; what is left out is made from its name."""

    label: str | None = Field(None, description="Its name for people.")
    unit: str | None = Field(None, description="`share`, `money`, `days`, or what is counted (`visits`).")
    description: str | None = Field(None, description="What it says, in one sentence.")
    family: str | None = Field(None, description="Features of one family say nearly the same.")
    high: str | None = Field(None, description="What people with much of it are called in a segment's name.")
    low: str | None = Field(None, description="What people with little of it are called in a segment's name.")
    phrase: str | None = Field(None, description="Said behind “they”, with {value} or {times}: `spend {times}`.")
    owner: str | None = Field(None, description="Who answers for it.")
    sensitivity: Literal["none", "personal", "sensitive"] = Field("none", description="How it must be handled.")


class FeatureDefinition(Words):
    """One feature of one's own: an aggregate over the rows of a table, or a combination of other features."""

    name: Name = Field(description="Its column in `features`.")
    table: RuleTable | Literal["persons"] = Field(
        "events",
        description="Whose rows it is made from. Of `persons`, who have one row each: `identifier_count`, and "
        "`first_seen` and `last_seen` in days before the date, all by the events up to it.",
    )
    aggregate: Aggregate | None = Field(None, description="What is made of the rows.")
    of: str | None = Field(
        None,
        description="The field that is aggregated. `share`, `trend` and `decayed` count rows without one.",
    )
    where: Rule | None = Field(None, description="Which rows count.")
    among: Rule | None = Field(None, description="Of which rows a `share` is taken. Default: all.")
    window_days: int | None = Field(None, ge=1, le=36_500, description="The last so many days. Default: all.")
    last_sessions: int | None = Field(
        None, ge=1, le=10_000, description="Of `sessions`: the person's last so many; of these, which `where` takes."
    )
    half_life_days: float | None = Field(None, gt=0, description="For `decayed`. Default: `features.half_life_days`.")
    sketch: bool = Field(
        False,
        description="For `distinct`: count by HyperLogLog sketches of 4,096 registers instead of keeping every value. "
        "Exact for a few; of many, two counts in three are within 1.6 % of the truth.",
    )
    ratio: list[Name | float] | None = Field(None, min_length=2, max_length=2, description="The first by the second.")
    difference: list[Name | float] | None = Field(
        None, min_length=2, max_length=2, description="The first less the second."
    )
    total: list[Name | float] | None = Field(None, min_length=2, description="These added up.")
    product: list[Name | float] | None = Field(None, min_length=2, description="These multiplied.")
    fill: float | None = Field(
        0.0, allow_inf_nan=False, description="Where there is nothing to measure. `null` leaves it empty."
    )

    @property
    def combination(self) -> tuple[str, list[str | float]] | None:
        """Which combination it is and of what; None: it is an aggregate."""
        return next(((kind, parts) for kind in _COMBINATIONS if (parts := getattr(self, kind))), None)

    @model_validator(mode="after")
    def _is_whole(self) -> FeatureDefinition:
        combinations = [kind for kind in _COMBINATIONS if getattr(self, kind) is not None]
        if (self.aggregate is not None) + len(combinations) != 1:
            raise ValueError(f"'{self.name}' needs exactly one of aggregate, {', '.join(_COMBINATIONS)}")
        if combinations:
            used = [key for key in _OF_AGGREGATES if getattr(self, key)]
            if used:
                raise ValueError(f"'{self.name}' is a {combinations[0]} of features: {used[0]} goes with aggregate")
        elif problem := self._misfit():
            raise ValueError(f"'{self.name}': {problem}")
        return self

    def _misfit(self) -> str | None:
        if self.table == "persons":
            return self._misfit_of_persons()
        if self.of is None and self.aggregate in _NUMERIC | _OVER_VALUES:
            return f"{self.aggregate} needs `of`, the field to aggregate"
        if self.of is not None:
            kind = field_kind(self.of, self.table)
            if kind is None:
                return unknown_field(self.of, self.table)
            if self.aggregate not in _NUMERIC | _MAY_WEIGH | _OVER_VALUES:
                return f"{self.aggregate} takes no `of`"
            if (self.aggregate not in _OVER_VALUES and kind == "flag") or kind == "time":
                return f"{self.aggregate} cannot be taken of {self.of}, which is a {kind}"
        if self.among is not None and self.aggregate != "share":
            return "among goes with share"
        if self.aggregate == "share" and self.where is None:
            return "share needs `where`: which rows the share is of"
        if self.last_sessions and self.table != "sessions":
            return "last_sessions goes with table: sessions"
        if self.sketch and self.aggregate != "distinct":
            return "sketch goes with distinct"
        if self.half_life_days is not None and self.aggregate != "decayed":
            return "half_life_days goes with decayed"
        if self.aggregate == "trend" and (self.window_days is None or self.window_days < 14):
            return "trend needs window_days of 14 or more: it compares weeks"
        return next(
            (problem for rule in (self.where, self.among) if rule and (problem := check_rule(rule, self.table))), None
        )

    def _misfit_of_persons(self) -> str | None:
        named = [self.of, *(rule.field for rule in (self.where, self.among) if rule)]
        if told := next((name for name in named if name and name.startswith("attributes.")), None):
            return (
                f"{told} is known as it is now, and may have been another at an earlier date: take what events said "
                "by then, by a mix with `touch: last` over the property"
            )
        if self.of not in PERSON_FIELDS or self.aggregate not in _NUMERIC:
            return f"of persons, a numeric aggregate of one of {', '.join(PERSON_FIELDS)} can be taken"
        used = [key for key in _OF_AGGREGATES if key != "of" and getattr(self, key)]
        return f"persons have one row each: {used[0]} goes with events and sessions" if used else None


class Mix(Section):
    """What share of a person's rows, or amounts, falls on each value of a field, or which value came first or last: one
    feature a value."""

    name: Name = Field(description="Columns are called NAME_VALUE_share, and NAME_entropy; with `touch`, NAME_VALUE.")
    table: RuleTable = Field("events", description="Whose rows are shared out.")
    field: str = Field(
        description="A column with text, `properties.NAME` or `identifiers.NAME`; `hour` or `weekday`. May be left out "
        f"where `name` is one of {', '.join(SHIPPED_MIXES)}: these are of the `channel` or `device` of sessions."
    )
    of: Literal["rows", "amount"] = Field("rows", description="Whether rows or (positive) amounts are shared out.")
    values: list[str] = Field(min_length=1, max_length=100, description="The values that get a column.")
    touch: Literal["first", "last"] | None = Field(
        None,
        description="Instead of shares, 1 for the value of the person's first (or last) row that has one, and 0 for "
        "the others: the channel that brought them, or that they came by last.",
    )
    where: Rule | None = Field(None, description="Which rows count.")
    window_days: int | None = Field(None, ge=1, le=36_500, description="The last so many days. Default: all.")
    entropy: bool = Field(
        True, description="Add NAME_entropy (bits; undeclared values count as one): 0 for people who keep to one value."
    )

    @model_validator(mode="before")
    @classmethod
    def _shipped_is_filled_in(cls, data: Any) -> Any:
        """What is measured is said in full, so that a hash of it says all."""
        if not isinstance(data, dict) or "field" in data:
            return data
        return {**SHIPPED_MIXES.get(str(data.get("name")), {}), **data}

    @model_validator(mode="after")
    def _is_whole(self) -> Mix:
        if field_kind(self.field, self.table) != "text" and self.field not in _OF_THE_CLOCK:
            raise ValueError(
                f"'{self.name}': a mix needs a text field of {self.table}, hour or weekday, and {self.field} is none"
            )
        if self.field in _OF_THE_CLOCK and not all(value.isdecimal() for value in self.values):
            raise ValueError(f"'{self.name}': {self.field} is a number, and so are its values")
        if self.where is not None and (problem := check_rule(self.where, self.table)):
            raise ValueError(f"'{self.name}': {problem}")
        if self.touch and self.model_fields_set & {"of", "entropy"}:
            raise ValueError(f"'{self.name}': of and entropy go with shares, and `touch` is of one row")
        return self

    @property
    def has_entropy(self) -> bool:
        """Whether there is a column of how evenly all is spread."""
        return self.entropy and self.touch is None

    def column(self, value: str) -> str:
        """The column of one value."""
        own = f"{self.name}_{re.sub(r'[^a-z0-9]+', '_', value.lower()).strip('_')}"
        return own if self.touch else f"{own}_share"

    def columns(self) -> list[str]:
        """All columns."""
        return [*map(self.column, self.values), *([f"{self.name}_entropy"] if self.has_entropy else [])]


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
        None, description="For category_affinity and category_entropy: the field of purchases that says what of."
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
    def activity(self) -> Rule | None:
        """What people did, as against what happened to them; None: all events."""
        return Rule(not_=Rule(event=self.passive_events)) if self.passive_events else None

    def definition(self, name: str) -> str:
        """A hash of all that this feature's values depend on: another hash, and they cannot be compared."""
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
            seen[feature] = said, self.fill.get(feature)
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
        grids = [grid for grid in (self.rfm, self.rfm and self.rfm.engagement) if grid]
        for name in (name for grid in grids for name in grid.features.values()):
            if name not in counts:
                yield f"rfm scores '{name}', which is no feature here: add it to library or define"
        parts = {d.name: d.combination[1] for d in self.define if d.combination}
        for name, operands in parts.items():
            for operand in operands:
                if isinstance(operand, str) and operand not in counts:
                    yield f"'{name}' is made from '{operand}', which is no feature here: add it to library or define"
        try:
            TopologicalSorter({name: [p for p in ps if isinstance(p, str)] for name, ps in parts.items()}).prepare()
        except CycleError as error:
            yield f"features are made from each other in a circle: {' → '.join(reversed(error.args[1]))}"

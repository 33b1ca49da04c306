"""`audiences`: who is meant by a name, as a typed rule on people: no text of it is ever run as SQL.

A condition is on the segment (`{segment: Frequent}`), the place in an RFM grid (`{rfm: Champions}`), a feature
(`{feature: recency, at_least: 30}`), what a person did (`{did: {event: purchase}, at_least: 2, window_days: 30}`), what
did not follow (`{did: {event: add_to_cart}, then_not: {event: purchase}, within_hours: 24}`), another audience
(`{audience: NAME}`) or consent (`{granted: marketing}`), or other conditions joined by `all`, `any` and `not`. All hold
at the end of one date.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from typing import Any, ClassVar, TypeVar, get_args

from pydantic import Field, TypeAdapter, ValidationError, field_validator, model_validator

from segmentation.config.exports import ExportSettings, Readers
from segmentation.config.features import FeatureSettings
from segmentation.config.model import Name, Section
from segmentation.config.problems import explain
from segmentation.config.rfm import GRIDS, RFM_GRID, Grid
from segmentation.config.rules import OPERATOR_NAMES, Comparison, Rule, check_rule, misfit
from segmentation.contracts.errors import ConfigError, Problem

TRIED = "tried"
"""The name of an audience that is only tried."""

T = TypeVar("T")

_FORMS = ("all", "any", "not_", "segment", "entered", *GRIDS, "audience", "feature", "did", "granted")
_ASKED: dict[Grid, str] = {"rfm": "features.rfm", "rfm_engagement": "features.rfm.engagement"}
_OF_DID = ("then_not", "within_hours", "window_days", "first_within_days", "stopped_days")


class PersonRule(Comparison):
    """A condition on one person."""

    shorter: ClassVar[str] = "make some of them audiences of their own, and name those with `audience`"

    all: list[PersonRule] | None = Field(None, min_length=1, description="All of these hold.")
    any: list[PersonRule] | None = Field(None, min_length=1, description="At least one of these holds.")
    not_: PersonRule | None = Field(None, alias="not", description="This does not hold.")
    segment: str | list[str] | None = Field(None, description="Is in this published segment (id or name), or one of.")
    entered: str | list[str] | None = Field(
        None, description="Moved into this segment (id or name), or one of, with the version that is published."
    )
    rfm: str | list[str] | None = Field(
        None, description=f"Has this name in the grid of `features.rfm`, or one of: {', '.join(RFM_GRID)}."
    )
    rfm_engagement: str | list[str] | None = Field(
        None,
        description="The same in the grid of `features.rfm.engagement`, in which people also are who never bought.",
    )
    audience: Name | None = Field(None, description="Is in this audience.")
    feature: Name | None = Field(None, description="A column of `features`, to be compared.")
    top_share: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="With `feature`: is among this share of the people who have most of it; equals are in together.",
    )
    did: Rule | None = Field(
        None, description="Events that meet this; how many there are may be compared. Default: at least one."
    )
    then_not: Rule | None = Field(
        None, description="With `did`: only events that none which meets this followed within `within_hours`."
    )
    within_hours: float | None = Field(
        None, gt=0, le=24 * 366, description="With `then_not`: hours, which must be over at the end of the date."
    )
    window_days: int | None = Field(None, ge=1, le=36_500, description="With `did`: the last so many days.")
    first_within_days: int | None = Field(
        None, ge=1, le=36_500, description="With `did`: did so in the last so many days, and never before."
    )
    stopped_days: int | None = Field(
        None, ge=1, le=36_500, description="With `did`: did so before, and not in the last so many days."
    )

    granted: Name | None = Field(
        None, description="Granted this, by their newest statement up to the date; see `consent`. No statement is a no."
    )

    @model_validator(mode="after")
    def _says_one_thing(self) -> PersonRule:
        forms = [name for name in _FORMS if getattr(self, name) is not None]
        if len(forms) != 1:
            raise ValueError(f"a condition has exactly one of {', '.join(name.rstrip('_') for name in _FORMS)}")
        (form,), compared = forms, self.operators
        timed = [name for name in _OF_DID if getattr(self, name) is not None]
        if timed and form != "did":
            raise ValueError(f"{timed[0]} goes with did")
        if compared and form not in ("feature", "did"):
            raise ValueError(f"{compared[0].rstrip('_')} goes with feature and did")
        if self.top_share is not None and form != "feature":
            raise ValueError("top_share goes with feature")
        if form == "feature" and len(compared) + (self.top_share is not None) != 1:
            raise ValueError(f"a condition on a feature has exactly one of {OPERATOR_NAMES}, top_share")
        if ("first_within_days" in timed or "stopped_days" in timed) and len(timed) + len(compared) > 1:
            raise ValueError(f"{timed[-1]} stands with did alone")
        if problem := self._misfit():
            raise ValueError(problem)
        return self

    def _misfit(self) -> str | None:
        if self.feature is not None and self.operator:
            return misfit(self, self.feature, "number")
        for name in self.rfm_names:
            if name not in RFM_GRID:
                near = next(iter(get_close_matches(name, RFM_GRID, 1)), None)
                meant = f"; did you mean '{near}'?" if near else ""
                return f"the grid has no '{name}'; it has {', '.join(RFM_GRID)}{meant}"
        if self.did is None:
            return None
        if len(self.operators) > 1:
            return f"a condition on events has at most one of {OPERATOR_NAMES}"
        if self.exists is not None:
            return "events are counted: say `at_least: 1`, or `equals: 0`"
        if (self.then_not is None) != (self.within_hours is None):
            return "then_not and within_hours go together"
        problems = [check_rule(rule, "events") for rule in (self.did, self.then_not) if rule]
        return next(filter(None, problems), misfit(self, "the number of events", "number") if self.operator else None)

    @property
    def segment_names(self) -> list[str]:
        """The segments that this condition asks for, to be in or to have moved into."""
        named = self.segment or self.entered or []
        return [named] if isinstance(named, str) else named

    @property
    def grid(self) -> Grid | None:
        """The grid of which this condition asks for a name."""
        return next((grid for grid in GRIDS if getattr(self, grid) is not None), None)

    @property
    def rfm_names(self) -> list[str]:
        """The names of the grid that this condition asks for."""
        named = getattr(self, self.grid) if self.grid else []
        return [named] if isinstance(named, str) else named

    def parts(self) -> Iterator[tuple[str, PersonRule]]:
        """The conditions that this one joins, each with its key."""
        for key, joined in (("all", self.all), ("any", self.any)):
            for number, part in enumerate(joined or ()):
                yield f"{key}.{number}", part
        if self.not_:
            yield "not", self.not_

    def walk(self, key: str) -> Iterator[tuple[str, PersonRule]]:
        """This condition and all inside it, each with its key path; `key` is its own."""
        yield key, self
        for name, part in self.parts():
            yield from part.walk(f"{key}.{name}")


ALL_CAMPAIGNS = "all_campaigns"
"""Name of the control group of all audiences together, where an audience's own would stand."""


class AudienceSettings(Section):
    """One audience."""

    name: Name = Field(description="Its name in `audience_members.audience`.")
    description: str | None = Field(None, description="What it is for.")
    who: PersonRule = Field(description="Who is in it.")
    purpose: Name | None = Field(
        None,
        description="Only people who granted this, by their newest statement up to the date; see `consent`. Its "
        "exports ask again, by the newest statement of all, when they write.",
    )
    live: bool = Field(
        False,
        description="Whether people come in as soon as they meet it, by `segmentation live`; who leaves, leaves at the "
        "end of a date, as with all audiences. Its rule may have what an event brings about, and nothing that comes "
        "true by waiting.",
    )
    group: Name | None = Field(
        None,
        description="Of the audiences of one group, a person is in one at most: the one that they are in already, else "
        "the first in the order of the file.",
    )
    again_after_days: int | None = Field(
        None, ge=1, le=36_500, description="Who left it comes in again after so many days, not before."
    )
    min_size: int | None = Field(
        None, ge=2, description="Where fewer people would be in it, nobody is: too few to learn from, or to hide among."
    )
    holdout: float | None = Field(
        None,
        gt=0,
        le=0.9,
        description="The share of it that no export delivers: its control group, of each segment in proportion. Once "
        "in it, always in it. Needs a key, as personal identifiers do. `segmentation measure --plan` says what it can "
        "show.",
    )

    @field_validator("name")
    @classmethod
    def _is_free(cls, name: str) -> str:
        if name in get_args(Readers):
            raise ValueError(f"'{name}' says who reads the file of an export: call the audience something else")
        if name == ALL_CAMPAIGNS:
            raise ValueError(f"'{name}' is the control group of all audiences: call the audience something else")
        return name


class EntryLimit(Section):
    """How often people may be spoken to anew."""

    entries: int = Field(ge=1, description="A person comes into at most so many audiences…")
    days: int = Field(ge=1, le=36_500, description="…in so many days, the first in the order of the file.")


def in_order(audiences: Sequence[AudienceSettings]) -> Iterator[list[AudienceSettings]]:
    """The audiences in levels: each names only audiences of the levels before its own. Raises `CycleError`."""
    named = {audience.name: audience for audience in audiences}
    order = TopologicalSorter({a.name: [n for n in _named_by(a) if n in named] for a in audiences})
    order.prepare()
    while order.is_active():
        ready = order.get_ready()
        yield [named[name] for name in sorted(ready)]
        order.done(*ready)


def read_rule(who: Any, audiences: Sequence[AudienceSettings], features: FeatureSettings) -> AudienceSettings:
    """A rule in the words of `audiences[].who`, beside the audiences of a configuration and its features.

    Raises `ConfigError` with every problem, as of a file.
    """
    try:
        rule = AudienceSettings.model_validate({"name": TRIED, "who": who})
    except ValidationError as error:
        raise ConfigError(explain(error, AudienceSettings)) from None
    if problems := check_audiences({"audiences": [*audiences, rule], "features": features}):
        key = f"audiences.{len(audiences)}."
        raise ConfigError([replace(problem, key=problem.key.removeprefix(key)) for problem in problems])
    return rule


def check_audiences(raw: Mapping[str, Any]) -> list[Problem]:
    """Features and audiences that the audiences and exports of a configuration file name, and that it has not.

    What is malformed in itself is reported by its own model, so nothing is said of it here.
    """
    audiences = _valid(TypeAdapter(list[AudienceSettings]), raw.get("audiences") or [])
    features = _valid(TypeAdapter(FeatureSettings), raw.get("features") or {})
    exports = _valid(TypeAdapter(list[ExportSettings]), raw.get("exports") or []) or []
    if audiences is None:
        return []
    names = [audience.name for audience in audiences]
    problems = list[Problem]()
    for number, audience in enumerate(audiences):
        for key, rule in audience.who.walk(f"audiences.{number}.who"):
            if rule.audience is not None and rule.audience not in names:
                problems.append(_unknown(f"{key}.audience", "audience", rule.audience, names))
            if rule.feature is not None and features is not None and rule.feature not in features.names():
                problems.append(_unknown(f"{key}.feature", "feature", rule.feature, features.names()))
            if rule.grid and features is not None:
                scored = features.grids.get(rule.grid)
                if scored is None or scored.scores != 5:
                    problems.append(Problem(f"{key}.{rule.grid}", f"needs `{_ASKED[rule.grid]}`, with 5 scores"))
        if audience.live:
            problems += _check_live(audience, f"audiences.{number}", {a.name: a for a in audiences})
    problems += [
        _unknown(f"exports.{number}.audience", "audience", export.audience, names)
        for number, export in enumerate(exports)
        if export.audience is not None and export.audience not in names
    ]
    try:
        list(in_order(audiences))
    except CycleError as error:
        circle = error.args[1]
        key = f"audiences.{names.index(circle[0])}.who"
        problems.append(Problem(key, f"audiences name each other in a circle: {' → '.join(reversed(circle))}"))
    return problems


def _check_live(audience: AudienceSettings, key: str, named: Mapping[str, AudienceSettings]) -> Iterator[Problem]:
    for path, what in _waiting(audience.who, f"{key}.who", named, ()):
        yield Problem(path, f"{what} comes true by waiting and not by an event, so no live audience can have it")
    if audience.min_size is not None:
        yield Problem(f"{key}.min_size", "takes everyone to know, so no live audience can have it")


def _waiting(
    rule: PersonRule, key: str, named: Mapping[str, AudienceSettings], seen: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    """Parts of a rule that come true without an event of the person's, by their key paths."""
    for path, part in rule.walk(key):
        if part.not_ and any(inner.did or inner.audience for _, inner in part.not_.walk("")):
            yield f"{path}.not", "`not` of what people do"
        if part.did:
            late = [name for name in ("then_not", "stopped_days") if getattr(part, name) is not None]
            late += [name.rstrip("_") for name in part.operators if name not in ("at_least", "greater_than")]
            yield from ((f"{path}.{name}", f"`{name}`") for name in late)
        if part.audience is not None and part.audience in named and part.audience not in seen:
            inner = _waiting(named[part.audience].who, key, named, (*seen, part.audience))
            if found := next(inner, None):
                yield f"{path}.audience", f"'{part.audience}' has {found[1]}, which"


def _named_by(audience: AudienceSettings) -> list[str]:
    return [rule.audience for _, rule in audience.who.walk("") if rule.audience]


def _unknown(key: str, kind: str, name: str, known: Sequence[str]) -> Problem:
    near = next(iter(get_close_matches(name, known, 1)), None)
    return Problem(key, f"there is no {kind} '{name}' in this configuration", suggestion=near)


def _valid(adapter: TypeAdapter[T], raw: Any) -> T | None:
    try:
        return adapter.validate_python(raw)
    except ValidationError:
        return None

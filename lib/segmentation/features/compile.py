"""From declarations to columns over collected figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F

from segmentation.config.feature_definition import PERSON_FIELDS, FeatureDefinition
from segmentation.config.features import FeatureSettings
from segmentation.config.mixes import Mix
from segmentation.config.rules import Rule, field_kind
from segmentation.features.library import SHIPPED, Source
from segmentation.features.measures import Measures, ratio
from segmentation.features.spread import entropy_of


@dataclass(frozen=True)
class Feature:
    """One compiled feature: a column over the figures, or (`over_features`) over other features."""

    name: str
    column: Column
    fill: float | None
    over_features: bool = False

    def filled(self) -> Column:
        """DOUBLE, with the declared value where there is nothing to measure, and never infinite or no number."""
        number = self.column.cast("double")
        if self.over_features:
            number = F.when(F.abs(number) < float("inf"), number)
        return (number if self.fill is None else F.coalesce(number, F.lit(float(self.fill)))).alias(self.name)


def compile_features(source: Source) -> list[Feature]:
    """All features of the settings, in the order of their declaration; `source` has collected what they need."""
    settings = source.settings
    features = [Feature(name, SHIPPED[name].build(source), SHIPPED[name].fill) for name in settings.library]
    features += [feature for mix in settings.mixes for feature in _mix_features(mix, source.of_table(mix.table))]
    features += _journey_features(source)
    features += [_defined(definition, source) for definition in settings.define]
    return [Feature(f.name, f.column, settings.fill.get(f.name, f.fill), f.over_features) for f in features]


def _defined(definition: FeatureDefinition, source: Source) -> Feature:
    if definition.combination:
        return Feature(definition.name, _combine(*definition.combination), definition.fill, over_features=True)
    if definition.table == "persons":
        return Feature(definition.name, _of_the_person(definition, source), definition.fill)
    rows = source.of_table(definition.table)
    if definition.last_sessions:
        rows = rows.of_last(definition.last_sessions)
    column = _aggregate(definition, rows, source.settings)
    return Feature(definition.name, column, definition.fill)


def _of_the_person(d: FeatureDefinition, source: Source) -> Column:
    """What is known of a person at the date: by the events up to it, since the table of persons is of now."""
    if d.where is not None:
        return source.attributes.meets(d.where)
    if d.of == "identifier_count":
        return source.events.identifiers()
    if d.of not in PERSON_FIELDS:
        return source.attributes.number(d.of or "")
    seen = source.events.first_day() if d.of == "first_seen" else source.events.last_day()
    return F.datediff(F.lit(source.as_of), seen)


def _aggregate(d: FeatureDefinition, m: Measures, settings: FeatureSettings) -> Column:
    """The column of an aggregate; the definition's own checks have made sure that its parts fit."""
    field = d.of or ""
    match d.aggregate:
        case "count":
            return m.count(d.where, d.window_days)
        case "days":
            return m.days(d.where, d.window_days)
        case "sum":
            return m.total(field, d.where, d.window_days)
        case "mean":
            return ratio(m.total(field, d.where, d.window_days), m.values(field, d.where, d.window_days))
        case "min":
            return m.least(field, d.where, d.window_days)
        case "max":
            return m.most(field, d.where, d.window_days)
        case "median":
            return m.median(field, d.where, d.window_days)
        case "first":
            return m.first(field, d.where, d.window_days)
        case "last":
            return m.last(field, d.where, d.window_days)
        case "distinct":
            count = m.distinct_sketched if d.sketch else m.distinct
            return count(field, d.where, d.window_days)
        case "entropy":
            return m.spread(field, None, d.where, d.window_days)["entropy"]
        case "top_share":
            return m.spread(field, None, d.where, d.window_days)["top"]
        case "trend":
            assert d.window_days is not None, "the definition asks for it"
            return m.trend(d.of, d.where, d.window_days // 7)
        case "decayed":
            return m.decayed(d.of, d.where, d.half_life_days or settings.half_life_days)
        case "share":
            part = d.where if d.among is None else Rule(all=[d.among, *([d.where] if d.where else [])])
            if d.of is None:
                return ratio(m.count(part, d.window_days), m.count(d.among, d.window_days))
            return ratio(m.total(d.of, part, d.window_days), m.total(d.of, d.among, d.window_days))
        case _:
            raise AssertionError(f"no aggregate {d.aggregate}")


def _mix_features(mix: Mix, rows: Measures) -> Iterator[Feature]:
    """A share for each value, of rows that have a value at all (and, by amount, a positive one).

    With `touch`, whether the value is that of the one row that counts.
    """
    if mix.touch:
        touched = rows.touched(mix.touch, mix.field, mix.where, mix.window_days)
        for value in mix.values:
            yield Feature(mix.column(value), (touched == _said(mix, value)).cast("double"), 0.0)
        return
    has = [Rule(field=mix.field, exists=True), *([mix.where] if mix.where else [])]
    if mix.of == "amount":
        has.append(Rule(field="amount", greater_than=0))
    among = Rule(all=has)

    def size(where: Rule) -> Column:
        if mix.of == "amount":
            return rows.total("amount", where, mix.window_days)
        return rows.count(where, mix.window_days)

    parts = [size(Rule(all=[*has, Rule(field=mix.field, equals=_said(mix, value))])) for value in mix.values]
    everything = size(among)
    for value, part in zip(mix.values, parts, strict=True):
        yield Feature(mix.column(value), ratio(part, everything), 0.0)
    if mix.has_entropy:
        yield Feature(f"{mix.name}_entropy", entropy_of(parts, everything), 0.0)


def _said(mix: Mix, value: str) -> str | int:
    """A value as its field holds it."""
    return value if field_kind(mix.field, mix.table) == "text" else int(value)


def _journey_features(source: Source) -> Iterator[Feature]:
    for name, kind, gram in source.settings.journeys.declared if source.settings.journeys else []:
        measure = source.journeys.followed if kind == "follows" else source.journeys.holding
        yield Feature(name, measure(gram), 0.0)


def _combine(kind: str, parts: list[str | float]) -> Column:
    columns = [F.col(part) if isinstance(part, str) else F.lit(float(part)) for part in parts]
    match kind:
        case "ratio":
            return F.try_divide(columns[0], columns[1])
        case "difference":
            return columns[0] - columns[1]
    result = columns[0]
    for column in columns[1:]:
        result = result + column if kind == "total" else result * column
    return result

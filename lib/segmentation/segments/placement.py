"""Why one person is in their segment: what decided it, and what would move them to the nearest other.

Both are found by asking the saved model itself: the person is scored again with the features that are typical of the
other segment in place of their own, one at a time, and then as many together as it takes. So it holds of any model and
preparation. It says what the model does, not what would become of people who are made to behave otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, DoubleType, StringType, StructField, StructType

from segmentation.clustering.algorithms import CLUSTER
from segmentation.clustering.conditions import meets
from segmentation.clustering.coordinates import ATTRIBUTE
from segmentation.clustering.fitted import FittedModel
from segmentation.clustering.scoring import score_people
from segmentation.config.conditions import Condition
from segmentation.config.segments import SegmentSettings
from segmentation.contracts.errors import InputError
from segmentation.contracts.table import check_columns
from segmentation.segments.changes import Placing
from segmentation.segments.membership import CONSENTED

LEAST_EFFECT = 0.01
"""Of the way from one segment to the other: what moves a person by less has decided nothing."""


@dataclass(frozen=True)
class Deciding:
    """A feature that keeps the person where they are."""

    feature: str
    value: float | None
    """The person's own; None where it is missing."""
    here: float | None
    """What is typical of the segment that they are in; None of outliers."""
    there: float
    """What is typical of the nearest other."""
    effect: float
    """How much nearer to the other, 0 to 1 of the way, they would be with what is typical there. Of an outlier 1 where
    that alone brings them in."""


@dataclass(frozen=True)
class Placement:
    """Where a person is in one version, and why."""

    person_id: str
    segment_version: int
    as_of: date
    segment_id: str
    segment_name: str
    method: str
    rule: str | None
    model_segment_id: str
    """Where the model alone has them: what follows is about that."""
    probability: float | None
    margin: float | None
    nearest_segment_id: str | None = None
    """The nearest other; None where the model does not place the person."""
    deciding: tuple[Deciding, ...] = ()
    """The strongest first."""
    would_move: tuple[Deciding, ...] | None = None
    """The features that, with what is typical of the other, take the person there; None where none do."""
    unmet: tuple[Condition, ...] = ()
    """The conditions of `segments.scope` that keep the person out."""
    not_granted: str | None = None
    """The purpose that they would have to grant to be segmented."""


def find_member(segments: DataFrame, version: int, as_of: date, person_id: str) -> Placement:
    """The person's row of `segments` in a version. Raises `InputError` where there is none."""
    own = (F.col("segment_version") == version) & (F.col("person_id") == person_id)
    row = segments.where(own).first()
    if row is None:
        raise InputError(f"Version {version} of the segments has no person with this id: look it up in 'segments'.")
    return Placement(
        person_id=person_id,
        segment_version=version,
        as_of=as_of,
        segment_id=row["segment_id"],
        segment_name=row["segment_name"],
        method=row["method"],
        rule=row["rule"],
        model_segment_id=row["model_segment_id"] or row["segment_id"],
        probability=row["probability"],
        margin=row["margin"],
    )


def explain_placement(member: Placement, features: DataFrame, placing: Placing, settings: SegmentSettings) -> Placement:
    """The placement with its reasons.

    In: `find_member`; the person's one row of `features` at the version's date, with the attributes that the model
    reads, and `CONSENTED` where that is asked for; what the version placed people with. Attributes are taken as they
    are: what they decide is not told. Raises `MissingColumnsError`.
    """
    scope, consent = settings.scope, [CONSENTED] if settings.purpose else []
    check_columns(features, [*placing.model.reads, *(c.feature for c in scope), *consent], "the features")
    inside = [meets([condition]).alias(f"scope_{number}") for number, condition in enumerate(scope)]
    row = features.select(*placing.model.reads, *inside, *consent).first()
    if row is None:
        return member
    if placing.model.parts:
        placing = placing.of_part(row[placing.model.parts_by])
    values = {name: _known(row[name]) for name in placing.model.features}
    unmet = tuple(condition for number, condition in enumerate(scope) if not row[f"scope_{number}"])
    not_granted = settings.purpose if consent and not row[CONSENTED] else None
    if unmet or not_granted or all(value is None for value in values.values()):
        return replace(member, unmet=unmet, not_granted=not_granted)
    score = _Scorer(features.sparkSession, placing, {name: row[name] for name in placing.model.beside})
    (base,) = score.all([values])
    is_outlier = base.cluster >= placing.model.k
    # An outlier's distances tell little: the segment that is meant is one that a single feature keeps them out of.
    others = [cluster for cluster in base.ranked if cluster != base.cluster][: None if is_outlier else 1]
    tried = [_compare(score, placing.model, values, base, other) for other in others]
    told, other = next((found for found in tried if any(one.effect == 1 for one in found[0])), tried[0])
    replaced = [{one.feature: one.there for one in told[:number]} for number in range(1, len(told) + 1)]
    together = score.all([{**values, **some} for some in replaced])
    enough = next((number for number, found in enumerate(together, 1) if found.cluster == other), None)
    return replace(
        member,
        nearest_segment_id=placing.segments[other],
        deciding=tuple(one for one in told if one.effect >= LEAST_EFFECT),
        would_move=None if enough is None else tuple(told[:enough]),
    )


def _compare(
    score: _Scorer, model: FittedModel, values: Mapping[str, float | None], base: _Scored, other: int
) -> tuple[list[Deciding], int]:
    """All features, the one that keeps the person from the other cluster most first; and that cluster."""
    here, there = model.centres.get(base.cluster, {}), model.centres[other]
    alone = score.all([{**values, name: there[name]} for name in values])
    told = []
    for name, found in zip(values, alone, strict=True):
        brought_in = base.cluster >= model.k and found.cluster == other
        effect = 1.0 if brought_in else base.away(other) - found.away(other, base)
        told.append(Deciding(name, values[name], here.get(name), there[name], effect))
    return sorted(told, key=lambda one: (-one.effect, one.feature)), other


@dataclass(frozen=True)
class _Scored:
    cluster: int
    ranked: list[int]
    far: list[float]

    def away(self, other: int, base: _Scored | None = None) -> float:
        """How far from the other cluster, 1 at the own centre and 0 at the other's; of an outlier, who has no centre,
        against how far the `base` is."""
        own = (base or self).cluster
        if own >= len(self.far):
            most = (base or self).far[other]
            return self.far[other] / most if most else 0.0
        # Of a mixture these are probabilities with a minus, of a hard model squared distances.
        is_mixture = min(self.far) < 0
        mine, rest = (self.far[own], self.far[other]) if is_mixture else (self.far[other], self.far[own])
        return mine / (mine + rest) if mine + rest else 0.5


class _Scorer:
    """Scores made-up people by the model, all of a list in one job."""

    def __init__(self, spark: SparkSession, placing: Placing, beside: Mapping[str, Any]) -> None:
        self.spark, self.placing, self.beside = spark, placing, beside
        self.names = placing.model.features

    def all(self, people: Sequence[Mapping[str, float | None]]) -> list[_Scored]:
        fields = [StructField("person_id", StringType()), *(StructField(name, DoubleType()) for name in self.names)]
        fields += [StructField(name, _type(name)) for name in self.beside]
        rows = [
            (str(number), *(values[name] for name in self.names), *self.beside.values())
            for number, values in enumerate(people)
        ]
        made = self.spark.createDataFrame(rows, StructType(fields)).coalesce(1)
        scored = score_people(made, self.placing.scorer.fitted, self.placing.model.reads, ranked=True).collect()
        found = {int(row["person_id"]): _Scored(row[CLUSTER], row["ranked"], row["far"]) for row in scored}
        return [found[number] for number in range(len(people))]


def _type(beside: str) -> DataType:
    return StringType() if beside.startswith(ATTRIBUTE) else DoubleType()


def _known(value: float | None) -> float | None:
    return None if value is None or value != value or abs(value) == float("inf") else value

"""Fitted models as they are read back: rows of `models`, and which of them scores."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from segmentation.clustering.coordinates import ATTRIBUTE
from segmentation.contracts.errors import InputError

BESIDE = "beside"
"""Key of `models.params`: the columns that the model takes beside its features, as JSON."""

PART = "part"
"""Key of `models.params`: the value of `clustering.parts.attribute` that those have whom alone the model scores."""

PARTS = "parts"
"""Key of `models.params`: the models of parts that score beside this one, as JSON."""

OUTLIERS = "outliers"
"""Key of `models.params`: where people are who are far out, `nearest` or `apart`."""

SHADOW = "shadow"
"""Key of `models.params`: the model was fitted to be watched, and scores no version that is published."""


@dataclass(frozen=True)
class Part:
    """People with one value of an attribute, whom a model of their own scores."""

    value: str
    model_id: str
    first: int
    """Number of its first cluster among those of all parts; the global model's begin at 0."""
    k: int


@dataclass(frozen=True)
class FittedModel:
    """A row of `models`, as Python values."""

    model_id: str
    number: int
    algorithm: str
    k: int
    """Clusters; with parts, theirs too."""
    features: tuple[str, ...]
    feature_set: str
    trained_as_of: date
    path: str
    clusters: tuple[dict[str, Any], ...]
    choice: str
    beside: tuple[str, ...] = ()
    """Columns that it takes beside its features: attributes of persons, and the feature of cohorts."""
    stability: float | None = None
    """Agreement with its refits (mean adjusted Rand index), where there were any."""
    sets_apart: bool = False
    """Whether outliers are a cluster of their own, the one with the number `k`."""
    parts: tuple[Part, ...] = ()
    parts_by: str = ""
    """The column that says whose part a person is of, where there are parts."""

    @property
    def reads(self) -> tuple[str, ...]:
        """All columns that it takes."""
        return (*self.features, *self.beside)

    @property
    def attributes(self) -> list[str]:
        """The attributes of persons among them."""
        return [name.removeprefix(ATTRIBUTE) for name in self.beside if name.startswith(ATTRIBUTE)]

    @property
    def centres(self) -> dict[int, dict[str, float]]:
        """The middle of each cluster, in the features' own units."""
        return {cluster["cluster"]: cluster["centre"] for cluster in self.clusters}

    @property
    def part_of(self) -> dict[int, str]:
        """The part that each cluster is of, of those that are of one."""
        return {cluster["cluster"]: cluster[PART] for cluster in self.clusters if PART in cluster}

    @property
    def without_parts(self) -> FittedModel:
        """The global model alone."""
        own = self.k - sum(part.k for part in self.parts)
        return replace(self, k=own, parts=(), clusters=tuple(c for c in self.clusters if PART not in c))

    @classmethod
    def from_row(cls, row: Row) -> FittedModel:
        told = json.loads(row["params"].get(PARTS, "{}"))
        parts = tuple(Part(**part) for part in told.get("models", []))
        return cls(
            model_id=row["model_id"],
            number=row["fit_number"],
            algorithm=row["algorithm"],
            k=row["k"] + sum(part.k for part in parts),
            features=tuple(row["features"]),
            feature_set=row["params"]["feature_set"],
            trained_as_of=row["trained_as_of"],
            path=row["path"],
            clusters=tuple(json.loads(row["clusters"])),
            choice=row["choice"],
            beside=tuple(json.loads(row["params"].get(BESIDE, "[]"))),
            stability=row["metrics"].get("stability"),
            sets_apart=row["params"].get(OUTLIERS) == "apart",
            parts=parts,
            parts_by=told.get("by", ""),
        )


def global_models(models: DataFrame) -> DataFrame:
    """The rows of `models` that are of no part."""
    return models.where(F.col("params")[PART].isNull())


def newest_model(models: DataFrame, as_of: date, shadow: bool = False) -> FittedModel:
    """The model that scores at `as_of`: the one fitted last, on features of that date or before.

    Models fitted as shadows only score shadows; a shadow is scored by the newest of these, or by the model that
    scores otherwise where there is none. Raises `InputError` where there is no model.
    """
    fitted = global_models(models).where(F.col("trained_as_of") <= F.lit(as_of))
    is_shadow = F.coalesce(F.col("params")[SHADOW] == "true", F.lit(False))
    order = [F.col("fit_number").desc()]
    row = (fitted.orderBy(is_shadow.desc(), *order) if shadow else fitted.where(~is_shadow).orderBy(*order)).first()
    if row is None:
        raise InputError(
            f"There is no model that was fitted on features up to {as_of}: run `segmentation train` first."
        )
    return FittedModel.from_row(row)


def choose_rows(features: DataFrame, as_of: date, model: FittedModel) -> DataFrame:
    """The rows of `features` at `as_of`.

    Raises `InputError` where there are none, or where they were measured by other definitions than the model's.
    """
    rows = features.where(F.col("as_of") == F.lit(as_of))
    found = {row["feature_set"] for row in rows.select("feature_set").distinct().limit(2).collect()}
    if not found:
        raise InputError(
            f"The table 'features' has no rows for {as_of}: run `segmentation features` with that --as-of."
        )
    if found != {model.feature_set}:
        raise InputError(
            f"The table 'features' at {as_of} was measured by other definitions than those that model "
            f"{model.model_id} was fitted on: run `segmentation train` first."
        )
    return rows

"""`clustering`: how people are prepared for a model, and how a model is fitted and chosen."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from segmentation.config.conditions import Condition
from segmentation.config.model import Name, Section

Share = Annotated[float, Field(ge=0, le=1)]
Algorithm = Literal["bisecting_kmeans", "gaussian_mixture", "kmeans"]


class Clusters(Section):
    """How many clusters are tried."""

    min: int = Field(3, ge=2, le=100, description="Fewest clusters.")
    max: int = Field(8, ge=2, le=100, description="Most clusters: as many segments as a team can act on.")

    @model_validator(mode="after")
    def _ordered(self) -> Clusters:
        if self.min > self.max:
            raise ValueError(f"min ({self.min}) is above max ({self.max})")
        return self


class CohortSettings(Section):
    """Of whose people a person is one: by an attribute, or by where a feature lies between edges."""

    attribute: Name | None = Field(None, description="An attribute of persons, such as their country.")
    feature: Name | None = Field(None, description="Or a feature, such as for how long they are customers.")
    edges: list[float] = Field(
        [], max_length=100, description="Of the feature: a cohort is from one of these up to below the next."
    )
    min_people: int = Field(
        50, ge=20, description="People of smaller cohorts, and of none, are counted as everyone is."
    )

    @model_validator(mode="after")
    def _by_one_of_both(self) -> CohortSettings:
        if (self.attribute is None) == (self.feature is None):
            raise ValueError("needs either attribute, or feature with edges")
        if (self.feature is None) == bool(self.edges):
            raise ValueError("edges are those of a feature: give both")
        if self.edges != sorted(set(self.edges)):
            raise ValueError("edges must rise")
        return self


class AttributeEncoding(Section):
    """How an attribute of persons enters the model as numbers."""

    encode: Literal["one_hot", "target"] = Field(
        "one_hot",
        description="`one_hot`: a coordinate a value, all of an attribute together as far apart as one feature. "
        "`target`: the mean of a feature among people with the same value, for attributes of many values.",
    )
    target: Name | None = Field(
        None, description="The feature whose mean it is. While fitting, nobody's own value is in theirs (five folds)."
    )
    smoothing: float = Field(
        20.0, ge=0, description="Of `target`: a mean is taken as if so many more people had everyone's."
    )
    rare_below: Share = Field(
        0.02,
        description="Of `one_hot`: values that a smaller share of the people have are one, with those who have none. "
        "Values of fewer than 20 people always are.",
    )

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> AttributeEncoding:
        if (self.encode == "target") != (self.target is not None):
            raise ValueError("encode: target and target: FEATURE go together")
        return self


class PartSettings(Section):
    """Models for parts of the people, beside the global one."""

    attribute: Name = Field(description="An attribute of persons, such as a region: each value is a part.")
    min_people: int = Field(
        1000, ge=50, description="Parts of fewer people have no model of their own: the global one places them."
    )
    most: int = Field(20, ge=1, le=100, description="Parts with a model of their own, those of most people first.")


class Transform(Section):
    """How a feature becomes comparable with the others."""

    winsorise: Share = Field(
        0.01, lt=0.25, description="Values beyond this quantile at either end are drawn in to it; 0: none."
    )
    log_above_skewness: float = Field(
        1.0, ge=0, description="Features that are more skewed than this enter as `skewed` says."
    )
    skewed: Literal["log", "yeo_johnson", "as_is"] = Field(
        "log",
        description="`log`: log(1 + x), where a feature is never negative. `yeo_johnson`: the power that takes most of "
        "the skew away, to either side and of either sign, found on the people who are fitted on. `as_is`: no change.",
    )
    scale: Literal["deviation", "interquartile", "range", "quantile"] = Field(
        "deviation",
        description="What counts as one: the standard deviation, the distance of the quartiles (where they coincide, "
        "the standard deviation), or that from the lowest to the highest value. `quantile`: a value counts by its "
        "place among the people, from 0 to 1, whatever its skew, by the 101 percentiles.",
    )
    missing: Literal["median", "zero"] = Field("median", description="What stands in for a missing value.")
    fill: dict[Name, float] = Field({}, description="Feature -> what stands in for a missing value of it instead.")
    missing_flags: bool = Field(
        False,
        description="Whether that a value is missing tells people apart too, where some are and some are not.",
    )
    cohorts: CohortSettings | None = Field(
        None,
        description="Features count within a cohort: how a person differs from those of the same country, or who came "
        "at the same time, and not how the countries differ.",
    )
    components: float | None = Field(
        None,
        gt=0,
        le=1,
        description="The principal components that hold this share of the variance enter in place of the features, "
        "where many of these say nearly the same.",
    )


class Outliers(Section):
    """People who are far out, and whom no cluster should be bent for."""

    beyond: float = Field(
        3.0,
        gt=0,
        description="How far out: so many times the distance of the quartiles beyond them, on the scale on which the "
        "model sees the feature. 3 is usually called far out.",
    )
    features: int = Field(1, ge=1, description="In at least so many features of the model.")
    placed: Literal["nearest", "apart"] = Field(
        "nearest",
        description="Where they are, whom the model is fitted without: in the segment that is nearest, or in one of "
        "their own (`segments.outliers`).",
    )


class Stability(Section):
    """Refits on random halves of the people, and on earlier features: a segment that depends on who happens to be in,
    or on the month, is no segment."""

    finalists: int = Field(3, ge=1, le=20, description="Candidates, best silhouette first, that are refitted.")
    refits: int = Field(3, ge=0, le=50, description="Refits of each; 0: stability is not measured.")
    days_before: list[Annotated[int, Field(ge=1)]] = Field(
        [28],
        max_length=20,
        description="Finalists are fitted on earlier features too: those of so many days before, or of the newest date "
        "before that. Where `features` has none, or of less than half as many people, it is left out.",
    )
    floor: Share = Field(
        0.6,
        description="Least mean adjusted Rand index between a candidate and its refits, those on halves and those on "
        "earlier features each.",
    )
    weakest_floor: Share = Field(
        0.0,
        description="Least mean Jaccard index between each cluster of a candidate and its likeness in the refits on "
        "halves: below 0.5 a cluster is usually said to dissolve.",
    )


class ClusteringSettings(Section):
    """Fitting and choosing."""

    features: list[Name] = Field([], description="Features that enter the model. Default: all.")
    exclude: list[Name] = Field([], description="Features that do not.")
    attributes: dict[Name, AttributeEncoding] = Field(
        {}, description="Attributes of persons that enter the model beside the features, as they are known now."
    )
    parts: PartSettings | None = Field(
        None,
        description="People of a part are placed by a model that was fitted on them alone. Default: one model places "
        "everyone.",
    )
    algorithms: list[Algorithm] = Field(
        ["bisecting_kmeans", "gaussian_mixture", "kmeans"], min_length=1, description="What is tried."
    )
    k: Clusters = Field(Clusters(), description="How many clusters are tried.")
    min_share: Share = Field(
        0.02, description="A candidate whose smallest cluster has less of the people is passed over."
    )
    max_share: Share = Field(
        0.7, description="A candidate whose largest cluster has more of the people is passed over."
    )
    transform: Transform = Field(Transform(), description="How features are made comparable.")
    stability: Stability = Field(Stability(), description="How steady a candidate must be.")
    sample: int = Field(100_000, ge=100, description="People to fit on, at most: a fixed sample. All are scored.")
    always_in: list[Condition] = Field(
        [],
        description="People who meet all of these are among those who are fitted on, however few they are and however "
        "far out: a kind of people that is rare and matters.",
    )
    compare_with: list[Literal["hierarchical", "dbscan"]] = Field(
        [],
        description="What scikit-learn's hierarchical clustering and DBSCAN find in some of the people is told beside "
        "the choice.",
    )
    compare_people: int = Field(2000, ge=100, le=10_000, description="In how many people, at most.")
    outliers: Outliers | None = Field(None, description="Whom a model is fitted without. Default: nobody.")
    max_iterations: int = Field(
        30, ge=1, le=1000, description="Most passes of one fit (of one level, in bisecting k-means)."
    )
    seed: int = Field(17, description="Of sampling and of the fits.")

    @model_validator(mode="after")
    def _can_be_far_out(self) -> ClusteringSettings:
        if self.outliers and self.transform.scale == "quantile":
            raise ValueError("outliers: with transform.scale: quantile nobody is far out; choose another scale")
        return self

    @property
    def attributes_read(self) -> list[str]:
        """Attributes of persons that fitting and scoring take, whatever for."""
        of_whom = (self.transform.cohorts, self.parts)
        return sorted({*self.attributes, *(by.attribute for by in of_whom if by and by.attribute)})

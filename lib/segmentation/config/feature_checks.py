"""`features.checks`: what is found odd of a feature, and what becomes of one of which it is."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from segmentation.config.model import Section

Policy = Literal["warn", "drop", "ignore"]
Limit = Annotated[float, Field(ge=0, le=1)]

_POLICY = "`warn` says so; `drop` also keeps the feature out of models fitted at that date; `ignore` does neither."


class Constant(Section):
    """Next to all people have the same value: the 1st and the 99th percentile are one."""

    policy: Policy = Field("warn", description=_POLICY)


class Missing(Section):
    """Many people have no value."""

    policy: Policy = Field("warn", description=_POLICY)
    above: Limit = Field(0.5, lt=1, description="From more than this share of the people.")


class Drift(Section):
    """People are spread over its values otherwise than at one of the last three dates, by the same definition."""

    policy: Policy = Field("warn", description=_POLICY)
    above: float = Field(
        0.25,
        gt=0,
        description="From a population stability index above this, and above what chance brings among so few people.",
    )


class Twins(Section):
    """It says nearly the same as a feature that is declared before it."""

    policy: Policy = Field("warn", description=_POLICY)
    above: Limit = Field(0.98, gt=0, description="From a rank correlation beyond this, in either direction.")


class Proxies(Section):
    """It tells what must not be told: a sensitive attribute of a person, or a sensitive feature."""

    policy: Policy = Field("warn", description=_POLICY)
    above: Limit = Field(0.5, gt=0, description="From an association beyond this: 0 none, 1 one tells the other.")
    attributes: list[str] = Field(
        [], description="Sensitive attributes of persons, by name. Features of `sensitivity: sensitive` always are."
    )


class FeatureChecks(Section):
    """What each run looks for in the features that it measured; `feature_profiles` has the figures and the findings."""

    constant: Constant = Field(Constant(), description="Next to all people have the same value.")
    missing: Missing = Field(Missing(), description="Many people have no value.")
    drift: Drift = Field(Drift(), description="Its values have moved since one of the last three dates.")
    twins: Twins = Field(Twins(), description="Two features say nearly the same.")
    proxies: Proxies = Field(Proxies(), description="It tells a sensitive attribute.")

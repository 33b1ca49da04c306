"""Publication gates: what a candidate version must keep to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from segmentation.config.segments import Gates
from segmentation.contracts.errors import ConfigError, Problem
from segmentation.segments.checks import DIFFERENCE, GROUP


@dataclass(frozen=True)
class Check:
    """What was found of a candidate, and the limit that it has to keep to."""

    check: str
    found: float
    limit: float
    meaning: str
    """What is wrong where it does not hold."""
    figures: str = ".1%"
    """How its figures are written."""
    whom: str = ""
    """Which segment, feature or group it is about, and how many people; empty where it is not known."""

    @property
    def holds(self) -> bool:
        """Whether the limit is kept to."""
        return self.found <= self.limit if self.check.startswith("max") else self.found >= self.limit

    @property
    def told(self) -> tuple[str, str]:
        """What was found, and the limit, as they are written."""
        return format(self.found, self.figures), format(self.limit, self.figures)

    def __str__(self) -> str:
        found, limit = self.told
        whom = f": {self.whom}" if self.whom and self.whom not in self.meaning else ""
        return f"{self.check}: {self.meaning} ({found} against {limit}){whom}"


CHECKS = tuple(Gates.model_fields)
"""The names of the checks: their keys under `segments.gates`."""

_ACCEPTED = "accepted in spite of "


def judge(metrics: Mapping[str, float], gates: Gates, about: Mapping[str, str] = MappingProxyType({})) -> list[Check]:
    """The checks that a version with these figures does not pass; `about`: figure -> the segment, feature or value of
    an attribute that it is of. A first version has moved nobody."""
    return [check for check in weigh(metrics, gates, about) if not check.holds]


def weigh(metrics: Mapping[str, float], gates: Gates, about: Mapping[str, str]) -> list[Check]:
    """All checks that are asked for and could be measured, whether or not they hold."""
    moved = _people("{}", metrics.get("moved", 0.0))
    return [
        Check(
            "max_moved_share",
            metrics.get("moved_share", 0.0),
            gates.max_moved_share,
            f"{moved} would change segment",
            whom=moved,
        ),
        Check(
            "min_segment_share",
            metrics["smallest_share"],
            gates.min_segment_share,
            "the smallest segment is too small",
            whom=_named(about.get("smallest_share"), metrics.get("smallest_people")),
        ),
        Check(
            "max_segment_share",
            metrics["largest_share"],
            gates.max_segment_share,
            "the largest segment takes too many",
            whom=_named(about.get("largest_share"), metrics.get("largest_people")),
        ),
        Check(
            "min_coverage",
            metrics["coverage"],
            gates.min_coverage,
            "the model places too few of the people",
            whom=_people("{} left out", _left_out(metrics)),
        ),
        *_further(metrics, gates, about),
    ]


def _further(metrics: Mapping[str, float], gates: Gates, about: Mapping[str, str]) -> Iterator[Check]:
    """The checks that are made where they are asked for, of what could be measured."""
    everyone = _people("the version is about {}", metrics.get("people"))
    if gates.min_stability is not None and "stability" in metrics:
        meaning = "the model agrees too little with its refits"
        yield Check("min_stability", metrics["stability"], gates.min_stability, meaning, ".2f", everyone)
    if gates.max_drift is not None and "drift" in metrics:
        meaning = "people have changed in a feature of the model, `segmentation show feature_profiles` says how"
        whom = _named(about.get("drift"), metrics.get("people"))
        yield Check("max_drift", metrics["drift"], gates.max_drift, meaning, ".2f", whom)
    if gates.max_age_days is not None and "age_days" in metrics:
        meaning = "the newest event is too old, in days"
        yield Check("max_age_days", metrics["age_days"], gates.max_age_days, meaning, ".0f", everyone)
    if gates.max_group_difference is not None:
        for name, difference in sorted(metrics.items()):
            if name.startswith(DIFFERENCE):
                attribute = name.removeprefix(DIFFERENCE)
                meaning = f"by {attribute}, a group of people is elsewhere than the others"
                whom = _named(about.get(name), metrics.get(GROUP + attribute))
                yield Check("max_group_difference", difference, gates.max_group_difference, meaning, whom=whom)


def limits_of(gates: Gates) -> dict[str, float]:
    """Check -> limit, of those that are asked for: for `segment_versions.limits`."""
    return {check: float(limit) for check, limit in gates if limit is not None}


def gates_of(limits: Mapping[str, float]) -> Gates:
    """The gates that had these limits."""
    return Gates.model_validate(limits)


def _named(name: str | None, people: float | None) -> str:
    """`'Frequent', 12 people`, as far as it is known."""
    return ", ".join(filter(None, [f"'{name}'" if name else "", _people("{}", people)]))


def _people(text: str, people: float | None) -> str:
    if people is None:
        return ""
    return text.format("1 person" if round(people) == 1 else f"{people:,.0f} people")


def _left_out(metrics: Mapping[str, float]) -> float | None:
    return metrics["people"] * (1 - metrics["coverage"]) if "people" in metrics else None


def check_accepted(accepted: Sequence[str], reason: str | None) -> None:
    """Raises `ConfigError` where a check that is accepted is none, or where no reason is given."""
    problems = [
        Problem("--accept", f"there is no check '{name}' (there are {', '.join(CHECKS)})")
        for name in accepted
        if name not in CHECKS
    ]
    if problems:
        raise ConfigError(problems)
    if accepted and not (reason or "").strip():
        raise ConfigError('--accept needs --reason "…": it is kept with the version.')


def refusal(number: int, failures: Sequence[Check]) -> str:
    """One sentence: what stands against publishing, and what to do."""
    accept = " ".join(f"--accept {failure.check}" for failure in failures)
    return (
        f"Version {number} is not published: {'; '.join(map(str, failures))}. Look at it with `segmentation report`, "
        f'then change clustering or segments.gates, or run `segmentation publish {accept} --reason "…"`.'
    )


def opinion(failures: Sequence[Check]) -> str:
    """What is kept with a version that is watched only: whether it could be published."""
    return f"would be refused: {'; '.join(map(str, failures))}" if failures else "would pass all gates"


def acceptance(failures: Sequence[Check], accepted: Collection[str], reason: str | None) -> str | None:
    """What is kept with a version that is published in spite of a check."""
    overridden = [failure for failure in failures if failure.check in accepted]
    return f"{_ACCEPTED}{'; '.join(map(str, overridden))}: {reason}" if overridden else None


def accepted_checks(kept: str) -> list[str]:
    """The checks that a version was published in spite of, as `acceptance` has kept them."""
    return [check for check in CHECKS if f"{check}:" in kept] if kept.startswith(_ACCEPTED) else []

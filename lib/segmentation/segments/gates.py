"""Publication gates: what a candidate version must keep to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from segmentation.config.segments import Gates
from segmentation.contracts.errors import ConfigError, Problem
from segmentation.segments.checks import DIFFERENCE


@dataclass(frozen=True)
class Failure:
    """A check that a candidate does not pass."""

    check: str
    found: float
    limit: float
    meaning: str
    figures: str = ".1%"
    """How its figures are written."""

    def __str__(self) -> str:
        found, limit = (format(figure, self.figures) for figure in (self.found, self.limit))
        return f"{self.check}: {self.meaning} ({found} against {limit})"


CHECKS = tuple(Gates.model_fields)
"""The names of the checks: their keys under `segments.gates`."""

_ACCEPTED = "accepted in spite of "


def judge(metrics: Mapping[str, float], gates: Gates) -> list[Failure]:
    """The checks that a version with these figures does not pass. A first version has moved nobody."""
    found = [
        Failure(
            "max_moved_share",
            metrics.get("moved_share", 0.0),
            gates.max_moved_share,
            f"{metrics.get('moved', 0.0):,.0f} people would change segment",
        ),
        Failure(
            "min_segment_share", metrics["smallest_share"], gates.min_segment_share, "the smallest segment is too small"
        ),
        Failure(
            "max_segment_share", metrics["largest_share"], gates.max_segment_share, "the largest segment takes too many"
        ),
        Failure("min_coverage", metrics["coverage"], gates.min_coverage, "the model places too few of the people"),
        *_further(metrics, gates),
    ]
    return [f for f in found if (f.found > f.limit if f.check.startswith("max") else f.found < f.limit)]


def _further(metrics: Mapping[str, float], gates: Gates) -> Iterator[Failure]:
    """The checks that are made where they are asked for, of what could be measured."""
    if gates.min_stability is not None and "stability" in metrics:
        meaning = "the model agrees too little with its refits"
        yield Failure("min_stability", metrics["stability"], gates.min_stability, meaning, ".2f")
    if gates.max_drift is not None and "drift" in metrics:
        meaning = "people have changed in a feature of the model, `segmentation show feature_profiles` says in which"
        yield Failure("max_drift", metrics["drift"], gates.max_drift, meaning, ".2f")
    if gates.max_age_days is not None and "age_days" in metrics:
        meaning = "the newest event is too old, in days"
        yield Failure("max_age_days", metrics["age_days"], gates.max_age_days, meaning, ".0f")
    if gates.max_group_difference is not None:
        for name, difference in sorted(metrics.items()):
            if name.startswith(DIFFERENCE):
                meaning = f"by {name.removeprefix(DIFFERENCE)}, a group of people is elsewhere than the others"
                yield Failure("max_group_difference", difference, gates.max_group_difference, meaning)


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


def refusal(number: int, failures: Sequence[Failure]) -> str:
    """One sentence: what stands against publishing, and what to do."""
    accept = " ".join(f"--accept {failure.check}" for failure in failures)
    return (
        f"Version {number} is not published: {'; '.join(map(str, failures))}. Look at it with `segmentation report`, "
        f'then change clustering or segments.gates, or run `segmentation publish {accept} --reason "…"`.'
    )


def opinion(failures: Sequence[Failure]) -> str:
    """What is kept with a version that is watched only: whether it could be published."""
    return f"would be refused: {'; '.join(map(str, failures))}" if failures else "would pass all gates"


def acceptance(failures: Sequence[Failure], accepted: Collection[str], reason: str | None) -> str | None:
    """What is kept with a version that is published in spite of a check."""
    overridden = [failure for failure in failures if failure.check in accepted]
    return f"{_ACCEPTED}{'; '.join(map(str, overridden))}: {reason}" if overridden else None


def accepted_checks(kept: str) -> list[str]:
    """The checks that a version was published in spite of, as `acceptance` has kept them."""
    return [check for check in CHECKS if f"{check}:" in kept] if kept.startswith(_ACCEPTED) else []

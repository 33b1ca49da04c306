"""Choosing one candidate, with the reason in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from segmentation.clustering.candidates import Candidate
from segmentation.config.clustering import ClusteringSettings
from segmentation.contracts.errors import InputError

_AGREEMENTS = {"stability": "refits on halves of the people", "stability_over_time": "fits on earlier dates"}
"""Figures of a candidate that say whether it is found again, and by what."""


_STANDINGS = (
    ("Davies–Bouldin", "davies_bouldin", 1),
    ("Calinski–Harabasz", "calinski_harabasz", -1),
    ("BIC", "bic", 1),
)
"""Figures that do not choose, and which way is better: 1 where less is, -1 where more is."""

_ORDINALS = ("first", "second", "third")


@dataclass(frozen=True)
class Choice:
    """The chosen candidate, all with their figures, and why."""

    chosen: Candidate
    candidates: tuple[Candidate, ...]
    reason: str


def choose(
    candidates: Sequence[Candidate],
    settings: ClusteringSettings,
    with_stability: Callable[[Sequence[Candidate]], Sequence[Candidate]],
) -> Choice:
    """The candidate with the best silhouette among those that keep the limits on sizes and are found again.

    Stability costs refits, so only `stability.finalists` candidates are asked for it. Where none keeps a limit the
    best that there is is chosen, and the reason says so: publication has gates of its own. Raises `InputError`
    where no candidate could be fitted.
    """
    fitted = [candidate for candidate in candidates if candidate.failure is None]
    if not fitted:
        reasons = "; ".join(f"{candidate.title}: {candidate.failure}" for candidate in candidates[:5])
        raise InputError(f"No clusters could be found ({reasons}): lower clustering.k, or take in more people.")
    sized = [candidate for candidate in fitted if _keeps_limits(candidate, settings)]
    finalists = sorted(sized or fitted, key=_rank)[: settings.stability.finalists]
    judged = {candidate.label: candidate for candidate in with_stability(finalists)}
    steady = [candidate for candidate in judged.values() if _is_found_again(candidate, settings)]
    best = min(steady, key=_rank) if steady else max(judged.values(), key=lambda c: (_steadiness(c), c.label))
    everyone = tuple(judged.get(candidate.label, candidate) for candidate in candidates)
    return Choice(best, everyone, _explain(best, list(judged.values()), fitted, sized, steady, settings))


def _keeps_limits(candidate: Candidate, settings: ClusteringSettings) -> bool:
    return settings.min_share <= min(candidate.shares) and max(candidate.shares) <= settings.max_share


def _steadiness(candidate: Candidate) -> float:
    """The worse of what its refits on halves of the people and those on earlier features agree with it."""
    return min(candidate.figures.get(name, 1.0) for name in _AGREEMENTS)


def _is_found_again(candidate: Candidate, settings: ClusteringSettings) -> bool:
    """Whether it is as a whole, and each of its clusters."""
    weakest = candidate.figures.get("weakest_cluster", 1.0)
    return _steadiness(candidate) >= settings.stability.floor and weakest >= settings.stability.weakest_floor


def _rank(candidate: Candidate) -> tuple[float, int, str]:
    """Best silhouette first; of two alike (to a millionth) the one with fewer clusters."""
    return -round(candidate.figures["silhouette"], 6), candidate.k, candidate.label


def _explain(
    best: Candidate,
    finalists: Sequence[Candidate],
    fitted: Sequence[Candidate],
    sized: Sequence[Candidate],
    steady: Sequence[Candidate],
    settings: ClusteringSettings,
) -> str:
    limits = f"{settings.min_share:.0%} to {settings.max_share:.0%} of the people in each cluster"
    among = (
        f"of {len(sized)} out of {len(fitted)} candidates that keep the limits on sizes ({limits})"
        if sized
        else f"of {len(fitted)} candidates, none of which keeps the limits on sizes ({limits})"
    )
    parts = [f"{best.title[:1].upper()}{best.title[1:]}: silhouette {best.figures['silhouette']:.3f}"]
    better = [other for other in finalists if _rank(other) < _rank(best)]
    if not steady:
        parts.append(f"the steadiest of the {len(finalists)} best {among}")
    elif better:
        parts.append(f"the best that is found again {among}")
    else:
        parts.append(f"the best {among}")
    floor = settings.stability.floor
    for name, refits in _AGREEMENTS.items():
        if (agreement := best.figures.get(name)) is not None:
            agree = "agree" if agreement >= floor else "agree too little"
            parts.append(f"{refits} {agree} with it (adjusted Rand index {agreement:.2f}, {floor:.2f} is asked)")
    if (weakest := best.figures.get("weakest_cluster")) is not None:
        asked = settings.stability.weakest_floor
        again = "is found again" if weakest >= asked else "is found again too little"
        limit = f", {asked:.2f} is asked" if asked else ""
        parts.append(f"the least steady of its clusters {again} (Jaccard index {weakest:.2f}{limit})")
    parts.extend(_stand(best, sized or fitted))
    others = sorted((other for other in finalists if other is not best), key=_rank)
    if others:
        runner_up = others[0]
        measured = any(name in runner_up.figures for name in _AGREEMENTS)
        steadiness = f", agreement {_steadiness(runner_up):.2f}" if measured else ""
        parts.append(f"next: {runner_up.title} (silhouette {runner_up.figures['silhouette']:.3f}{steadiness})")
    return "; ".join(parts) + "."


def _stand(best: Candidate, among: Sequence[Candidate]) -> list[str]:
    """`it is first of 28 by Davies–Bouldin, third of 28 by Calinski–Harabasz`; none where neither is known."""
    told = []
    for title, name, better in _STANDINGS:
        known = [other.figures[name] for other in among if name in other.figures]
        if name in best.figures and len(known) > 1:
            place = sum(better * value < better * best.figures[name] for value in known)
            ordinal = _ORDINALS[place] if place < len(_ORDINALS) else f"number {place + 1}"
            told.append(f"{ordinal} of {len(known)} by {title}")
    return [f"it is {', '.join(told)}"] if told else []

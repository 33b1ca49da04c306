"""Carrying segments on: which new cluster is which published segment, by the people whom they share."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from itertools import count
from math import sqrt
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

_MAJORITY = 0.5
"""Share of a cluster's or segment's people from which it is said to come from, or go to, another."""

_TIE = 1e-6
"""Weight of the centres: they decide only between matches that share equally many people."""


@dataclass(frozen=True)
class Survival:
    """A segment that a cluster carries on, with the Jaccard index of their people."""

    segment_id: str
    cluster: int
    people: int
    jaccard: float


@dataclass(frozen=True)
class Birth:
    """A new segment; `split_from` names the published segment that most of its people were in, if there is one."""

    segment_id: str
    cluster: int
    people: int
    split_from: str | None


@dataclass(frozen=True)
class Death:
    """A segment that is no more; `merged_into` names the one that most of its people are in now, if there is one."""

    segment_id: str
    people: int
    merged_into: str | None


@dataclass(frozen=True)
class Continuity:
    """Each cluster's segment, and what became of the published segments."""

    segments: Mapping[int, str]
    survived: tuple[Survival, ...] = ()
    born: tuple[Birth, ...] = ()
    died: tuple[Death, ...] = ()

    def to_json(self) -> str:
        """For `segment_versions.continuity`."""
        parts: dict[str, Any] = {
            name: [asdict(x) for x in getattr(self, name)] for name in ("survived", "born", "died")
        }
        return json.dumps({"segments": {str(cluster): s for cluster, s in sorted(self.segments.items())}, **parts})

    @classmethod
    def from_json(cls, text: str) -> Continuity:
        raw = json.loads(text)
        return cls(
            segments={int(cluster): segment for cluster, segment in raw["segments"].items()},
            survived=tuple(Survival(**x) for x in raw["survived"]),
            born=tuple(Birth(**x) for x in raw["born"]),
            died=tuple(Death(**x) for x in raw["died"]),
        )


@dataclass(frozen=True)
class People:
    """Counts of people on both sides: `together` by (published segment, new cluster), `before` and `now` alone."""

    together: Mapping[tuple[str, int], int]
    before: Mapping[str, int]
    now: Mapping[int, int]


def match_clusters(
    people: People, distances: Mapping[tuple[str, int], float], model_id: str, threshold: float
) -> Continuity:
    """The matching of clusters to published segments that keeps most people together.

    Maximises the sum of Jaccard indices over one-to-one matches (optimal assignment); `distances` between a
    segment's former centre and a cluster's decide between equal ones. A pair below `threshold` is no match: the
    cluster is a segment of its own, whose id is minted from the model and the cluster and means it for ever.
    """
    clusters, segments = sorted(people.now), sorted(people.before)
    indices = np.array([[_jaccard(people, segment, cluster) for segment in segments] for cluster in clusters])
    near = np.array(
        [[1 / (1 + distances.get((segment, cluster), np.inf)) for segment in segments] for cluster in clusters]
    )
    weights = (indices + _TIE * near).reshape(len(clusters), len(segments))
    rows, columns = linear_sum_assignment(weights, maximize=True)
    survived = tuple(
        Survival(segments[column], clusters[row], people.now[clusters[row]], float(indices[row, column]))
        for row, column in zip(rows, columns, strict=True)
        if indices[row, column] > 0 and indices[row, column] >= threshold
    )
    carried = {match.cluster: match.segment_id for match in survived}
    taken = set(segments)
    ids = {cluster: carried.get(cluster) or mint_segment_id(model_id, cluster, taken) for cluster in clusters}
    return Continuity(
        segments=ids,
        survived=survived,
        born=tuple(
            Birth(ids[cluster], cluster, people.now[cluster], _main(_sources(people, cluster), people.now[cluster]))
            for cluster in clusters
            if cluster not in carried
        ),
        died=tuple(
            Death(segment, people.before[segment], _main(_targets(people, segment, ids), people.before[segment]))
            for segment in segments
            if segment not in carried.values()
        ),
    )


def keep_segments(people: People, segments: Mapping[int, str]) -> Continuity:
    """The same model again: each cluster is the segment that it was."""
    return Continuity(
        segments,
        tuple(
            Survival(s, cluster, people.now[cluster], _jaccard(people, s, cluster)) for cluster, s in segments.items()
        ),
    )


def mint_segment_id(model_id: str, cluster: int, taken: Collection[str]) -> str:
    """The id of a segment that begins with this cluster of this model, other than those that are `taken`."""
    for attempt in count():
        found = "s" + hashlib.sha256(f"{model_id}:{cluster}:{attempt}".encode()).hexdigest()[:10]
        if found not in taken:
            return found
    raise AssertionError("count() does not end")


def centre_distances(
    before: Mapping[str, Mapping[str, float]], now: Mapping[int, Mapping[str, float]]
) -> dict[tuple[str, int], float]:
    """Distances between former and new centres over the features that both have, each scaled by its spread."""
    centres = [*before.values(), *now.values()]
    shared = set.intersection(*(set(centre) for centre in centres)) if centres else set()
    spread = {name: float(np.std([centre[name] for centre in centres])) for name in shared}
    scaled = {name: value for name, value in spread.items() if value > 0}
    return {
        (segment, cluster): sqrt(sum(((old[name] - new[name]) / size) ** 2 for name, size in sorted(scaled.items())))
        for segment, old in before.items()
        for cluster, new in now.items()
    }


def _jaccard(people: People, segment: str, cluster: int) -> float:
    both = people.together.get((segment, cluster), 0)
    return both / max(people.before.get(segment, 0) + people.now[cluster] - both, 1)


def _sources(people: People, cluster: int) -> Counter[str]:
    return Counter({segment: n for (segment, other), n in people.together.items() if other == cluster})


def _targets(people: People, segment: str, ids: Mapping[int, str]) -> Counter[str]:
    return Counter({ids[cluster]: n for (other, cluster), n in people.together.items() if other == segment})


def _main(counts: Counter[str], people: int) -> str | None:
    """Where the majority is, if there is one."""
    most = min(counts.items(), key=lambda found: (-found[1], found[0]), default=None)
    return most[0] if most and most[1] >= _MAJORITY * people else None

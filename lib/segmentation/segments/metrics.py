"""The figures of a candidate version: what gates judge and people compare."""

from __future__ import annotations

from collections import Counter

from segmentation.clustering.matching import Continuity
from segmentation.segments.membership import Overlap


def version_metrics(overlap: Overlap, continuity: Continuity, fallback: str, compared: bool) -> dict[str, float]:
    """Counts and shares (0 to 1); those about moves only where there is a version to compare with."""
    sizes, placed = Counter(dict.fromkeys(continuity.segments.values(), 0)), 0
    stayed = moved = new = 0
    for (cluster, before), people in overlap.counts.items():
        now = fallback if cluster is None else continuity.segments[cluster]
        if cluster is not None:
            sizes[now] += people
            placed += people
        if before is None:
            new += people
        elif before == now:
            stayed += people
        else:
            moved += people
    people = max(overlap.people, 1)
    figures = {
        "people": float(overlap.people),
        "segments": float(len(sizes)),
        "coverage": placed / people,
        "smallest_share": min(sizes.values(), default=0) / people,
        "largest_share": max(sizes.values(), default=0) / people,
        "ambiguous_share": overlap.ambiguous / people,
    }
    if compared:
        figures |= {
            "new": float(new),
            "left": float(sum(overlap.gone.values())),
            "moved": float(moved),
            "moved_share": moved / max(moved + stayed, 1),
            "born": float(len(continuity.born)),
            "died": float(len(continuity.died)),
        }
    return figures

"""The figures of a candidate version: what gates judge and people compare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from types import MappingProxyType

from segmentation.clustering.matching import Continuity
from segmentation.segments.measured import Measured
from segmentation.segments.membership import Overlap


def version_metrics(
    overlap: Overlap,
    continuity: Continuity,
    fallback: str,
    compared: bool,
    flows: Mapping[tuple[str, str | None], int] | None = None,
    unlimited: Collection[str] = (),
    parts: Mapping[str, str] = MappingProxyType({}),
) -> Measured:
    """Counts and shares (0 to 1), and which segments are the smallest and the largest; those about moves only where
    there is a version to compare with.

    `flows` is given where rules have a say: people by the segment that they are in and the one that they were in.
    Segments that may be as small as they like, that of outliers, those that rules leave nobody in on purpose, and those
    of people whose part has no model of its own, are `unlimited`. `parts`: segment -> the part whose model it is of:
    how small it is is counted among the people of that part.
    """
    if flows is None:
        where = Counter[tuple[str, str | None]]()
        for (cluster, before), people in overlap.counts.items():
            where[fallback if cluster is None else continuity.segments[cluster], before] += people
        flows = where
    of_model = {segment for segment in continuity.segments.values() if segment not in unlimited}
    sizes, placed = Counter(dict.fromkeys(of_model, 0)), 0
    stayed = moved = new = 0
    for (now, before), people in flows.items():
        if now != fallback:
            sizes[now] += people
            placed += people
        if before is None:
            new += people
        elif before == now:
            stayed += people
        else:
            moved += people
    people = max(overlap.people, 1)
    of_part = Counter[str]()
    for segment, size in sizes.items():
        if segment in parts:
            of_part[parts[segment]] += size
    shares = {s: size / (max(of_part[parts[s]], 1) if s in parts else people) for s, size in sizes.items()}
    # A segment that a rule makes may be as small as it likes, beside those of the model.
    smallest = min(of_model or sizes, key=lambda segment: (shares[segment], segment), default=None)
    largest = min(sizes, key=lambda segment: (-sizes[segment], segment), default=None)
    figures = {
        "people": float(overlap.people),
        "segments": float(len(sizes)),
        "coverage": placed / people,
        "smallest_share": shares[smallest] if smallest else 0.0,
        "smallest_people": float(sizes[smallest]) if smallest else 0.0,
        "largest_share": sizes[largest] / people if largest else 0.0,
        "largest_people": float(sizes[largest]) if largest else 0.0,
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
    about = {"smallest_share": smallest, "largest_share": largest}
    return Measured(figures, {name: segment for name, segment in about.items() if segment})

"""Two versions side by side: who went where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.clustering.matching import Continuity
from segmentation.contracts.table import check_columns
from segmentation.segments.versions import Version

_MEMBER = ("person_id", "segment_id", "segment_name")


@dataclass(frozen=True)
class Flow:
    """People who were in one segment and are in another, or in the same; None: in neither version's segments."""

    from_segment: str | None
    from_name: str | None
    to_segment: str | None
    to_name: str | None
    people: int

    @property
    def stays(self) -> bool:
        """Whether these people are where they were."""
        return self.from_segment == self.to_segment


@dataclass(frozen=True)
class Change:
    """How many went where between two versions: `flows` has one object a pair of segments, most people first, those
    who stayed among them."""

    before: Version
    after: Version
    flows: Sequence[Flow]

    @property
    def continuity(self) -> Continuity | None:
        """What became of the segments of `before`; None where `after` was compared with another version."""
        compared = self.after.compared_with == self.before.segment_version
        return Continuity.from_json(self.after.continuity) if compared else None

    @property
    def stayed(self) -> int:
        """People who are in the same segment."""
        return sum(flow.people for flow in self.flows if flow.stays)

    @property
    def moved(self) -> int:
        """People who are in both versions, in different segments."""
        return sum(flow.people for flow in self.flows if flow.from_segment and flow.to_segment) - self.stayed

    @property
    def new(self) -> int:
        """People who were not there before."""
        return sum(flow.people for flow in self.flows if flow.from_segment is None)

    @property
    def left(self) -> int:
        """People who are not there any more."""
        return sum(flow.people for flow in self.flows if flow.to_segment is None)


@dataclass(frozen=True)
class Comparison(Change):
    """What is different between two versions, and who is elsewhere.

    `moves` is a DataFrame of one row a person who is elsewhere, new or gone: `person_id`, `from_segment_id`,
    `from_segment_name`, `to_segment_id`, `to_segment_name`, and `cause`, which is known where `after` was compared
    with `before` when it was assigned (else null).
    """

    moves: DataFrame


def pair_people(before: DataFrame, after: DataFrame) -> DataFrame:
    """Where everyone was and is.

    In: one row a person in each, with `person_id`, `segment_id` and `segment_name`. Out: one row a person of either:
    `person_id`, `from_segment_id`, `from_segment_name`, `to_segment_id`, `to_segment_name`; null: not there.
    """
    for version in (before, after):
        check_columns(version, _MEMBER, "the people of a version")
    sides = [
        rows.select("person_id", *(F.col(name).alias(f"{side}_{name}") for name in _MEMBER[1:]))
        for side, rows in (("from", before), ("to", after))
    ]
    return sides[0].join(sides[1], "person_id", "full_outer")


def find_flows(pairs: DataFrame) -> list[Flow]:
    """The flows, most people first: one pass, and as many rows on the driver as there are pairs of segments.

    In: what `pair_people` gives.
    """
    way = ("from_segment_id", "from_segment_name", "to_segment_id", "to_segment_name")
    rows = pairs.groupBy(*way).agg(F.count("*").alias("people")).collect()
    flows = [Flow(*row) for row in rows]
    return sorted(flows, key=lambda flow: (-flow.people, flow.from_segment or "", flow.to_segment or ""))

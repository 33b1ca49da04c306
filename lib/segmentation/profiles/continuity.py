"""What became of segments between two versions, in words with figures: births, splits, deaths and merges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segmentation.segments.comparison import Change


def tell_continuity(change: Change) -> list[str]:
    """A sentence each; none where the later version was not compared with the earlier one when it was assigned."""
    found = change.continuity
    if found is None:
        return []
    names, shared = _names(change), _shared(change)
    told = []
    if found.survived:
        least = min(found.survived, key=lambda one: (one.jaccard, one.segment_id))
        kept = len(found.survived)
        told.append(
            f"{kept} {'segment goes' if kept == 1 else 'segments go'} on; of the people of "
            f"{_called(names, least.segment_id)} before and now, {least.jaccard:.0%} are in both: the fewest."
        )
    for birth in found.born:
        told.append(f"{_called(names, birth.segment_id)} ({_people(birth.people)}) ")
        if birth.split_from is None:
            told[-1] += "is new: no segment had half of them."
        else:
            there = shared.get((birth.split_from, birth.segment_id), 0)
            told[-1] += f"has split from {_called(names, birth.split_from)}: {there:,} of them were there."
    for death in found.died:
        told.append(f"{_called(names, death.segment_id)} ({_people(death.people)}) ")
        if death.merged_into is None:
            told[-1] += "is no more: no segment has half of them now."
        else:
            there = shared.get((death.segment_id, death.merged_into), 0)
            told[-1] += f"has merged into {_called(names, death.merged_into)}: {there:,} of them are there now."
    return told


def list_continuity(change: Change) -> dict[str, list[dict[str, Any]]] | None:
    """The same for machines: `survived`, `born` and `died`, each with ids, names, people and how many are shared."""
    found = change.continuity
    if found is None:
        return None
    names, shared = _names(change), _shared(change)
    return {
        "survived": [
            {"segment": one.segment_id, "name": names.get(one.segment_id), "people": one.people, "jaccard": one.jaccard}
            for one in found.survived
        ],
        "born": [
            {"segment": one.segment_id, "name": names.get(one.segment_id), "people": one.people}
            | {"split_from": one.split_from, "split_from_name": names.get(one.split_from or "")}
            | {"shared": shared.get((one.split_from, one.segment_id), 0)}
            for one in found.born
        ],
        "died": [
            {"segment": one.segment_id, "name": names.get(one.segment_id), "people": one.people}
            | {"merged_into": one.merged_into, "merged_into_name": names.get(one.merged_into or "")}
            | {"shared": shared.get((one.segment_id, one.merged_into), 0)}
            for one in found.died
        ],
    }


def _names(change: Change) -> dict[str, str]:
    """Segment id -> what it is called, or was before it was no more."""
    before = {flow.from_segment: flow.from_name for flow in change.flows if flow.from_segment and flow.from_name}
    return before | {flow.to_segment: flow.to_name for flow in change.flows if flow.to_segment and flow.to_name}


def _shared(change: Change) -> Mapping[tuple[str | None, str | None], int]:
    return {(flow.from_segment, flow.to_segment): flow.people for flow in change.flows}


def _called(names: Mapping[str, str], segment: str) -> str:
    return f"“{names[segment]}”" if segment in names else "A segment without people"


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count:,} people"

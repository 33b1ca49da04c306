"""Segments as people write them: by id or by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from segmentation.contracts.errors import ConfigError, Problem


def choose_segments(wanted: Sequence[str], names: Mapping[str, str], key: str) -> list[str] | None:
    """Ids of the segments that are `wanted` by id or name, sorted; None for all. Raises `ConfigError`.

    `names` are the published segments, id -> name; `key` is the place in the configuration.
    """
    if problems := unknown_segments(wanted, names, key):
        raise ConfigError(problems)
    return find_segments(wanted, names) or None


def find_segments(wanted: Sequence[str], names: Mapping[str, str]) -> list[str]:
    """Ids of the segments that are `wanted` by id or name, sorted; those which do not exist are left out."""
    return sorted({segment_id for segment in wanted if (segment_id := find_segment(segment, names))})


def unknown_segments(wanted: Sequence[str], names: Mapping[str, str], key: str) -> list[Problem]:
    """What is `wanted` and is neither the id nor the name of a published segment."""
    known = [*names.values(), *names]
    return [
        Problem(
            key,
            f"no published segment has the id or name '{segment}' (there are {', '.join(sorted(names.values()))})",
            suggestion=next(iter(get_close_matches(segment, known, 1)), None),
        )
        for segment in wanted
        if find_segment(segment, names) is None
    ]


def find_segment(segment: str, names: Mapping[str, str]) -> str | None:
    """The id of the segment that has this id or, capitals aside, this name: the first of several."""
    if segment in names:
        return segment
    return next((segment_id for segment_id, name in names.items() if name.casefold() == segment.casefold()), None)

"""Sources that have gone quiet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from segmentation.config.sources import Source
from segmentation.contracts.errors import InputError


def find_stale(sources: Iterable[Source], newest: Mapping[str, date], today: date) -> dict[str, str]:
    """Source -> a clause on its age, of those whose newest event is older than it may be. `newest`: source -> date."""
    found = {}
    for source in sources:
        if source.freshness is None:
            continue
        last = newest.get(source.name)
        if last is None:
            found[source.name] = "has brought no event yet"
        elif (age := (today - last).days) > source.freshness.max_days:
            found[source.name] = f"its newest event is of {last}, {age} days before {today}"
    return found


def refuse_stale(sources: Iterable[Source], stale: Mapping[str, str]) -> None:
    """Raises `InputError` where one of the stale sources asks for it."""
    for source in sources:
        if source.name in stale and source.freshness and source.freshness.policy == "fail":
            raise InputError(
                f"Source '{source.name}': {stale[source.name]}, and freshness.max_days is {source.freshness.max_days}. "
                "What came has been taken in; ask its owner where the rest is."
            )

"""Sources that have gone quiet."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date, timedelta
from functools import reduce
from operator import or_

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.config.sources import Source
from segmentation.contracts.errors import InputError

Watched = tuple[str, str]
"""A source and the name of one of its events."""


def find_recent(events: DataFrame, sources: Iterable[Source], today: date) -> set[Watched]:
    """The event names that have a limit of their own (`freshness.events`) and keep it. `events` is the table, of which
    only the days within the limits are read."""
    limits = {(one.name, name): days for one in sources if one.freshness for name, days in one.freshness.events.items()}
    if not limits:
        return set()
    kept = [
        (F.col("source") == source) & (F.col("event_name") == name) & (F.col("event_date") >= today - timedelta(days))
        for (source, name), days in limits.items()
    ]
    found = events.where(reduce(or_, kept)).select("source", "event_name").distinct().collect()
    return {(row["source"], row["event_name"]) for row in found}


def find_stale(
    sources: Iterable[Source], newest: Mapping[str, date], today: date, recent: Collection[Watched] = ()
) -> dict[str, str]:
    """Source -> a clause on its age, of those whose newest event is older than it may be, or that of a name.

    `newest`: source -> date; `recent` as `find_recent` has them.
    """
    found = {}
    for source in sources:
        if source.freshness is None:
            continue
        last = newest.get(source.name)
        if last is None:
            found[source.name] = "has brought no event yet"
            continue
        said = []
        if (age := (today - last).days) > source.freshness.max_days:
            said.append(f"its newest event is of {last}, {age} days before {today}")
        for name, days in source.freshness.events.items():
            if (source.name, name) not in recent:
                said.append(f"no {name} since {today - timedelta(days)}")
        if said:
            found[source.name] = ", ".join(said)
    return found


def refuse_stale(sources: Iterable[Source], stale: Mapping[str, str]) -> None:
    """Raises `InputError` where one of the stale sources asks for it."""
    for source in sources:
        if source.name in stale and source.freshness and source.freshness.policy == "fail":
            limits = [f"max_days is {source.freshness.max_days}"]
            limits += [f"events.{name} is {days}" for name, days in source.freshness.events.items()]
            raise InputError(
                f"Source '{source.name}': {stale[source.name]}, and freshness.{', '.join(limits)}. "
                "What came has been taken in; ask its owner where the rest is."
            )

"""User agents that name a program and not a person's browser."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.config.traffic import Bots

_PLAIN = re.compile(r"[A-Za-z0-9](?![?*+{])[^|]*$")
"""A pattern that begins with one certain character, and has no alternatives outside of brackets at least."""


def find_programs(agents: DataFrame, column: str, bots: Bots) -> DataFrame:
    """The distinct values of a column of user agents that are a program's.

    Grain in: any number of rows a user agent. Grain out: one user agent. There are far fewer of them than events, so
    that a thousand patterns are matched a few thousand times and not for every event.
    """
    # Not the key itself: a condition on that would be moved to before the rows are put together.
    agent = F.col("_said")
    said = [pattern for pattern in (_known() if bots.known else None, any_of(bots.agents)) if pattern]
    is_program = F.lit(False)
    for pattern in said:
        is_program = is_program | agent.rlike(pattern)
    if exceptions := any_of(bots.not_agents):
        is_program = is_program & ~agent.rlike(exceptions)
    distinct = agents.where(F.col(column).isNotNull()).groupBy(column).agg(F.min(column).alias("_said"))
    return distinct.where(is_program).select(column)


def any_of(patterns: Sequence[str]) -> str:
    """One pattern for all, empty for none. Those that begin with the same character are tried together only where it
    stands: with a thousand patterns, that is most of the time."""
    together: dict[str, list[str]] = {}
    others = []
    for pattern in patterns:
        if _PLAIN.match(pattern):
            together.setdefault(pattern[0], []).append(pattern[1:])
        else:
            others.append(f"(?:{pattern})")
    return "|".join([*(f"{first}(?:{'|'.join(rest)})" for first, rest in sorted(together.items())), *others])


@cache
def _known() -> str:
    """The patterns of the package crawler-user-agents (MIT), which are kept case and all."""
    return any_of([entry["pattern"] for entry in CRAWLER_USER_AGENTS_DATA])

"""Why an audience has the people that it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.activation.sentences import describe_condition
from segmentation.config.audiences import PersonRule


@dataclass(frozen=True)
class Step:
    """One condition: people who meet it at all, who are left once it is applied behind those before it, and lost."""

    condition: str
    meet: int
    left: int
    lost: int


def count_funnel(
    judged: DataFrame, conditions: Sequence[PersonRule], labels: Mapping[str, str]
) -> tuple[int, list[Step]]:
    """How many people there are, and what each condition leaves of them; every count is made in one pass.

    `judged`: one row a person with BOOLEAN `meets_N` for each condition, as of `judge_people`.
    """
    meets = [F.col(f"meets_{number}") for number in range(len(conditions))]
    left = [reduce(and_, meets[: number + 1]) for number in range(len(meets))]
    row = judged.agg(F.count("*"), *map(F.count_if, meets), *map(F.count_if, left)).first()
    assert row is not None, "a global aggregate has one row"
    people, met, remaining = row[0], row[1 : len(meets) + 1], row[len(meets) + 1 :]
    before = (people, *remaining)
    steps = [
        Step(describe_condition(condition, labels), met[n], remaining[n], before[n] - remaining[n])
        for n, condition in enumerate(conditions)
    ]
    return people, steps

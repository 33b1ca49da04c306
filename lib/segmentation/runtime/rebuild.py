"""`--full`: doing everything anew, and what has come out otherwise than before, which should be nothing."""

from __future__ import annotations

import click
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.contracts.catalogue import CATALOGUE
from segmentation.contracts.table import Table
from segmentation.runtime.stage import StageContext

FULL = click.Option(
    ["--full"], is_flag=True, help="Do everything anew, and say how many rows differ from what was there."
)


def is_full(context: StageContext) -> bool:
    """Whether everything is to be done anew."""
    return bool(context.options.get("full"))


def tell_differences(context: StageContext, *names: str, where: Column | None = None) -> str:
    """How many rows of some tables, or those of a slice, that the stage has just written differ from those that it
    found: a clause for the terminal. Nothing where that was not asked for, or there was nothing to differ from."""
    found = {}
    for name in names if is_full(context) else ():
        if name in context.inputs:
            before, now = context.read(name), context.warehouse.read(name)
            if where is not None:
                before, now = before.where(where), now.where(where)
                if before.isEmpty():
                    continue
            found[name] = count_differences(CATALOGUE[name], before, now)
    if not found:
        return ""
    differing = [f"{count:,} of {name}" for name, count in found.items() if count]
    return (
        f"rows differ from what was there: {', '.join(differing)}"
        if differing
        else "no row differs from what was there"
    )


def count_differences(table: Table, before: DataFrame, now: DataFrame) -> int:
    """Rows, by the table's keys, that only one of the two has, or that say something else. One join."""
    declared = table.column_names
    further = [name for name in now.columns if name in before.columns and name not in declared]
    row = F.struct(table.row(), *further)
    sides = [frame.select(*table.keys, row.alias(side)) for side, frame in (("then", before), ("now", now))]
    return sides[0].join(sides[1], list(table.keys), "full").where(~F.col("then").eqNullSafe(F.col("now"))).count()

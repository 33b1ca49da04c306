"""What followed what, in the events of one person."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F


def sequence_entry(asks: Column, answers: Column) -> Column:
    """STRUCT of one event for `count_unanswered`; null where it neither asks nor answers.

    In its order, of events at one moment those that only answer come last: whatever the clock cannot tell apart is
    taken to have been answered. No event answers itself.
    """
    entry = F.struct(F.unix_micros("event_ts").alias("at"), answers.alias("answers"), (~asks).alias("only_answers"))
    return F.when(asks | answers, entry)


def count_unanswered(entries: Column, within_us: int, until_us: int) -> Column:
    """LONG: of an ARRAY of entries, how many ask and no later one answers within so many microseconds.

    One whose time is not over at `until_us` (microseconds since 1970, UTC) is not counted: it may still be answered.
    One walk over the sorted entries, from the last to the first, so their order does not matter.
    """
    start = F.struct(F.lit(None).cast("long").alias("answer"), F.lit(0).cast("long").alias("open"))

    def add(so_far: Column, entry: Column) -> Column:
        answered = F.coalesce(so_far["answer"] - entry["at"] <= within_us, F.lit(False))
        waits = ~entry["only_answers"] & ~answered & (entry["at"] + within_us <= until_us)
        return F.struct(
            F.when(entry["answers"], entry["at"]).otherwise(so_far["answer"]).alias("answer"),
            (so_far["open"] + waits.cast("long")).alias("open"),
        )

    return F.aggregate(F.sort_array(entries, asc=False), start, add, lambda ended: ended["open"])

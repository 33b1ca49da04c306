"""Why a row may not become an event: what the contract demands, and the rules of its source."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import reduce
from operator import or_

from pyspark.sql import Column
from pyspark.sql import functions as F

from segmentation.config.quality import QualityRule
from segmentation.config.sources import Source
from segmentation.ingest.mapping import LOST, RAW, quoted
from segmentation.ingest.masking import GIVEN
from segmentation.ingest.reading import BROKEN

_UNDECODED = "\ufffd"
"""What Spark puts in the place of bytes that are no character of the file's encoding."""


def contract_reasons(source: Source, own: Sequence[str], at: datetime) -> dict[str, Column]:
    """Reason -> whether a mapped row, taken in `at`, has it. A row that could not be read at all has only that one.

    `own` are the source's columns (`_raw_*`).
    """
    readable = F.col(BROKEN).isNull()
    latest = F.lit(at + timedelta(hours=source.future_hours))
    return {
        "malformed_row": ~readable,
        "bad_encoding": readable & _is_undecoded(source, own),
        "missing_event_name": readable & F.col("event_name").isNull(),
        "bad_event_ts": readable & F.col("event_ts").isNull(),
        "bad_received_ts": readable & F.col(f"{LOST}received_ts"),
        "bad_amount": readable & F.col(f"{LOST}amount"),
        "no_identifier": readable & (F.size("identifiers") == 0),
        "event_from_the_future": readable & F.coalesce(F.col("event_ts") > latest, F.lit(False)),
        "event_too_old": readable & F.coalesce(F.to_date("event_ts") < F.lit(source.oldest), F.lit(False)),
    }


def _is_undecoded(source: Source, own: Sequence[str]) -> Column:
    """Whether a column of a CSV file has a character that could not be read. Other formats have one encoding, and what
    stands there was said."""
    texts = [F.col(quoted(RAW + column)).cast("string") for column in own if source.format == "csv"]
    return reduce(or_, [F.coalesce(F.contains(text, F.lit(_UNDECODED)), F.lit(False)) for text in texts], F.lit(False))


def rule_reasons(
    rules: Sequence[QualityRule], identifiers: Sequence[str], given: Sequence[str] = ()
) -> dict[str, Column]:
    """Reason -> whether a mapped row breaks a rule that gives it.

    `identifiers` are the types that the source maps, each a column `identifiers.TYPE` with the value as it is compared:
    a personal one in clear, of which nothing but the answer goes on. Of the types `given` the token may stand in its
    place (`_given_TYPE`): it is there then, and nothing else is known of it.
    """
    broken: dict[str, list[Column]] = {}
    for rule in rules:
        value = _value(rule.column, identifiers)
        for check, reason in rule.checks().items():
            broken.setdefault(reason, []).append(_applies(rule) & _is_broken(rule, check, value, given))
    return {reason: F.coalesce(reduce(or_, found), F.lit(False)) for reason, found in broken.items()}


def _applies(rule: QualityRule) -> Column:
    readable = F.col(BROKEN).isNull()
    return readable & F.col("event_name").isin(*rule.events) if rule.events else readable


def _is_broken(rule: QualityRule, check: str, value: Column, given: Sequence[str]) -> Column:
    match check:
        case "required":
            tokens = [F.col(GIVEN + kind) for kind in given if rule.column == f"identifiers.{kind}"]
            return F.coalesce(value, *tokens).isNull()
        case "allowed":
            return value.isNotNull() & ~value.cast("string").isin(*(rule.allowed or ()))
        case "min":
            return value.isNotNull() & ~F.coalesce(_measured(value, rule.min) >= F.lit(rule.min), F.lit(False))
        case "max":
            return value.isNotNull() & ~F.coalesce(_measured(value, rule.max) <= F.lit(rule.max), F.lit(False))
        case "pattern":
            return ~value.cast("string").rlike(f"^(?:{rule.pattern})$")
        case _:
            raise AssertionError(f"the rules have no check '{check}'")


def _measured(value: Column, bound: float | date | None) -> Column:
    """The value as what it is compared with: a day, or a number; null where it is none."""
    if isinstance(bound, date):
        return F.to_date(value)
    return F.nanvl(value.cast("string").try_cast("double"), F.lit(None).cast("double"))


def _value(column: str, identifiers: Sequence[str]) -> Column:
    group, dot, name = column.partition(".")
    if group == "identifiers":
        return F.col(f"`{column}`") if name in identifiers else F.lit(None).cast("string")
    return F.col(group)[name] if dot else F.col(column)

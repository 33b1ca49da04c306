"""Rules of the configuration as Spark columns."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import reduce
from operator import and_, or_

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import DecimalType

from segmentation.config.rules import Comparison, FeatureTable, Kind, Rule, field_kind

NUMBER = DecimalType(24, 6)
"""What text is read as where a number is wanted; what is no number counts as missing."""

_MOMENT = {"events": "event_ts", "sessions": "session_start"}


def rule_column(rule: Rule, table: FeatureTable) -> Column:
    """BOOLEAN, never null: whether a row of `table` meets `rule`, which fits the table (`config.rules.check_rule`)."""
    if rule.all:
        return reduce(and_, [rule_column(part, table) for part in rule.all])
    if rule.any:
        return reduce(or_, [rule_column(part, table) for part in rule.any])
    if rule.not_:
        return ~rule_column(rule.not_, table)
    if rule.event is not None:
        names = [rule.event] if isinstance(rule.event, str) else rule.event
        return F.coalesce(F.col("event_name").isin(names), F.lit(False))
    assert rule.field is not None, "a rule has one of all, any, not, event and field"
    kind = field_kind(rule.field, table)
    assert kind is not None, "the rule was checked against the table"
    return compare_column(field_column(rule.field, table), kind, rule)


def field_column(field: str, table: FeatureTable) -> Column:
    """The column of a field that rules and features may name."""
    if field == "hour":
        return F.hour(_MOMENT[table])
    if field == "weekday":
        return F.weekday(_MOMENT[table]) + 1
    container, _, name = field.partition(".")
    return F.col(container)[name] if name else F.col(field)


def number_column(field: str, table: FeatureTable) -> Column:
    """A field as an exact number: as it is, or read from text."""
    column = field_column(field, table)
    return column.try_cast(NUMBER) if field_kind(field, table) == "text" else column


def compare_column(found: Column, kind: Kind, comparison: Comparison) -> Column:
    """BOOLEAN, never null: whether a column of this kind meets its comparison (`config.rules.misfit`)."""
    return F.coalesce(_comparison(found, kind, comparison), F.lit(False))


def _comparison(found: Column, kind: Kind, comparison: Comparison) -> Column:
    operator, operand = comparison.operator, comparison.operand
    if operator == "exists":
        return found.isNotNull() if operand else found.isNull()
    if operator == "contains":
        return F.contains(found, F.lit(operand))
    if operator == "starts_with":
        return F.startswith(found, F.lit(operand))
    if operator == "between":
        assert isinstance(operand, list), "between takes two values"
        return _compare(found, operand[0], kind, Column.__ge__) & _compare(found, operand[1], kind, Column.__le__)
    if operator in ("in_", "not_in"):
        assert isinstance(operand, list), "in and not_in take lists"
        if kind == "text" and all(isinstance(value, str) for value in operand):
            among = found.isin(operand)
        else:
            among = reduce(or_, [_compare(found, value, kind, Column.__eq__) for value in operand])
        return among if operator == "in_" else ~among
    return _compare(found, operand, kind, _COMPARE[str(operator)])


_COMPARE: dict[str, Callable[[Column, Column], Column]] = {
    "equals": Column.__eq__,
    "not_equals": Column.__ne__,
    "greater_than": Column.__gt__,
    "at_least": Column.__ge__,
    "less_than": Column.__lt__,
    "at_most": Column.__le__,
}


def _compare(found: Column, value: object, kind: Kind, compare: Callable[[Column, Column], Column]) -> Column:
    """`found` against one value, as text, number, moment or flag, whichever the value and the field are."""
    if kind == "time":
        return compare(found, F.lit(_moment(value)))
    if isinstance(value, bool):
        return compare(found, F.lit(value)) if kind == "flag" else compare(F.lower(found), F.lit(str(value).lower()))
    if isinstance(value, (int, float)):
        number = found.try_cast(NUMBER) if kind == "text" else found
        return compare(number, F.lit(Decimal(str(value))))
    return compare(found, F.lit(str(value)))


def _moment(value: object) -> datetime:
    """A date stands for its beginning, a time without a zone is UTC."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time.min, UTC)
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

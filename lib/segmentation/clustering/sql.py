"""What was learnt, as literals and lookups of Spark SQL: a saved pipeline is read by people and by Spark alike."""

from __future__ import annotations

from collections.abc import Mapping

_LARGEST = 1.7e308


def number(value: float) -> str:
    """A double that reads back to the same bits; beyond all doubles, the largest."""
    return f"{min(max(float(value), -_LARGEST), _LARGEST)!r}D"


def text(value: str) -> str:
    """A string, whatever is in it."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def is_known(name: str) -> str:
    """Whether a DOUBLE column has a finite value: null where it has none."""
    return f"abs(`{name}`) <= {number(2.0**1023)}"


def look_up(key: str, values: Mapping[str, float], otherwise: float) -> str:
    """The number that belongs to a text."""
    if not values:
        return number(otherwise)
    pairs = ", ".join(f"{text(name)}, {number(value)}" for name, value in values.items())
    return f"coalesce(try_element_at(map({pairs}), {key}), {number(otherwise)})"

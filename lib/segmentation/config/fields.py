"""Properties and identifiers that rules and features name must be mapped by a source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from segmentation.config.rules import is_map_field
from segmentation.contracts.errors import Problem

_READ_EVENTS = ("consent", "features", "audiences", "attribution")
"""Sections of which rules and features look at events."""

_FIELDS = {"field", "of", "step", "category", "channel", "purpose_field"}
"""Keys behind which a field stands."""


def check_fields(raw: Mapping[str, Any]) -> list[Problem]:
    """`properties.NAME` and `identifiers.NAME` of a configuration file that no source maps: nothing would ever meet
    such a rule, and such a feature would be the same for everyone.

    What is malformed in itself is reported by its own model, so nothing is said of it here.
    """
    try:
        mapped = {
            f"{container}.{name}"
            for source in raw["sources"]
            for container in ("properties", "identifiers")
            for name in source["columns"].get(container) or {}
        }
    except (KeyError, TypeError, AttributeError):
        return []
    return [
        Problem(
            key,
            f"no source maps '{field}' under columns.{field.partition('.')[0]}",
            suggestion=next(iter(get_close_matches(field, sorted(mapped), 1)), None),
        )
        for section in _READ_EVENTS
        for key, field in _named(raw.get(section), section)
        if field not in mapped
    ]


def _named(part: Any, key: str) -> Iterator[tuple[str, str]]:
    """Where which of these fields is named."""
    if isinstance(part, Mapping):
        for name, value in part.items():
            if name in _FIELDS and isinstance(value, str) and is_map_field(value):
                yield f"{key}.{name}", value
            else:
                yield from _named(value, f"{key}.{name}")
    elif isinstance(part, list):
        for number, value in enumerate(part):
            yield from _named(value, f"{key}.{number}")

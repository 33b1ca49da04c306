"""Attributes of persons that a configuration names must be made by `identity.attributes`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from segmentation.config.rules import is_attribute
from segmentation.contracts.errors import Problem


def check_attributes(raw: Mapping[str, Any]) -> list[Problem]:
    """Attributes that `segments.fairness`, `clustering` and `features` of a configuration file name, and that there
    are not.

    A gate that judges nothing would let everything through, and so would a check; a model would be fitted on gaps.
    """
    known = _at(raw, "identity", "attributes") or {}
    if not isinstance(known, dict):
        return []
    return [
        Problem(
            key,
            f"identity.attributes has no '{name}'",
            suggestion=next(iter(get_close_matches(str(name), known, 1)), None),
        )
        for key, name in _named(raw)
        if name not in known
    ]


def _named(raw: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in ("segments.fairness.attributes", "features.checks.proxies.attributes"):
        if isinstance(judged := _at(raw, *key.split(".")), list):
            yield from ((f"{key}.{number}", name) for number, name in enumerate(judged))
    if isinstance(defined := _at(raw, "features", "define"), list):
        for number, definition in enumerate(defined):
            yield from _in_fields(definition, f"features.define.{number}")
    encoded = _at(raw, "clustering", "attributes")
    if isinstance(encoded, dict):
        yield from ((f"clustering.attributes.{name}", name) for name in encoded)
    for path in (("transform", "cohorts", "attribute"), ("parts", "attribute")):
        if isinstance(name := _at(raw, "clustering", *path), str):
            yield ".".join(("clustering", *path)), name


def _in_fields(part: Any, key: str) -> Iterator[tuple[str, str]]:
    """The attributes behind `of` and `field`, at any depth."""
    if isinstance(part, Mapping):
        for name, value in part.items():
            if name in ("of", "field") and isinstance(value, str) and is_attribute(value):
                yield f"{key}.{name}", value.removeprefix("attributes.")
            else:
                yield from _in_fields(value, f"{key}.{name}")
    elif isinstance(part, list):
        for number, value in enumerate(part):
            yield from _in_fields(value, f"{key}.{number}")


def _at(raw: Any, *path: str) -> Any:
    """What is at a path; None where the way there is not as it should be, which is another's to say."""
    for key in path:
        raw = raw.get(key) if isinstance(raw, Mapping) else None
    return raw

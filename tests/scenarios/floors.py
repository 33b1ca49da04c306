"""Floors that a score must hold: they stand in `floors.yml`, and this compares."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from segmentation.config.yaml_file import read_yaml

Floors = Mapping[str, Mapping[str, float]]
Measured = Mapping[str, Mapping[str, float]]


def read_floors() -> Floors:
    """`area.figure` -> `{at_least: value}` or `{at_most: value}`, or both."""
    return read_yaml(Path(__file__).with_name("floors.yml"))


def find_breaches(measured: Measured, floors: Floors) -> list[str]:
    """A sentence for each floor that does not hold. One that stands for a figure the score lacks does not hold."""
    breaches = []
    for path, floor in floors.items():
        area, _, figure = path.partition(".")
        value = measured.get(area, {}).get(figure)
        if value is None:
            breaches.append(f"{path} is not in the score")
        elif not floor or set(floor) - {"at_least", "at_most"}:
            breaches.append(f"{path} needs at_least or at_most, not {sorted(floor)}")
        # Written so that a value that is no number (NaN) is below every floor.
        elif not floor.get("at_least", float("-inf")) <= value <= floor.get("at_most", float("inf")):
            breaches.append(f"{path} is {value}, not {dict(floor)}")
    return breaches

"""Attributes of people as features: the golden record as events had said it by the date, and not as it is now."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame

from segmentation.config.identity import AttributeRule
from segmentation.config.rules import Rule
from segmentation.features.measures import Figure
from segmentation.features.rules import number_column, rule_column
from segmentation.identity.attributes import choose_attributes, rank_values


def known_attributes(events: DataFrame, rules: Mapping[str, AttributeRule]) -> DataFrame:
    """One row a person of whom anything is known: `person_id`, `attributes` MAP as of `persons`, by these events alone.

    In: events with `person_id`, none after the date. One scan, however many attributes there are.
    """
    return choose_attributes(rank_values(events, rules))


class AttributeFigures:
    """What is asked of people's attributes, as columns over `known_attributes`; see `Measures`."""

    def __init__(self) -> None:
        self.figures: list[Figure] = []
        """What was asked for, in order."""

    @property
    def asked(self) -> bool:
        """Whether any feature needs attributes."""
        return bool(self.figures)

    def number(self, field: str) -> Column:
        """`attributes.NAME` as a number; null where it is none."""
        self.figures.append(Figure("persons", "attribute", "number", field, None, None))
        return number_column(field, "persons")

    def meets(self, where: Rule) -> Column:
        """Whether a person's attributes meet a rule, 1 or 0."""
        self.figures.append(Figure("persons", "attribute", "rule", "", where, None))
        return rule_column(where, "persons").cast("double")

"""People with what decides where they are beside their features: attributes, and whether they agreed to it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.activation.consent import consenting_people
from segmentation.clustering.attributes import attach_attributes
from segmentation.segments.membership import CONSENTED
from segmentation.sessions.attach import end_of


def know(
    people: DataFrame, read: Callable[[str], DataFrame], attributes: Collection[str], purpose: str | None, as_of: date
) -> DataFrame:
    """The same rows with the `attributes`, and, where segments need consent to a `purpose`, with `CONSENTED`: whether
    they had granted it by the end of `as_of`.

    In: one row a person (`person_id`). `read`: a table as it is to be taken, without rows where it is not there.
    """
    if attributes:
        people = attach_attributes(people, read("persons"), attributes)
    if purpose is None:
        return people
    granted = consenting_people(read("consent"), read("identity_map"), purpose, end_of(as_of))
    return people.join(granted.withColumn(CONSENTED, F.lit(True)), "person_id", "left")

"""What a platform's file says of each person: clear values, brought into the platform's form, or refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.activation.destinations.destination import Destination, Field
from segmentation.activation.destinations.values import country
from segmentation.config.exports import ATTRIBUTE, PERSON_ID
from segmentation.contracts.table import check_columns

REASONS, FOUND = "reasons", "found"

_NOT_FOUND = "record has nothing by which they could be found"


def add_values(
    people: DataFrame,
    fields: Mapping[str, str],
    identity_map: DataFrame,
    vault: DataFrame,
    persons: DataFrame,
    personal: Collection[str],
    min_confidence: float = 0,
) -> DataFrame:
    """One row a person -> the same with one STRING column for each of `fields` (field -> what feeds it).

    Of several values of one identifier type the one that the person has had last is taken, of those of which it is at
    least `min_confidence` sure that they are the person's. A value of a `personal`
    type is the clear one of the vault, null where the vault has it no more.
    """
    check_columns(people, (PERSON_ID,), "the people to deliver")
    kinds = sorted({feed for feed in fields.values() if feed != PERSON_ID and not feed.startswith(ATTRIBUTE)})
    found = people
    if kinds:
        sure = F.col("identifier_type").isin(*kinds) & (F.col("confidence") >= min_confidence)
        owned = identity_map.where(sure).select(PERSON_ID, "identifier_type", "identifier_value", "since")
        clear = vault.select(F.col("token").alias("identifier_value"), F.col("value").alias("clear"))
        value = F.when(F.col("identifier_type").isin(*personal), F.col("clear")).otherwise(F.col("identifier_value"))
        values = (
            owned.join(people.select(PERSON_ID), PERSON_ID, "left_semi")
            .join(clear, "identifier_value", "left")
            .withColumn("value", value)
            .groupBy(PERSON_ID)
            .agg(*(_newest(kind).alias(_fed(kind)) for kind in kinds))
        )
        found = found.join(values, PERSON_ID, "left")
    attributes = [feed for feed in fields.values() if feed.startswith(ATTRIBUTE)]
    if attributes:
        found = found.join(persons.select(PERSON_ID, F.col("attributes").alias("_attributes")), PERSON_ID, "left")
    return found.select(*people.columns, *(_source(feed).alias(field) for field, feed in fields.items()))


def make_records(people: DataFrame, platform: Destination, fields: Collection[str]) -> DataFrame:
    """One row a person with the columns `fields` -> `person_id`, and the columns of the platform's file.

    `reasons` ARRAY<STRING>: fields whose value the platform could not take, which are left out; it is no reason that
    a value is missing. `found`: whether anything is left by which the platform can find the person.
    """
    columns = file_fields(platform, fields)
    inside = {field.header: field.column(F.col(field.takes)) for field in columns if field.takes in people.columns}
    wrong = [
        F.when(F.col(field.takes).isNotNull() & inside[field.header].isNull(), F.lit(_reason(field)))
        for field in columns
        if field.header in inside
    ]
    keys = [[field.header] for field in columns if field.finds] + [list(platform.found_together)]
    found = [
        reduce(Column.__and__, [inside[header].isNotNull() for header in key])
        for key in keys
        if set(key) <= set(inside) and key
    ]
    return people.select(
        PERSON_ID,
        *(inside.get(field.header, F.lit(None).cast("string")).alias(field.header) for field in columns),
        F.array_distinct(F.array_compact(F.array(*wrong))).alias(REASONS),
        reduce(Column.__or__, found, F.lit(False)).alias(FOUND),
    )


def list_refusals(records: DataFrame) -> DataFrame:
    """`make_records` -> `person_id`, `reasons` and `left_out` of people of whom not all could be told, or nothing."""
    why = F.when(F.col(FOUND), F.col(REASONS)).otherwise(F.array_append(REASONS, F.lit(_NOT_FOUND)))
    return records.select(PERSON_ID, why.alias(REASONS), (~F.col(FOUND)).alias("left_out")).where(F.size(REASONS) > 0)


def count_refusals(refusals: DataFrame) -> dict[str, int]:
    """`list_refusals` -> why a value, or a person, is not in the file -> people, by reason: a handful of rows."""
    rows = refusals.select(F.explode(REASONS).alias("why")).groupBy("why").agg(F.count("*").alias("people")).collect()
    return dict(sorted((row["why"], row["people"]) for row in rows))


def keep_found(records: DataFrame) -> DataFrame:
    """`make_records` -> the rows of the file: people whom the platform can find."""
    return records.where(FOUND).drop(REASONS, FOUND)


def file_fields(platform: Destination, fields: Collection[str]) -> Sequence[Field]:
    """The columns of the platform's file, given which fields are fed."""
    fed = {*fields, PERSON_ID, "segment_id", "segment_name"}
    return [field for field in platform.fields if platform.whole_header or field.takes in fed]


def needs_purposes(platform: Destination, fields: Collection[str]) -> Column:
    """Whether the platform's purposes hold for a person with the columns `fields`; also where no country is known."""
    if "country" not in fields:
        return F.lit(True)
    return ~F.coalesce(~country(F.col("country")).isin(*platform.purposes_in), F.lit(False))


def _source(feed: str) -> Column:
    if feed.startswith(ATTRIBUTE):
        return F.col("_attributes")[feed.removeprefix(ATTRIBUTE)]
    return F.col(PERSON_ID if feed == PERSON_ID else _fed(feed))


def _fed(kind: str) -> str:
    return f"_fed_{kind}"


def _newest(kind: str) -> Column:
    known = (F.col("identifier_type") == kind) & F.col("value").isNotNull()
    return F.max_by(F.when(known, F.col("value")), F.when(known, F.struct("since", "identifier_value")))


def _reason(field: Field) -> str:
    what = {
        "email": "is no address of the form name@domain on one line",
        "phone": "is a number that no country has, or lacks its country code",
        "country": "is no code of two letters",
        "birth_date": "is no date YYYY-MM-DD",
    }.get(field.takes, "is empty, or has a line break or nothing that can be told")
    return f"{field.takes} {what}"

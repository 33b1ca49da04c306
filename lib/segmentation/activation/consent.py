"""What people said yes or no to."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.config.consent import ConsentRule
from segmentation.contracts.table import check_columns
from segmentation.features.rules import field_column, rule_column
from segmentation.sessions.attach import strongest_type


def read_statements(events: DataFrame, rules: Sequence[ConsentRule], trust: Sequence[str]) -> DataFrame:
    """One row an event -> one row a statement: the columns of `consent`.

    It is of whoever has the event's most trusted identifier (`trust`: types, strongest first).
    """
    check_columns(events, ("event_id", "event_ts", "identifiers", "source", "batch_id"), "the events")
    kind = strongest_type(trust)
    found = F.array_distinct(F.array_compact(F.array(*map(_statement, rules))))
    return (
        events.select("*", kind.alias("identifier_type"), F.explode(found).alias("said"))
        .where(F.col("identifier_type").isNotNull())
        .select(
            "identifier_type",
            F.col("identifiers")[F.col("identifier_type")].alias("identifier_value"),
            "said.purpose",
            "said.granted",
            F.col("event_ts").alias("consent_ts"),
            "source",
            "event_id",
            "batch_id",
        )
    )


def consenting_people(consent: DataFrame, identity_map: DataFrame, purpose: str) -> DataFrame:
    """Statements -> `person_id` of whoever's newest one on `purpose` says yes; of two at one moment, no counts."""
    check_columns(consent, ("identifier_type", "identifier_value", "purpose", "granted", "consent_ts"), "the consent")
    owners = identity_map.select("identifier_type", "identifier_value", "person_id")
    said = consent.where(F.col("purpose") == purpose).join(owners, ["identifier_type", "identifier_value"])
    newest = F.max_by("granted", F.struct("consent_ts", (~F.col("granted")).alias("no")))
    return said.groupBy("person_id").agg(newest.alias("granted")).where("granted").select("person_id")


def _statement(rule: ConsentRule) -> Column:
    """STRUCT of purpose and whether it is granted; null: the event says nothing of it."""
    never = F.lit(False)
    yes = rule_column(rule.grants, "events") if rule.grants else never
    no = rule_column(rule.withdraws, "events") if rule.withdraws else never
    purpose = F.lit(rule.purpose)
    if rule.purpose_field is not None:
        purpose = F.nullif(F.lower(F.trim(field_column(rule.purpose_field, "events"))), F.lit(""))
    return F.when(purpose.isNotNull() & (yes | no), F.struct(purpose.alias("purpose"), (~no).alias("granted")))

"""What people said yes or no to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.config.consent import ConsentRule, GlobalPrivacyControl
from segmentation.contracts.events import strongest_type
from segmentation.contracts.table import check_columns
from segmentation.features.rules import field_column, rule_column


def read_statements(events: DataFrame, rules: Sequence[ConsentRule], trust: Sequence[str]) -> DataFrame:
    """One row an event -> one row a statement: the columns of `consent`.

    It is of whoever has the event's most trusted identifier (`trust`: types, strongest first).
    """
    check_columns(events, ("event_id", "event_ts", "identifiers", "source", "batch_id"), "the events")
    # Few events say anything: the others are left before what they might say is put together.
    speaking = events.where(reduce(or_, (yes | no for yes, no in map(_answers, rules))))
    return _say(speaking, F.array_distinct(F.array_compact(F.array(*map(_statement, rules)))), trust)


def read_signals(events: DataFrame, control: GlobalPrivacyControl, trust: Sequence[str]) -> DataFrame:
    """One row an event -> the columns of `consent`: a no to each purpose, for events with a Global Privacy Control
    signal. See `keep_newest`: browsers send it with everything."""
    check_columns(events, ("properties",), "the events")
    signal = F.lower(F.trim(F.col("properties")[control.property])).isin("1", "true")
    noes = F.array(
        *(F.struct(F.lit(name).alias("purpose"), F.lit(False).alias("granted")) for name in control.purposes)
    )
    return _say(events.where(signal), noes, trust)


def keep_newest(statements: DataFrame) -> DataFrame:
    """Of what one identifier says on one purpose on one date (UTC) in one batch, the newest: no other can count at a
    date's end."""
    day, newest = F.to_date("consent_ts").alias("day"), F.struct("consent_ts", "event_id")
    one = statements.groupBy("identifier_type", "identifier_value", "purpose", "batch_id", day)
    kept = one.agg(F.max_by(F.struct(*statements.columns), newest).alias("kept"))
    return kept.select("kept.*")


def keep_consenting(
    members: DataFrame, purposes: Mapping[str, str], consent: DataFrame, identity_map: DataFrame, before: datetime
) -> DataFrame:
    """Rows of people in audiences (`audience`, `person_id`) -> those without a member who did not grant, by `before`,
    what the audience is for. `purposes`: audience -> purpose, of those that have one."""
    kept = members.where(~F.col("audience").isin(*purposes))
    for purpose in sorted(set(purposes.values())):
        asking = [audience for audience, of in purposes.items() if of == purpose]
        granted = consenting_people(consent, identity_map, purpose, before)
        kept = kept.unionByName(members.where(F.col("audience").isin(*asking)).join(granted, "person_id", "left_semi"))
    return kept


def _say(events: DataFrame, said: Column, trust: Sequence[str]) -> DataFrame:
    """`said`: ARRAY of STRUCT of purpose and whether it is granted."""
    kind = strongest_type(trust)
    return (
        events.select("*", kind.alias("identifier_type"), F.explode(said).alias("said"))
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


def consenting_people(
    consent: DataFrame, identity_map: DataFrame, purpose: str, before: datetime | None = None
) -> DataFrame:
    """Statements -> `person_id` of whoever's newest one on `purpose` says yes; of two at one moment, no counts.

    `before`: only what was said before this moment counts.
    """
    return _newest_answers(consent, identity_map, [purpose], before).where("granted").select("person_id")


def granted_purposes(
    consent: DataFrame, identity_map: DataFrame, purposes: Sequence[str], before: datetime
) -> DataFrame:
    """Statements -> `person_id`, and `granted`, ARRAY of those of the `purposes` that the person's newest statement
    before this moment grants. Who granted none has no row."""
    answers = _newest_answers(consent, identity_map, purposes, before).where("granted")
    return answers.groupBy("person_id").agg(F.collect_set("purpose").alias("granted"))


def refusing_people(consent: DataFrame, identity_map: DataFrame, purpose: str) -> DataFrame:
    """Statements -> `person_id` of whoever's newest one on `purpose` says no. Who never said anything is not among
    them."""
    return _newest_answers(consent, identity_map, [purpose], None).where("NOT granted").select("person_id")


def _newest_answers(
    consent: DataFrame, identity_map: DataFrame, purposes: Sequence[str], before: datetime | None
) -> DataFrame:
    """One row a person and purpose on which they said something: `person_id`, `purpose`, `granted`."""
    check_columns(consent, ("identifier_type", "identifier_value", "purpose", "granted", "consent_ts"), "the consent")
    owners = identity_map.select("identifier_type", "identifier_value", "person_id")
    about = consent.where(F.col("purpose").isin(*purposes))
    said = (about if before is None else about.where(F.col("consent_ts") < F.lit(before))).join(
        owners, ["identifier_type", "identifier_value"]
    )
    newest = F.max_by("granted", F.struct("consent_ts", (~F.col("granted")).alias("no")))
    return said.groupBy("person_id", "purpose").agg(newest.alias("granted"))


def _statement(rule: ConsentRule) -> Column:
    """STRUCT of purpose and whether it is granted; null: the event says nothing of it."""
    yes, no = _answers(rule)
    purpose = F.lit(rule.purpose)
    if rule.purpose_field is not None:
        purpose = F.nullif(F.lower(F.trim(field_column(rule.purpose_field, "events"))), F.lit(""))
    return F.when(purpose.isNotNull() & (yes | no), F.struct(purpose.alias("purpose"), (~no).alias("granted")))


def _answers(rule: ConsentRule) -> tuple[Column, Column]:
    """Whether an event says yes, and whether it says no."""
    never = F.lit(False)
    yes = rule_column(rule.grants, "events") if rule.grants else never
    return yes, rule_column(rule.withdraws, "events") if rule.withdraws else never

"""Whether what is known of people's consent is what they last said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.activation.consent import consenting_people
from segmentation.contracts.table import check_columns


@dataclass(frozen=True)
class ConsentScore:
    """Figures over true people who decided on the purpose, each through all profiles that hold something of theirs."""

    people: int
    consents_found: float
    """Of those who allow it."""
    refusals_kept: float
    """Of those who do not: the others would be written to against their will."""


def score_consent(
    consent: DataFrame, identity_map: DataFrame, owners: DataFrame, truth: DataFrame, purpose: str, before: datetime
) -> ConsentScore | None:
    """Compares the table `consent` with what people had last decided before a moment; None where nobody had.

    In: `consent`, `identity_map`; `owners` one row an identifier with its true `owner`; `truth.tell_consent`.
    """
    check_columns(truth, {"person", "purpose", "granted", "valid_from", "valid_to"}, "the true consent")
    holds = (F.col("valid_from") < F.lit(before)) & F.coalesce(F.col("valid_to") >= F.lit(before), F.lit(True))
    decided = truth.where((F.col("purpose") == purpose) & holds)
    known = decided.select(F.col("person").cast("string").alias("owner"), "granted")
    allowing = consenting_people(consent, identity_map, purpose, before)
    key = ["identifier_type", "identifier_value"]
    profiles = owners.where("owner IS NOT NULL").join(identity_map.select(*key, "person_id"), key)
    found = profiles.join(allowing, "person_id", "left_semi").select("owner").distinct()
    row = (
        known.join(found.withColumn("found", F.lit(True)), "owner", "left")
        .agg(
            F.count_if("granted").alias("allow"),
            F.count_if(F.col("granted") & F.col("found").isNotNull()).alias("found"),
            F.count_if(~F.col("granted")).alias("refuse"),
            F.count_if(~F.col("granted") & F.col("found").isNull()).alias("kept"),
        )
        .first()
    )
    if row is None or not (row["allow"] or row["refuse"]):
        return None
    return ConsentScore(
        people=row["allow"] + row["refuse"],
        consents_found=row["found"] / row["allow"] if row["allow"] else 1.0,
        refusals_kept=row["kept"] / row["refuse"] if row["refuse"] else 1.0,
    )

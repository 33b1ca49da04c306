"""Whether consent is known as people gave it: a case by hand."""

from __future__ import annotations

from datetime import UTC, datetime

from pyspark.sql import SparkSession

from segmentation.bed.consent_score import ConsentScore, score_consent

MARCH, APRIL, MAY = (datetime(2026, month, 1, tzinfo=UTC) for month in (3, 4, 5))


def test_what_people_last_decided_is_what_counts(spark: SparkSession) -> None:
    truth = [
        (1, "marketing", True, MARCH, None),
        (2, "marketing", True, MARCH, APRIL),
        (2, "marketing", False, APRIL, None),
        (3, "marketing", False, MARCH, None),
        (4, "marketing", True, MARCH, None),
        (5, "marketing", True, APRIL, None),
    ]
    said = [("1", True, MARCH), ("2", True, MARCH), ("3", False, MARCH), ("5", True, APRIL)]
    consent = spark.createDataFrame(
        [("user_id", user, "marketing", granted, at) for user, granted, at in said],
        "identifier_type string, identifier_value string, purpose string, granted boolean, consent_ts timestamp",
    )
    known = [("user_id", str(n), f"p{n}") for n in range(1, 6)] + [("cookie", "1", "another of 1")]
    identity_map = spark.createDataFrame(known, "identifier_type string, identifier_value string, person_id string")
    owned = [(kind, value, value) for kind, value, _ in known]
    owners = spark.createDataFrame(owned, "identifier_type string, identifier_value string, owner string")
    periods = spark.createDataFrame(
        truth, "person int, purpose string, granted boolean, valid_from timestamp, valid_to timestamp"
    )
    found = score_consent(consent, identity_map, owners, periods, "marketing", MAY)
    assert found == ConsentScore(5, 2 / 3, 1 / 2), "of 1, 4 and 5 what 4 said is lost; 2 took it back, unheard"
    assert score_consent(consent, identity_map, owners, periods, "marketing", APRIL) == ConsentScore(4, 2 / 3, 1.0)
    assert score_consent(consent, identity_map, owners, periods, "sale", MAY) is None

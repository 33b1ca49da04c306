"""The simulated sign-ins of the demo: same rows whatever the partitioning, and the truth holds for them."""

from __future__ import annotations

import datetime as dt

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.bed.overlay import Overlay, OverlayParams, simulate_sign_ins

PARAMS = OverlayParams(share=0.5, shared_tablets=0.3, recycled_cookies=0.3)


def _households(spark: SparkSession, partitions: int) -> DataFrame:
    days = {"first_date": F.lit(dt.date(2017, 1, 1)), "last_date": F.lit(dt.date(2017, 12, 31))}
    return spark.range(1, 201, 1, partitions).select(F.col("id").cast("string").alias("household_id")).withColumns(days)


@pytest.fixture(scope="module")
def overlay(spark: SparkSession) -> Overlay:
    made = simulate_sign_ins(_households(spark, 1), PARAMS)
    return Overlay(made.events.cache(), made.truth.cache())


def test_partitioning_changes_no_row(spark: SparkSession, overlay: Overlay) -> None:
    again = simulate_sign_ins(_households(spark, 8).repartition(5, "household_id"), PARAMS)
    assert_df_equality(again.events, overlay.events, ignore_row_order=True, ignore_nullable=True)
    assert_df_equality(again.truth, overlay.truth, ignore_row_order=True, ignore_nullable=True)


def test_events_are_unique_in_time_and_marked_as_simulated(overlay: Overlay) -> None:
    row = overlay.events.agg(
        F.count("*").alias("rows"),
        F.countDistinct("event_id").alias("ids"),
        F.min("event_ts").alias("first"),
        F.max("event_ts").alias("last"),
        F.count_if(F.col("event_id").startswith("simulated-")).alias("marked"),
        F.count_if(F.lower("email").endswith("@example.com")).alias("addresses"),
        F.count("email").alias("emails"),
        F.count_if(F.col("household_id").isNull()).alias("anonymous"),
        F.count_if((F.col("event_name") == "sign_in") & F.col("household_id").isNull()).alias("nobody_signs_in"),
    ).first()
    assert row.rows == row.ids == row.marked > 1000
    assert row.first >= dt.datetime(2017, 1, 1)
    assert row.last < dt.datetime(2018, 1, 1)
    assert row.emails == row.addresses > 100
    assert 0 < row.anonymous < row.rows
    assert row.nobody_signs_in == 0


def test_truth_names_each_identifier_once_and_knows_the_hard_ones(overlay: Overlay) -> None:
    truth = overlay.truth.toPandas()
    assert not truth.duplicated(["identifier_type", "identifier_value"]).any()
    used = overlay.events.select("cookie").distinct().toPandas()["cookie"]
    assert set(used) == set(truth[truth.identifier_type == "cookie"].identifier_value)
    hard = truth[truth.kind != "own"].groupby("kind").size()
    assert hard["shared"] > 3
    assert hard["recycled"] > 3


def test_a_shared_tablet_is_signed_in_to_by_two_and_a_recycled_cookie_changes_hands_once(overlay: Overlay) -> None:
    signed = overlay.events.where("household_id is not null").join(
        overlay.truth.where("kind != 'own'"), F.col("cookie") == F.col("identifier_value")
    )
    spans = (
        signed.groupBy("kind", "cookie", "owner", "household_id")
        .agg(F.min("event_ts").alias("first"), F.max("event_ts").alias("last"))
        .toPandas()
    )
    people = spans.groupby(["kind", "cookie"]).household_id.nunique()
    assert people.max() == 2
    assert (people["shared"] == 2).sum() > 3
    for _, holders in spans[spans.kind == "recycled"].groupby("cookie"):
        if len(holders) == 2:
            one, other = holders.sort_values("first").itertuples()
            assert one.last < other.first
            assert other.owner == other.household_id

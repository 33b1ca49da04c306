"""The written world: the same rows whatever the partitions, and each hazard really in it."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import reduce
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from tests.unit.bed.conftest import WrittenWorld

from segmentation.bed import truth
from segmentation.bed.activity import leave_events
from segmentation.bed.campaign import assign_campaign
from segmentation.bed.disorder import disturb
from segmentation.bed.knobs import World
from segmentation.bed.people import draw_people
from segmentation.bed.registers import extract_crm, log_campaign, log_consent
from segmentation.bed.rows import ROW, SOURCES
from segmentation.bed.visits import draw_visits, list_segments
from segmentation.bed.world import simulate
from segmentation.contracts.errors import ConfigError

TRUTH = ("people", "events", "sessions", "sightings", "identity", "segments", "campaign", "consent", "erasures")


def _lines(folder: Path, source: str) -> list[str]:
    return sorted(
        line
        for file in (folder / source).rglob("part-*")
        if file.suffix != ".parquet"
        for line in file.read_text(encoding="utf-8").splitlines()
    )


def test_the_same_seed_gives_the_same_rows_on_eight_partitions(written: WrittenWorld, tmp_path: Path) -> None:
    again = tmp_path / "again"
    simulate(written.spark, written.world, str(again), partitions=8)
    for source in SOURCES:
        if source != "app":
            # Each file of CSV has a header of its own.
            assert set(_lines(again, source)) == set(_lines(written.folder, source)), source
    for table in (*(f"truth/{name}" for name in TRUTH), "app"):
        one, eight = (written.spark.read.parquet(str(folder / table)) for folder in (written.folder, again))
        assert one.schema == eight.schema, table
        assert one.exceptAll(eight).isEmpty(), table
        assert eight.exceptAll(one).isEmpty(), table
    assert (again / "truth/world.json").read_bytes() == (written.folder / "truth/world.json").read_bytes()


def test_a_hundred_million_people_need_no_more_of_the_driver_or_of_one_task_than_a_few(spark: SparkSession) -> None:
    world = World(people=100_000_000)
    people, segments = draw_people(spark, world), list_segments(spark, world)
    audience = assign_campaign(people, segments, world)
    others = [extract_crm(people, world), log_campaign(audience, world), log_consent(people, world)]
    visits = leave_events(draw_visits(people, segments, audience, world), world)
    # Instead of the events of all these, which would be planned once for each table that is made from them.
    columns = {**ROW, "malformed": "string", "copy": "int"}
    value = F.when(F.col("id") > 0, F.col("id"))
    events = spark.range(10**10).select(*(value.cast(kind).alias(name) for name, kind in columns.items()))
    tables = [
        disturb(reduce(DataFrame.unionByName, others, visits), world),
        truth.tell_identity(truth.tell_sightings(events)),
        truth.tell_segments(people, segments, world),
        truth.tell_campaign(audience, events, world),
    ]
    for table in tables:
        plan = table._jdf.queryExecution().executedPlan().toString()  # type: ignore[operator]
        for gathers in ("SinglePartition", "LocalTableScan", "CollectLimit", "Python", "NestedLoop", "Cartesian"):
            assert gathers not in plan
        # What goes through the driver is the latent segments alone, read from a constant.
        assert plan.count("- BroadcastExchange") == plan.count("Range (0, 1, ")


def test_nothing_is_written_where_something_is(written: WrittenWorld, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="is not empty: nothing was written"):
        simulate(written.spark, written.world, str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_every_source_has_its_rows_and_the_world_says_how_many(written: WrittenWorld) -> None:
    said = json.loads((written.folder / "truth/world.json").read_text(encoding="utf-8"))
    counts = {row["source"]: row["count"] for row in written.truth("events").groupBy("source").count().collect()}
    assert set(counts) == set(SOURCES)
    assert said["rows"] == sum(counts.values())
    assert said["knobs"]["people"] == 60
    assert len(_lines(written.folder, "web")) == counts["web"]
    headers = len(list((written.folder / "pos").rglob("part-*.csv")))
    assert len(_lines(written.folder, "pos")) == counts["pos"] + headers


def test_each_hazard_is_in_the_rows(written: WrittenWorld) -> None:
    late_by = F.col("received") - F.col("happened")
    row = (
        written.truth("events")
        .agg(
            F.count_if(F.col("copy_kind") == "exact").alias("exact"),
            F.count_if(F.col("copy_kind") == "near").alias("near"),
            F.count_if("is_late").alias("late"),
            (F.max(F.when(F.col("is_late"), late_by)) / 86_400_000).alias("latest_days"),
            F.count_if("is_placeholder").alias("placeholders"),
            F.count_if(F.col("visitor") == "bot").alias("bots"),
            F.count_if(F.col("visitor") == "test").alias("tests"),
            F.count_if((F.col("visitor") == "bot") & F.col("declared")).alias("declared"),
            F.count_if(F.abs(F.col("own_time") - F.col("happened")) > 600_000).alias("wrong_clock"),
            F.count_if(F.col("email").contains("+")).alias("tagged"),
            F.count_if(F.col("email") == F.upper("email")).alias("capitals"),
            F.collect_set("malformed").alias("malformed"),
            F.countDistinct(F.when(F.col("copy") == 0, F.col("event_id"))).alias("ids"),
            F.count_if(F.col("copy") == 0).alias("originals"),
        )
        .first()
    )
    assert min(row.exact, row.near, row.late, row.placeholders, row.wrong_clock) > 100
    assert min(row.tagged, row.capitals) > 10
    assert row.latest_days > 7
    assert row.bots > row.declared > 50
    assert row.tests > 50
    assert set(row.malformed) == {"cut_line", "bad_event_ts", "no_identifier", "bad_amount"}
    assert row.ids == row.originals


def test_devices_are_shared_recycled_and_public(written: WrittenWorld) -> None:
    identity = written.truth("identity").toPandas()
    kinds = identity.groupby("kind").people.max()
    assert kinds["kiosk"] > 5
    assert kinds["home"] >= 2
    assert kinds["recycled"] == 2
    assert identity[identity.kind == "kiosk"].person.isna().all()
    assert identity[identity.kind != "kiosk"].person.notna().all()
    emails = identity[(identity.identifier_type == "email") & (identity.kind == "shared")]
    assert len(emails) > 0
    assert not identity.duplicated(["identifier_type", "identifier_value"]).any()
    nobody = {"null", "0000", "undefined", "test@test.com", "none@none.com", "0000000000", "+10000000000"}
    assert not nobody & set(identity.identifier_value)


def test_all_clocks_of_a_source_are_off_by_the_same(written: WrittenWorld) -> None:
    off = F.col("own_time") - F.col("happened")
    events = written.truth("events").where("copy = 0 and source in ('pos', 'app', 'crm')")
    rows = {row["source"]: row for row in events.groupBy("source").agg(F.min(off), F.max(off)).collect()}
    assert tuple(rows["pos"])[1:] == (5 * 3_600_000, 5 * 3_600_000)
    assert tuple(rows["crm"])[1:] == (0, 0)
    assert rows["app"][1] < -3 * 3_600_000 < rows["app"][2]  # some of the devices are wrong by themselves, too
    receipts = written.spark.read.option("header", True).csv(f"{written.folder}/pos").toPandas()
    sent = pd.to_datetime(receipts.sent_at).dt.tz_localize(written.world.store_time_zone)
    fast = (sent - pd.to_datetime(receipts.received_at)).dt.total_seconds() / 3600
    assert fast.between(4.99, 5).mean() > 0.9  # but for copies that came the day after


def test_receipts_spell_the_name_and_address_of_one_customer_in_several_ways(written: WrittenWorld) -> None:
    receipts = written.spark.read.option("header", True).csv(f"{written.folder}/pos").toPandas()
    said = receipts[["customer", "street", "postcode", "city"]].notna()
    assert said.eq(said.customer, axis=0).all(axis=None)
    assert said.customer[receipts.card_no.notna()].all()
    assert 0 < said.customer[receipts.card_no.isna()].mean() < 1
    by_card = receipts.groupby("card_no")
    assert (by_card.customer.nunique() > 1).sum() > 3
    assert (by_card.street.nunique() > 1).sum() > 3
    assert (by_card.postcode.nunique() == 1).all()


def test_broken_rows_are_broken_in_the_files(written: WrittenWorld) -> None:
    expected = written.truth("events").where("source = 'web'").groupBy("malformed").count().toPandas()
    expected = expected.set_index("malformed")["count"]
    lines = _lines(written.folder, "web")
    cut, parsed = 0, []
    for line in lines:
        try:
            parsed.append(json.loads(line))
        except json.JSONDecodeError:
            cut += 1
    assert cut == expected["cut_line"] > 5
    assert sum(row["ts"] == "the day before" for row in parsed) == expected["bad_event_ts"] > 5
    nobody = sum(not {"anon_id", "user_id", "email"} & row.keys() for row in parsed)
    assert nobody == expected["no_identifier"] > 5


def test_the_schema_drifts_on_its_day(written: WrittenWorld) -> None:
    rows = []
    for line in _lines(written.folder, "web"):
        if line.endswith("}"):
            rows.append(json.loads(line))
    before = [row for row in rows if "screen" in row]
    after = [row for row in rows if "variant" in row]
    assert len(before) + len(after) == len(rows)
    assert min(len(before), len(after)) > 500
    assert {type(row["price"]) for row in before if "price" in row} <= {int, float}
    assert {type(row["price"]) for row in after if "price" in row} == {str}


def test_a_day_of_unusual_traffic_stands_out(written: WrittenWorld) -> None:
    day = F.to_date(F.timestamp_millis("happened"))
    visits = written.truth("events").where("visitor = 'person' and copy = 0 and visit is not null")
    counts = visits.groupBy(day.alias("day")).agg(F.countDistinct("visit").alias("visits")).toPandas()
    counts = counts.set_index("day").visits
    spike = counts[written.world.start + timedelta(days=30)]
    assert spike == counts.max()
    assert spike > 4 * counts.median()


def test_people_change_segment_leave_and_withdraw(written: WrittenWorld) -> None:
    segments = written.truth("segments").toPandas()
    assert len(segments) == 60
    assert segments.person.is_unique
    moved = segments[segments.changed_on.notna()]
    assert len(moved) > 5
    assert (moved.segment_before != moved.segment_after).all()
    stayed = segments[segments.changed_on.isna()]
    assert (stayed.segment_before == stayed.segment_after).all()
    consent = written.truth("consent").toPandas()
    changed = consent[consent.duplicated("person", keep=False)].sort_values(["person", "valid_from"])
    kept_until, since = changed[changed.valid_to.notna()], changed[changed.valid_to.isna()]
    assert (kept_until.valid_to.to_numpy() == since.valid_from.to_numpy()).all()
    assert (kept_until.granted.to_numpy() != since.granted.to_numpy()).all()
    assert len(since[~since.granted]) > 5
    assert since.granted.sum() > 3
    said = written.truth("events").where("source = 'consent' and copy = 0").groupBy("event_name").count().collect()
    assert dict(map(tuple, said)) == {
        "consent_granted": consent.granted.sum(),
        "consent_denied": (~consent.granted & ~consent.index.isin(since.index)).sum(),
        "consent_withdrawn": (~since.granted).sum(),
    }
    asked = written.truth("erasures").collect()
    assert len(asked) > 3
    lines = [line for file in (written.folder / "erasures").glob("*.txt") for line in file.read_text().splitlines()]
    assert sorted(lines) == sorted(f"user_id={r.user_id}" if r.user_id else f"email={r.email}" for r in asked)
    granted_again = consent.groupby("person").granted.sum()
    assert granted_again.max() == 1


def test_the_campaign_moves_only_whom_it_reaches(spark: SparkSession, written: WrittenWorld) -> None:
    campaign = written.truth("campaign").toPandas()
    holdout = campaign[campaign.arm == "holdout"]
    assert 0 < len(holdout) < len(campaign)
    assert (holdout.converts == holdout.converts_anyway).all()
    assert (campaign.converts >= campaign.converts_anyway).all()
    sent = written.truth("events").where("event_name = 'campaign_sent' and copy = 0").select("person").toPandas()
    assert set(sent.person) == set(campaign[campaign.arm == "treated"].person)


def test_a_visits_events_are_close_together_but_for_long_pauses(written: WrittenWorld) -> None:
    gaps = written.spark.sql(
        "select *, unix_millis(event_ts)"
        " - lag(unix_millis(event_ts)) over (partition by visit order by event_ts, event_id)"
        " as gap from {sessions}",
        sessions=written.truth("sessions"),
    ).toPandas()
    minutes = gaps.gap.dropna() / 60_000
    long = minutes[minutes > 30]
    assert minutes.median() < 3
    assert 0 < len(long) < 0.05 * len(minutes)
    assert long.max() < 120

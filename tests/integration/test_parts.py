"""Attributes of persons in the model, and models for parts of them, through train, assign and publish."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession
from tests.factories import write_table
from tests.people import AS_OF, GROUPS, grouped_people
from tests.versions import World

from segmentation.contracts.errors import InputError
from segmentation.stages import assign, publish, train
from segmentation.stages.explain_person import explain_person

NOW = datetime(2026, 4, 1, tzinfo=UTC)
NEXT_WEEK = date(2026, 4, 7)
REGIONS = ["north", "south", "east", None]
PARTS = {"parts": {"attribute": "region", "min_people": 100}}


def people() -> pd.DataFrame:
    """480 people: in the north and the south all four groups; in the east, where few are, and of no region two."""
    found = grouped_people(480)
    where = [REGIONS[0] if n < 200 else REGIONS[1] if n < 400 else REGIONS[2 + n % 2] for n in range(480)]
    # The south spends ten times as much: no model of everyone sees the same groups there as in the north.
    found["monetary"] *= [10.0 if region == "south" else 1.0 for region in where]
    return found.assign(region=where)


def write_persons(world: World, known: pd.DataFrame) -> None:
    rows = [
        {"person_id": p, "identifier_count": 1, "first_seen": NOW, "last_seen": NOW}
        | {"attributes": {"region": region} if region else {}}
        for p, region in zip(known["person_id"], known["region"], strict=True)
    ]
    write_table(str(world.folder), "persons", rows)


@pytest.fixture(scope="module")
def shop(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Version 1, published, by a model of everyone and those of two regions."""
    world = World(spark, tmp_path_factory.mktemp("parts") / "warehouse", clustering=PARTS)
    known = people()
    world.measure(known.drop(columns="region"), AS_OF)
    write_persons(world, known)
    world.run(train.STAGE, assign.STAGE, publish.STAGE)
    return world


def placed(world: World, version: int) -> pd.DataFrame:
    rows = world.table("segments")
    own = rows[rows["segment_version"] == version]
    return own.merge(people()[["person_id", "group", "region"]], on="person_id", validate="1:1")


def test_each_part_that_is_large_enough_has_a_model_beside_that_of_everyone(shop: World) -> None:
    models = shop.table("models")
    parts = {dict(row["params"]).get("part"): row for row in models.to_dict("records")}
    assert set(parts) == {None, "north", "south"}
    assert [dict(parts[part]["params"])["people"] for part in (None, "north", "south")] == ["480", "200", "200"]
    told = json.loads(dict(parts[None]["params"])["parts"])
    assert told["by"] == "attribute_region"
    assert [(part["value"], part["first"], part["k"]) for part in told["models"]] == [("north", 4, 4), ("south", 8, 4)]
    assert [part["model_id"] for part in told["models"]] == [parts[part]["model_id"] for part in ("north", "south")]
    assert len({row["path"] for row in parts.values()}) == 3
    assert all((shop.folder / row["path"] / "metadata").exists() for row in parts.values())
    clusters = json.loads(parts[None]["clusters"])
    assert [(c["cluster"], c.get("part")) for c in clusters] == [
        (number, [None, "north", "south"][number // 4]) for number in range(12)
    ]
    assert 0 <= dict(parts["north"]["metrics"])["agreement"] <= 1
    assert "agreement" not in dict(parts[None]["metrics"])


def test_people_of_a_part_are_placed_by_its_model_and_the_others_by_the_global_one(shop: World) -> None:
    found = placed(shop, 1)
    assert len(found) == 480
    by_part = found.fillna({"region": "none"}).groupby("region")["segment_id"].agg(set)
    assert not by_part["north"] & by_part["south"]
    assert not (by_part["north"] | by_part["south"]) & (by_part["east"] | by_part["none"])
    for region in ("north", "south"):
        own = found[found["region"] == region]
        assert own.groupby("group")["segment_id"].nunique().tolist() == [1] * len(GROUPS)
        assert own["segment_id"].nunique() == len(GROUPS)
        assert own["segment_name"].str.startswith(f"{region}: ").all()
    others = found[~found["region"].isin(["north", "south"])]
    assert not others["segment_name"].str.contains(":").any()
    assert found["margin"].between(0, 1).all()


def test_a_person_is_explained_by_the_model_of_their_part(shop: World) -> None:
    found = placed(shop, 1)
    for region in ("south", "east"):
        own = found[found["region"] == region]
        who = own[own["group"] == "regulars"].iloc[0]
        told = explain_person(shop.warehouse, shop.settings.segments, who["person_id"])
        assert told.segment_id == who["segment_id"]
        of_south = set(found[found["region"] == "south"]["segment_id"])
        assert (told.nearest_segment_id in of_south) == (region == "south")
        assert told.deciding


def test_segments_of_parts_are_carried_on_through_a_refit(shop: World) -> None:
    later = shop.with_changes({"clustering.seed": 5})
    later.measure(people().drop(columns="region"), NEXT_WEEK)
    said = later.run(train.STAGE, assign.STAGE, as_of=NEXT_WEEK)
    assert said[1].startswith("version 2 is a candidate, ")
    before, now = (placed(shop, number).set_index("person_id") for number in (1, 2))
    of_a_part = before["region"].isin(["north", "south"])
    assert (before["segment_id"] == now["segment_id"])[of_a_part].all()
    assert (before["segment_name"] == now["segment_name"])[of_a_part].all()
    again = later.run(assign.STAGE, as_of=NEXT_WEEK)
    assert again == ["version 2 has this already (candidate)"]


def test_who_is_of_another_region_now_is_placed_anew(shop: World) -> None:
    moved = people()
    who = moved[moved["region"] == "north"].iloc[0]["person_id"]
    moved.loc[moved["person_id"] == who, "region"] = "south"
    write_persons(shop, moved)
    try:
        (said,) = shop.run(assign.STAGE)
        assert said.endswith("is a candidate, 0.2% moved")
        changes = shop.table("segment_changes")
        changes = changes[changes["segment_version"] == int(said.split()[1])]
        assert changes[["person_id", "cause"]].to_numpy().tolist() == [[who, "behaviour"]]
    finally:
        write_persons(shop, people())


def test_where_no_part_is_large_enough_it_is_said(shop: World) -> None:
    large = shop.with_changes({"clustering.parts": {"attribute": "region", "min_people": 1000}})
    (said,) = large.run(train.STAGE)
    assert said.endswith("; no part has 1,000 people")


def test_attributes_and_cohorts_enter_the_model_and_everyone_is_scored_with_them(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Everybody did the same, but for one feature in which the south is elsewhere as a whole."""
    asked = {"attributes": {"region": {"rare_below": 0.05}}, "transform": {"cohorts": {"attribute": "region"}}}
    world = World(spark, tmp_path / "warehouse", clustering=asked)
    known = people()
    world.measure(known.drop(columns="region"), AS_OF)
    write_persons(world, known)
    world.run(train.STAGE, assign.STAGE, publish.STAGE)
    (params,) = world.table("models")["params"]
    assert json.loads(dict(params)["beside"]) == ["attribute_region"]
    (clusters,) = world.table("models")["clusters"]
    assert {"region=north", "region=south", "region=east"} <= set(json.loads(clusters)[0]["centre"])
    found = world.table("segments")
    assert (found["method"] == "model").all()
    told = explain_person(world.warehouse, world.settings.segments, "p00000")
    assert told.deciding or told.would_move is None
    # The same people at a later date, and nobody moves: the attributes are read again.
    world.measure(known.drop(columns="region"), NEXT_WEEK)
    assert world.run(assign.STAGE, as_of=NEXT_WEEK) == ["version 2 is a candidate, 0.0% moved"]


def test_without_persons_attributes_are_gaps(spark: SparkSession, tmp_path: Path) -> None:
    world = World(spark, tmp_path / "warehouse", clustering={"attributes": {"region": {}}})
    world.measure(grouped_people(60), AS_OF)
    world.run(train.STAGE)
    (params,) = world.table("models")["params"]
    assert "region: next to all people have the same value" in dict(params)["left_out"]
    with pytest.raises(InputError, match="no model"):
        world.run(assign.STAGE, as_of=date(2025, 1, 1))

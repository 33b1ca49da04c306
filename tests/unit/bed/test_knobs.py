"""Knobs: defaults that hold, ranges that are checked, and an id that tells worlds apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from segmentation.bed.knobs import World, load_world
from segmentation.contracts.errors import ConfigError


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("people=5", "people: input should be greater than or equal to 10"),
        ("disorder.late=1.5", "disorder.late: input should be less than or equal to 1"),
        ("poeple=100", "poeple: unknown key; did you mean 'people'"),
        ("season.spike_day=98", r"ends on day 97, before season.spike_day \(98\)"),
        ("campaign.day=200", r"before campaign.day \(200\)"),
        ("campaign.holdout=0", "campaign.holdout: input should be greater than 0"),
        ("store_time_zone=Mars/Olympus", "'Mars/Olympus' is no time zone"),
        ("season.weekdays=[1,1,1,1,1,1,0]", "each weekday needs a weight above 0"),
        ("segments.fading.share=0", "segments.5.share: input should be greater than 0"),
        ("segments.fading.name=big_spenders", "the name 'big_spenders' is used twice"),
        ("devices.cookie_days=[-1]", "or 0 for never"),
        ("segments.fading.funnel.steps=[checkout, purchase]", "steps differ from each other and from app_open, page"),
        ("disorder.source_clocks.crm=2", "disorder.source_clocks.crm"),
        ("disorder.source_clocks.pos=20000", "disorder.source_clocks.pos: input should be less than or equal to 10000"),
    ],
)
def test_a_knob_out_of_range_is_refused_by_name(override: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_world(None, [override])


def test_all_problems_are_reported_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        load_world(None, ["people=5", "days=1", "crm=2"])
    assert {problem.key for problem in caught.value.problems} == {"people", "days", "crm"}


def test_knobs_come_from_a_file_and_single_ones_from_overrides(tmp_path: Path) -> None:
    path = tmp_path / "knobs.yml"
    path.write_text("seed: 3\npeople: 500\ndisorder: {late: 0.2}\n", encoding="utf-8")
    world = load_world(path, ["people=700", "segments.fading.half_life_days=9"])
    assert (world.seed, world.people, world.disorder.late) == (3, 700, 0.2)
    assert world.segments[-1].half_life_days == 9
    assert world.disorder.duplicate == World().disorder.duplicate


def test_each_set_of_knobs_is_a_world_of_its_own() -> None:
    assert World().world_id == load_world(None).world_id
    assert len({World().world_id, World(seed=2).world_id, World(people=1001).world_id}) == 3

"""The whole pipeline on the made shop: its tables, and running it again."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from deltalake import DeltaTable
from tests.factories import write_table
from tests.finished import KEY, FinishedShop
from tests.shop import KINDS, PEOPLE_A_KIND

from segmentation.contracts.catalogue import CATALOGUE
from segmentation.runtime.cli import run_command

RUN = [name for name, table in CATALOGUE.items() if not table.on_demand]
"""Tables that a run makes."""


def test_every_table_of_the_contract_can_be_read_without_spark(finished_shop: FinishedShop) -> None:
    for name in RUN:
        table = CATALOGUE[name]
        found = DeltaTable(finished_shop.warehouse / name).to_pyarrow_table()
        missing = set(table.column_names) - set(found.column_names)
        assert not missing, f"{name} lacks {missing}"


def test_everyone_is_in_a_published_segment_that_fits_their_kind(finished_shop: FinishedShop) -> None:
    current = DeltaTable(finished_shop.warehouse / "segments_current").to_pandas()
    owners = DeltaTable(finished_shop.warehouse / "identity_map").to_pandas()
    assert set(current["person_id"]) == set(owners["person_id"])
    assert current["person_id"].is_unique
    # Browsers on which nobody ever signed in are persons too, whose kind nobody knows.
    users = owners[owners["identifier_type"] == "user_id"].set_index("person_id")["identifier_value"]
    known = current[current["person_id"].isin(users.index)]
    assert len(known) == PEOPLE_A_KIND * len(KINDS)
    kind = known["person_id"].map(users).str[1:].astype(int) % len(KINDS)
    in_one_segment = known.groupby(kind)["segment_id"].agg(lambda ids: ids.value_counts(normalize=True).iloc[0])
    assert (in_one_segment > 0.8).all(), in_one_segment


def test_a_second_run_changes_nothing(
    finished_shop: FinishedShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def versions() -> dict[str, int]:
        return {name: DeltaTable(tmp_path / "warehouse" / name).version() for name in RUN if name != "runs"}

    monkeypatch.setenv("SEGMENTATION_KEY", KEY)
    config = finished_shop.copy_to(tmp_path)
    before = versions()
    assert run_command(["run", "--config", str(config)]) == 0
    assert versions() == before


def test_missed_days_are_caught_up_with_until_one_fails(
    finished_shop: FinishedShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SEGMENTATION_KEY", KEY)
    config = str(finished_shop.copy_to(tmp_path))
    days = ["--from", "2026-03-20", "--to", "2026-03-21"]
    assert run_command(["run", "--config", config, "--stages", "features", *days]) == 0
    features = DeltaTable(tmp_path / "warehouse/features").to_pandas()
    assert {"2026-03-20", "2026-03-21"} <= set(features["as_of"].astype(str))
    capsys.readouterr()
    days = ["--from", "2025-12-01", "--to", "2026-03-21"]
    assert run_command(["run", "--config", config, "--stages", "features", *days]) == 3
    *_, first, stopped, sentence = capsys.readouterr().err.splitlines()
    assert (first, stopped[:21]) == ("as of 2025-12-01", "stopped at 2025-12-01")
    assert "before" in sentence


def test_who_did_not_agree_is_neither_fitted_on_nor_placed(
    finished_shop: FinishedShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMENTATION_KEY", KEY)
    statement = {"identifier_type": "user_id", "purpose": "profiling", "source": "web", "batch_id": "b"}
    owners = DeltaTable(finished_shop.warehouse / "identity_map").to_pandas()
    users = owners[owners["identifier_type"] == "user_id"].set_index("identifier_value")["person_id"]
    said = [
        statement | {"identifier_value": user, "granted": granted, "consent_ts": at, "event_id": f"{user} {granted}"}
        for number, user in enumerate(sorted(users.index))
        for granted, at in (
            *([(True, datetime(2026, 3, 1, tzinfo=UTC))] if number % 3 else []),
            *([(False, datetime(2026, 3, 30, tzinfo=UTC))] if number % 3 == 2 else []),
            *([(False, datetime(2026, 4, 1, tzinfo=UTC))] if number % 3 == 1 else []),
        )
    ]
    granted = {users[user] for number, user in enumerate(sorted(users.index)) if number % 3 == 1}
    consent = [{"purpose": "profiling", "grants": {"event": "sign_up"}}]
    vip = {"name": "all", "when": [{"feature": "tenure", "at_least": 0}], "into": "vip"}
    quick = finished_shop.settings["segments"]
    segments = {**quick, "purpose": "profiling", "gates": {**quick["gates"], "min_coverage": 0.1}}
    config = str(finished_shop.copy_to(tmp_path, segments=segments, consent=consent))
    write_table(str(tmp_path / "warehouse"), "consent", said)
    assert run_command(["run", "--config", config, "--stages", "train,assign,publish"]) == 0
    current = DeltaTable(tmp_path / "warehouse" / "segments_current").to_pandas()
    assert set(current["person_id"]) == set(owners["person_id"])
    assert set(current[current["method"] == "model"]["person_id"]) == granted
    models = DeltaTable(tmp_path / "warehouse" / "models").to_pandas().sort_values("fit_number")
    assert dict(models.iloc[-1]["params"])["people"] == str(len(granted))
    versions = DeltaTable(tmp_path / "warehouse" / "segment_versions").to_pandas().sort_values("segment_version")
    assert "consent" in dict(versions.iloc[-1]["inputs"])

    assert run_command(["assign", "--config", config, "--set", f"segments.rules={json.dumps([vip])}"]) == 0
    assigned = DeltaTable(tmp_path / "warehouse" / "segments").to_pandas()
    newest = assigned[assigned["segment_version"] == assigned["segment_version"].max()]
    assert set(newest[newest["segment_id"] == "vip"]["person_id"]) == granted, "nor do rules take them in"

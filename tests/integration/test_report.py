"""The stage `report`: which version it tells, from which tables, and where it writes."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from tests.factories import event_values, minimal_settings, write_table

from segmentation.clustering.matching import Continuity, Death
from segmentation.contracts.errors import ConfigError, InputError
from segmentation.runtime.stage import Outcome, StageContext
from segmentation.runtime.warehouse import Warehouse
from segmentation.stages.report import STAGE

NOW = datetime(2026, 3, 1, tzinfo=UTC)


JUDGED = {"people": 2.0, "coverage": 1.0, "moved": 1.0, "moved_share": 0.5}
JUDGED |= {"smallest_share": 1.0, "smallest_people": 2.0, "largest_share": 0.6, "largest_people": 2.0}


_VERSION = {"as_of": date(2026, 3, 1), "model_id": "m", "metrics": {}, "created_ts": NOW, "config_sha256": "c"}
_VERSION |= {"code_version": "1", "continuity": "{}", "fingerprint": "f", "inputs": {"events": 0}}


def _report(spark: SparkSession, root: Path, **options: Any) -> Outcome:
    report = {"title": "A small shop", "notes": ["Nobody here is real."]}
    attributes = {"plan": {"field": "properties.plan"}}
    identity = {"identifiers": {"user_id": {"max_per_person": 1}, "cookie": {}}, "attributes": attributes}
    settings = minimal_settings(warehouse=str(root / "warehouse"), report=report, identity=identity)
    context = StageContext(
        spark=spark,
        settings=settings,
        warehouse=Warehouse(spark, settings.warehouse, "run-7"),
        inputs={},
        now=NOW,
        tell=lambda _: None,
        code_version="1",
        options=options,
    )
    return STAGE.run(context)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with a published and a newer rejected version; events came in after the published one was made."""
    root = tmp_path_factory.mktemp("shop")
    warehouse = str(root / "warehouse")
    write_table(warehouse, "events", event_values([{}, {}]))
    write_table(warehouse, "events", event_values([{}, {}, {}, {}]))
    versions = [
        _VERSION | {"segment_version": 1, "status": "published", "published_ts": NOW},
        _VERSION
        | {"segment_version": 2, "status": "rejected", "reason": "Too many moved.", "compared_with": 1}
        | {"metrics": JUDGED, "limits": {"max_moved_share": 0.4}, "about": {"smallest_share": "Lapsing"}}
        | {"continuity": Continuity({0: "s"}, died=(Death("old", 1, "s"),)).to_json()},
    ]
    was = [(1, "p1", "old", "Weekend"), (1, "p2", "s", "Frequent")]
    was += [(2, "p1", "s", "Lapsing"), (2, "p2", "s", "Lapsing")]
    columns = ("segment_version", "person_id", "segment_id", "segment_name")
    placed = [dict(zip(columns, row, strict=True)) | {"method": "model"} for row in was]
    placed[-1] |= {"method": "rule", "rule": "spends a lot", "model_segment_id": "t"}
    write_table(warehouse, "segments", placed)
    write_table(warehouse, "segment_versions", versions)
    moved = {"segment_version": 2, "person_id": "p1", "from_segment_id": "old", "to_segment_id": "s", "cause": "refit"}
    write_table(warehouse, "segment_changes", [moved])
    profiles = [
        {
            "segment_version": v,
            "segment_id": "s",
            "segment_name": n,
            "description": "2 people.",
            "size": 2,
            "share": 1.0,
        }
        for v, n in ((1, "Frequent"), (2, "Lapsing"))
    ]
    write_table(warehouse, "segment_profiles", profiles)
    return root


def test_the_published_version_is_told_from_what_it_was_made_of(spark: SparkSession, shop: Path) -> None:
    scores = {"identifiers": 4, "pairwise_recall": 1.0, "pairwise_precision": 1.0, "largest_wrong_merge": 1}
    reports = shop / "warehouse" / "_reports"
    reports.mkdir()
    (reports / "identity_score.json").write_text(json.dumps(scores))
    outcome = _report(spark, shop)
    assert outcome.result == str(reports / "segments-v1.html")
    html = (reports / "segments-v1.html").read_text(encoding="utf-8")
    for text in ("A small shop", "Nobody here is real.", "Frequent", "<dt>Events</dt><dd>2</dd>", "run-7"):
        assert text in html, text
    assert "Lapsing" not in html
    assert "Rules decided" not in html, "of nobody in this version"


def test_a_version_may_be_named_and_the_place_too(spark: SparkSession, shop: Path, tmp_path: Path) -> None:
    outcome = _report(spark, shop, segment_version=2, out=str(tmp_path / "new" / "page.html"))
    assert outcome.result == str(tmp_path / "new" / "page.html")
    html = (tmp_path / "new" / "page.html").read_text(encoding="utf-8")
    assert "Lapsing" in html
    assert "Too many moved." in html
    for text in (
        "at most 40.0%",
        "1 of 4 checks does not hold",
        "&#39;Lapsing&#39;, 2 people",
        "Weekend → Lapsing: 1 person",
        "Rules decided of 1 person (50 % of all)",
        "spends a lot",
    ):
        assert text in html, text
    assert "“Weekend” (1 person) has merged into “Lapsing”: 1 of them are there now." in html
    with pytest.raises(ConfigError, match=r"--segment-version 9: there is no such version \(the newest are 1, 2\)"):
        _report(spark, shop, segment_version=9)


def test_without_a_version_there_is_nothing_to_tell(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run `segmentation assign` first"):
        _report(spark, tmp_path)


def test_attributes_that_persons_have_are_told_beside_the_segments(spark: SparkSession, tmp_path: Path) -> None:
    warehouse = str(tmp_path / "warehouse")
    write_table(warehouse, "events", event_values([{}]))
    write_table(warehouse, "segment_versions", [_VERSION | {"segment_version": 1, "status": "published"}])
    plans = {"s": "basic", "t": "pro"}
    people = [(f"{segment}{number}", segment) for segment in plans for number in range(20)]
    own = {"segment_version": 1, "segment_name": "Name", "method": "model"}
    write_table(warehouse, "segments", [own | {"person_id": who, "segment_id": segment} for who, segment in people])
    persons = [{"person_id": who, "identifier_count": 1, "attributes": {"plan": plans[of]}} for who, of in people]
    write_table(warehouse, "persons", persons)
    told = {"segment_version": 1, "description": "20 people.", "size": 20, "share": 0.5}
    profiles = [told | {"segment_id": segment, "segment_name": f"Of {plan}"} for segment, plan in plans.items()]
    write_table(warehouse, "segment_profiles", profiles)
    outcome = _report(spark, tmp_path)
    html = Path(str(outcome.result)).read_text(encoding="utf-8")
    assert '<th scope="row">Plan</th><td class="num">40</td><td class="num">1.00</td><td>go together' in html

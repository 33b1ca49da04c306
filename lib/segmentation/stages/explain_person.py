"""Why a person is in their segment: what `segmentation explain --person` and the suite from Python both ask for."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.clustering.fitted import FittedModel
from segmentation.clustering.scorer import load_scorer
from segmentation.config.segments import SegmentSettings
from segmentation.runtime.warehouse import Warehouse
from segmentation.segments.changes import Placing
from segmentation.segments.placement import Placement, explain_placement, find_member
from segmentation.segments.versions import find_version, read_versions
from segmentation.stages.known_people import know


def explain_person(
    warehouse: Warehouse, settings: SegmentSettings, person_id: str, which: int | date | None = None
) -> Placement:
    """Where a person is in a version (None: the published one), and why, by the features that it was made from.

    Raises `InputError` where the version or the person is not there.
    """
    version = find_version(read_versions(warehouse.read_or_empty("segment_versions")), which)
    member = find_member(warehouse.read("segments"), version.segment_version, version.as_of, person_id)
    row = warehouse.read("models").where(F.col("model_id") == version.model_id).first()
    assert row is not None, "rows of models are never taken away"
    model = FittedModel.from_row(row)
    scorer = load_scorer(model, warehouse.read("models"), warehouse.path)
    own = (F.col("as_of") == F.lit(version.as_of)) & (F.col("person_id") == person_id)
    features = warehouse.read("features", version.inputs["features"]).where(own)

    def read(name: str) -> DataFrame:
        return warehouse.read_or_empty(name, version.inputs.get(name))

    known = know(features, read, model.attributes, settings.purpose, version.as_of)
    return explain_placement(member, known, Placing(scorer, version.segments), settings)

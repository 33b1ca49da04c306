"""When a delivery is not made."""

from __future__ import annotations

import pytest
from pyspark.sql import DataFrame, SparkSession

from segmentation.activation.changes import Difference
from segmentation.activation.limits import check_removals
from segmentation.config.exports import ExportSettings
from segmentation.contracts.errors import DeliveryError


def test_removals_are_counted_without_those_who_asked_for_them(spark: SparkSession) -> None:
    def people(*ids: str) -> DataFrame:
        return spark.createDataFrame([(person,) for person in ids], "person_id string")

    export = ExportSettings(name="crm", max_removed_share=0.25)
    difference = Difference(added=9, removed=3, unchanged=4, changed=1)
    gone = people("p1", "erased-1", "p3")
    check_removals(export, difference, gone, [people("p3")])
    check_removals(export, Difference(added=0, removed=2, unchanged=6, changed=0), people("p1", "p2"), [])
    said = r"would remove 3 of 8 people \(38%\), more than its max_removed_share of 25%"
    with pytest.raises(DeliveryError, match=said):
        check_removals(export, difference, people("p1", "p2", "p3"), [people("p4")])
    assert check_removals(export, difference, people("p1", "p2", "p3"), [], confirmed=True)
    assert not check_removals(export, difference, gone, [people("p3")], confirmed=True), "there was nothing to confirm"

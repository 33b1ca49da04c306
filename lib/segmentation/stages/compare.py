"""Two versions side by side: what `segmentation compare` and the suite from Python both ask for."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.contracts.errors import InputError
from segmentation.runtime.warehouse import Warehouse
from segmentation.segments.comparison import Comparison, find_flows, pair_people
from segmentation.segments.versions import Version, find_version, read_versions


def compare_versions(warehouse: Warehouse, before: int | None, after: int | None) -> Comparison:
    """Who went where from version `before` to `after`; see `Segmentation.compare` for what None stands for.

    Raises `InputError` where a version is not there, or `after` is the first and `before` is not given.
    """
    versions = read_versions(warehouse.read_or_empty("segment_versions"))
    last = find_version(versions, after)
    if before is None and last.compared_with is None:
        raise InputError(f"Version {last.segment_version} is the first: there is nothing to compare it with.")
    first = find_version(versions, last.compared_with if before is None else before)
    pairs = pair_people(*(_rows(warehouse, "segments", version) for version in (first, last)))
    moves = pairs.where(~F.col("from_segment_id").eqNullSafe(F.col("to_segment_id")))
    known = F.lit(last.compared_with == first.segment_version)
    causes = _rows(warehouse, "segment_changes", last).where(known).select("person_id", "cause")
    return Comparison(first, last, find_flows(pairs), moves.join(causes, "person_id", "left"))


def _rows(warehouse: Warehouse, table: str, version: Version) -> DataFrame:
    return warehouse.read(table).where(F.col("segment_version") == version.segment_version)

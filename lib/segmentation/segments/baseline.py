"""The version that a candidate is compared with: the published one, with all that is needed of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pyspark.sql import DataFrame

from segmentation.clustering.fitted import FittedModel
from segmentation.clustering.matching import Continuity, centre_distances, keep_segments, match_clusters
from segmentation.config.segments import SegmentSettings
from segmentation.segments.membership import Overlap
from segmentation.segments.versions import Version


@dataclass(frozen=True)
class Baseline:
    """The published version: its row, its model, where people were, and what its segments are called.

    `people`: one row a person: `person_id`, `segment_id`, and `model_segment_id`, where the model alone had them.
    """

    version: Version
    model: FittedModel
    people: DataFrame
    names: Mapping[str, str]

    @property
    def has_rules(self) -> bool:
        """Whether there were rules."""
        return "by_rule" in self.version.metrics


def carry_on(overlap: Overlap, model: FittedModel, baseline: Baseline | None, settings: SegmentSettings) -> Continuity:
    """The segment of each of the model's clusters: the one that it was, where it is the same model again; else the
    published segment that it matches; else a new one. Outliers who are set apart are in the same one always."""
    continuity = _carry_on(overlap, model, baseline, settings)
    apart = {model.k: settings.outliers.segment_id} if model.sets_apart else {}
    return replace(continuity, segments={**continuity.segments, **apart})


def _carry_on(overlap: Overlap, model: FittedModel, baseline: Baseline | None, settings: SegmentSettings) -> Continuity:
    people = overlap.for_matching(model.k, (settings.fallback.segment_id, settings.outliers.segment_id))
    if baseline is None:
        return match_clusters(people, {}, model.model_id, settings.match_threshold)
    segments = {cluster: s for cluster, s in baseline.version.segments.items() if cluster < baseline.model.k}
    if baseline.model.model_id == model.model_id:
        return keep_segments(people, segments)
    former = {segments[cluster]: centre for cluster, centre in baseline.model.centres.items()}
    return match_clusters(people, centre_distances(former, model.centres), model.model_id, settings.match_threshold)


def kept_names(baseline: Baseline | None, own: Mapping[str, str], settings: SegmentSettings) -> dict[str, str]:
    """Segment id -> name of the names that stay: those in use, those that the configuration gives, the fallback's and
    the outliers'.

    `own`: what segments are called that rules make.
    """
    in_use = dict(baseline.names) if baseline else {}
    return {**own, **in_use, **_names_beside(settings), **settings.names}


def found_names(baseline: Baseline | None, own: Mapping[str, str], settings: SegmentSettings) -> set[str]:
    """The segments whose name in use was found in what their people did, and given neither by the configuration nor by
    a rule (`own`)."""
    in_use = set(baseline.names) if baseline else set()
    return in_use - {*own, *_names_beside(settings), *settings.names}


def _names_beside(settings: SegmentSettings) -> dict[str, str]:
    return {each.segment_id: each.name for each in (settings.outliers, settings.fallback)}

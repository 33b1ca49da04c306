"""What stages wrote down of a version, read for its report: profiles, the model's choice, moves, runs. Small rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.clustering.comparison import Comparison
from segmentation.clustering.fitted import FittedModel, Part
from segmentation.profiles.report.data import Candidate, Choice, Movement, PartModel, Profile, RuleText, StageRun
from segmentation.profiles.statistics import FeatureStatistics


def read_profiles(profiles: DataFrame, version: int, fallback: str) -> tuple[list[Profile], float | None]:
    """The segments of one version, and the fidelity of their rules."""
    found, fidelity = [], None
    for row in profiles.where(F.col("segment_version") == version).collect():
        rules: dict[str, Any] = json.loads(row["rules"] or "{}")
        fidelity = rules.get("fidelity", fidelity)
        statistics = json.loads(row["statistics"] or "{}")
        found.append(
            Profile(
                segment_id=row["segment_id"],
                name=row["segment_name"],
                description=row["description"],
                size=row["size"],
                share=row["share"],
                revenue=row["revenue"],
                revenue_share=row["revenue_share"],
                statistics={name: FeatureStatistics(**figures) for name, figures in statistics.items()},
                rules=[
                    RuleText(rule["text"], rule["people"], rule["right"])
                    for rule in rules.get("any_of", ())
                    if rule["all_of"]
                ],
                recall=rules.get("recall"),
                is_fallback=row["segment_id"] == fallback,
                better_name=row["better_name"],
            )
        )
    return found, fidelity


def read_choice(models: DataFrame, model_id: str) -> tuple[Choice | None, str]:
    """How the model was chosen, and its algorithm; and the models of parts beside it."""
    row = models.where(F.col("model_id") == model_id).first()
    if row is None:
        return None, "unknown"
    candidates, comparisons = (json.loads(row[name] or "[]") for name in ("candidates", "comparisons"))
    others = [Comparison(**one) for one in comparisons]
    told = tell_choice(row["choice"], candidates, row["algorithm"], row["k"], others)
    return replace(told, parts=_read_parts(models, FittedModel.from_row(row).parts)), row["algorithm"]


def _read_parts(models: DataFrame, parts: Sequence[Part]) -> list[PartModel]:
    if not parts:
        return []
    rows = models.where(F.col("model_id").isin([part.model_id for part in parts])).collect()
    found = {row["model_id"]: row for row in rows}
    return [
        PartModel(
            part=part.value,
            people=int(found[part.model_id]["params"]["people"]),
            algorithm=found[part.model_id]["algorithm"],
            k=part.k,
            silhouette=found[part.model_id]["metrics"].get("silhouette"),
            agreement=found[part.model_id]["metrics"].get("agreement"),
        )
        for part in parts
    ]


def tell_choice(
    reason: str | None,
    summaries: Sequence[Mapping[str, Any]],
    algorithm: str,
    k: int,
    comparisons: Sequence[Comparison] = (),
) -> Choice:
    """A choice from what `models.candidates` holds, which of them it was, and what it was compared with."""
    candidates = [
        Candidate(
            algorithm=one["algorithm"],
            k=one["k"],
            silhouette=one["figures"].get("silhouette"),
            stability=one["figures"].get("stability"),
            over_time=one["figures"].get("stability_over_time"),
            smallest=min(one["sizes"]) / sum(one["sizes"]) if one["sizes"] else None,
            largest=max(one["sizes"]) / sum(one["sizes"]) if one["sizes"] else None,
            failure=one["failure"],
            chosen=(one["algorithm"], one["k"]) == (algorithm, k),
            davies_bouldin=one["figures"].get("davies_bouldin"),
            calinski_harabasz=one["figures"].get("calinski_harabasz"),
            bic=one["figures"].get("bic"),
            weakest=one["figures"].get("weakest_cluster"),
        )
        for one in summaries
    ]
    return Choice(reason or "", candidates, comparisons)


def read_movements(changes: DataFrame, version: int) -> list[Movement]:
    """Who moved against the published version before, by cause and way; most first."""
    way = ("cause", "from_segment_id", "to_segment_id")
    rows = changes.where(F.col("segment_version") == version).groupBy(*way).count().collect()
    moves = [Movement(row["cause"], row["from_segment_id"], row["to_segment_id"], row["count"]) for row in rows]
    return sorted(moves, key=lambda m: (-m.people, m.cause, m.from_segment or "", m.to_segment or ""))


def read_stage_runs(runs: DataFrame, order: Mapping[str, int]) -> list[StageRun]:
    """The last run of each stage that went well and did its work, in the `order` of the stages."""
    worked = runs.where(F.col("status").eqNullSafe("succeeded") & ~F.col("mode").eqNullSafe("reused"))
    told = F.struct("rows_in", "rows_out", _seconds().alias("seconds"))
    rows = worked.groupBy("stage").agg(F.max_by(told, F.struct("started_ts", "run_id")).alias("last")).collect()
    found = [StageRun(r["stage"], r["last"]["rows_in"], r["last"]["rows_out"], r["last"]["seconds"]) for r in rows]
    return sorted((run for run in found if run.stage in order), key=lambda run: order[run.stage])


def _seconds() -> Column:
    return F.unix_millis("ended_ts") / 1000 - F.unix_millis("started_ts") / 1000

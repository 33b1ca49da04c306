"""How likely two records are one person's, by how alike the values are that describe them.

The model is that of Fellegi and Sunter (A Theory for Record Linkage, 1969), trained without labels by Splink: how often
values agree by chance from random pairs, how often those of one person do by expectation maximisation.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.config.identity import MatchingSettings
from segmentation.contracts.errors import ConfigError
from segmentation.contracts.table import check_columns

_DRAWN = 3_000
"""Records whose pairs, some million, say how often values agree by chance."""
_IN_BLOCKS = 20_000
"""Records in whole blocks of each rule, whose pairs say how often those of one person agree."""
_MOST_LIKELY = 0.5
"""Two records drawn at random are never more likely one person's, however few there are."""

_SHORTER = "levenshtein({0}, {1}) = abs(length({0}) - length({1}))"
"""One is the other with letters left out: `J Smith` for `John Smith`, `St` for `Street`."""


def rate_pairs(records: DataFrame, settings: MatchingSettings) -> DataFrame | None:
    """Pairs of records that agree on a blocking rule, as far as they are at least `suggest_at` likely one person's.

    In: one record: `unique_id` and the types of `compare` and `blocking` as comparable text, or null. Out: one pair:
    `unique_id_l`, `unique_id_r`, `match_probability`. None where too few records are alike to learn from. Raises
    `ConfigError` where Splink is not installed.
    """
    check_columns(records, {"unique_id", *settings.described_by}, "the records")
    splink = _load_splink()
    logging.getLogger("splink").setLevel(logging.ERROR)
    trained = _train(splink, records, settings)
    if trained is None:
        return None
    with _nothing_kept(records.sparkSession):
        api: Any = splink.SparkAPI(  # type: ignore[no-untyped-call]
            spark_session=records.sparkSession, break_lineage_method="persist", register_udfs_automatically=False
        )
        linker = splink.Linker(api.register(records), trained, log_level=logging.ERROR)
        found = linker.inference.predict(threshold_match_probability=settings.suggest_at).as_spark_dataframe()
        rated: DataFrame = found.select("unique_id_l", "unique_id_r", "match_probability").localCheckpoint()
    return rated


@contextmanager
def _nothing_kept(spark: SparkSession) -> Iterator[None]:
    """Splink leaves the records, in clear, in views and in memory: they go when it is done."""

    def views() -> set[str]:
        return {row["viewName"] for row in spark.sql("SHOW VIEWS LIKE '__splink__*'").collect() if row["isTemporary"]}

    before = views()
    try:
        yield
    finally:
        made = views() - before
        for name in made:
            spark.table(name).unpersist()
        for name in made:
            spark.catalog.dropTempView(name)


def _train(splink: _Splink, records: DataFrame, settings: MatchingSettings) -> Any:
    """The model, learned in this process from a bounded sample: hundreds of small steps, each of which would be a job.

    How often values agree by chance is seen among records drawn at random, how often those of one person do in whole
    blocks. Both are drawn by hash, so that it does not matter how the rows lie.
    """
    drawn = records.orderBy(F.xxhash64("unique_id"), "unique_id").limit(_DRAWN)
    comparisons = [_compare(splink, kinds) for kinds in settings.compared]
    model = _model(splink, settings, _share_of_one_person(records, settings), comparisons)
    linker, among = _local_linker(splink, drawn, model)
    if among < 2:
        return None
    linker.training.estimate_u_using_random_sampling(max_pairs=_DRAWN**2, min_count_per_level=None, num_chunks=1)

    blocks = [
        records.dropna(subset=list(rule)).orderBy(F.xxhash64(*rule), *rule, "unique_id").limit(_IN_BLOCKS)
        for rule in settings.blocking
    ]
    sample = reduce(DataFrame.unionByName, blocks).distinct()
    linker, _ = _local_linker(splink, sample, linker.misc.save_model_to_json())
    try:
        for rule in settings.blocking:
            linker.training.estimate_parameters_using_expectation_maximisation(splink.block_on(*rule))
    except splink.EMTrainingException:
        return None
    return _say_in_spark(splink, linker.misc.save_model_to_json(), settings, unseen=2 / (among * (among - 1)))


def _say_in_spark(splink: _Splink, trained: Mapping[str, Any], settings: MatchingSettings, unseen: float) -> Any:
    """The trained model in Spark's SQL: what Splink saves of one is text in the dialect of where it was trained.

    What was not seen among the sample's pairs is taken to be as frequent as one pair in all of them.
    """
    comparisons = []
    for kinds, found in zip(settings.compared, trained["comparisons"], strict=True):
        levels = [level for level in found["comparison_levels"] if not level.get("is_null_level")]
        m, u = ([max(level.get(of) or 0.0, unseen) for level in levels] for of in ("m_probability", "u_probability"))
        comparisons.append(_compare(splink, kinds).configure(m_probabilities=m, u_probabilities=u))
    return _model(splink, settings, trained["probability_two_random_records_match"], comparisons)


def _model(splink: _Splink, settings: MatchingSettings, share: float, comparisons: list[Any]) -> Any:
    return splink.SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="unique_id",
        probability_two_random_records_match=share,
        comparisons=comparisons,
        blocking_rules_to_generate_predictions=[splink.block_on(*rule) for rule in settings.blocking],
        retain_matching_columns=False,
        retain_intermediate_calculation_columns=False,
    )


def _local_linker(splink: _Splink, rows: DataFrame, model: Any) -> tuple[Any, int]:
    """A linker of these rows in this process's memory, and how many rows they are."""
    api: Any = splink.DuckDBAPI()
    local = rows.toPandas()
    return splink.Linker(api.register(local), model, log_level=logging.ERROR), len(local)


def _share_of_one_person(records: DataFrame, settings: MatchingSettings) -> float:
    """The share of all pairs of records that are one person's: those of which all of `compare` agrees say it."""
    kinds = settings.compared_types
    alike = records.dropna(subset=kinds).groupBy(*kinds).count()
    pairs = F.sum(F.col("count") * (F.col("count") - 1)).alias("pairs")
    found, count = alike.agg(pairs).first(), records.count()
    assert found is not None, "an aggregate without groups has one row"
    share = float(max(1, found["pairs"] or 0)) / settings.exact_share / max(1, count * (count - 1))
    return min(share, _MOST_LIKELY)


def _compare(splink: _Splink, kinds: Sequence[str]) -> Any:
    """Whether two values, each of these types one after the other, are equal, but for one letter, but for letters left
    out, or different. Written with the types' own columns: a blocking rule that names one teaches nothing about it."""
    left, right = (f"concat_ws(' ', {', '.join(f'{kind}_{side}' for kind in kinds)})" for side in ("l", "r"))
    level = splink.levels.CustomLevel
    return splink.CustomComparison(
        output_column_name="_".join(kinds),
        comparison_levels=[
            level(f"{left} = '' OR {right} = ''", "missing").configure(is_null_level=True),
            level(f"{left} = {right}", "equal"),
            level(f"levenshtein({left}, {right}) <= 1", "one letter"),
            level(_SHORTER.format(left, right), "shorter"),
            splink.levels.ElseLevel(),
        ],
    )


class _Splink:
    """What is used of Splink, which is installed only where records are matched."""

    def __init__(self) -> None:
        import splink.comparison_level_library as levels
        from splink import Linker, SettingsCreator, block_on
        from splink.backends.duckdb import DuckDBAPI
        from splink.backends.spark import SparkAPI
        from splink.comparison_library import CustomComparison
        from splink.internals.exceptions import EMTrainingException

        self.Linker, self.SettingsCreator, self.block_on = Linker, SettingsCreator, block_on
        self.DuckDBAPI, self.SparkAPI = DuckDBAPI, SparkAPI
        self.CustomComparison, self.levels = CustomComparison, levels
        self.EMTrainingException = EMTrainingException


def _load_splink() -> _Splink:
    try:
        return _Splink()
    except ImportError:
        raise ConfigError(
            "identity.matching needs Splink, which is not installed: pip install 'segmentation[matching]'."
        ) from None

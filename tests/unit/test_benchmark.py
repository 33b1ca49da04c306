"""The benchmark: its figures, its tables, its errors, and one tiny run. No test asserts a time."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from rich.console import Console
from scripts.benchmarks import ours as on_spark
from scripts.benchmarks.cli import run_command
from scripts.benchmarks.figures import as_json, compare, fit_exponent, summarise
from scripts.benchmarks.inputs import copy_warehouse
from scripts.benchmarks.meter import Cost, folder_size
from scripts.benchmarks.rounds import SMALL, DisagreementError, Result, check_agreement, rivals_process, run_stage
from scripts.benchmarks.stages import STAGES, Engine, Stage
from scripts.benchmarks.table import show

from segmentation.config.clustering import Clusters


def _result(engine: str, rows: int, cpu: float, *more: float) -> Result:
    rounds = tuple(Cost(seconds / 2, seconds, 3_000_000, 5_000_000) for seconds in (cpu, *more))
    return Result("sessions", engine, rows, 0, rounds, {"sessions": 7})


RESULTS = [
    _result("segmentation", 1_000, 4.0, 6.0, 5.0),
    _result("DuckDB", 1_000, 2.0),
    _result("segmentation", 10_000, 50.0),
    _result("DuckDB", 10_000, 10.0),
    _result("segmentation", 100_000, 500.0),
]


@pytest.mark.parametrize("exponent", [0.5, 1.0, 1.7])
def test_the_exponent_of_a_power_law_is_found(exponent: float) -> None:
    costs = {rows: 3.0 * rows**exponent for rows in (1_000, 30_000, 1_000_000)}
    assert fit_exponent(costs) == pytest.approx(exponent)


def test_one_size_has_no_exponent() -> None:
    assert fit_exponent({1_000: 2.0}) is None


def test_figures_are_medians_over_the_rounds() -> None:
    figures = summarise(RESULTS[0])
    assert (figures.cpu_s, figures.wall_s, figures.rows_a_second) == (5.0, 2.5, 400.0)


def test_ratios_are_of_sizes_that_both_did() -> None:
    (comparison,) = compare([summarise(result) for result in RESULTS])
    assert comparison.rival == "DuckDB"
    assert comparison.cpu_ratios == {1_000: 2.5, 10_000: 5.0}
    assert comparison.exponent == pytest.approx(1.0)


def test_the_tables_show_what_was_measured() -> None:
    figures = [summarise(result) for result in RESULTS]
    console = Console(width=120)
    with console.capture() as said:
        show(console, figures, compare(figures))
    lines = [line.split() for line in said.get().splitlines()]
    assert ["sessions", "1,000", "segmentation", "3", "2.50", "5.00", "3", "5.0", "400"] in lines
    assert ["10,000", "5.00", "5.00"] in lines
    assert "silhouette" not in said.get()
    with console.capture() as said:
        show(console, [replace(figures[0], silhouette=0.4321), figures[1]], [])
    assert re.search(r"silhouette.*segmentation .* 0\.432\b.*DuckDB .* -\s", said.get(), re.DOTALL)


def test_the_json_has_each_round() -> None:
    document = as_json(RESULTS, {"cores": 2})
    assert [len(result["each_round"]) for result in document["results"]] == [3, 1, 1, 1, 1]


def test_what_a_round_was_given_it_has_not_written(tmp_path: Path) -> None:
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "part.parquet").write_bytes(b"12345")
    copy_warehouse(tmp_path / "given", tmp_path / "round")
    assert folder_size(tmp_path / "round") == 0
    (tmp_path / "round" / "new.parquet").write_bytes(b"123")
    assert folder_size(tmp_path / "round") == 3


def test_engines_that_disagree_are_an_error() -> None:
    with pytest.raises(DisagreementError, match="segmentation found 7 sessions, DuckDB found 8 sessions"):
        check_agreement("sessions", 1_000, {"segmentation": {"sessions": 7}, "DuckDB": {"sessions": 8}})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--sizes", "many"], "'many' is not a size"),
        (["--sizes", "1000,"], "'' is not a size"),
        (["--sizes", "10"], "from 1000 to 1000000000"),
        (["--sizes", "-5000"], "'-5000' is not a size"),
        (["--repeats", "0"], "--repeats"),
        (
            ["guessing"],
            "'guessing' is not one of 'ingest', 'sessions', 'day', 'identity', 'features', 'more', 'components', "
            "'train', 'assign', 'audiences', 'export'",
        ),
        (["--out", "no-such-folder/figures.json"], "The folder of --out does not exist: no-such-folder."),
    ],
)
def test_a_bad_argument_is_one_sentence(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(arguments) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["--help"]) == 0
    assert "scripts/benchmark sessions features --sizes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "engines", "counted"),
    [
        ("ingest", ("segmentation", "Spark, no rules"), "events"),
        ("sessions, one day more", ("the day", "everything"), "events"),
        ("features, one day more", ("the day", "everything"), "people"),
        ("identity, one day more", ("the day", "everything"), "people"),
        ("identity", ("segmentation", "GraphFrames"), "identifiers"),
        ("features", ("segmentation", "DuckDB"), "events"),
        ("components", ("segmentation", "SciPy", "GraphFrames"), "components"),
        ("features, ten more", ("ten more", "without"), "events"),
        ("assign", ("segmentation", "NumPy"), "in cluster 0"),
        ("audiences", ("fifty", "one"), "members"),
        ("export", ("segmentation", "DuckDB"), "rows"),
    ],
)
def test_engines_agree(spark: SparkSession, tmp_path: Path, name: str, engines: tuple[str, ...], counted: str) -> None:
    stage = next(stage for stages in STAGES.values() for stage in stages if stage.name == name)
    with rivals_process() as pool:
        results = run_stage(spark, pool, stage, [2_000], 1, tmp_path, lambda _: None, thrown_away=0)
    assert tuple(result.engine for result in results) == engines
    assert all(len(result.rounds) == 1 and result.rounds[0].bytes_written > 0 for result in results)
    found = results[0].count[counted]
    assert found == 2_000 if counted == "events" else 0 < found < 2_000


@pytest.mark.parametrize("name", ["Gaussian mixture", "search of k and method"])
def test_clusters_are_as_good_as_scikit_learns(
    name: str, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_spark, "SEARCHED", Clusters(min=8, max=8))
    (stage,) = (stage for stage in STAGES["train"] if stage.name == name)
    with rivals_process() as pool:
        ours, theirs = run_stage(spark, pool, stage, [2_000], 1, tmp_path, lambda _: None, thrown_away=0)
    assert ours.silhouette is not None
    assert theirs.silhouette is not None
    assert 0.1 < theirs.silhouette <= ours.silhouette + 0.01


def test_rounds_are_thrown_away_at_small_sizes_and_at_the_first(spark: SparkSession, tmp_path: Path) -> None:
    def work(_: SparkSession, __: Path, target: Path) -> None:
        target.mkdir()

    stage = Stage("s", "rows", lambda _, __, path: path.mkdir(), [Engine("ours", work)], lambda _: {}, ())
    sizes = {"small": [SMALL - 1, SMALL, SMALL + 1], "large": [SMALL + 1, SMALL + 2]}
    with rivals_process() as pool:
        found = {name: run_stage(spark, pool, stage, s, 1, tmp_path, lambda _: None) for name, s in sizes.items()}
    thrown_away = {name: [result.thrown_away for result in results] for name, results in found.items()}
    assert thrown_away == {"small": [2, 2, 0], "large": [2, 0]}

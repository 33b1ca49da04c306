"""Runs the engines of a stage alternately, size after size, on the same input."""

from __future__ import annotations

import gc
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pyspark.sql import SparkSession
from scripts.benchmarks.meter import Cost, measure
from scripts.benchmarks.stages import Count, Engine, Stage

THROWN_AWAY = 2
"""First rounds that do not count: the JIT's warm-up alone doubles what Spark takes."""
SMALL = 1_000_000
"""Most rows of a size at which rounds are thrown away, beside the first size: a larger one meets a JVM that the smaller
ones have warmed."""


class DisagreementError(Exception):
    """Two engines found different things, so their times say nothing."""


@dataclass(frozen=True)
class Result:
    """One engine at one size: what each round that counts has cost, and what came out."""

    stage: str
    engine: str
    rows: int
    thrown_away: int
    rounds: tuple[Cost, ...]
    count: Count
    silhouette: float | None = None


@contextmanager
def rivals_process() -> Iterator[ProcessPoolExecutor]:
    """A process for what does not run on Spark, so that its memory and processor time are its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


def run_stage(
    spark: SparkSession,
    pool: ProcessPoolExecutor,
    stage: Stage,
    sizes: Sequence[int],
    repeats: int,
    folder: Path,
    tell: Callable[[str], None],
    thrown_away: int = THROWN_AWAY,
) -> list[Result]:
    """All engines at all sizes, the smallest first. Raises `DisagreementError`.

    The first `thrown_away` rounds at the first size and at small ones do not count, of a stage that does not take long.
    """
    results: list[Result] = []
    for rows in sorted(sizes):
        tell(f"{stage.name}: making {rows:,} {stage.rows_are}")
        source = folder / "input"
        stage.make_input(spark, rows, source)
        cold = not results or rows <= SMALL
        uncounted = thrown_away if cold and not stage.takes_long else 0
        results += _run_size(spark, pool, stage, rows, uncounted, repeats, source, folder / "output", tell)
        shutil.rmtree(source)
    return results


def _run_size(
    spark: SparkSession,
    pool: ProcessPoolExecutor,
    stage: Stage,
    rows: int,
    thrown_away: int,
    repeats: int,
    source: Path,
    target: Path,
    tell: Callable[[str], None],
) -> list[Result]:
    engines = [engine for engine in stage.engines if engine.most_rows is None or rows <= engine.most_rows]
    costs: dict[str, list[Cost]] = {engine.name: [] for engine in engines}
    counts: dict[str, Count] = {}
    judged: dict[str, float] = {}
    for number in range(thrown_away + repeats):
        counts_too = number >= thrown_away
        for engine in engines:
            if engine.slow and number != thrown_away:
                continue
            tell(f"{stage.name}: {engine.name}, {rows:,} {stage.rows_are}, round {number + 1}")
            cost = _run_once(spark, pool, engine, source, target)
            counts[engine.name] = stage.count(target)
            if stage.judge and counts_too:
                judged[engine.name] = pool.submit(stage.judge, source, target).result()
            shutil.rmtree(target)
            if counts_too:
                costs[engine.name].append(cost)
        check_agreement(stage.name, rows, counts)
    return [
        Result(
            stage.name,
            engine.name,
            rows,
            0 if engine.slow else thrown_away,
            tuple(costs[engine.name]),
            counts[engine.name],
            judged.get(engine.name),
        )
        for engine in engines
    ]


def _run_once(spark: SparkSession, pool: ProcessPoolExecutor, engine: Engine, source: Path, target: Path) -> Cost:
    # What the last run has left would otherwise be this one's to clear away.
    spark.catalog.clearCache()
    gc.collect()
    assert spark._jvm is not None, "the session runs in this process"
    spark._jvm.System.gc()
    other = pool.submit(os.getpid).result()
    if engine.alone is not None:
        work = partial(engine.alone, source, target)
        return measure(lambda: pool.submit(work).result(), target, root=other)
    assert engine.on_spark is not None, "an engine runs on one or the other"
    on_spark = partial(engine.on_spark, spark, source, target)
    return measure(on_spark, target, root=os.getpid(), without={other})


def check_agreement(stage: str, rows: int, counts: dict[str, Count]) -> None:
    """Raises `DisagreementError` where engines differ in what they have found."""
    (first, expected), *others = counts.items()
    for name, found in others:
        if found != expected:
            raise DisagreementError(
                f"{stage} at {rows:,} rows: {first} found {_words(expected)}, {name} found {_words(found)}."
            )


def _words(count: Count) -> str:
    return ", ".join(f"{value:,} {what}" for what, value in count.items())

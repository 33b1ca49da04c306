"""Running stages in order, on one warehouse, so that a run that was killed anywhere is simply started again.

Each stage is a row of `runs`. A stage is passed over when it succeeded before with the same fingerprint: the same
versions of the tables it reads, the same part of the configuration, the same date, the same code.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

import segmentation
from segmentation.config.settings import Settings
from segmentation.contracts.errors import ConfigError, SegmentationError
from segmentation.runtime.audit import audit
from segmentation.runtime.configured import configured
from segmentation.runtime.monitoring import write_metrics
from segmentation.runtime.progress import Progress, StageReport
from segmentation.runtime.record import RunRecord
from segmentation.runtime.small_work import fitting_conf
from segmentation.runtime.stage import Stage, StageContext
from segmentation.runtime.vocabulary import know_vocabulary
from segmentation.runtime.warehouse import Warehouse


@dataclass(frozen=True)
class Request:
    """What the user asked for, beside the configuration."""

    as_of: date | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


def run_stages(
    spark: SparkSession, settings: Settings, stages: Sequence[Stage], request: Request, progress: Progress
) -> list[StageReport]:
    """Runs `stages` in order and returns what each did. Raises what a stage raises, after it is in `runs`."""
    warehouse = Warehouse(spark, settings.warehouse, run_id=str(uuid.uuid4()))
    fitting = configured(spark, fitting_conf(spark, settings))
    with warehouse.lock(), fitting, RunRecord(warehouse) as record:
        watched = settings.monitoring.prometheus
        try:
            reports = [_run_stage(stage, record, settings, request, progress) for stage in stages]
        except BaseException:
            with suppress(ConfigError):  # what went wrong with the stage is what has to be said
                if watched:
                    write_metrics(watched, record.last_ends())
            raise
        if watched:
            write_metrics(watched, record.last_ends())
        return reports


def open_context(
    record: RunRecord, settings: Settings, tables: Sequence[str], request: Request, tell: Callable[[str], None]
) -> StageContext:
    """What a stage, or a command that reads, is given, with these tables pinned as they are now, and the features that
    are chosen among its settings."""
    return StageContext(
        spark=record.warehouse.spark,
        settings=know_vocabulary(settings, record.warehouse),
        warehouse=record.warehouse,
        inputs=_versions(record.warehouse, tables),
        now=datetime.now(UTC),
        tell=tell,
        code_version=code_version(),
        as_of_option=request.as_of,
        options=request.options,
        _newest=None if request.as_of else record.newest_event(),
    )


def _run_stage(
    stage: Stage, record: RunRecord, settings: Settings, request: Request, progress: Progress
) -> StageReport:
    warehouse = record.warehouse

    def tell(text: str) -> None:
        progress.tell(text)
        record.keep_up()

    context = open_context(record, settings, (*stage.reads, *stage.state), request, tell)
    started, inputs = context.now, context.inputs
    # What a stage wrote itself last time is not among the things that make it stale.
    read = {table: warehouse.content(table) for table in inputs if table not in {*stage.state, *stage.writes}}
    definition = _definition(stage, settings, context.code_version)
    fingerprint = _fingerprint(definition, repr(stage.follows(settings)), context, read)
    row = {
        "run_id": warehouse.run_id,
        "stage": stage.name,
        "started_ts": started,
        "inputs": inputs,
        "config_sha256": settings.sha256(),
        "code_version": context.code_version,
        "definition": definition,
        "fingerprint": fingerprint,
        "as_of": context.as_of_option or context._newest,
    }
    warehouse.spark.sparkContext.setJobDescription(f"segmentation {stage.name}")
    with progress.stage(stage.name):
        if stage.reusable and (earlier := record.reusable(stage, fingerprint)):
            outcome, mode, bytes_written = earlier, "reused", 0
        else:
            record.begin({**row, "status": "running"})
            if stage.incremental:
                context = replace(context, earlier=record.earlier(stage, definition))
            before = warehouse.bytes_written
            try:
                outcome = stage.run(context)
                bytes_written = warehouse.bytes_written - before
            except BaseException as error:
                record.end({**row, "status": "failed", "ended_ts": datetime.now(UTC), "error": describe(error)})
                raise
            finally:
                audit(warehouse, stage.acts(warehouse))
            mode = outcome.mode
        ended = datetime.now(UTC)
        record.end(
            {
                **row,
                "status": "succeeded",
                "ended_ts": ended,
                "outputs": _versions(warehouse, stage.writes),
                "rows_in": outcome.rows_in,
                "rows_out": outcome.rows_out,
                "bytes_written": bytes_written,
                "figures": outcome.figures,
                "mode": mode,
            }
        )
        report = StageReport(
            run_id=warehouse.run_id,
            stage=stage.name,
            mode=mode,
            rows_in=outcome.rows_in,
            rows_out=outcome.rows_out,
            bytes_written=bytes_written,
            figures=outcome.figures,
            seconds=(ended - started).total_seconds(),
            message=outcome.message,
            result=outcome.result,
        )
    progress.done(report)
    return report


def describe(error: BaseException) -> str:
    """An error for `runs` and for the terminal: our own words whole, of others only the kind (they may quote rows)."""
    if isinstance(error, SegmentationError):
        return str(error)
    kind = type(error).__name__
    condition = error.getCondition() if isinstance(error, PySparkException) else None
    return f"{kind} [{condition}]" if condition else kind


@cache
def code_version() -> str:
    """The package's version with a hash of its source, so that two versions of the code never pass for one."""
    digest = hashlib.sha256()
    for path, content in sorted(_sources(files("segmentation"), "")):
        digest.update(path.encode() + b"\0" + content + b"\0")
    return f"{segmentation.__version__}+{digest.hexdigest()[:12]}"


def _sources(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found = []
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name != "__pycache__":
            found += _sources(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith((".py", ".html", ".css", ".js", ".txt", ".yml")):
            found.append((prefix + entry.name, entry.read_bytes()))
    return found


def _versions(warehouse: Warehouse, names: Sequence[str]) -> dict[str, int]:
    versions = {name: warehouse.version(name) for name in names}
    return {name: version for name, version in versions.items() if version is not None}


def _definition(stage: Stage, settings: Settings, code: str) -> str:
    """Of all that decides what the stage makes of its inputs."""
    return _hash({"stage": stage.name, "config": repr(stage.depends_on(settings)), "code": code})


def _fingerprint(definition: str, followed: str, context: StageContext, read: Mapping[str, int | None]) -> str:
    """Of all that the stage's result depends on."""
    as_of = str(context.as_of_option or context._newest)
    options = {key: str(value) for key, value in context.options.items()}
    told = {"definition": definition, "followed": followed, "inputs": read, "as_of": as_of, "options": options}
    return _hash(told)


def _hash(parts: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

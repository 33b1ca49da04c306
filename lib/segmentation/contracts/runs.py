"""The record of runs."""

from segmentation.contracts.table import DATE, LONG, LONG_MAP, STRING, TIMESTAMP, Col, Table

RUNS = Table(
    name="runs",
    grain="one stage of one run",
    keys=("run_id", "stage"),
    columns=(
        Col("run_id", STRING, "id of the run", required=True),
        Col("stage", STRING, "ingest, identity, …", required=True),
        Col("status", STRING, "running, succeeded, failed", required=True),
        Col("started_ts", TIMESTAMP, "UTC", required=True),
        Col("ended_ts", TIMESTAMP, "UTC; null: still running, or killed"),
        Col("inputs", LONG_MAP, "table -> Delta version read"),
        Col("outputs", LONG_MAP, "table -> Delta version it left"),
        Col("rows_in", LONG, "rows read"),
        Col("rows_out", LONG, "rows written"),
        Col("bytes_written", LONG, "bytes of the files of rows that it wrote"),
        Col("config_sha256", STRING, "hash of the whole configuration", required=True),
        Col("code_version", STRING, "version of the suite, with a hash of its source", required=True),
        Col("error", STRING, "what failed, without personal values"),
        Col("mode", STRING, "full, incremental, or reused: nothing it reads had changed"),
        Col("as_of", DATE, "the date that it was for"),
        Col("definition", STRING, "hash of the configuration and code that decide what it makes of its inputs"),
        Col("fingerprint", STRING, "hash of all that the stage's result depends on"),
        Col("figures", LONG_MAP, "further counts, by name: refused, duplicates, …"),
    ),
    # A run replaces its own rows each time it writes: a whole partition is taken out without reading it.
    partition_by=("run_id",),
    aged_by="started_ts",
)

TABLES = (RUNS,)

"""Sources that are topics of Kafka: what comes is taken in once, whatever is killed, as from a file of these."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from pyspark.sql import SparkSession
from tests import young
from tests.deliveries import ingest_once, rows, settings
from tests.servers import kafka_broker

from segmentation.config.settings import Settings
from segmentation.config.sources import Source
from segmentation.contracts.errors import InputError
from segmentation.runtime.jars import KAFKA, fetch
from segmentation.runtime.spark import session_for
from segmentation.runtime.warehouse import Warehouse

ROOT = Path(__file__).parents[2]
COLUMNS = {"event_id": "id", "event_name": "name", "event_ts": "to_timestamp(at)", "amount": "paid"}
SAID = ("event_id", "event_name", "event_ts", "identifiers", "amount", "properties")
FIRST = [
    '{"id": "e1", "name": "view", "at": "2026-03-01 10:00:00", "who": "u1"}',
    '{"id": "e2", "name": "buy", "at": "2026-03-01 10:05:00", "who": "u1", "paid": 12.50}',
    '{"id": "e3", "name": "view", "at": "soon", "who": "u2"}',
    '{"id": "e4", "name": "vi',
]
SECOND = [
    '{"id": "e2", "name": "buy", "at": "2026-03-01 10:05:00", "who": "u1", "paid": 12.50}',
    '{"id": "e5", "name": "view", "at": "2026-03-02 09:00:00", "who": "u3", "page": "/new"}',
    '["no", "object"]',
]


def _topic(servers: str, **changes: Any) -> dict[str, Any]:
    options = {"kafka.bootstrap.servers": servers}
    columns = {**COLUMNS, "identifiers": {"user_id": "who"}}
    return {
        "name": "app",
        "format": "kafka",
        "path": "clicks",
        "options": options,
        "stream": {},
        "columns": columns,
    } | changes


def follow(folder: Path, servers: str) -> None:
    """What the test runs in a process of its own, whose Java has the connector; its last line is what came of it."""
    followed = settings(folder / "warehouse", _topic(servers), spark={"driver_memory": "1g", "conf": young.CONF})
    spark = session_for(followed)

    def produce(*messages: str | None) -> None:
        said = spark.createDataFrame([(message,) for message in messages], "value string").coalesce(1)
        said.write.format("kafka").option("kafka.bootstrap.servers", servers).option("topic", "clicks").save()

    produce(*FIRST)
    outcomes = [ingest_once(spark, followed)]
    produce(*SECOND)
    replace = Warehouse.replace_slice

    def die(self: Warehouse, name: str, *rest: Any, **equals: Any) -> Any:
        if name == "ingest_batches":
            raise KeyboardInterrupt
        return replace(self, name, *rest, **equals)

    Warehouse.replace_slice = die  # type: ignore[method-assign]
    try:
        ingest_once(spark, followed)
        raise AssertionError("it was not killed")
    except KeyboardInterrupt:
        pass
    finally:
        Warehouse.replace_slice = replace  # type: ignore[method-assign]
    outcomes += [ingest_once(spark, followed), ingest_once(spark, followed)]

    lines = folder / "in"
    lines.mkdir()
    for number, messages in enumerate((FIRST, SECOND)):
        (lines / f"{number}.json").write_text("\n".join(messages) + "\n")
    plain = settings(folder / "plain", _topic(servers, format="json", path=str(lines), options={}, stream=None))
    ingest_once(spark, plain)
    found = {
        "outcomes": [(outcome.rows_in, outcome.rows_out, outcome.message) for outcome in outcomes],
        "events": [[repr(row) for row in rows(spark, each, "events", *SAID)] for each in (followed, plain)],
        "refused": [
            sorted((tuple(row.reasons), row.raw) for row in _read(spark, each, "events_quarantine"))
            for each in (followed, plain)
        ],
    }
    # A batch that is no object, and one that does not say all, stop nothing.
    for message in ("nonsense", '{"id": "e6", "name": "view", "at": "2026-03-03 09:00:00", "who": "u1"}'):
        produce(message)
        outcome = ingest_once(spark, followed)
        found["outcomes"].append((outcome.rows_in, outcome.rows_out, outcome.message))
    try:
        ingest_once(spark, settings(folder / "lost", _topic("127.0.0.1:9", options=_unreachable())))
    except InputError as error:
        found["lost"] = str(error)
    sys.stdout.write(json.dumps(found))


def _unreachable() -> dict[str, Any]:
    soon = {"kafka.default.api.timeout.ms": 3000, "kafka.request.timeout.ms": 2000, "fetchOffset.numRetries": 1}
    return {"kafka.bootstrap.servers": "127.0.0.1:9", **soon}


def _read(spark: SparkSession, configured: Settings, table: str) -> list[Any]:
    return Warehouse(spark, configured.warehouse).read(table).collect()


def test_a_topic_is_taken_in_as_a_file_of_its_messages_would_be(tmp_path: Path) -> None:
    fetch(KAFKA)
    with kafka_broker(tmp_path / "kafka") as servers:
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                f"from tests.integration.test_topics import *; follow(Path({str(tmp_path)!r}), {servers!r})",
            ],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "lib"), str(ROOT)])},
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
        )
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads(done.stdout.splitlines()[-1])
    first, again, nothing, broken, short = found["outcomes"]
    assert first[:2] == [4, 2]
    assert again[:2] == [3, 1], "the batch that was cut short comes again"
    assert nothing == [0, 0, "no new files"]
    assert broken == [1, 0, "malformed_row 1"]
    assert short[:2] == [1, 1]
    of_topic, of_file = found["events"]
    assert of_topic == of_file
    assert len(of_topic) == 3
    refused, of_lines = found["refused"]
    assert [reasons for reasons, _ in refused] == [reasons for reasons, _ in of_lines]
    assert "the topic 'clicks' cannot be read" in found["lost"]
    assert "kafka.bootstrap.servers" in found["lost"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"stream": None}, "a topic can only be followed: say `stream: {}`"),
        ({"options": {}}, "needs the option kafka.bootstrap.servers"),
        ({"options": {"kafka.bootstrap.servers": "b:9092", "kafka.sasl.jaas.config": "x"}}, "is secret: name an"),
        ({"format": "json", "options_env": {"kafka.sasl.jaas.config": "JAAS"}}, "options_env goes with format: kafka"),
    ],
)
def test_a_topic_is_declared_with_what_it_takes(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Source.model_validate(_topic("b:9092", **changes))


def test_without_the_connector_it_is_said(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"without its connector for Kafka: start it with --packages org\.apache"):
        ingest_once(spark, settings(tmp_path / "warehouse", _topic("127.0.0.1:9")))

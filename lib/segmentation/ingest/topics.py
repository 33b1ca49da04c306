"""Topics of Kafka as sources: each message one JSON object, read as a line of a JSON file would be."""

from __future__ import annotations

import os
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from segmentation.config.sources import Source, StreamSettings
from segmentation.contracts.errors import ConfigError, InputError
from segmentation.ingest.dialect import jvm
from segmentation.ingest.reading import BROKEN

BESIDE = {"kafka_timestamp": "timestamp", "kafka_topic": "topic", "kafka_offset": "offset"}
"""What a message has beside its value, as a mapping may name it -> what Spark calls it. Not its key, which may say who
somebody is: whoever needs it has it in the value."""

_AS_JSON_LINES = {"primitivesAsString": "true", "mode": "PERMISSIVE", "columnNameOfCorruptRecord": BROKEN}


def read_topic(spark: SparkSession, source: Source, settings: StreamSettings) -> DataFrame:
    """The messages of the topics as a stream, from the first that is there. Raises `ConfigError` where a password is
    not in the environment."""
    options = {key: str(value) for key, value in source.options.items()}
    for option, variable in source.options_env.items():
        if variable not in os.environ:
            raise ConfigError(
                f"Source '{source.name}': {option} is to come from the environment variable {variable}, which is not "
                "set: set it."
            )
        options[option] = os.environ[variable]
    first = {"startingOffsets": "earliest", "maxOffsetsPerTrigger": str(settings.most_messages)}
    return spark.readStream.format("kafka").options(**{**first, **options, "subscribe": source.path}).load()


def parse_messages(spark: SparkSession, source: Source, messages: DataFrame, before: str | None) -> DataFrame:
    """Rows of a topic -> the columns of their JSON objects, those of `BESIDE` which no object has, and `_broken_row`
    with the text of a message that is no object.

    `before`: the columns of the batch before, as DDL. A batch may be a single message, which does not say all, or is no
    object at all: that is no change of the topic, so these columns are there too. Raises `InputError` where none is
    known.
    """
    text = F.col("value").cast("string").alias("value")
    known = [field for field in _infer(spark, messages.select(text)) if field.name != BROKEN]
    there = {field.name.lower() for field in known} | set(BESIDE)
    if before:
        earlier = StructType.fromDDL(before)
        assert isinstance(earlier, StructType), "columns with their types"
        known += [field for field in earlier if field.name.lower() not in there]
    if not known:
        raise InputError(f"Source '{source.name}': no message of its topic is a JSON object; check its path.")
    schema = StructType([*known, StructField(BROKEN, StringType())])
    taken = {field.name.lower() for field in known}
    beside = [F.col(theirs).alias(name) for name, theirs in BESIDE.items() if name not in taken]
    parsed = messages.select(F.from_json(text, schema, _AS_JSON_LINES).alias("said"), *beside)
    return parsed.select("said.*", *(name for name in BESIDE if name not in taken))


def _infer(spark: SparkSession, texts: DataFrame) -> StructType:
    """The columns that the objects have, by one pass."""
    reader: Any = spark.read.options(**_AS_JSON_LINES)
    dataset = getattr(texts._jdf, "as")(jvm(spark).org.apache.spark.sql.Encoders.STRING())
    return DataFrame(reader._jreader.json(dataset), spark).schema

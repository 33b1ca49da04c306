"""Tables that ingestion writes, and whose an event is."""

from collections.abc import Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

from segmentation.contracts.table import (
    BOOLEAN,
    DATE,
    LONG,
    LONG_MAP,
    MONEY,
    STRING,
    STRING_MAP,
    STRINGS,
    TIMESTAMP,
    Col,
    Table,
)

EVENTS = Table(
    name="events",
    grain="one accepted event",
    keys=("event_id",),
    cluster_by=("event_date",),
    unindexed=("identifiers", "properties", "session_key"),
    columns=(
        Col("event_id", STRING, "the source's id, or a hash of what the event says", required=True),
        Col("event_name", STRING, "what happened: page_view, purchase, …", required=True),
        Col("event_ts", TIMESTAMP, "when it happened, UTC", required=True),
        Col("received_ts", TIMESTAMP, "when the source received it, UTC; null where it does not say"),
        Col("event_date", DATE, "UTC date of event_ts", required=True),
        Col("source", STRING, "name of the source in the configuration", required=True),
        Col("platform", STRING, "web, app, store, …"),
        Col(
            "identifiers",
            STRING_MAP,
            "identifier type -> normalised value; personal types hold tokens",
            required=True,
        ),
        Col("session_key", STRING, "the source's own session id"),
        Col("amount", MONEY, "value of the event in `currency`; negative for a return"),
        Col("currency", STRING, "ISO 4217 code"),
        Col("properties", STRING_MAP, "whatever else the source's mapping names"),
        Col("weight", LONG, "how many events it stands for, where a source is sampled; null: for itself alone"),
        Col(
            "is_bot",
            BOOLEAN,
            "made by a program, by user agent or rate; later stages leave it out",
            required=True,
        ),
        Col(
            "is_test",
            BOOLEAN,
            "of a declared test account or internal address; later stages leave it out",
            required=True,
        ),
        Col("batch_id", STRING, "the batch that brought it", required=True),
        Col(
            "batch_seq",
            LONG,
            "order in which batches arrived: age of identifiers is counted in it",
            required=True,
        ),
    ),
)

EVENTS_QUARANTINE = Table(
    name="events_quarantine",
    grain="one refused row",
    keys=("source", "batch_id"),
    unindexed=("raw", "identifiers"),
    aged_by="quarantined_ts",
    columns=(
        Col("source", STRING, "name of the source in the configuration", required=True),
        Col("batch_id", STRING, "the batch that brought it", required=True),
        Col("reasons", STRINGS, "every reason for which it was refused", required=True),
        Col("raw", STRING, "the row as JSON; values of personal identifiers are replaced by tokens"),
        Col("quarantined_ts", TIMESTAMP, "when the batch was taken in, UTC", required=True),
        Col("identifiers", STRING_MAP, "what could be read of them, as in `events`"),
        Col("repaired_by", STRING, "the batch that has it repaired, as it was handed in; null: nobody did"),
    ),
)

INGEST_BATCHES = Table(
    name="ingest_batches",
    grain="one batch of one source",
    keys=("batch_id",),
    columns=(
        Col("batch_id", STRING, "hash of the source and the files", required=True),
        Col("batch_seq", LONG, "order of arrival, from 1", required=True),
        Col("source", STRING, "name of the source in the configuration", required=True),
        Col("status", STRING, "planned, done; set_aside: nothing of its files can be read", required=True),
        Col("files", STRINGS, "the files that it read; of a table, where it is"),
        Col("file_stamps", STRINGS, "of each file its size and time of change, which tell it; of a table its version"),
        Col("source_schema", STRING, "columns and types that the files had, as DDL"),
        Col("source_kinds", STRING_MAP, "column of text -> what most of its values are: number, time, boolean, text"),
        Col("schema_changes", STRINGS, "what is new, gone or retyped since the source's batch before"),
        Col("volume_anomalies", STRINGS, "days with far more or fewer events than usual, where `volume` is watched"),
        Col("rows_read", LONG, "rows in the files"),
        Col("accepted", LONG, "rows that became events"),
        Col("quarantined", LONG, "rows refused"),
        Col("duplicates", LONG, "rows that were already there, in this batch or an earlier one"),
        Col("sampled", LONG, "rows left out by `sample`, for which others stand"),
        Col("reasons", LONG_MAP, "refused rows by reason"),
        Col("min_event_date", DATE, "first date among the accepted events"),
        Col("max_event_date", DATE, "last date among the accepted events"),
        Col("ingested_ts", TIMESTAMP, "when it was taken in, UTC"),
        Col("repairs", STRING, "the batch whose refused rows it has repaired; null: it is a delivery of the source"),
    ),
)

VAULT = Table(
    name="vault",
    grain="one personal value",
    keys=("token",),
    unindexed=("token", "value"),
    columns=(
        Col("token", STRING, "keyed HMAC-SHA256 of the normalised value", required=True),
        Col("identifier_type", STRING, "email, phone, name, address, …", required=True),
        Col("value", STRING, "the normalised value in clear: the only place that has it", required=True),
        Col("first_batch_id", STRING, "the batch that brought it first", required=True),
    ),
)

CONSENT = Table(
    name="consent",
    grain="one statement of one event on one purpose",
    keys=("event_id", "purpose"),
    aged_by="consent_ts",
    holds_for=("identifier_type", "identifier_value", "purpose"),
    unindexed=("identifier_value",),
    columns=(
        Col("identifier_type", STRING, "the event's most trusted identifier: whoever has it made the statement"),
        Col("identifier_value", STRING, "its normalised value, or token"),
        Col("purpose", STRING, "marketing, …", required=True),
        Col("granted", BOOLEAN, "yes, or no", required=True),
        Col("consent_ts", TIMESTAMP, "when it was said, UTC; none is later than when it was taken in", required=True),
        Col("source", STRING, "name of the source in the configuration", required=True),
        Col("event_id", STRING, "the event that says so", required=True),
        Col("batch_id", STRING, "the batch that brought it", required=True),
    ),
)

TABLES = (EVENTS, EVENTS_QUARANTINE, INGEST_BATCHES, VAULT, CONSENT)


def strongest_type(trust: Sequence[str]) -> Column:
    """The type of the identifier whose person an event belongs to: the first in `trust` (types, strongest first) of
    which it has a value; null where it has none."""
    identifiers = F.col("identifiers")
    return F.coalesce(*[F.when(identifiers[kind] != "", F.lit(kind)) for kind in trust])

"""Tables of what people do: sessions, and features at a date."""

from segmentation.contracts.table import BOOLEAN, DATE, LONG, MONEY, STRING, TIMESTAMP, Col, Table

SESSIONS = Table(
    name="sessions",
    grain="one session",
    keys=("session_id",),
    cluster_by=("session_start",),
    unindexed=("person_id",),
    columns=(
        Col("session_id", STRING, "hash of the session's first event", required=True),
        Col("person_id", STRING, "whose session it is", required=True),
        Col("session_start", TIMESTAMP, "first event, UTC", required=True),
        Col("session_end", TIMESTAMP, "last event, UTC", required=True),
        Col("duration_s", LONG, "seconds from first to last event", required=True),
        Col("events", LONG, "events in it", required=True),
        Col("entry_event", STRING, "name of the first event", required=True),
        Col("exit_event", STRING, "name of the last event", required=True),
        Col("end_reason", STRING, "timeout, end_event, max_length, source, open (or campaign)", required=True),
        Col("amount", MONEY, "sum of the events' amounts"),
        Col("platform", STRING, "platform of the first event; where it has none, of the last that has one"),
        Col("is_bounce", BOOLEAN, "one event only", required=True),
        Col("converted", BOOLEAN, "has one of the declared conversion events", required=True),
    ),
)

FEATURES = Table(
    name="features",
    grain="one person at one date",
    keys=("person_id", "as_of"),
    partition_by=("as_of",),
    open_columns=True,
    unindexed=("person_id",),
    columns=(
        Col("person_id", STRING, "whose", required=True),
        Col("as_of", DATE, "the day at whose end (UTC) the features hold", required=True),
        Col("feature_set", STRING, "hash of the features' definitions", required=True),
    ),
)

TABLES = (SESSIONS, FEATURES)

"""Tables that identity resolution writes."""

from segmentation.contracts.table import DOUBLE, LONG, STRING, STRING_MAP, STRINGS, TIMESTAMP, Col, Table

IDENTITY_EDGES = Table(
    name="identity_edges",
    grain="one pair of identifiers",
    keys=("left_type", "left_value", "right_type", "right_value"),
    unindexed=("left_value", "right_value"),
    columns=(
        Col("left_type", STRING, "type of the one identifier (the smaller in order)", required=True),
        Col("left_value", STRING, "its value, or token", required=True),
        Col("right_type", STRING, "type of the other identifier", required=True),
        Col("right_value", STRING, "its value, or token", required=True),
        Col("first_seen", TIMESTAMP, "event time of the first observation, UTC"),
        Col("last_seen", TIMESTAMP, "event time of the last observation, UTC"),
        Col("observations", LONG, "events that carry both", required=True),
        Col("kind", STRING, "deterministic, probabilistic, manual", required=True),
        Col("confidence", DOUBLE, "0 to 1", required=True),
        Col("status", STRING, "active, cut, removed", required=True),
        Col("reason", STRING, "why it was cut or removed"),
        Col("first_batch_seq", LONG, "batch of its first observation", required=True),
        Col("sources", STRINGS, "sources that saw it, sorted"),
    ),
)

IDENTITY_MAP = Table(
    name="identity_map",
    grain="one identifier, now",
    keys=("identifier_type", "identifier_value"),
    unindexed=("identifier_value",),
    columns=(
        Col("identifier_type", STRING, "user_id, cookie, email, …", required=True),
        Col("identifier_value", STRING, "its normalised value, or token", required=True),
        Col("person_id", STRING, "whose it is", required=True),
        Col("confidence", DOUBLE, "0 to 1: the weakest link on the way to the person", required=True),
        Col("since", TIMESTAMP, "since when the person has it, UTC", required=True),
        Col("first_seen", TIMESTAMP, "first event that carries it, UTC"),
        Col("last_seen", TIMESTAMP, "last event that carries it, UTC"),
        Col("events", LONG, "events that carry it"),
        Col("first_batch_seq", LONG, "batch that brought it: its age"),
    ),
)

IDENTITY_HISTORY = Table(
    name="identity_history",
    grain="one identifier over one period",
    keys=("identifier_type", "identifier_value", "valid_from"),
    unindexed=("identifier_value",),
    columns=(
        Col("identifier_type", STRING, "user_id, cookie, email, …", required=True),
        Col("identifier_value", STRING, "its normalised value, or token", required=True),
        Col("person_id", STRING, "whose it was", required=True),
        Col(
            "valid_from",
            TIMESTAMP,
            "from when, UTC: its first event, later the end of the batch that moved it",
            required=True,
        ),
        Col("valid_to", TIMESTAMP, "until when, UTC; null: still"),
        Col("change", STRING, "new, merge, split, erase", required=True),
        Col("reason", STRING, "what brought the change"),
        Col("batch_seq", LONG, "batch that brought the change"),
    ),
)

PERSONS = Table(
    name="persons",
    grain="one person",
    keys=("person_id",),
    columns=(
        Col("person_id", STRING, "minted once, kept for ever", required=True),
        Col("first_seen", TIMESTAMP, "first event, UTC"),
        Col("last_seen", TIMESTAMP, "last event, UTC"),
        Col("identifier_count", LONG, "identifiers tied to the person", required=True),
        Col("attributes", STRING_MAP, "golden record: attribute -> value"),
    ),
)

TABLES = (IDENTITY_EDGES, IDENTITY_MAP, IDENTITY_HISTORY, PERSONS)

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
    unindexed=("identifier_value", "person_id"),
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
        Col("component", LONG, "number of the group that it was ever connected to; limits may part it into persons"),
        Col("hub_reason", STRING, "why it is nobody's; null: it is somebody's"),
    ),
)

IDENTITY_SIGHTINGS = Table(
    name="identity_sightings",
    grain="one combination of identifiers in one batch of events",
    keys=("batch_seq", "combination"),
    unindexed=("identifiers", "combination"),
    columns=(
        Col("combination", LONG, "a hash of the identifiers, to name the row by", required=True),
        Col("identifiers", STRING_MAP, "type -> value, or token; types that only describe are left out", required=True),
        Col("batch_seq", LONG, "batch that brought the events", required=True),
        Col("source", STRING, "its source", required=True),
        Col("events", LONG, "its events that carry exactly these", required=True),
        Col("first_ts", TIMESTAMP, "time of the first of them, UTC", required=True),
        Col("last_ts", TIMESTAMP, "time of the last of them, UTC", required=True),
    ),
)

IDENTITY_HISTORY = Table(
    name="identity_history",
    grain="one identifier over one period",
    keys=("identifier_type", "identifier_value", "valid_from"),
    unindexed=("identifier_value", "person_id"),
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

IDENTITY_OVERRIDES = Table(
    name="identity_overrides",
    grain="one override that a run found added to the file, or taken out of it",
    keys=("step", "change", "action", "left_type", "left_value", "right_type", "right_value", "reason"),
    unindexed=("left_value", "right_value"),
    columns=(
        Col("step", LONG, "number of the decision: all changes that one run found", required=True),
        Col("batch_seq", LONG, "newest batch of then: it takes effect after it", required=True),
        Col("change", STRING, "added, removed", required=True),
        Col("action", STRING, "together, apart, drop", required=True),
        Col("left_type", STRING, "type of the one identifier (the smaller in order)", required=True),
        Col("left_value", STRING, "its value, or token", required=True),
        Col("right_type", STRING, "type of the other identifier; null for drop"),
        Col("right_value", STRING, "its value, or token"),
        Col("reason", STRING, "why, as the file says", required=True),
        Col("decided_ts", TIMESTAMP, "when the run found it, UTC"),
    ),
)

IDENTITY_LINKS = Table(
    name="identity_links",
    grain="one likely link between two records, each time that it became likelier",
    keys=("left_type", "left_value", "right_type", "right_value", "batch_seq"),
    unindexed=("left_value", "right_value"),
    columns=(
        Col("left_type", STRING, "type of the one record's identifier (the smaller in order)", required=True),
        Col("left_value", STRING, "its value, or token", required=True),
        Col("right_type", STRING, "type of the other record's identifier", required=True),
        Col("right_value", STRING, "its value, or token", required=True),
        Col("probability", DOUBLE, "that both are one person", required=True),
        Col("batch_seq", LONG, "newest batch when it was found: it takes effect with it", required=True),
    ),
)

PERSONS = Table(
    name="persons",
    grain="one person",
    keys=("person_id",),
    unindexed=("person_id",),
    columns=(
        Col("person_id", STRING, "minted once, kept for ever", required=True),
        Col("first_seen", TIMESTAMP, "first event, UTC"),
        Col("last_seen", TIMESTAMP, "last event, UTC"),
        Col("identifier_count", LONG, "identifiers tied to the person", required=True),
        Col("attributes", STRING_MAP, "golden record: attribute -> value"),
    ),
)

PERSON_ATTRIBUTES = Table(
    name="person_attributes",
    grain="one value of one attribute of one person: the golden record's, and those that lost",
    keys=("person_id", "attribute", "value"),
    unindexed=("value", "person_id"),
    columns=(
        Col("person_id", STRING, "whose", required=True),
        Col("attribute", STRING, "its name in the configuration", required=True),
        Col("value", STRING, "what events say", required=True),
        Col("place", LONG, "1: the value in `persons.attributes`; then in the order of the rule", required=True),
        Col("events", LONG, "events that say so", required=True),
        Col("first_seen", TIMESTAMP, "first of them, UTC", required=True),
        Col("last_seen", TIMESTAMP, "last of them, UTC", required=True),
        Col("sources", STRINGS, "sources that say so, sorted", required=True),
    ),
)

IDENTITY_QUALITY = Table(
    name="identity_quality",
    grain="one figure of one run",
    keys=("run_id", "figure", "of"),
    aged_by="measured_ts",
    columns=(
        Col("run_id", STRING, "the run that measured it", required=True),
        Col("measured_ts", TIMESTAMP, "when its stage began, UTC", required=True),
        Col("figure", STRING, "components, largest_component, identifiers, edges_cut, edges_refused", required=True),
        Col("of", STRING, "number of identifiers, type, or reason; empty: not split", required=True),
        Col("count", LONG, "how many", required=True),
        Col("ratio", DOUBLE, "share of all; of identifiers: how many a person has", required=True),
        Col("low", DOUBLE, "lower end of the usual band of the ratio; null: too few earlier runs"),
        Col("high", DOUBLE, "its upper end"),
        Col("warning", STRING, "what is unusual; null: nothing"),
    ),
)

TABLES = (
    IDENTITY_SIGHTINGS,
    IDENTITY_EDGES,
    IDENTITY_MAP,
    IDENTITY_HISTORY,
    IDENTITY_LINKS,
    IDENTITY_OVERRIDES,
    IDENTITY_QUALITY,
    PERSONS,
    PERSON_ATTRIBUTES,
)

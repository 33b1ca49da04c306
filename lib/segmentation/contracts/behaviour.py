"""Tables of what people do: sessions, and features at a date."""

from pyspark.sql.types import ArrayType

from segmentation.contracts.table import (
    BOOLEAN,
    DATE,
    DOUBLE,
    DOUBLE_MAP,
    LONG,
    LONG_MAP,
    MONEY,
    STRING,
    STRINGS,
    TIMESTAMP,
    Col,
    Table,
)

SESSIONS = Table(
    name="sessions",
    grain="one session",
    keys=("session_id",),
    cluster_by=("session_start",),
    aged_by="session_start",
    unindexed=("person_id", "channel", "device"),
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
        Col("channel", STRING, "of the first event that names one, where `sessions.channel_property` is set"),
        Col("device", STRING, "of the first event that names one, where `sessions.device_property` is set"),
        Col("is_bounce", BOOLEAN, "one event only", required=True),
        Col("converted", BOOLEAN, "has one of the declared conversion events", required=True),
        Col("path", STRINGS, "names of its events in order, the first `sessions.path_events` of them"),
        Col("event_counts", LONG_MAP, "name of an event -> how many it has"),
    ),
)

FEATURE_DAYS = Table(
    name="feature_days",
    grain="what the events of one batch make of one identifier's day; only of many events is it kept",
    keys=("identifier_type", "identifier_value", "day", "batch_seq"),
    cluster_by=("day",),
    open_columns=("various", "one column for each figure of a day that a feature needs"),
    unindexed=("identifier_value",),
    columns=(
        Col("identifier_type", STRING, "of the most trusted identifier of the events", required=True),
        Col("identifier_value", STRING, "its value, or token", required=True),
        Col("day", DATE, "when the events happened, UTC", required=True),
        Col("batch_seq", LONG, "batch that brought them", required=True),
    ),
)

FEATURES = Table(
    name="features",
    grain="one person at one date",
    keys=("person_id", "as_of"),
    partition_by=("as_of",),
    aged_by="as_of",
    open_columns=("DOUBLE", "one column a feature"),
    unindexed=("person_id",),
    columns=(
        Col("person_id", STRING, "whose", required=True),
        Col("as_of", DATE, "the day at whose end (UTC) the features hold", required=True),
        Col("feature_set", STRING, "hash of the features' definitions", required=True),
    ),
)

FEATURE_PROFILES = Table(
    name="feature_profiles",
    grain="one feature of everyone at one date",
    keys=("feature", "as_of"),
    partition_by=("as_of",),
    aged_by="as_of",
    columns=(
        Col("feature", STRING, "a column of `features`", required=True),
        Col("as_of", DATE, "the date of the features", required=True),
        Col("feature_set", STRING, "hash of all definitions", required=True),
        Col(
            "definition",
            STRING,
            "hash of all that this feature's values depend on",
            required=True,
        ),
        Col("people", LONG, "people with a row", required=True),
        Col("missing", DOUBLE, "share of them without a value, 0 to 1", required=True),
        Col("zeros", DOUBLE, "share of them with 0, 0 to 1", required=True),
        Col("percentiles", ArrayType(DOUBLE), "0th to 100th, to three significant digits; null: nobody has a value"),
        Col("stability_index", DOUBLE, "population stability index against `compared_with`; null: nothing to compare"),
        Col("compared_with", DATE, "that of the last three dates by the same definition from which it moved most"),
        Col("twins", DOUBLE_MAP, "feature declared before it that says nearly the same -> rank correlation"),
        Col("proxies", DOUBLE_MAP, "sensitive attribute or feature that it tells -> association, 0 to 1"),
        Col("findings", STRINGS, "what is odd about it, in words", required=True),
        Col("dropped", BOOLEAN, "whether a finding keeps it out of models", required=True),
    ),
)


def _scores(name: str, grain: str, last: str, often: str, much: str) -> Table:
    """A table of scores; of whom each of the three is the highest."""
    return Table(
        name=name,
        grain=grain,
        keys=("person_id", "as_of"),
        partition_by=("as_of",),
        aged_by="as_of",
        unindexed=("person_id",),
        columns=(
            Col("person_id", STRING, "who", required=True),
            Col("as_of", DATE, "the date of the features that were scored", required=True),
            Col("recency_score", LONG, f"from 1; the highest for those who {last}", required=True),
            Col("frequency_score", LONG, f"from 1; the highest for those who {often}", required=True),
            Col("monetary_score", LONG, f"from 1; the highest for those who {much}", required=True),
            Col("rfm_segment", STRING, "name of the cell of recency and frequency in the usual grid of five scores"),
        ),
    )


RFM = _scores(
    "rfm",
    "one person at one date, who has bought",
    last="bought last",
    often="bought most often",
    much="spent most",
)

RFM_ENGAGEMENT = _scores(
    "rfm_engagement",
    "one person at one date, whether they bought or not, who did anything",
    last="were seen last",
    often="are active most often",
    much="do most",
)

JOURNEY_STEPS = Table(
    name="journey_steps",
    grain="one step and the one that followed it, at one date",
    keys=("as_of", "from_step", "to_step"),
    partition_by=("as_of",),
    aged_by="as_of",
    columns=(
        Col("as_of", DATE, "the date up to which journeys are told", required=True),
        Col("from_step", STRING, "a step, `(start)`, or `(other)` for all rare ones", required=True),
        Col("to_step", STRING, "what came next; `(end)`: nothing, and the target was not reached", required=True),
        Col("times", LONG, "how often", required=True),
        Col("people", LONG, "people to whom it happened", required=True),
        Col("share", DOUBLE, "of all that followed `from_step`, 0 to 1", required=True),
    ),
)

JOURNEY_PATHS = Table(
    name="journey_paths",
    grain="one common path of journeys that reached the target, or that ended without it, at one date",
    keys=("as_of", "reached", "path"),
    partition_by=("as_of",),
    aged_by="as_of",
    columns=(
        Col("as_of", DATE, "the date up to which journeys are told", required=True),
        Col("reached", BOOLEAN, "whether the last step is the target", required=True),
        Col("path", STRINGS, "the last steps in order; `…` stands for those before", required=True),
        Col("journeys", LONG, "journeys that ended so", required=True),
        Col("people", LONG, "people who made them", required=True),
        Col("share", DOUBLE, "of all journeys that reached the target, or of all that did not, 0 to 1", required=True),
    ),
)

JOURNEY_VOCABULARY = Table(
    name="journey_vocabulary",
    grain="some steps in a row that one choice made a feature, without the configuration naming them",
    keys=("choice", "place"),
    columns=(
        Col("choice", STRING, "hash of all that decides of the choice, but for what people did", required=True),
        Col("place", LONG, "1: first chosen", required=True),
        Col("feature", STRING, "the column of `features`", required=True),
        Col("measure", STRING, "follows (the share in which the last came next) or contains", required=True),
        Col("steps", STRINGS, "the steps in order; `(end)`: nothing came next", required=True),
        Col("chosen_as_of", DATE, "the date up to which journeys were looked at", required=True),
        Col("people", LONG, "people who had any of it then", required=True),
        Col("mean", DOUBLE, "mean of the feature then, over everyone with a journey, 0 to 1", required=True),
        Col("deviation", DOUBLE, "its standard deviation, by which it was chosen", required=True),
    ),
)

TABLES = (
    SESSIONS,
    FEATURE_DAYS,
    FEATURES,
    FEATURE_PROFILES,
    RFM,
    RFM_ENGAGEMENT,
    JOURNEY_STEPS,
    JOURNEY_PATHS,
    JOURNEY_VOCABULARY,
)

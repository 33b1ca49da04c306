"""Tables of audiences and deliveries."""

from segmentation.contracts.table import BOOLEAN, DATE, LONG, STRING, STRING_MAP, STRINGS, TIMESTAMP, Col, Table

AUDIENCE_MEMBERS = Table(
    name="audience_members",
    grain="one person in one audience over one period",
    keys=("audience", "person_id", "entered_as_of"),
    unindexed=("person_id",),
    columns=(
        Col("audience", STRING, "name of the audience in the configuration", required=True),
        Col("person_id", STRING, "who", required=True),
        Col("entered_as_of", DATE, "first date at whose end (UTC) the person was in it", required=True),
        Col("left_as_of", DATE, "first date at whose end the person was not in it any more; null: still is"),
        Col(
            "entered_ts",
            TIMESTAMP,
            "since when, UTC: of who came in live their newest event then, not before `entered_as_of` began; else the "
            "end of `entered_as_of`",
        ),
        Col("left_ts", TIMESTAMP, "since when not any more, UTC: the end of `left_as_of`; null: still is"),
    ),
)

EXPORT_MEMBERS = Table(
    name="export_members",
    grain="one person of whom one delivery changed something: since a destination's last one that wrote everyone",
    keys=("destination", "delivery", "person_id"),
    partition_by=("destination", "delivery"),
    unindexed=("person_id",),
    columns=(
        Col("destination", STRING, "name of the export in the configuration", required=True),
        Col("delivery", LONG, "number of the delivery in `export_log`", required=True),
        Col("person_id", STRING, "who was added, told otherwise of or taken out by it", required=True),
        Col("told", LONG, "hash of what the destination was told of the person", required=True),
        Col("found_by", LONG, "hash of that by which the destination finds the person"),
        Col("gone", BOOLEAN, "whether the person was taken out by it"),
    ),
)

EXPORT_REFUSALS = Table(
    name="export_refusals",
    grain="one person of whom a destination's last delivery could not say all, or anything",
    keys=("destination", "person_id"),
    partition_by=("destination",),
    unindexed=("person_id",),
    on_demand=True,
    columns=(
        Col("destination", STRING, "name of the export in the configuration", required=True),
        Col("delivery", LONG, "number of the delivery in `export_log`", required=True),
        Col("person_id", STRING, "who", required=True),
        Col("reasons", STRINGS, "what is wrong with which field, without the value", required=True),
        Col("left_out", BOOLEAN, "whether the whole person is not in the delivery", required=True),
    ),
)

EXPORT_LOG = Table(
    name="export_log",
    grain="one delivery",
    keys=("destination", "delivery"),
    columns=(
        Col("destination", STRING, "name of the export in the configuration", required=True),
        Col("segment_version", LONG, "the version delivered", required=True),
        Col("added", LONG, "people new at the destination", required=True),
        Col("removed", LONG, "people no longer there", required=True),
        Col("unchanged", LONG, "people there as before", required=True),
        Col("changed", LONG, "people there before with other values, such as another segment", required=True),
        Col("path", STRING, "where the file, or the table, is"),
        Col("sha256", STRING, "of the file's bytes"),
        Col("status", STRING, "delivered, failed", required=True),
        Col("reason", STRING, "why it failed"),
        Col("run_id", STRING, "the run that delivered", required=True),
        Col("delivered_ts", TIMESTAMP, "when, UTC", required=True),
        Col("delivery", LONG, "1, 2, 3, … of this destination, failed ones among them", required=True),
        Col("segments", STRINGS, "ids of the segments whose people were to be there; null: all"),
        Col("fingerprint", STRING, "hash of the export's settings, the version and the segments' names", required=True),
        Col("labels", STRING_MAP, "segment id -> what the destination calls it"),
        Col("removed_path", STRING, "where the file of those to be taken out is"),
        Col("sent", STRING, "what was sent: everyone, or the changes"),
        Col("confirmed", BOOLEAN, "whether it removed more than its share because somebody had confirmed that"),
        Col(
            "builds_on",
            LONG,
            "the delivery whose rows of `export_members` have everyone, where this one's have only what changed; null: "
            "this one's have everyone",
        ),
        Col("changes_since", LONG, "rows of `export_members` since that one, this delivery's among them"),
    ),
)

TABLES = (AUDIENCE_MEMBERS, EXPORT_MEMBERS, EXPORT_REFUSALS, EXPORT_LOG)

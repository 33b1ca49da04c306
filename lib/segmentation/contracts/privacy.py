"""Tables that account for what is done with personal data."""

from segmentation.contracts.table import BOOLEAN, LONG, LONG_MAP, STRING, STRING_MAP, TIMESTAMP, Col, Table

TOMBSTONES = Table(
    name="tombstones",
    grain="one identifier of somebody who was erased: no event brings it back",
    keys=("tombstone",),
    on_demand=True,
    columns=(
        Col("tombstone", STRING, "keyed HMAC-SHA256 of type and value (or token)", required=True),
        Col("identifier_type", STRING, "user_id, cookie, email, …", required=True),
        Col("erasure_id", STRING, "the erasure that put it there", required=True),
    ),
)

ERASURE_WORK = Table(
    name="erasure_work",
    grain="one identifier that is being erased; empty unless an erasure is at work, or was killed",
    keys=("identifier_type", "identifier_value"),
    on_demand=True,
    unindexed=("identifier_value", "person_id"),
    columns=(
        Col("erasure_id", STRING, "the erasure", required=True),
        Col("requested_ts", TIMESTAMP, "when it was asked for, UTC", required=True),
        Col("identifier_type", STRING, "user_id, cookie, email, …", required=True),
        Col("identifier_value", STRING, "its normalised value, or token", required=True),
        Col("person_id", STRING, "whose it is; null: nobody's"),
        Col("asked", BOOLEAN, "named in the request; else another identifier of the same person", required=True),
    ),
)

ERASURES = Table(
    name="erasures",
    grain="one erasure that is done: its receipt",
    keys=("erasure_id",),
    on_demand=True,
    columns=(
        Col("erasure_id", STRING, "names it in `audit_log` and `tombstones`", required=True),
        Col("requested_ts", TIMESTAMP, "when it was asked for, UTC", required=True),
        Col("completed_ts", TIMESTAMP, "when nothing was left, UTC", required=True),
        Col("asked", LONG, "identifiers in the request", required=True),
        Col("unknown", LONG, "those of them that nobody had; they are blocked all the same", required=True),
        Col("people", LONG, "people erased", required=True),
        Col("identifiers", LONG, "identifiers erased and blocked, those asked for among them", required=True),
        Col("rows", LONG_MAP, "table -> rows taken out since the erasure was last started", required=True),
        Col("files_deleted", LONG, "delivered files that held somebody", required=True),
        Col("readable_since", LONG_MAP, "table -> the oldest Delta version that can still be read", required=True),
        Col("run_id", STRING, "the run that completed it", required=True),
    ),
)

AUDIT_LOG = Table(
    name="audit_log",
    grain="one act that has to be accounted for",
    keys=("entry",),
    # Delta itself refuses to change or delete a row.
    properties={"delta.appendOnly": "true"},
    columns=(
        Col("entry", LONG, "1, 2, 3, … without a gap", required=True),
        Col("acted_ts", TIMESTAMP, "when it was done, UTC", required=True),
        Col("action", STRING, "access, erasure, export, override, publication, rollback", required=True),
        Col("subject", STRING, "what it was done to, without a personal value", required=True),
        Col("detail", STRING_MAP, "figures and settings of the act, without a personal value", required=True),
        Col("actor", STRING, "the operating system's user who ran it", required=True),
        Col("run_id", STRING, "the run that wrote the entry", required=True),
        Col("previous_hash", STRING, "`entry_hash` of the entry before; empty for the first", required=True),
        Col("entry_hash", STRING, "SHA-256 of all other columns", required=True),
    ),
)

TABLES = (TOMBSTONES, ERASURE_WORK, ERASURES, AUDIT_LOG)

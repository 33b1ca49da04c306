"""Tables that account for what is done with personal data."""

from segmentation.contracts.table import LONG, STRING, STRING_MAP, TIMESTAMP, Col, Table

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

TABLES = (AUDIT_LOG,)

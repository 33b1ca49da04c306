"""All tables of the warehouse, by name, in the order in which data flows."""

from segmentation.contracts import activation, behaviour, events, experiments, identity, privacy, runs, segments
from segmentation.contracts.table import Table

CATALOGUE: dict[str, Table] = {
    table.name: table
    for area in (events, identity, behaviour, segments, experiments, activation, privacy, runs)
    for table in area.TABLES
}

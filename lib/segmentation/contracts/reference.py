"""The reference of the tables, made from their declarations."""

from __future__ import annotations

from segmentation.contracts.catalogue import CATALOGUE
from segmentation.contracts.table import Table

_HEAD = """# Tables

Every Delta table of a warehouse, in the order in which data flows, made from the declarations in this folder by
`scripts/docs`. Columns in **bold** are never null. Ids are STRING, money is DECIMAL, timestamps are UTC. Each commit
carries the run's id as Delta user metadata.

Consumers read `segments_current` and `segment_versions`: at any moment they show one whole published version.
`person_id` and `segment_id` mean the same thing for ever.
"""


def render_reference() -> str:
    """Markdown: a section for each table."""
    return _HEAD + "".join(map(_section, CATALOGUE.values()))


def _section(table: Table) -> str:
    layout = [f"Key: {', '.join(f'`{name}`' for name in table.keys)}."]
    if table.partition_by:
        layout.append(f"Partitioned by {', '.join(f'`{name}`' for name in table.partition_by)}.")
    if table.cluster_by:
        layout.append(f"Clustered by {', '.join(f'`{name}`' for name in table.cluster_by)}.")
    if table.unindexed:
        layout.append(f"No file statistics on {', '.join(f'`{name}`' for name in table.unindexed)}.")
    rows = "".join(
        f"| {f'**`{column.name}`**' if column.required else f'`{column.name}`'} "
        f"| {column.type.simpleString().upper()} | {column.comment} |\n"
        for column in table.columns
    )
    more = f"| … | {' | '.join(table.open_columns)} |\n" if table.open_columns else ""
    return (
        f"\n## `{table.name}`: {table.grain}\n\n{' '.join(layout)}\n\n"
        f"| column | type | meaning |\n| --- | --- | --- |\n{rows}{more}"
    )

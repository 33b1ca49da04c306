"""`events` → `identity_edges`, `identity_map`, `identity_history`, `persons`."""

from __future__ import annotations

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from segmentation.contracts.errors import InputError
from segmentation.identity.batches import list_batches
from segmentation.identity.edges import judge_edges
from segmentation.identity.observations import combine_identifiers, list_identifiers, pair_identifiers
from segmentation.identity.replay import replay_batches
from segmentation.identity.tables import describe_persons, map_identifiers, tell_history
from segmentation.runtime.stage import Outcome, Stage, StageContext


def run(context: StageContext) -> Outcome:
    """Resolves all events. Everything follows from them, and each table is replaced in one commit."""
    settings = context.settings.identity
    context.tell("reading identifiers")
    combinations = combine_identifiers(context.read("events")).persist()
    batches = list_batches(combinations)
    if not batches:
        raise InputError("No event carries an identifier: map `identifiers` of a source in the configuration.")
    identifiers = list_identifiers(combinations, settings).persist()
    _check(identifiers)
    context.tell("joining identifiers")
    resolved = replay_batches(identifiers, pair_identifiers(combinations).persist(), batches, settings)
    context.tell("writing persons")
    write = context.warehouse.replace
    edges = judge_edges(resolved.edges, resolved.members, resolved.hubs, settings)
    persons = describe_persons(resolved.members, identifiers)
    cut, largest = Observation(), Observation()
    write = context.warehouse.replace
    written = write("identity_edges", edges.observe(cut, F.count_if(F.col("status") == "cut").alias("n")))
    write("identity_history", tell_history(resolved.changes, resolved.members))
    found = write("persons", persons.observe(largest, F.max("identifier_count").alias("n")))
    mapped = write("identity_map", map_identifiers(resolved.members, identifiers))
    context.spark.catalog.clearCache()
    figures = {
        "persons": found.rows,
        "edges": written.rows,
        "edges_cut": cut.get["n"],
        "largest_person": largest.get["n"],
    }
    return Outcome(sum(batch.events for batch in batches), mapped.rows, figures)


def _check(identifiers: DataFrame) -> None:
    """Raises `InputError` for a type that the configuration does not know, and where two identifiers share a node."""
    row = identifiers.agg(
        F.collect_set(F.when(F.col("rank").isNull(), F.col("type"))).alias("unknown"),
        (F.count("*") - F.count_distinct("node")).alias("shared"),
    ).first()
    assert row is not None, "an aggregate without groups has one row"
    if row["unknown"]:
        names = ", ".join(f"'{name}'" for name in sorted(row["unknown"])[:5])
        raise InputError(
            f"The table 'events' holds identifiers of the type {names}, which identity.identifiers does not declare: "
            "add it there, in its place in the order of trust."
        )
    if row["shared"]:
        raise InputError(
            f"{row['shared']} identifiers share a 64-bit name with another: report this, with the row count."
        )


STAGE = Stage(
    name="identity",
    help="Find out which identifiers are one person: events → identity_*, persons.",
    reads=("events",),
    writes=("identity_edges", "identity_history", "persons", "identity_map"),
    run=run,
    depends_on=lambda settings: settings.identity,
)

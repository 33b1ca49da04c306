"""A simulated world, written: sources as a company has them, and the truth beside them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial, reduce

from pyspark import inheritable_thread_target
from pyspark.sql import DataFrame, SparkSession

from segmentation.bed import folder, truth
from segmentation.bed.activity import leave_events
from segmentation.bed.campaign import assign_campaign
from segmentation.bed.disorder import disturb
from segmentation.bed.intruders import send_bots, send_testers
from segmentation.bed.knobs import World
from segmentation.bed.people import draw_people
from segmentation.bed.registers import ask_for_erasure, extract_crm, log_campaign, log_consent
from segmentation.bed.rows import SOURCES
from segmentation.bed.sources import write_source
from segmentation.bed.visits import draw_visits, list_segments
from segmentation.contracts.errors import ConfigError

WORLD_FILE = "world.json"
_AT_ONCE = 4


def simulate(
    spark: SparkSession,
    world: World,
    destination: str,
    partitions: int | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> int:
    """Writes a world below `destination`, a folder or URI with nothing in it, and returns how many rows it has.

    The rows depend on the knobs alone, not on `partitions` or cores. `truth/world.json` is written last: a world
    without it was not finished. Raises `ConfigError` where something is in the way.
    """
    destination = destination.rstrip("/")
    if not folder.is_empty(spark, destination):
        raise ConfigError(
            f"The destination '{destination}' is not empty: nothing was written; name a new folder with --dest."
        )
    tell("people and what they do")
    beside = f"{destination}/truth"
    draw_people(spark, world, partitions).write.parquet(f"{beside}/people")
    people, segments = spark.read.parquet(f"{beside}/people"), list_segments(spark, world)
    audience = assign_campaign(people, segments, world)
    visits = leave_events(draw_visits(people, segments, audience, world), world)
    others = [
        extract_crm(people, world),
        log_campaign(audience, world),
        log_consent(people, world),
        send_bots(spark, world),
        send_testers(spark, world),
    ]
    # Kept, since Spark would else compile all that happens to a row once for each of the small parts.
    beside_visits = reduce(DataFrame.unionByName, others).persist()
    disturb(visits.unionByName(beside_visits), world).write.parquet(f"{beside}/events")
    beside_visits.unpersist()
    events = spark.read.parquet(f"{beside}/events")

    tell("sources and truth")
    truth.tell_sightings(events).write.parquet(f"{beside}/sightings")
    tables = {
        "sessions": truth.tell_sessions(events),
        "identity": truth.tell_identity(spark.read.parquet(f"{beside}/sightings")),
        "segments": truth.tell_segments(people, segments, world),
        "campaign": truth.tell_campaign(audience, events, world),
        "consent": truth.tell_consent(people, world),
        "erasures": truth.tell_erasures(people, world),
    }
    _all_at_once(
        spark,
        [partial(write_source, events, source, world, destination) for source in SOURCES]
        + [partial(table.write.parquet, f"{beside}/{name}") for name, table in tables.items()]
        + [partial(ask_for_erasure(people).coalesce(1).write.text, f"{destination}/erasures")],
    )
    count = events.count()
    said = {"world_id": world.world_id, "rows": count, "knobs": world.model_dump(mode="json")}
    folder.write_text(spark, f"{beside}/{WORLD_FILE}", json.dumps(said, indent=2) + "\n")
    return count


def _all_at_once(spark: SparkSession, writes: Sequence[Callable[[], None]]) -> None:
    """Several small writes side by side: each leaves most cores idle. The first failure is raised."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for done in [pool.submit(inheritable_thread_target(spark)(write)) for write in writes]:
            done.result()

"""Tables made small enough for a report: a few jobs, each over few columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date

from pyspark.sql import DataFrame, Row, Window
from pyspark.sql import functions as F

from segmentation.clustering.agreement import adjusted_rand_index
from segmentation.config.journeys import JourneySettings
from segmentation.config.report import LifecycleSettings
from segmentation.contracts.errors import InputError
from segmentation.features.journeys import keep_common_steps, rank_paths
from segmentation.profiles.report.data import (
    Activity,
    Attribute,
    Border,
    Decisions,
    Identity,
    Journeys,
    Lifecycle,
    Link,
    Month,
    OwnJourneys,
    Rfm,
    RfmCell,
    SourceQuality,
    Step,
    Way,
)

MOST_IDENTIFIERS = 6
"""Persons with this many identifiers or more are counted together."""

_WAYS_OF_A_SEGMENT = 3
"""Paths to the target, and as many that ended without it, that are told of one segment."""

_FEWEST_ALIKE, _MOST_KINDS = 20, 50
"""People whom a value of an attribute must have to be a kind of its own, and kinds beside which all values are one."""

_SCORED = ("identifiers", "pairwise_recall", "pairwise_precision")


def summarise_activity(events: DataFrame, sessions: DataFrame, as_of: date) -> Activity:
    """What happened until the end of `as_of`. Amounts leave out bots and tests. Raises `InputError` without events."""
    real = ~F.col("is_bot") & ~F.col("is_test")
    rows = (
        events.where(F.col("event_date") <= F.lit(as_of))
        .groupBy(F.trunc("event_date", "month").alias("month"))
        .agg(
            F.count("*").alias("events"),
            F.count_if(~real).alias("automatic"),
            F.sum(F.when(real, F.col("amount"))).alias("amount"),
            F.min("event_date").alias("first_date"),
            F.max("event_date").alias("last_date"),
            F.min("currency").alias("first_currency"),
            F.max("currency").alias("last_currency"),
        )
        .orderBy("month")
        .collect()
    )
    if not rows:
        raise InputError(f"There are no events up to {as_of}: run `segmentation ingest`, or name a later --as-of.")
    visits = sessions.agg(
        F.count("*").alias("sessions"),
        (F.avg("duration_s") / 60).alias("session_minutes"),
        F.avg("events").alias("events_a_session"),
        F.avg(F.col("is_bounce").cast("double")).alias("bounces"),
    ).first()
    assert visits is not None, "a global aggregate has one row"
    currencies = {row[name] for row in rows for name in ("first_currency", "last_currency")} - {None}
    paid = [row["amount"] for row in rows if row["amount"] is not None]
    return Activity(
        months=[Month(r["month"], r["events"], None if r["amount"] is None else float(r["amount"])) for r in rows],
        first_date=min(row["first_date"] for row in rows),
        last_date=max(row["last_date"] for row in rows),
        events=sum(row["events"] for row in rows),
        automatic=sum(row["automatic"] for row in rows),
        amount=float(sum(paid)) if paid else None,
        currency=currencies.pop() if len(currencies) == 1 else None,
        **visits.asDict(),
    )


def summarise_rfm(rfm: DataFrame, features: DataFrame, segments: DataFrame, scored: Mapping[str, str]) -> Rfm | None:
    """The grid of scores, and the segments of those in it: a few dozen rows; None where nobody has a place in it.

    In: rows of a table of scores and of `features` of one date, of `segments` of one version; `scored`: what is
    scored -> feature.
    """
    placed = rfm.where("rfm_segment IS NOT NULL")
    values = features.select("person_id", *(F.col(feature).alias(name) for name, feature in scored.items()))
    rows = (
        placed.join(values, "person_id")
        .groupBy("recency_score", "frequency_score", "rfm_segment")
        .agg(
            F.count("*").alias("people"),
            F.sum(F.col("monetary").cast("decimal(38,4)")).cast("double").alias("money"),
            *(F.struct(F.min(name), F.max(name)).alias(name) for name in ("recency", "frequency")),
        )
        .collect()
    )
    if not rows:
        return None
    cells = [
        RfmCell(
            row["recency_score"],
            row["frequency_score"],
            row["rfm_segment"],
            row["people"],
            row["money"],
            tuple(row["recency"]),
            tuple(row["frequency"]),
        )
        for row in rows
    ]
    both = placed.join(segments.select("person_id", "segment_id"), "person_id", "left")
    found: dict[str, dict[str | None, int]] = {}
    for row in both.groupBy("rfm_segment", "segment_id").agg(F.count("*").alias("people")).collect():
        found.setdefault(row["rfm_segment"], {})[row["segment_id"]] = row["people"]
    return Rfm(cells, found)


def summarise_lifecycle(features: DataFrame, segments: DataFrame, settings: LifecycleSettings) -> Lifecycle | None:
    """How many of each segment are in which stage: a handful of rows; None where `tenure` or `recency` is not
    measured. Who lacks either is in none.

    In: rows of `features` of one date, of `segments` of one version.
    """
    if not {"tenure", "recency"} <= set(features.columns):
        return None
    recency = F.col("recency")
    stage = (
        F.when(F.col("tenure") <= settings.new_days, "new")
        .when(recency <= settings.active_days, "active")
        .when(recency <= settings.lapsed_days, "slipping")
        .when(recency > settings.lapsed_days, "lapsed")
    )
    known = features.where(F.col("tenure").isNotNull() & recency.isNotNull())
    staged = known.select("person_id", stage.alias("stage"))
    rows = staged.join(segments.select("person_id", "segment_id"), "person_id").groupBy("segment_id", "stage").count()
    found: dict[str, dict[str, int]] = {}
    for row in rows.collect():
        found.setdefault(row["segment_id"], {})[row["stage"]] = row["count"]
    return Lifecycle(found, **settings.model_dump()) if found else None


def summarise_attributes(persons: DataFrame, segments: DataFrame, names: Sequence[str]) -> list[Attribute]:
    """People of each segment by what is known of them, for each attribute that is known of anybody, in order of
    `names`: a row a segment and kind. Values that few have, and those after the commonest, are one kind.

    In: rows of `persons`, with the MAP `attributes`; rows of `segments` of one version.
    """
    if not names:
        return []
    values = [
        F.struct(F.lit(name).alias("attribute"), F.try_element_at("attributes", F.lit(name)).alias("value"))
        for name in names
    ]
    placed = persons.join(segments.select("person_id", "segment_id"), "person_id")
    known = placed.select("segment_id", F.inline(F.array(*values))).where(F.col("value").isNotNull())
    counted = known.groupBy("attribute", "value", "segment_id").agg(F.count("*").alias("n"))
    common = counted.groupBy("attribute", "value").agg(F.sum("n").alias("size")).where(F.col("size") >= _FEWEST_ALIKE)
    most_first = Window.partitionBy("attribute").orderBy(F.desc("size"), "value")
    kinds = common.withColumn("kind", F.row_number().over(most_first)).where(F.col("kind") <= _MOST_KINDS)
    rows = (
        counted.join(kinds.drop("size"), ["attribute", "value"], "left")
        .groupBy("attribute", "segment_id", F.coalesce("kind", F.lit(0)).alias("kind"))
        .agg(F.sum("n").alias("people"))
        .collect()
    )
    found: dict[str, dict[str, list[int]]] = {}
    for row in rows:
        own = found.setdefault(row["attribute"], {}).setdefault(row["segment_id"], [0] * (_MOST_KINDS + 1))
        own[row["kind"]] = row["people"]
    return [Attribute(name, found[name]) for name in names if name in found]


def summarise_borders(segments: DataFrame) -> list[Border]:
    """Which segments lie beside which: a row a pair at most. In: rows of `segments` of one version."""
    near = segments.where("nearest_segment_id IS NOT NULL").groupBy("segment_id", "nearest_segment_id")
    rows = near.agg(F.count("*").alias("people"), F.count_if("ambiguous").alias("ambiguous")).collect()
    return [Border(*row) for row in sorted(rows)]


def summarise_decisions(segments: DataFrame) -> Decisions | None:
    """What rules decided beside the model: a row a rule and pair of segments; None where no rule decided of anybody.

    In: rows of `segments` of one version.
    """
    by_model = F.coalesce("model_segment_id", "segment_id").alias("by_model")
    people, together = Counter[str](), Counter[tuple[str, str]]()
    for row in segments.groupBy("rule", "segment_id", by_model).agg(F.count("*").alias("people")).collect():
        together[row["segment_id"], row["by_model"]] += row["people"]
        if row["rule"] is not None:
            people[row["rule"]] += row["people"]
    if not people:
        return None
    most_first = dict(sorted(people.items(), key=lambda item: (-item[1], item[0])))
    pairs = sorted(together.items())
    return Decisions(most_first, dict(pairs), adjusted_rand_index(dict(pairs)))


def summarise_own_journeys(
    journeys: DataFrame, segments: DataFrame, settings: JourneySettings
) -> dict[str, OwnJourneys]:
    """Segment id -> what its people do: a few rows a segment.

    In: journeys of everyone (`list_journeys`); rows of `segments` of one version.
    """
    common = keep_common_steps(journeys, settings)
    placed = common.join(segments.select("person_id", "segment_id"), "person_id")
    counted = placed.groupBy("segment_id").agg(F.count("*").alias("journeys"), F.count_if("reached").alias("reached"))
    ways: dict[str, list[Way]] = {}
    for row in rank_paths(placed, settings, _WAYS_OF_A_SEGMENT, ["segment_id"]).collect():
        ways.setdefault(row["segment_id"], []).append(_way(row))
    return {
        row["segment_id"]: OwnJourneys(row["journeys"], row["reached"], _most_first(ways.get(row["segment_id"], [])))
        for row in counted.collect()
    }


def read_journeys(steps: DataFrame, paths: DataFrame, settings: JourneySettings) -> Journeys | None:
    """What followed what, and the common paths, from the rows of one date; None where there are none."""
    followed = [Step(row["from_step"], row["to_step"], row["times"], row["share"]) for row in steps.collect()]
    ways = [_way(row) for row in paths.collect()]
    if not followed:
        return None
    return Journeys(
        settings.window_days,
        settings.repeats,
        sorted(followed, key=lambda step: (-step.times, step.before, step.after)),
        _most_first(ways),
    )


def _way(path: Row) -> Way:
    return Way(path["reached"], tuple(path["path"]), path["journeys"], path["people"], path["share"])


def _most_first(ways: Sequence[Way]) -> list[Way]:
    return sorted(ways, key=lambda way: (-way.journeys, way.steps))


def summarise_identity(
    persons: DataFrame, identity_map: DataFrame, edges: DataFrame, score: Mapping[str, float]
) -> Identity | None:
    """Who is who; None before identities were resolved. `score` is shown where it has the figures that are told."""
    held = F.least(F.col("identifier_count"), F.lit(MOST_IDENTIFIERS))
    people = {row["held"]: row["count"] for row in persons.groupBy(held.alias("held")).count().collect()}
    if not people:
        return None
    types = identity_map.groupBy("identifier_type").count().orderBy(F.desc("count"), "identifier_type").collect()
    links = edges.groupBy("kind", "status", "reason").agg(F.count("*").alias("pairs")).collect()
    return Identity(
        people=sum(people.values()),
        identifiers={row["identifier_type"]: row["count"] for row in types},
        people_by_identifiers=dict(sorted(people.items())),
        links=sorted((Link(**row.asDict()) for row in links), key=lambda link: (-link.pairs, link.reason or "")),
        score=score if all(name in score for name in _SCORED) else {},
    )


def summarise_quality(batches: DataFrame) -> list[SourceQuality]:
    """What became of the rows of each source, from what ingestion counted: one small row a batch."""
    counted = ("rows_read", "accepted", "duplicates", "sampled", "quarantined")
    totals: dict[str, Counter[str]] = {}
    reasons: dict[str, Counter[str]] = {}
    for row in batches.where("status = 'done'").select("source", "reasons", *counted).collect():
        totals.setdefault(row["source"], Counter()).update({name: row[name] or 0 for name in counted})
        reasons.setdefault(row["source"], Counter()).update(row["reasons"] or {})
    return [
        SourceQuality(
            source,
            t["rows_read"],
            t["accepted"],
            t["duplicates"],
            t["quarantined"],
            dict(sorted(reasons[source].items())),
            t["sampled"],
        )
        for source, t in sorted(totals.items(), key=lambda item: (-item[1]["rows_read"], item[0]))
    ]

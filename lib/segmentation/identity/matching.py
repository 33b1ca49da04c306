"""Records that no identifier ties together, linked by what describes them: names, addresses.

Only pairs that agree on all types of a blocking rule are looked at.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.config.identity import IdentitySettings, MatchingSettings
from segmentation.contracts.errors import InputError
from segmentation.contracts.table import check_columns
from segmentation.identity.likeness import rate_pairs
from segmentation.identity.observations import name_node

_ACCENTS = ("áàâäãåçéèêëíìîïñóòôöõøúùûüýÿžšłđßæœ", "aaaaaaceeeeiiiinooooouuuuyyzslds")
_RECORD = ("node", "type", "value")


def list_records(events: DataFrame, settings: MatchingSettings) -> DataFrame:
    """What events say of each record.

    In: events. Out: one value of a type of `records`: `node`, `type`, `value`, and one column for each type of
    `compare` and `blocking` with the value (a token, where the type is personal) that was said last, or null.
    """
    check_columns(events, ("identifiers", "event_ts"), "the events to match")
    named = [
        F.when(value != "", F.struct(F.lit(kind).alias("type"), value.alias("value")))
        for kind, value in ((kind, F.col("identifiers")[kind]) for kind in settings.records)
    ]
    records = F.array_compact(F.array(*named))
    said = [F.col("identifiers")[kind].alias(kind) for kind in settings.described_by]
    rows = events.select("event_ts", *said, F.inline(records))
    # Of two said at the same moment the larger, so that the order of rows does not matter.
    latest = [
        F.max(F.when(F.col(kind) != "", F.struct("event_ts", F.col(kind).alias("said"))))["said"].alias(kind)
        for kind in settings.described_by
    ]
    return rows.groupBy("type", "value").agg(*latest).select(name_node("type", "value").alias("node"), "*")


def reveal_values(records: DataFrame, vault: DataFrame, settings: IdentitySettings) -> DataFrame:
    """Records with comparable clear text in place of tokens: no accents, words in the order of the alphabet.

    In: `list_records`, and the vault. Out: the same grain and columns. It is never written anywhere.
    """
    matching = settings.matching
    assert matching is not None, "there are no records without `matching`"
    check_columns(vault, ("token", "value"), "the table 'vault'")
    clear = vault.select("token", F.col("value").alias("clear"))
    for kind in matching.described_by:
        if settings.is_personal(kind):
            records = records.join(clear.withColumnRenamed("token", kind), kind, "left").drop(kind)
            records = records.withColumnRenamed("clear", kind)
    return records.select(*_RECORD, *(_comparable(F.col(kind)).alias(kind) for kind in matching.described_by))


def find_initials(events: DataFrame, vault: DataFrame, settings: IdentitySettings) -> DataFrame:
    """What tells records apart (`told_apart_by`).

    In: events, and the vault. Out: one record: `node`, `initials`: the first letters of its name, where that is two
    words. It is the name that came with the record, whatever was said of it later, so that nobody is moved by that.
    """
    check_columns(events, ("identifiers", "event_ts", "batch_seq"), "the events with records")
    rows = [
        F.struct(F.lit(kind).alias("type"), F.col("identifiers")[kind].alias("value"), _said(name).alias("name"))
        for kind, name in settings.told_apart.items()
    ]
    records = events.select("batch_seq", "event_ts", F.inline(F.array(*rows))).where("value != ''")
    # Of several in its first batch the last, and of two at the same moment the smaller.
    arrival = F.struct("batch_seq", F.col("name").isNull(), -F.unix_micros("event_ts"), "name")
    first = records.groupBy("type", "value").agg(F.min(arrival)["name"].alias("token")).where("token IS NOT NULL")
    clear = first.join(vault.select("token", F.col("value").alias("clear")), "token", "left")
    words = F.split(_comparable(F.coalesce("clear", "token")), " ")
    letters = F.array_join(F.transform(words, lambda word: F.substring(word, 1, 1)), "")
    named = clear.withColumn("initials", F.when(F.size(words) == 2, letters)).where("initials IS NOT NULL")
    return named.select(name_node("type", "value").alias("node"), "initials")


def check_blocks(records: DataFrame, settings: MatchingSettings) -> None:
    """Raises `InputError` for a blocking rule that makes a block with more than `max_block` records: the pairs in it
    grow with its square."""
    places = [
        F.struct(F.lit(number).alias("rule"), F.array(*(F.col(kind) for kind in rule)).alias("shared"))
        for number, rule in enumerate(settings.blocking)
    ]
    whole = records.select(F.inline(F.array(*places))).where(~F.exists("shared", lambda value: value.isNull()))
    largest = whole.groupBy("rule", "shared").count().groupBy("rule").agg(F.max("count").alias("size"))
    sizes = {row["rule"]: row["size"] for row in largest.collect()}
    for number, rule in enumerate(settings.blocking):
        if (size := sizes.get(number, 0)) > settings.max_block:
            raise InputError(
                f"identity.matching.blocking.{number} ({', '.join(rule)}) makes a block of {size:,} records, which are "
                f"{size * (size - 1) // 2:,} pairs (max_block is {settings.max_block:,}): add a type to the rule."
            )


def match_records(records: DataFrame, settings: MatchingSettings) -> DataFrame | None:
    """Pairs of records that are likely one person; None where too few are alike to learn from.

    In: `reveal_values`, persisted. Out: one pair, the left one smaller by (type, value): `left_node`, `left_type`,
    `left_value`, the same for right, and `probability`, at least `suggest_at`. Raises `ConfigError` where Splink is
    not installed, and `InputError` as `check_blocks` does.
    """
    check_blocks(records, settings)
    pairs = rate_pairs(records.select(F.col("node").alias("unique_id"), *settings.described_by), settings)
    if pairs is None:
        return None
    ends = records.select(*_RECORD)
    for side in ("l", "r"):
        named = [F.col(column).alias(f"{column}_{side}") for column in _RECORD]
        pairs = pairs.join(ends.select(*named), F.col(f"unique_id_{side}") == F.col(f"node_{side}"))
    one, two = (
        F.struct(*(F.col(f"{column}_{side}").alias(column) for column in ("type", "value", "node")))
        for side in ("l", "r")
    )
    ordered = pairs.select(
        F.least(one, two).alias("left"), F.greatest(one, two).alias("right"), F.col("match_probability")
    )
    return ordered.select(
        *(F.col(f"{side}.{column}").alias(f"{side}_{column}") for side in ("left", "right") for column in _RECORD),
        F.round("match_probability", 6).alias("probability"),
    )


def _said(kind: str) -> Column:
    """What an event says of this type, if anything."""
    value = F.col("identifiers")[kind]
    return F.when(value != "", value)


def _comparable(value: Column) -> Column:
    """`AAnna SSmith` of `SMITH, Anná`: a typo rarely hits a word's first letter and an abbreviation keeps it, so it
    stands twice, where two that differ are further apart than a typo, and in capitals, where it is nothing inside."""
    plain = F.translate(F.lower(value), *_ACCENTS)
    words = F.array_sort(F.array_remove(F.split(F.regexp_replace(plain, r"[^\p{L}\p{N}]+", " "), " "), ""))
    written = F.transform(
        words, lambda word: F.concat(F.repeat(F.upper(F.substring(word, 1, 1)), 2), F.substring(word, 2, 1_000))
    )
    text = F.array_join(written, " ")
    return F.when(text != "", text)

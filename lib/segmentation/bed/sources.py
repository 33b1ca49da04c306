"""The rows in the form of each source: its columns, its formats, its ways of being broken."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.bed.clock import midnight, timestamp
from segmentation.bed.knobs import World

_ISO = "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"
_NO_TIME = "the day before"


def write_source(rows: DataFrame, source: str, world: World, folder: str) -> None:
    """Writes the rows of one source (`disorder.WRITTEN`) below `folder`, one folder for each period of arrival."""
    file_format, shape = _SHAPES[source]
    day = F.to_date(timestamp("received"))
    arrived = (day if world.files == "day" else F.trunc(day, world.files)).alias("arrived")
    written = shape(rows.where(F.col("source") == source), world, arrived)
    writer = written.hint("rebalance", "arrived").write.partitionBy("arrived")
    if file_format == "csv":
        writer = writer.option("header", True)
    writer.format(file_format).save(f"{folder}/{source}")


def _iso(milliseconds: str) -> Column:
    return F.date_format(timestamp(milliseconds), _ISO)


def _unless(broken: str, good: Column, otherwise: str) -> Column:
    return F.when(F.col("malformed") == broken, otherwise).otherwise(good)


def _web(rows: DataFrame, world: World, arrived: Column) -> DataFrame:
    """JSON lines. From the drift day on, `price` is text, `screen` is gone and `variant` is new."""
    common: list[Column | str] = [
        F.col("event_id").alias("id"),
        F.col("event_name").alias("event"),
        _unless("bad_event_ts", _iso("own_time"), _NO_TIME).alias("ts"),
        _iso("sent").alias("sent_at"),
        _iso("received").alias("received_at"),
        F.col("cookie").alias("anon_id"),
        "user_id",
        "email",
        F.col("page").alias("url"),
        "category",
        "quantity",
        F.when(F.col("coupon"), True).alias("coupon"),
        F.col("campaign").alias("utm_campaign"),
        "user_agent",
    ]
    before = F.struct(*common, F.col("price"), F.lit("1920x1080").alias("screen"))
    after = F.struct(
        *common,
        F.col("price").cast("string").alias("price"),
        F.when(F.crc32("cookie") % 2 == 0, "a").otherwise("b").alias("variant"),
    )
    line = F.to_json(before)
    if world.disorder.drift_day is not None:
        drifted = F.col("happened") >= midnight(world, world.disorder.drift_day)
        line = F.when(drifted, F.to_json(after)).otherwise(line)
    return rows.select(_cut(line).alias("value"), arrived)


def _marketing(rows: DataFrame, world: World, arrived: Column) -> DataFrame:
    """JSON lines without an id; times are milliseconds since 1970."""
    at = _unless("bad_event_ts", F.col("happened").cast("string"), _NO_TIME)
    line = F.to_json(F.struct("email", F.col("event_name").alias("action"), "campaign", "arm", at.alias("at")))
    return rows.select(_cut(line).alias("value"), arrived)


def _cut(line: Column) -> Column:
    """A line that ends in its middle, where the row is broken in this way."""
    half = F.floor(F.length(line) / 2).cast("int")
    return F.when(F.col("malformed") == "cut_line", line.substr(F.lit(1), half)).otherwise(line)


def _app(rows: DataFrame, world: World, arrived: Column) -> DataFrame:
    """Parquet; `server_time` is a timestamp, the device's own times are text."""
    return rows.select(
        F.col("event_id").alias("id"),
        F.col("event_name").alias("event"),
        _unless("bad_event_ts", _iso("own_time"), _NO_TIME).alias("device_time"),
        _iso("sent").alias("sent_at"),
        timestamp("received").alias("server_time"),
        "device_id",
        F.col("user_id").alias("account"),
        F.col("category").alias("section"),
        F.col("amount").alias("order_value"),
        F.coalesce("coupon", F.lit(False)).alias("used_coupon"),
        arrived,
    )


def _pos(rows: DataFrame, world: World, arrived: Column) -> DataFrame:
    """CSV, one receipt a line; its times are the store's own, without a zone, but for that of receipt."""

    def local(milliseconds: str) -> Column:
        at = F.from_utc_timestamp(timestamp(milliseconds), world.store_time_zone)
        return F.date_format(at, "yyyy-MM-dd HH:mm:ss.SSS")

    return rows.select(
        F.col("event_id").alias("receipt"),
        F.col("event_name").alias("kind"),
        _unless("bad_event_ts", local("own_time"), "31.02. noon").alias("sold_at"),
        local("sent").alias("sent_at"),
        _iso("received").alias("received_at"),
        F.col("card").alias("card_no"),
        "phone",
        "email",
        F.col("name").alias("customer"),
        "street",
        "city",
        "postcode",
        F.col("category").alias("department"),
        _unless("bad_amount", F.col("amount").cast("string"), "12,5O").alias("total"),
        F.coalesce("coupon", F.lit(False)).alias("coupon"),
        arrived,
    )


def _crm(rows: DataFrame, world: World, arrived: Column) -> DataFrame:
    """CSV, one record a line."""
    day = F.date_format(timestamp("happened"), "yyyy-MM-dd")
    return rows.select(
        F.col("event_id").alias("record_id"),
        "crm_id",
        F.col("user_id").alias("account"),
        "email",
        "phone",
        F.col("card").alias("card_no"),
        "name",
        "street",
        "city",
        "postcode",
        _unless("bad_event_ts", day, "unknown").alias("updated"),
        arrived,
    )


def _consent(rows: DataFrame, world: World, arrived: Column) -> DataFrame:
    """CSV, one decision a line."""
    return rows.select(
        F.col("event_id").alias("id"),
        F.col("user_id").alias("account"),
        "email",
        "purpose",
        F.substring_index("event_name", "_", -1).alias("status"),
        _unless("bad_event_ts", _iso("happened"), _NO_TIME).alias("decided_at"),
        arrived,
    )


_SHAPES = {
    "web": ("text", _web),
    "app": ("parquet", _app),
    "pos": ("csv", _pos),
    "marketing": ("text", _marketing),
    "crm": ("csv", _crm),
    "consent": ("csv", _consent),
}
"""Spark writer and shape of each source. Those that write JSON do so as text, since some of their lines are broken."""

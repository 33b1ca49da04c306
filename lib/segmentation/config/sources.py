"""`sources`: where events come from, and how their columns become the contract's."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import Field, field_validator, model_validator

from segmentation.config.model import Name, Section, SqlExpression
from segmentation.config.quality import QualityRule

Scalar = str | int | float | bool

_SERVERS = "kafka.bootstrap.servers"
_SECRET = re.compile("password|jaas|secret", re.IGNORECASE)


class Lookup(Section):
    """A small reference table joined to a source (products, campaigns): each row of the source meets at most one."""

    format: Literal["csv", "json", "parquet", "delta"] = Field(
        "parquet", description="Spark reader of the reference table."
    )
    path: str = Field(description="Where it is; `package:NAME/FILE` is a file that an installed Python package ships.")
    options: dict[str, Scalar] = Field({}, description="Passed to the Spark reader.")
    on: list[str] = Field(min_length=1, description="Columns of the same name in both, the reference table's key.")


class Columns(Section):
    """Contract column -> Spark SQL expression over the source's columns."""

    event_id: SqlExpression | None = Field(
        None, description="The source's own id of an event. Default: a hash of what the event says."
    )
    event_name: SqlExpression = Field(description="What happened.")
    event_ts: SqlExpression = Field(description="When it happened, as a timestamp.")
    received_ts: SqlExpression | None = Field(None, description="When the source received it.")
    sent_ts: SqlExpression | None = Field(
        None, description="When the device sent it, by its own clock: see `clock`. It is not kept."
    )
    platform: SqlExpression | None = Field(None, description="web, app, store, …")
    session_key: SqlExpression | None = Field(None, description="A session id that the source already has.")
    amount: SqlExpression | None = Field(None, description="Value of the event.")
    currency: SqlExpression | None = Field(None, description="ISO 4217 code of the amount.")
    identifiers: dict[Name, SqlExpression] = Field(
        min_length=1, description="Identifier type -> expression; null means absent."
    )
    properties: dict[Name, SqlExpression] = Field({}, description="Property name -> expression.")


class VolumeSettings(Section):
    """How many events a day brings, against the same weekday before: a spike is more, a hole is fewer."""

    policy: Literal["warn", "refuse"] = Field(
        "warn", description="Say so in the ledger and the run, or refuse the batch whole."
    )
    weeks: int = Field(8, ge=4, le=52, description="A day is compared with the same weekday of so many weeks before.")
    deviations: float = Field(
        6,
        gt=0,
        description="Further from their median than so many deviations is unusual; one is 1.4826 times the median "
        "absolute deviation, and at least the root of the median.",
    )


class Freshness(Section):
    """How old the newest event of a source may be when events are taken in, whether any came or not."""

    max_days: int = Field(ge=0, le=3650, description="Days from its newest event (UTC) to the run's date, or to today.")
    events: dict[str, Annotated[int, Field(ge=0, le=3650)]] = Field(
        {}, description="Event name -> the same for the newest event of that name."
    )
    policy: Literal["warn", "fail"] = Field(
        "warn", description="Say so, or end with status 3 once all that came has been taken in."
    )


class StreamSettings(Section):
    """How a source is followed."""

    most_files: int = Field(
        1000, ge=1, le=100_000, description="A batch has at most so many files (of a table: of its files)."
    )
    most_messages: int = Field(1_000_000, ge=1, description="A batch of a topic has at most so many messages.")


class Source(Section):
    """One source of events."""

    name: Name = Field(description="Its name in `events.source`.")
    format: Literal["csv", "json", "parquet", "delta", "kafka"] = Field(description="Spark reader.")
    path: str = Field(
        description="A file, folder or glob; `package:NAME/FILE` is a file that an installed Python package ships. Of "
        "`kafka` a topic, or several with commas between them, whose messages are JSON objects; columns may name "
        "`kafka_timestamp`, `kafka_topic` and `kafka_offset` too."
    )
    options: dict[str, Scalar] = Field(
        {}, description="Passed to the Spark reader; of `kafka` at least `kafka.bootstrap.servers`."
    )
    options_env: dict[str, str] = Field(
        {},
        description="Of `kafka`: option -> environment variable that has its value, for what is secret, such as "
        "`kafka.sasl.jaas.config`.",
    )
    stream: StreamSettings | None = Field(
        None,
        description="Follow it with Structured Streaming, which keeps how far it was read in a checkpoint in the "
        "warehouse: of a folder or glob the files that came since (one that is written anew under its name is not "
        "seen), of a `delta` table only the rows that were added since. `stream: {}` has the defaults. Default: what "
        "is there is listed at each run.",
    )
    lookups: list[Lookup] = Field([], description="Reference tables to join before mapping.")
    columns: Columns = Field(description="The mapping.")
    optional: list[str] = Field(
        [],
        description="Its columns that a batch may come without, and which say nothing then: keys that JSON leaves out, "
        "columns to come. Any other column of the mapping has to be there, so that a misspelt one is found.",
    )
    rules: list[QualityRule] = Field([], description="What its events must be like.")
    max_bad_share: float = Field(
        1.0, ge=0, le=1, description="A batch with a larger share of quarantined rows is refused whole."
    )
    duplicate_days: int = Field(
        31,
        ge=0,
        description="An `event_id` that comes again with a time up to this many days away is a duplicate. Events "
        "without an id of their own are compared by content, which includes the time.",
    )
    keep: Literal["first", "last"] = Field(
        "first",
        description="Which of several copies of an event that are taken in together stays: the one received first, or "
        "last (without `received_ts`, by their own time). Of copies from several sources that of the source named "
        "first, or with `last` that of the one named last. An event that was taken in before always stays.",
    )
    near_duplicate_seconds: float = Field(
        0,
        ge=0,
        le=3600,
        description="Events that say the same but for their id, each within this time of the one before, are one: the "
        "first that was taken in, else the earliest, stays (with `keep: last` the latest). Two true events that say no "
        "more than that something was viewed are one then, too: for sources whose events say much. 0: only equal ids "
        "are duplicates.",
    )
    sample: dict[str, Annotated[int, Field(ge=2, le=1_000_000)]] = Field(
        {},
        description="Event name -> of how many one is kept, for events that come in masses and say little each. One "
        "that is kept has the others' number as its `weight`, by which features and audiences count; sessions are of "
        "those that are kept. What has an amount is always kept, and what is said of consent is read of all.",
    )
    future_hours: float = Field(
        24,
        ge=0,
        description="Events later than this after they were taken in are quarantined (`event_from_the_future`): a "
        "clock is wrong.",
    )
    oldest: date = Field(
        date(1990, 1, 1),
        description="Events before this date, UTC, are quarantined (`event_too_old`): a clock is wrong.",
    )
    schema_changes: Literal["accept", "warn", "refuse"] = Field(
        "warn",
        description="What becomes of a batch whose columns are not those of the batch before: it is taken in, it is "
        "and the run says what changed, or it is refused whole.",
    )
    unreadable: Literal["refuse", "set_aside"] = Field(
        "refuse",
        description="What becomes of a delivery of which a file cannot be read at all (cut short, damaged, another "
        "format): it is refused whole, or the other files are taken in and the run, the ledger and its log say which "
        "was set aside. Such a file is taken in once it has been delivered anew, or by `segmentation replay`.",
    )
    volume: VolumeSettings | None = Field(
        None, description="Watch how many events each day brings. Default: nobody does."
    )
    freshness: Freshness | None = Field(None, description="Watch that events keep coming. Default: nobody does.")
    clock: Literal["device", "server"] = Field(
        "server",
        description="Whose clock `event_ts` is of. A device's may be wrong, and is corrected by `received_ts` less "
        "`sent_ts` where an event has both.",
    )
    time_zone: str = Field("UTC", description="Zone of times that do not say theirs, such as Europe/Berlin.")

    @model_validator(mode="after")
    def _topics_are_followed(self) -> Source:
        if self.format != "kafka":
            if self.options_env:
                raise ValueError("options_env goes with format: kafka")
            return self
        if self.stream is None:
            raise ValueError("a topic can only be followed: say `stream: {}`")
        if _SERVERS not in {*self.options, *self.options_env}:
            raise ValueError(f"format: kafka needs the option {_SERVERS}, such as broker:9092")
        if secret := next(filter(_SECRET.search, self.options), None):
            raise ValueError(f"{secret} is secret: name an environment variable for it under options_env")
        return self

    @model_validator(mode="after")
    def _files_are_set_aside(self) -> Source:
        if self.unreadable == "set_aside" and self.format in ("delta", "kafka"):
            raise ValueError(f"unreadable: set_aside is of files, and format: {self.format} has none")
        return self

    @model_validator(mode="after")
    def _clocks_are_told(self) -> Source:
        if self.clock == "device" and None in (self.columns.sent_ts, self.columns.received_ts):
            raise ValueError("clock: device needs columns.sent_ts and columns.received_ts, by which it is corrected")
        if self.clock == "server" and self.columns.sent_ts is not None:
            raise ValueError("columns.sent_ts goes with clock: device")
        return self

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        if zone not in available_timezones():
            raise ValueError(f"'{zone}' is no time zone of the IANA list, such as UTC or Europe/Berlin")
        return zone

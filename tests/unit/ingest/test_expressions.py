"""What a mapping expression may be."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from segmentation.ingest.expressions import Refused, parse

COLUMNS = ("id", "Price", "quantity", "ts", "Invoice.No", "user", "tags")

ALLOWED = [
    "to_timestamp(ts)",
    "'web'",
    "price * quantity",
    "cast(Price as decimal(18,4))",
    "case when quantity < 0 then 'return' when id like 'C%' then 'void' else 'purchase' end",
    "if(price is null, 0, Price)",
    "`Invoice.No`",
    "user.address.city",
    "tags[0]",
    "element_at(tags, 1)",
    "transform(tags, t -> upper(t))",
    "filter(tags, t -> t like concat(id, '%'))[0]",
    "get_json_object(user, '$.id')",
    "ts::timestamp + interval 1 hour",
    "extract(hour from ts)",
    "quantity between 1 and 5 and not (id in ('a', 'b'))",
    "substring(id from 2 for 3) || trim(both ' ' from id)",
    "from_utc_timestamp(ts, 'Europe/Berlin')",
    "unix_timestamp(ts)",
    "try_cast(quantity as int) % 2",
]


@pytest.mark.parametrize("text", ALLOWED)
def test_what_combines_values_of_the_row_is_allowed(spark: SparkSession, text: str) -> None:
    assert parse(spark, text, COLUMNS).text == text


REFUSED = {
    "to_timestamp(ts": "not a Spark SQL expression",
    "id; drop table events": "not a Spark SQL expression",
    "reflect('java.lang.System', 'exit', 0)": "reaches beyond the row",
    "java_method('java.lang.System', 'getenv', 'HOME')": "reaches beyond the row",
    "try_reflect('java.lang.System', 'getenv', 'HOME')": "reaches beyond the row",
    "(select first(value) from text.`/etc/passwd`)": "subquery",
    "id in (select value from text.`/etc/passwd`)": "subquery",
    "exists(select 1)": "subquery",
    "upper(concat(id, (select max(id) from x)))": "subquery",
    "if(id = 'a', id in (select 1), true)": "subquery",
    "transform(tags, t -> reflect('a', 'b', t))": "reaches beyond the row",
    "max(Price)": "reaches beyond the row",
    "any_value(id)": "other rows",
    "sum(Price) over (partition by id)": "other rows",
    "row_number() over (order by ts)": "other rows",
    "explode(tags)": "reaches beyond the row",
    "stack(2, 1, 2)": "reaches beyond the row",
    "json_tuple(user, 'a')": "does not depend on the row alone",
    "rand()": "does not depend on the row alone",
    "uuid()": "does not depend on the row alone",
    "shuffle(tags)": "does not depend on the row alone",
    "current_timestamp()": "does not depend on the row alone",
    "now()": "does not depend on the row alone",
    "current_date": "does not depend on the row alone",
    "unix_timestamp()": "reads the clock",
    "monotonically_increasing_id()": "reaches beyond the row",
    "input_file_name()": "reaches beyond the row",
    "raise_error(id)": "reaches beyond the row",
    "xpath_string(user, 'a/b')": "reaches beyond the row",
    "from_avro(user, 'x')": "reaches beyond the row",
    "ai_query('model', id)": "no function of Spark",
    "main.default.my_python_udf(id)": "no function of Spark",
    "id as event": "AS",
    "*": "all columns",
    ":name": "more than a value of the row",
    "identifier('id')": "more than a value of the row",
    "prise * quantity": "no column 'prise'",
    "transform(tags, t -> t || x)": "no column 'x'",
    "transform(tags, t -> t) || t": "no column 't'",
    "transform(tags, t -> t || current_date)": "does not depend on the row alone",
}


@pytest.mark.parametrize(("text", "why"), REFUSED.items())
def test_what_reaches_beyond_the_row_is_refused(spark: SparkSession, text: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        parse(spark, text, COLUMNS)


def test_a_misspelt_column_or_function_is_recognised(spark: SparkSession) -> None:
    with pytest.raises(Refused) as column:
        parse(spark, "price * quantiy", COLUMNS)
    with pytest.raises(Refused) as function:
        parse(spark, "to_timestmp(ts)", COLUMNS)
    assert (column.value.suggestion, function.value.suggestion) == ("quantity", "to_timestamp")


def test_columns_are_named_as_the_source_spells_them(spark: SparkSession) -> None:
    assert parse(spark, "PRICE * Quantity + price", COLUMNS).columns == ("Price", "quantity")
    assert parse(spark, "`invoice.no`", COLUMNS).columns == ("Invoice.No",)
    assert parse(spark, "user.address.city", COLUMNS).columns == ("user",)
    assert parse(spark, "transform(tags, id -> id || ts)", COLUMNS).columns == ("tags", "ts")


@pytest.mark.parametrize(
    ("text", "null_propagating", "hands_on"),
    [
        ("price * quantity", True, False),
        ("to_timestamp(ts, 'yyyy-MM-dd')", True, False),
        ("cast(Price as double)", True, True),
        ("lower(trim(id))", True, True),
        ("coalesce(Price, quantity)", False, False),
        ("case when quantity > 0 then Price end", False, False),
        ("split(id, '@')[1]", False, False),
        ("nullif(Price, 0)", False, False),
    ],
)
def test_what_null_means_and_what_is_handed_on(
    spark: SparkSession, text: str, null_propagating: bool, hands_on: bool
) -> None:
    found = parse(spark, text, COLUMNS)
    assert (found.null_propagating, found.hands_on) == (null_propagating, hands_on)

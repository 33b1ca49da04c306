"""The golden record: each rule prefers what it says, and what lost is kept."""

from __future__ import annotations

from datetime import datetime

import pytest
from pydantic import ValidationError
from pyspark.sql import SparkSession
from tests.factories import event_rows

from segmentation.config.identity import AttributeRule
from segmentation.identity.attributes import choose_attributes, rank_values

SAID = [(1, "crm", "Rome"), (2, "web", "Paris"), (3, "web", "Paris"), (4, "app", "Oslo"), (5, "web", None)]


def test_each_rule_prefers_what_it_says_and_keeps_the_rest(spark: SparkSession) -> None:
    events = event_rows(
        spark,
        [
            {"event_ts": datetime(2026, 3, day), "source": source, "properties": {"city": city} if city else {}}
            for day, source, city in SAID
        ]
        + [{"person_id": "q", "properties": {"city": ""}, "identifiers": {"email": "token"}}],
    )
    rules = {
        "latest": AttributeRule(field="properties.city"),
        "usual": AttributeRule(field="properties.city", prefer="most_frequent"),
        "trusted": AttributeRule(field="properties.city", prefer="most_trusted_source", sources=["crm", "app"]),
        "email": AttributeRule(field="identifiers.email"),
    }
    ranked = rank_values(events, rules).persist()
    chosen = {row.person_id: row.attributes for row in choose_attributes(ranked).collect()}
    assert chosen == {"p": {"latest": "Oslo", "trusted": "Rome", "usual": "Paris"}, "q": {"email": "token"}}
    order = ranked.where("person_id = 'p'").orderBy("attribute", "place").collect()
    assert [row.value for row in order] == [
        *("Oslo", "Paris", "Rome"),
        *("Rome", "Oslo", "Paris"),
        *("Paris", "Oslo", "Rome"),
    ]
    paris = order[-3]
    assert (paris.events, paris.sources) == (2, ["web"])
    assert (paris.first_seen, paris.last_seen) == (datetime(2026, 3, 2), datetime(2026, 3, 3))


@pytest.mark.parametrize(
    "rule",
    [
        {"field": "amount"},
        {"field": "properties.city", "prefer": "most_trusted_source"},
        {"field": "properties.city", "sources": ["crm"]},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(rule: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AttributeRule.model_validate(rule)

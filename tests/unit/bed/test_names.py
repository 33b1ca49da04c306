"""Identifiers of the truth are named as the tables of a warehouse name them."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from segmentation.bed.names import name_as_in_tables, name_columns_as_in_tables
from segmentation.config.identity import IdentitySettings
from segmentation.privacy.tokens import token_of

KEY = "0123456789abcdef" * 4
IDENTITY = IdentitySettings.model_validate({"identifiers": {"user_id": {}, "email": {}}})


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGMENTATION_KEY", KEY)


def test_values_are_normalised_by_their_type_and_personal_ones_are_tokens(spark: SparkSession) -> None:
    said = [("user_id", " U1 "), ("user_id", "null"), ("email", "Ann@Example.com"), ("shoe", "42")]
    truth = spark.createDataFrame(said, "identifier_type string, identifier_value string")
    found = {tuple(row) for row in name_as_in_tables(truth, IDENTITY).collect()}
    token = token_of(KEY.encode(), "email", "ann@example.com")
    assert found == {("user_id", "U1"), ("email", token)}

    columns = spark.createDataFrame([(" U1 ", "Ann@Example.com", "42")], "user_id string, email string, shoe string")
    named = name_columns_as_in_tables(columns, ("user_id", "email", "shoe"), IDENTITY)
    assert [tuple(row) for row in named.collect()] == [("U1", token, None)]

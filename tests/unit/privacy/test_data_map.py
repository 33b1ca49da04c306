"""The data map knows every table, and every column by which a row could be told to be a person's."""

from __future__ import annotations

import re

import pytest

from segmentation.contracts.catalogue import CATALOGUE
from segmentation.contracts.table import LONG
from segmentation.privacy.data_map import DATA_MAP

SAYS_WHOSE = re.compile(r"person_id|token|identifiers|raw|(identifier|left|right)_value")


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_column_that_says_whose_a_row_is_is_in_the_map(name: str) -> None:
    table, held = CATALOGUE[name], DATA_MAP[name]
    # A number of identifiers says nothing of whose they are.
    found = {column.name for column in table.columns if SAYS_WHOSE.fullmatch(column.name) and column.type != LONG}
    assert {column for column in held.columns if not column.endswith("_type")} == found
    assert set(held.columns) <= set(table.column_names)
    assert bool(held.nothing) != bool(held.columns), "either something is held, or it is said why nothing is"


@pytest.mark.parametrize("name", CATALOGUE)
def test_no_statistics_of_it_reach_the_delta_log(name: str) -> None:
    values = {column for column in DATA_MAP[name].columns if not column.endswith("_type")}
    assert values <= set(CATALOGUE[name].unindexed)


def test_the_map_names_no_table_that_there_is_not() -> None:
    assert set(DATA_MAP) == set(CATALOGUE)

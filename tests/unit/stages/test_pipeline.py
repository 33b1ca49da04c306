"""Which stages a run has, and in what order."""

from __future__ import annotations

import pytest

from segmentation.contracts.errors import ConfigError
from segmentation.stages.pipeline import STAGES, choose_stages


def test_stages_run_in_the_order_in_which_data_flows_whatever_the_order_of_their_names() -> None:
    assert [stage.name for stage in choose_stages(["export", "live", "ingest"])] == ["ingest", "live", "export"]


def test_without_names_everything_runs_but_what_goes_on_request() -> None:
    names = [stage.name for stage in choose_stages(None)]
    assert names == list(STAGES)
    assert "live" not in names


def test_a_stage_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(ConfigError, match=r"no stage 'trian' \(there are ingest, .*, live, report, export\)"):
        choose_stages(["trian"])

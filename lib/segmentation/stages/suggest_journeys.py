"""What `segmentation features --suggest-journeys` finds out, without writing anything."""

from __future__ import annotations

from dataclasses import dataclass

import yaml

from segmentation.config.journeys import JourneySettings
from segmentation.contracts.errors import InputError
from segmentation.features.journeys import list_journeys
from segmentation.features.people import own_behaviour
from segmentation.features.vocabulary import Rated, rate_steps
from segmentation.runtime.plans import settled
from segmentation.runtime.stage import StageContext

READS = ("events", "identity_map", "identity_history")

MOST = 5
"""Suggestions of each kind."""


@dataclass(frozen=True)
class Vocabulary:
    """The steps in a row that tell people apart best, of these journeys."""

    journeys: int
    rated: tuple[Rated, ...]

    @property
    def declaration(self) -> str:
        """What to write into the configuration, as YAML; empty where there is nothing to suggest."""
        kinds = {kind: [list(one.steps) for one in self.rated if one.kind == kind] for kind in ("follows", "contains")}
        declared = {kind: grams for kind, grams in kinds.items() if grams}
        if not declared:
            return ""
        return yaml.safe_dump(
            {"features": {"journeys": declared}}, sort_keys=False, allow_unicode=True, default_flow_style=None
        )


def look_at_journeys(context: StageContext, most: int = MOST) -> Vocabulary:
    """Rates the steps in a row of all journeys up to the date: those that `features.journeys` says, or its defaults.

    Raises `InputError` before identities are resolved.
    """
    if "identity_map" not in context.inputs:
        raise InputError("Nobody's events are known yet: run `segmentation run --stages ingest,identity` first.")
    settings, as_of = context.settings, context.as_of
    journeys = settings.features.journeys or JourneySettings()
    features = settings.features.model_copy(update={"journeys": journeys})
    owned = own_behaviour(context.read("events"), context.read_owners(), settings, as_of)
    context.tell("following people from step to step")
    with settled(list_journeys(owned, features, as_of)) as found:
        return Vocabulary(found.count(), tuple(rate_steps(found, journeys, most)))

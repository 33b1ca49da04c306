"""What `segmentation sessions --suggest-timeout` finds out, without writing anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from segmentation.contracts.errors import InputError
from segmentation.runtime.stage import StageContext
from segmentation.sessions.attach import attach_persons, keep_behaviour
from segmentation.sessions.gaps import Suggestion, count_from, count_gaps, suggest_timeout

READS = ("events", "identity_map", "identity_history")


@dataclass(frozen=True)
class Gaps:
    """The gaps by class (`sessions.gaps.shortest_of`), and what they say."""

    counts: Mapping[int, int]
    suggestion: Suggestion
    configured_minutes: float

    def cuts(self, minutes: float) -> int:
        """Gaps that a timeout of so many minutes would cut at."""
        return count_from(self.counts, minutes)


def look_at_gaps(context: StageContext) -> Gaps:
    """Counts the gaps of the events that sessions are cut from. Raises `InputError` before identities are resolved."""
    if "identity_map" not in context.inputs:
        raise InputError("Nobody's events are known yet: run `segmentation run --stages ingest,identity` first.")
    settings = context.settings
    trust = list(settings.identity.identifiers)
    behaviour = keep_behaviour(context.read("events"), context.as_of, settings)
    owned = attach_persons(behaviour, context.read_owners(), trust)
    context.tell("measuring gaps")
    counts = count_gaps(owned, settings.sessions, trust)
    return Gaps(counts, suggest_timeout(counts), settings.sessions.timeout_minutes)

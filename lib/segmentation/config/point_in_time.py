"""`point_in_time`: what a run as of a past date may know."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from segmentation.config.model import Section


class PointInTime(Section):
    """What counts as known at the end of a date. The defaults know what is known now of what had happened by then."""

    events: Literal["happened", "received"] = Field(
        "happened",
        description="`happened`: all events up to the date, also those that came in later. `received`: only those that "
        "had also been received by then (events without a time of receipt: as if received when they happened).",
    )
    identity: Literal["now", "then"] = Field(
        "now",
        description="`now`: whose an identifier is by all that is known. `then`: whose it was held to be at the end of "
        "the date, by `identity_history`.",
    )

"""`sessions`: what ends a visit."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from segmentation.config.model import Section


class SessionSettings(Section):
    """How a stream of events is cut."""

    timeout_minutes: float = Field(30, gt=0, le=7 * 24 * 60, description="A gap of this long ends a session.")
    by: Literal["person", "device"] = Field("person", description="Whose events make a session.")
    end_events: list[str] = Field([], description="Events that end the session they are in.")
    max_hours: float = Field(24, gt=0, le=31 * 24, description="No session is longer: bots keep one open for months.")
    boundary: Literal["new", "same"] = Field("new", description="What a gap of exactly the timeout does.")
    trust_source: bool = Field(
        False, description="Take the source's own `session_key` as the session where there is one."
    )

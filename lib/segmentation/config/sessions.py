"""`sessions`: what ends a visit."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from segmentation.config.model import Name, Section


class SessionSettings(Section):
    """How a stream of events is cut."""

    timeout_minutes: float = Field(30, gt=0, le=7 * 24 * 60, description="A gap of this long ends a session.")
    by: Literal["person", "device"] = Field("person", description="Whose events make a session.")
    device_identifiers: list[Name] = Field(
        [],
        description="With `by: device`, the identifier types that stand for a device, strongest first. "
        "Default: the least trusted identifier that the event has.",
    )
    end_events: list[str] = Field([], description="Events that end the session they are in.")
    max_hours: float = Field(24, gt=0, le=31 * 24, description="No session is longer: bots keep one open for months.")
    boundary: Literal["new", "same"] = Field("new", description="What a gap of exactly the timeout does.")
    trust_source: bool = Field(
        False, description="Take the source's own `session_key` as the session where there is one."
    )
    campaign_property: Name | None = Field(
        None, description="A property: an event that brings another value of it than the last one starts a session."
    )
    passive_events: list[str] = Field(
        [], description="Events that happen to a person (a mail sent): no part of any session."
    )
    channel_property: Name | None = Field(
        None, description="A property that names the channel: a session has that of its first event that says so."
    )
    device_property: Name | None = Field(None, description="A property that names the device, likewise.")
    path_events: int = Field(
        20, ge=1, le=1000, description="So many events, from the first on, are in a session's path."
    )
    conversion_events: list[str] = Field([], description="A session with one of these has converted.")

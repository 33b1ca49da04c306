"""Every knob of the simulated world, with its range and a realistic default.

Shares are of 0 to 1; days count from the world's first day, which is day 0.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, field_validator, model_validator

from segmentation.bed.latent import DEFAULT_SEGMENTS, LatentSegment
from segmentation.config.model import Name, Section
from segmentation.config.problems import explain
from segmentation.config.yaml_file import override_value, read_yaml
from segmentation.contracts.errors import ConfigError

Share = Annotated[float, Field(ge=0, le=1)]
ClockedSource = Literal["web", "app", "pos"]
"""Sources whose rows say when they happened, and when they were sent, by a clock of their own."""


class People(Section):
    """Who there is, and what each has."""

    there_from_start: Share = Field(0.75, description="People who are customers on day 0; the others join later.")
    account: Share = Field(0.75, description="People with a user account.")
    email: Share = Field(0.9, description="People with an e-mail address.")
    second_email: Share = Field(0.1, description="People with an e-mail who also use an older one.")
    phone: Share = Field(0.7, description="People with a phone number.")
    card: Share = Field(0.6, description="People with a loyalty card.")
    deviation: float = Field(0.25, ge=0, le=2, description="Spread (log) of each person's visit rate and spend.")
    change_segment: Share = Field(0.05, description="People whose latent segment changes.")
    change_day: int = Field(49, ge=1, description="The day on which it changes.")
    shared_email: Share = Field(0.03, description="People not alone at home who use the e-mail of the first there.")


class Devices(Section):
    """What people visit with."""

    most_browsers: int = Field(3, ge=1, le=10, description="A person has one to this many browsers.")
    cookie_days: list[int] = Field(
        [21, 60, 120, 0], min_length=1, description="Days after which a browser's cookies are cleared, 0: never."
    )
    second_phone: Share = Field(0.15, description="People with a second app device.")
    shared_tablet: Share = Field(0.15, description="Homes of more than one person that share a tablet.")
    tablet_visits: Share = Field(0.25, description="Web visits from the shared tablet, where there is one.")
    kiosk_people: Share = Field(0.05, description="People who also visit from a public kiosk.")
    people_per_kiosk: int = Field(200, ge=2, description="People who share one kiosk device.")
    kiosk_visits: Share = Field(0.2, description="Web visits from the kiosk, of those people.")
    recycled_cookies: Share = Field(0.01, description="People whose cookie is later given to somebody else.")

    @field_validator("cookie_days")
    @classmethod
    def _not_negative(cls, days: list[int]) -> list[int]:
        if min(days) < 0:
            raise ValueError("cookies are cleared after a number of days, or 0 for never")
        return days


class Typing(Section):
    """How identifiers are written down."""

    typo: Share = Field(0.01, description="E-mails typed with a typo.")
    plus_tag: Share = Field(0.03, description="E-mails typed with a +tag.")
    capitals: Share = Field(0.1, description="E-mails typed in capitals.")
    placeholder: Share = Field(0.005, description="Identifiers replaced by a value that means nothing (null, 0000, …).")
    spelled_otherwise: Share = Field(
        0.3, description="Names and addresses spelled otherwise, in the CRM and in stores."
    )
    anonymous_receipt: Share = Field(0.05, description="Store receipts without any identifier.")
    named_receipt: Share = Field(
        0.4, description="Store receipts without a card that have the buyer's name and address."
    )


class Disorder(Section):
    """What happens to rows on their way."""

    late: Share = Field(0.03, description="Web and app events that arrive late.")
    latest_days: float = Field(
        21, gt=0, le=365, description="The latest of them; the delay is log-uniform from a minute."
    )
    duplicate: Share = Field(0.01, description="Rows that arrive twice.")
    near_duplicate: Share = Field(0.004, description="Events sent again under a new id, within a second.")
    malformed: Share = Field(0.003, description="Rows with a part that is broken.")
    wrong_clock: Share = Field(0.1, description="Devices with a wrong clock.")
    wrong_by_hours: float = Field(4, ge=0, le=10_000, description="The most that such a clock is wrong.")
    source_clocks: dict[ClockedSource, Annotated[float, Field(ge=-10_000, le=10_000)]] = Field(
        {"pos": 1}, description="Source -> hours by which all its clocks are fast, or slow where below 0."
    )
    long_pause: Share = Field(0.01, description="Web and app visits with a pause of 31 to 90 minutes.")
    drift_day: int | None = Field(70, ge=1, description="From this day web rows have other columns. null: never.")


class Season(Section):
    """When people are about."""

    weekdays: list[float] = Field(
        [1.0, 0.95, 0.95, 1.0, 1.1, 1.2, 1.05], min_length=7, max_length=7, description="Weights, Monday first."
    )
    yearly_swing: float = Field(0.15, ge=0, lt=1, description="How far the best month is above the mean.")
    best_month: int = Field(12, ge=1, le=12, description="The best month.")
    spike_day: int | None = Field(60, ge=0, description="A day of unusual traffic. null: none.")
    spike: float = Field(4, ge=1, le=100, description="How many times a usual day's traffic it has.")

    @field_validator("weekdays")
    @classmethod
    def _positive(cls, weights: list[float]) -> list[float]:
        if min(weights) <= 0:
            raise ValueError("each weekday needs a weight above 0")
        return weights


class Intruders(Section):
    """Traffic that is no customer's."""

    bots_per_thousand: float = Field(3, ge=0, le=1000, description="Bots per thousand people.")
    bot_events: int = Field(400, ge=1, le=100_000, description="Mean events of a bot.")
    declared_bots: Share = Field(0.6, description="Bots that say so in their user agent.")
    tests_per_thousand: float = Field(2, ge=0, le=1000, description="Test accounts per thousand people.")
    test_events: int = Field(30, ge=1, le=10_000, description="Mean events of a test account.")


class Consent(Section):
    """What people allow."""

    marketing: Share = Field(0.7, description="People who allow marketing when they join.")
    withdraw: Share = Field(0.1, description="Of these, those who withdraw it later.")
    agree_later: Share = Field(0.05, description="Of the others, those who allow it later.")
    erase: Share = Field(0.01, description="People who ask to be deleted.")


class Campaign(Section):
    """One campaign with a random holdout, to people with an e-mail who allow marketing."""

    name: Name = Field("spring", description="Its name in the events.")
    day: int = Field(75, ge=1, description="The day on which it is sent.")
    window_days: int = Field(14, ge=1, le=90, description="Purchases within this time are its effect.")
    holdout: float = Field(0.2, gt=0, lt=1, description="Share of the audience that is held out.")


class World(Section):
    """All that makes one simulated world."""

    seed: int = Field(1, ge=0, lt=2**63, description="The same knobs and seed give the same rows.")
    people: int = Field(1000, ge=10, le=800_000_000, description="How many people there are.")
    start: date = Field(date(2026, 1, 5), description="Day 0.")
    days: int = Field(98, ge=14, le=1000, description="How long the world lasts.")
    files: Literal["day", "week", "month"] = Field("week", description="A source writes its files by arrival in each.")
    store_time_zone: str = Field("America/New_York", description="The zone in which stores write their times.")
    crm: Share = Field(0.8, description="People who are in the CRM extract.")
    crm_twice: Share = Field(0.08, description="Of these, those who are in it twice.")
    most_visits: int = Field(2000, ge=1, le=100_000, description="A person has no more visits than this.")
    segments: tuple[LatentSegment, ...] = Field(DEFAULT_SEGMENTS, min_length=1, description="The latent segments.")
    population: People = Field(People(), description="Who there is.")
    devices: Devices = Field(Devices(), description="What people visit with.")
    typing: Typing = Field(Typing(), description="How identifiers are written down.")
    disorder: Disorder = Field(Disorder(), description="What happens to rows on their way.")
    season: Season = Field(Season(), description="When people are about.")
    intruders: Intruders = Field(Intruders(), description="Traffic that is no customer's.")
    consent: Consent = Field(Consent(), description="What people allow.")
    campaign: Campaign = Field(Campaign(), description="The campaign.")

    @field_validator("store_time_zone")
    @classmethod
    def _is_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"'{zone}' is no time zone, such as America/New_York") from None
        return zone

    @field_validator("segments")
    @classmethod
    def _names_differ(cls, segments: tuple[LatentSegment, ...]) -> tuple[LatentSegment, ...]:
        names = [segment.name for segment in segments]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"the name {', '.join(map(repr, twice))} is used twice")
        return segments

    @model_validator(mode="after")
    def _days_are_within(self) -> Self:
        days = {
            "population.change_day": self.population.change_day,
            "disorder.drift_day": self.disorder.drift_day,
            "season.spike_day": self.season.spike_day,
            "campaign.day": self.campaign.day,
        }
        beyond = [f"{key} ({day})" for key, day in days.items() if day is not None and day >= self.days]
        if beyond:
            raise ValueError(f"the world ends on day {self.days - 1}, before {', '.join(beyond)}")
        return self

    @property
    def world_id(self) -> str:
        """Eight hexadecimal digits that event ids of this world start with, and of no other."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]


def load_world(path: Path | None, overrides: Sequence[str] = ()) -> World:
    """Knobs from a YAML file (none: the defaults), with `key.path=value` overrides. Raises `ConfigError`."""
    raw = read_yaml(path) if path else {}
    raw.setdefault("segments", [segment.model_dump() for segment in DEFAULT_SEGMENTS])
    for override in overrides:
        override_value(raw, override)
    try:
        return World.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(explain(error, World)) from None

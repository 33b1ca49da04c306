"""The segments that people of the simulated world really belong to."""

from __future__ import annotations

from pydantic import Field, field_validator

from segmentation.config.model import Name, Section

LEFT_ANYWAY = frozenset({"page_view", "view_item", "search", "app_open", "sign_in", "sign_out", "purchase", "return"})
"""Events of visits that are no steps of a funnel."""


class Channels(Section):
    """How visits spread over the channels, as weights."""

    web: float = Field(1.0, ge=0, description="Browser.")
    app: float = Field(0.0, ge=0, description="Phone app.")
    store: float = Field(0.0, ge=0, description="Visits to a store, of which only the receipt is seen.")


class Funnel(Section):
    """The steps to a purchase on web and app, and who turns back on them."""

    steps: tuple[Name, ...] = Field(
        ("add_to_cart", "checkout"),
        min_length=1,
        max_length=10,
        description="Events before a purchase, in order. Guests type their e-mail at the last.",
    )
    sets_out: float = Field(
        0.15,
        ge=0,
        le=1,
        description="Share of visits of four events or more, without a purchase, that set out on them.",
    )
    goes_on: float = Field(
        0.3, ge=0, le=1, description="Share of these that goes on from each step to the next, where they turn back."
    )

    @field_validator("steps")
    @classmethod
    def _are_steps(cls, steps: tuple[str, ...]) -> tuple[str, ...]:
        if LEFT_ANYWAY.intersection(steps) or len(set(steps)) < len(steps):
            raise ValueError(f"steps differ from each other and from {', '.join(sorted(LEFT_ANYWAY))}")
        return steps


class LatentSegment(Section):
    """How the people of one segment behave, before each person's own deviation."""

    name: Name = Field(description="Its name in the truth tables.")
    share: float = Field(gt=0, description="Weight among all people.")
    visits_per_week: float = Field(gt=0, le=200, description="Visits over all channels.")
    events_per_visit: float = Field(6, ge=1, le=100, description="Mean events of a visit that does not bounce.")
    seconds_between_events: float = Field(45, gt=0, le=600, description="Mean pause within a visit.")
    bounces: float = Field(0.2, ge=0, le=1, description="Share of web and app visits of one event.")
    peak_hour: float = Field(19, ge=0, lt=24, description="Hour (UTC) around which visits start.")
    hour_spread: float = Field(3, gt=0, le=12, description="Standard deviation of the hour.")
    to_weekend: float = Field(0.1, ge=0, le=1, description="Share of weekday visits that wait for the weekend.")
    channels: Channels = Field(Channels(), description="Where visits happen.")
    buys: float = Field(0.2, ge=0, le=1, description="Share of web and app visits that end in a purchase.")
    funnel: Funnel = Field(Funnel(), description="How visits come to a purchase, or turn back before it.")
    returns: float = Field(0.03, ge=0, le=1, description="Share of visits to a store that bring something back.")
    spend: float = Field(40, gt=0, le=1_000_000, description="Median amount of a purchase.")
    spend_spread: float = Field(0.5, ge=0, le=3, description="Standard deviation of the amount's logarithm.")
    coupons: float = Field(0.1, ge=0, le=1, description="Share of purchases with a coupon.")
    signs_in: float = Field(
        0.5, ge=0, le=1, description="Share of web visits with a sign-in, of people with an account."
    )
    signs_out: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Share of web visits of four events or more, with a sign-in, that sign out at their end instead of "
        "buying.",
    )
    favourite: str = Field("grocery", description="Department of half of its purchases.")
    half_life_days: float | None = Field(None, gt=0, description="Visits fall by half in this time after joining.")
    monthly_churn: float = Field(0.01, ge=0, lt=1, description="Share of people who leave for good each 30 days.")
    campaign_effect: float = Field(
        0.05, ge=0, le=1, description="Chance that being treated by the campaign brings one purchase more."
    )


DEFAULT_SEGMENTS = (
    LatentSegment(
        name="loyal_regulars", share=0.20, visits_per_week=1.8, events_per_visit=7, bounces=0.1, peak_hour=17,
        to_weekend=0.2, channels=Channels(web=0.4, app=0.2, store=0.4), buys=0.5, spend=48, coupons=0.15,
        signs_in=0.8, favourite="grocery", monthly_churn=0.005, campaign_effect=0.03,
    ),
    LatentSegment(
        name="big_spenders", share=0.10, visits_per_week=0.9, events_per_visit=14, seconds_between_events=70,
        bounces=0.05, peak_hour=20, hour_spread=2, channels=Channels(web=0.8, store=0.2), buys=0.5, spend=260,
        coupons=0.02, signs_in=0.75, favourite="electronics", monthly_churn=0.01, campaign_effect=0.02,
    ),
    LatentSegment(
        name="bargain_hunters", share=0.20, visits_per_week=1.3, events_per_visit=18, seconds_between_events=35,
        bounces=0.15, peak_hour=13, to_weekend=0.5, channels=Channels(web=0.9, app=0.1), buys=0.3, spend=16,
        coupons=0.8, signs_in=0.6, favourite="clothing", monthly_churn=0.02, campaign_effect=0.15,
    ),
    LatentSegment(
        name="window_shoppers", share=0.22, visits_per_week=1.4, events_per_visit=9, bounces=0.35, peak_hour=21,
        channels=Channels(web=0.85, app=0.15), buys=0.02, spend=30, signs_in=0.35, favourite="home",
        monthly_churn=0.03, campaign_effect=0.06,
    ),
    LatentSegment(
        name="app_natives", share=0.16, visits_per_week=3.5, events_per_visit=5, seconds_between_events=20,
        bounces=0.25, peak_hour=23, channels=Channels(web=0.05, app=0.95), buys=0.15, spend=14,
        spend_spread=0.3, signs_in=0.5, favourite="media", monthly_churn=0.02, campaign_effect=0.05,
    ),
    LatentSegment(
        name="fading", share=0.12, visits_per_week=2.4, events_per_visit=6, bounces=0.3, peak_hour=10,
        channels=Channels(web=0.8, app=0.1, store=0.1), buys=0.25, spend=36, signs_in=0.5, favourite="garden",
        half_life_days=14, monthly_churn=0.10, campaign_effect=0.08,
    ),
)  # fmt: skip
"""Six segments that a marketing team would know again, far enough apart to be found and close enough to be missed."""

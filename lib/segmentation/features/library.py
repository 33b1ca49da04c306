"""The shipped features: how each is measured. What each is called stands in `words`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import get_args

from pyspark.sql import Column
from pyspark.sql import functions as F

from segmentation.config.feature_library import LibraryName, WeekdayShare
from segmentation.config.features import FeatureSettings
from segmentation.config.rules import Rule, RuleTable
from segmentation.features.attributes import AttributeFigures
from segmentation.features.journeys import JourneyFigures
from segmentation.features.measures import Measures, ratio

TREND_WEEKS = 12
NEVER = 365.0
"""Days that stand for the rhythm of somebody who has bought once, or never: no shorter one was seen."""


@dataclass(frozen=True)
class Source:
    """What features are made from: figures of events, sessions, journeys and attributes, and the settings."""

    events: Measures
    sessions: Measures
    journeys: JourneyFigures
    attributes: AttributeFigures
    settings: FeatureSettings
    as_of: date

    @classmethod
    def of(cls, settings: FeatureSettings, as_of: date) -> Source:
        """One that nothing was asked of yet."""
        return cls(
            Measures("events", as_of),
            Measures("sessions", as_of),
            JourneyFigures(settings.journeys),
            AttributeFigures(),
            settings,
            as_of,
        )

    def of_table(self, table: RuleTable) -> Measures:
        """Where figures of a table's rows are asked for."""
        return self.events if table == "events" else self.sessions

    @property
    def activity(self) -> Rule | None:
        """What the person did, as against what happened to the person; None: all events."""
        return self.settings.activity

    @property
    def purchases(self) -> Rule:
        """Purchases and returns."""
        return self.settings.purchase

    @property
    def bought(self) -> Rule:
        """Purchases alone: what has an amount that is not positive is a return, or free."""
        paid = Rule(any=[Rule(field="amount", greater_than=0), Rule(field="amount", exists=False)])
        return Rule(all=[self.settings.purchase, paid])

    @property
    def returned(self) -> Rule:
        """Returns alone."""
        return Rule(all=[self.settings.purchase, Rule(field="amount", less_than=0)])


@dataclass(frozen=True)
class Shipped:
    """How one shipped feature is measured, and what stands where there is nothing to measure."""

    build: Callable[[Source], Column]
    fill: float = 0.0


def _days_since(s: Source, day: Column) -> Column:
    return F.datediff(F.lit(s.as_of), day)


def _recency(s: Source) -> Column:
    return _days_since(s, F.coalesce(s.events.last_day(s.bought), s.events.last_day(s.activity), s.events.last_day()))


def _gap_mean(s: Source) -> Column:
    """Mean days between purchase days: from the first to the last, by one less than their number."""
    first, last, days = s.events.first_day(s.bought), s.events.last_day(s.bought), s.events.days(s.bought)
    return ratio(F.datediff(last, first), days - 1)


def _gap_variation(s: Source) -> Column:
    """Standard deviation (of the population) of the gaps by their mean: √(n Σg² − (Σg)²) / Σg, whole under the root."""
    first, last, days = s.events.first_day(s.bought), s.events.last_day(s.bought), s.events.days(s.bought)
    gaps, span = days - 1, F.datediff(last, first).cast("long")
    spread = gaps * s.events.squared_gaps(s.bought) - span * span
    return F.when(gaps >= 2, ratio(F.sqrt(spread), span))


def _share(s: Source, where: Rule) -> Column:
    """Share of what the person did that meets a rule."""
    both = Rule(all=[where, s.activity]) if s.activity else where
    return ratio(s.events.count(both), s.events.count(s.activity))


def _hours(low: int, high: int) -> Rule:
    return Rule(all=[Rule(field="hour", at_least=low), Rule(field="hour", less_than=high)])


_NIGHT = Rule(any=[Rule(field="hour", at_least=22), Rule(field="hour", less_than=6)])
_WEEKEND = Rule(field="weekday", at_least=6)
_BOUNCE = Rule(field="is_bounce", equals=True)
_CONVERTED = Rule(field="converted", equals=True)


def _funnel_stage(s: Source) -> Column:
    """How many steps were reached: the furthest one of which there was an event."""
    stage: Column = F.lit(0)
    for place, event in enumerate(s.settings.funnel, start=1):
        stage = F.when(s.events.count(Rule(event=event)) > 0, F.lit(place)).otherwise(stage)
    return stage


def _on_weekday(number: int) -> Callable[[Source], Column]:
    return lambda s: _share(s, Rule(field="weekday", equals=number))


def _over_categories(s: Source, weight: str | None = None) -> Column:
    """How purchases, or what was paid for them, are spread over the categories that they name."""
    assert s.settings.category is not None, "the settings ask for it"
    return s.events.spread(s.settings.category, weight, s.bought, None)


def _discount_share(s: Source) -> Column:
    assert s.settings.discount is not None, "the settings ask for it"
    return ratio(s.events.count(Rule(all=[s.settings.discount, s.bought])), s.events.count(s.bought))


def _repeats(s: Source) -> Column:
    """Periods with a purchase after the first such."""
    return s.events.periods(s.bought, s.settings.clv_period_days) - 1


def _periods_since(s: Source, day: Column) -> Column:
    return F.floor(_days_since(s, day) / s.settings.clv_period_days)


def _later_value(s: Source) -> Column:
    """Mean value of a period with a purchase after the first such."""
    first = s.events.first_period_total("amount", s.bought, s.settings.clv_period_days)
    return ratio(s.events.total("amount", s.bought) - first, _repeats(s))


SHIPPED: Mapping[LibraryName, Shipped] = {
    "recency": Shipped(_recency),
    "frequency": Shipped(lambda s: s.events.baskets(s.bought)),
    "monetary": Shipped(lambda s: s.events.total("amount", s.purchases)),
    "average_basket_value": Shipped(lambda s: ratio(s.events.total("amount", s.bought), s.events.baskets(s.bought))),
    "items_per_basket": Shipped(lambda s: ratio(s.events.count(s.bought), s.events.baskets(s.bought))),
    "tenure": Shipped(lambda s: _days_since(s, s.events.first_day(s.activity))),
    "interpurchase_time": Shipped(_gap_mean, NEVER),
    "interpurchase_cv": Shipped(_gap_variation, 1.0),
    "purchase_days": Shipped(lambda s: s.events.days(s.bought)),
    "returns_share": Shipped(
        lambda s: ratio(-s.events.total("amount", s.returned), s.events.total("amount", s.bought))
    ),
    "spend_trend": Shipped(lambda s: s.events.trend("amount", s.purchases, TREND_WEEKS)),
    "inactivity": Shipped(lambda s: _days_since(s, s.events.last_day(s.activity))),
    "days_active": Shipped(lambda s: s.events.days(s.activity)),
    "active_days_last_30": Shipped(lambda s: s.events.days(s.activity, 30)),
    "events": Shipped(lambda s: s.events.count(s.activity)),
    "engagement": Shipped(lambda s: s.events.decayed(None, s.activity, s.settings.half_life_days)),
    "weighted_engagement": Shipped(
        lambda s: s.events.decayed_weights(s.settings.event_weights, s.settings.half_life_days)
    ),
    "activity_trend": Shipped(lambda s: s.events.trend(None, s.activity, TREND_WEEKS)),
    "sessions": Shipped(lambda s: s.sessions.count()),
    "sessions_last_30": Shipped(lambda s: s.sessions.count(window=30)),
    "session_duration_mean": Shipped(lambda s: ratio(s.sessions.total("duration_s"), s.sessions.count())),
    "session_duration_median": Shipped(lambda s: s.sessions.median("duration_s")),
    "events_per_session": Shipped(lambda s: ratio(s.sessions.total("events"), s.sessions.count())),
    "bounce_rate": Shipped(lambda s: ratio(s.sessions.count(_BOUNCE), s.sessions.count())),
    "conversion_rate": Shipped(lambda s: ratio(s.sessions.count(_CONVERTED), s.sessions.count())),
    "weekend_share": Shipped(lambda s: _share(s, _WEEKEND)),
    "morning_share": Shipped(lambda s: _share(s, _hours(6, 12))),
    "afternoon_share": Shipped(lambda s: _share(s, _hours(12, 18))),
    "evening_share": Shipped(lambda s: _share(s, _hours(18, 22))),
    "night_share": Shipped(lambda s: _share(s, _NIGHT)),
    "platforms": Shipped(lambda s: s.events.distinct("platform", s.activity)),
    "platform_entropy": Shipped(lambda s: s.events.spread("platform", None, s.activity, None)["entropy"]),
    **{name: Shipped(_on_weekday(number)) for number, name in enumerate(get_args(WeekdayShare), start=1)},
    "channels": Shipped(lambda s: s.sessions.distinct("channel")),
    "channel_entropy": Shipped(lambda s: s.sessions.spread("channel", None, None, None)["entropy"]),
    "devices": Shipped(lambda s: s.sessions.distinct("device")),
    "device_entropy": Shipped(lambda s: s.sessions.spread("device", None, None, None)["entropy"]),
    "category_affinity": Shipped(lambda s: _over_categories(s)["top"]),
    "category_affinity_by_amount": Shipped(lambda s: _over_categories(s, "amount")["top"]),
    "category_entropy": Shipped(lambda s: _over_categories(s)["entropy"]),
    "discount_share": Shipped(_discount_share),
    "funnel_stage": Shipped(_funnel_stage),
    "clv_frequency": Shipped(lambda s: F.greatest(_repeats(s), F.lit(0))),
    "clv_recency": Shipped(
        lambda s: _periods_since(s, s.events.first_day(s.bought)) - _periods_since(s, s.events.last_day(s.bought))
    ),
    "clv_age": Shipped(lambda s: _periods_since(s, s.events.first_day(s.bought))),
    "clv_monetary": Shipped(_later_value),
}

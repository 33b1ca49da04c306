"""What models of customer lifetime value take (Fader, Hardie and Lee)."""

from __future__ import annotations

from segmentation.contracts.feature_info import FeatureInfo

LIFETIME_VALUE = (
    FeatureInfo(
        "clv_frequency",
        "repeat purchase days",
        "days",
        "Purchase days after the first (x of Fader, Hardie and Lee).",
        "frequency",
        "repeat",
        "one-time",
        "came back to buy on {value}",
    ),
    FeatureInfo(
        "clv_recency",
        "days from first to last purchase",
        "days",
        "Days from the first to the last purchase day (t_x of Fader, Hardie and Lee); 0 with one.",
        "tenure",
        "long-buying",
        "short-lived",
    ),
    FeatureInfo(
        "clv_age",
        "days since first purchase",
        "days",
        "Days from the first purchase day to the date (T of Fader, Hardie and Lee).",
        "tenure",
        "long-standing",
        "new",
        "first bought {value} ago",
    ),
    FeatureInfo(
        "clv_monetary",
        "value of a repeat purchase day",
        "money",
        "Mean amount of the purchase days after the first (Fader, Hardie and Lee); 0 where there is none.",
        "basket",
        "big-basket",
        "small-basket",
        "spend {value} on a repeat purchase",
    ),
)

"""The platforms that lists of people are delivered to: what each takes, in which bytes, by the rules of which date."""

from __future__ import annotations

from datetime import date

from segmentation.activation.destinations import (
    braze,
    google_customer_match,
    klaviyo,
    linkedin,
    meta,
    salesforce_marketing_cloud,
    tiktok,
)
from segmentation.activation.destinations.destination import Destination

PLATFORMS: dict[str, tuple[Destination, ...]] = {
    module.VERSIONS[0].name: module.VERSIONS
    for module in (google_customer_match, meta, tiktok, linkedin, braze, salesforce_marketing_cloud, klaviyo)
}
"""`type` of an export -> the platform by its rules, newest first."""


def platform(name: str, rules_of: date | None) -> Destination | None:
    """A platform by the rules that held at a date (None: the newest); None where no rules that old are known."""
    return next((found for found in PLATFORMS[name] if rules_of is None or found.ruled <= rules_of), None)

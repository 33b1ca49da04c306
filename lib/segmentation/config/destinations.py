"""What each kind of destination can be told of a person: the lists that restrict its files."""

from __future__ import annotations

from typing import Literal, get_args

FileType = Literal["csv", "jsonl", "parquet"]
TableType = Literal["delta", "table"]
PlatformType = Literal[
    "google_customer_match", "meta", "tiktok", "linkedin", "braze", "salesforce_marketing_cloud", "klaviyo"
]
DestinationType = Literal[FileType, TableType, PlatformType]

TABLE_TYPES = get_args(TableType)

_PROFILE = ("email", "phone", "first_name", "last_name", "country", "city")

PLATFORM_FIELDS: dict[str, tuple[str, ...]] = {
    "google_customer_match": ("email", "phone", "first_name", "last_name", "country", "zip"),
    "meta": (
        *("email", "phone", "first_name", "last_name", "gender", "birth_date"),
        *("city", "state", "zip", "country", "mobile_ad_id", "external_id"),
    ),
    "tiktok": ("email", "phone", "mobile_ad_id"),
    "linkedin": ("email", "first_name", "last_name", "job_title", "company", "country", "mobile_ad_id"),
    "braze": (*_PROFILE, "gender", "birth_date", "language"),
    "salesforce_marketing_cloud": _PROFILE,
    "klaviyo": (*_PROFILE, "zip", "company", "job_title"),
}
"""Platform -> the fields that a configuration may feed; each platform's own module says what becomes of them."""

ADVERTISING = frozenset({"google_customer_match", "meta", "tiktok", "linkedin"})
"""Platforms on which people are shown advertisements: being told of somebody, they use it."""

CLEAR = frozenset({"linkedin", "braze", "salesforce_marketing_cloud", "klaviyo"})
"""Platforms whose files hold personal values in clear."""

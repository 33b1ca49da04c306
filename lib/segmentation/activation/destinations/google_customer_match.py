"""Google Customer Match: a list of customers as a file for Google Ads or the Data Manager.

Rules: developers.google.com/data-manager/api/devguides/concepts/formatting (values) and
support.google.com/google-ads/answer/7659867 (headers). Country and postcode are not hashed. Of people in the European
Economic Area Google takes those only who granted both purposes.
"""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column
from pyspark.sql import functions as F

from segmentation.activation.destinations.destination import Destination, Field
from segmentation.activation.destinations.values import address, compact, country, lowered, phone
from segmentation.ingest.identifiers import GOOGLE_DOMAINS

_PREFIX = r"^(?:(?:mr|mrs|ms|mx|miss|dr|prof|rev|sir|dame)\.?\s+)+"
_SUFFIX = r"(?:,?\s+(?:jr|sr|ii|iii|iv|phd|md|esq)\.?)+$"


_EEA = frozenset(
    {
        *("AT", "BE", "BG", "HR", "CY", "CZ", "DK", "EE", "FI", "FR", "DE", "GR", "HU", "IE", "IT"),
        *("LV", "LT", "LU", "MT", "NL", "PL", "PT", "RO", "SK", "SI", "ES", "SE", "IS", "LI", "NO"),
    }
)
"""The European Economic Area: the European Union, Iceland, Liechtenstein and Norway."""


def email(value: Column) -> Column:
    """Lower case without any white space; at Google's own domains without dots and `+suffix` before the `@`."""
    bare = compact(value)
    local, domain = F.substring_index(bare, "@", 1), F.substring_index(bare, "@", -1)
    person = F.replace(F.substring_index(local, "+", 1), F.lit("."), F.lit(""))
    own = F.concat(person, F.lit("@"), domain)
    return address(F.when(domain.isin(*GOOGLE_DOMAINS), own).otherwise(bare))


def name(value: Column) -> Column:
    """Lower case, trimmed, without a title before it or a suffix such as `Jr.` behind it."""
    bare = F.regexp_replace(F.regexp_replace(lowered(value), _PREFIX, ""), _SUFFIX, "")
    return F.when(bare != "", bare)


_NEWEST = Destination(
    name="google_customer_match",
    ruled=date(2026, 11, 1),
    fields=(
        Field("Email", "email", email, hashed=True, finds=True),
        Field("Phone", "phone", phone, hashed=True, finds=True),
        Field("First Name", "first_name", name, hashed=True),
        Field("Last Name", "last_name", name, hashed=True),
        Field("Country", "country", country),
        Field("Zip", "zip", compact),
    ),
    whole_header=True,
    found_together=("First Name", "Last Name", "Country", "Zip"),
    purposes=("ad_user_data", "ad_personalization"),
    purposes_in=_EEA,
)

VERSIONS = (_NEWEST,)

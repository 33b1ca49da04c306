"""TikTok: a customer file.

Rules: ads.tiktok.com/help/article/list-of-supported-ids-and-formats-for-a-customer-file. TikTok's own pages disagree
on phone numbers: E.164 with `+` (June 2025), digits alone (August 2025). The newer one holds, unless the configuration
asks for the older with `rules_of`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from pyspark.sql import Column
from pyspark.sql import functions as F

from segmentation.activation.destinations.destination import Destination, Field
from segmentation.activation.destinations.values import address, compact, lowered, phone, phone_digits


def email(value: Column) -> Column:
    """Lower case without white space, and without `+suffix` at any domain."""
    return address(F.regexp_replace(compact(value), r"\+[^@]*@", "@"))


_EMAIL = Field("Email_SHA256", "email", email, hashed=True, finds=True)
_PHONE = Field("Phone_SHA256", "phone", phone_digits, hashed=True, finds=True)
_MOBILE = Field("MAID_SHA256", "mobile_ad_id", lowered, hashed=True, finds=True)

_AUGUST = Destination(name="tiktok", ruled=date(2025, 8, 1), fields=(_EMAIL, _PHONE, _MOBILE), whole_header=True)
_JUNE = replace(_AUGUST, ruled=date(2025, 6, 1), fields=(_EMAIL, replace(_PHONE, normalise=phone), _MOBILE))

VERSIONS = (_AUGUST, _JUNE)

"""Meta Custom Audiences: a list of customers.

Rules: developers.facebook.com/docs/marketing-api/audiences/guides/custom-audiences. All but the advertiser's own id
and mobile advertising ids is hashed, the country among them. Meta discourages lists of fewer than 100.
"""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column
from pyspark.sql import functions as F

from segmentation.activation.destinations.destination import Destination, Field, Normaliser
from segmentation.activation.destinations.values import (
    address,
    country,
    day,
    lowered,
    one_of,
    phone_digits,
    trimmed,
)

_ENDS = r"[ \t\r\n\x0b\x00.]"


def email(value: Column) -> Column:
    """Without space, tab, CR, LF, VT, NUL and full stop at either end; lower case."""
    return address(lowered(F.regexp_replace(value, f"^{_ENDS}+|{_ENDS}+$", "")))


def plain(value: Column) -> Column:
    """Letters and digits in lower case: no punctuation, no white space."""
    bare = F.regexp_replace(lowered(value), r"[\s\u00a0\p{P}\p{S}]+", "")
    return F.when(bare != "", bare)


def name(value: Column) -> Column:
    """Lower case without punctuation; white space inside stays."""
    return trimmed(F.regexp_replace(lowered(value), r"[\p{P}\p{S}]+", ""))


def postcode(value: Column) -> Column:
    """Lower case without white space; of a ZIP+4 the first five digits."""
    return plain(F.regexp_replace(value, r"^\s*(\d{5})-\d{4}\s*$", "$1"))


def part(length: int, start: int) -> Normaliser:
    """A part of a date that is YYYY-MM-DD."""
    return lambda value: F.substring(day(value), start, length)


_NEWEST = Destination(
    name="meta",
    ruled=date(2026, 11, 1),
    fields=(
        Field("EXTERN_ID", "external_id", trimmed),
        Field("EMAIL", "email", email, hashed=True, finds=True),
        Field("PHONE", "phone", phone_digits, hashed=True, finds=True),
        Field("MADID", "mobile_ad_id", lowered, finds=True),
        Field("FN", "first_name", name, hashed=True),
        Field("LN", "last_name", name, hashed=True),
        Field("GEN", "gender", one_of(f="female|woman", m="male|man"), hashed=True),
        Field("DOBY", "birth_date", part(4, 1), hashed=True),
        Field("DOBM", "birth_date", part(2, 6), hashed=True),
        Field("DOBD", "birth_date", part(2, 9), hashed=True),
        Field("CT", "city", plain, hashed=True),
        Field("ST", "state", plain, hashed=True),
        Field("ZIP", "zip", postcode, hashed=True),
        Field("COUNTRY", "country", lambda value: F.lower(country(value)), hashed=True),
    ),
    found_together=("FN", "LN", "ZIP", "COUNTRY"),
    fewest=100,
)

VERSIONS = (_NEWEST,)

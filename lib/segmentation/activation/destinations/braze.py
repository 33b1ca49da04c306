"""Braze: profiles with their segment, as a CSV import of attributes.

Rules: braze.com/docs/user_guide/data/unification/user_data/import_users/csv. Nothing is hashed. A blank does not
overwrite what is there, and HTML is not cleaned, so tags are taken out here.
"""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column
from pyspark.sql import functions as F

from segmentation.activation.destinations.destination import Destination, Field
from segmentation.activation.destinations.values import country, day, email, lowered, one_of, phone, trimmed


def without_tags(value: Column) -> Column:
    """Text without HTML tags."""
    return trimmed(F.regexp_replace(value, "<[^>]*>?", ""))


_NEWEST = Destination(
    name="braze",
    ruled=date(2026, 11, 1),
    fields=(
        Field("external_id", "person_id", trimmed, finds=True),
        Field("email", "email", email),
        Field("phone", "phone", phone),
        Field("first_name", "first_name", without_tags),
        Field("last_name", "last_name", without_tags),
        Field("country", "country", country),
        Field("home_city", "city", without_tags),
        Field("gender", "gender", one_of(F="f|female|woman", M="m|male|man")),
        Field("dob", "birth_date", day),
        Field("language", "language", lowered),
        Field("segment_id", "segment_id", trimmed),
        Field("segment_name", "segment_name", without_tags),
    ),
    only_adds=True,
    most_bytes=500_000_000,
)

VERSIONS = (_NEWEST,)

"""Klaviyo: profiles with their segment, for the folder `profiles/` of its SFTP import.

Rules: developers.klaviyo.com/en/docs/sftp_import_tool. Nothing is hashed. An import is an upsert, and an empty field
does not clear what is there.
"""

from __future__ import annotations

from datetime import date

from segmentation.activation.destinations.destination import Destination, Field
from segmentation.activation.destinations.values import country, email, phone, trimmed

_NEWEST = Destination(
    name="klaviyo",
    ruled=date(2026, 11, 1),
    fields=(
        Field("external_id", "person_id", trimmed, finds=True),
        Field("email", "email", email),
        Field("phone_number", "phone", phone),
        Field("first_name", "first_name", trimmed),
        Field("last_name", "last_name", trimmed),
        Field("organization", "company", trimmed),
        Field("title", "job_title", trimmed),
        Field("city", "city", trimmed),
        Field("zip", "zip", trimmed),
        Field("country", "country", country),
        Field("segment_id", "segment_id", trimmed),
        Field("segment_name", "segment_name", trimmed),
    ),
    only_adds=True,
)

VERSIONS = (_NEWEST,)

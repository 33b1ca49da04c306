"""Salesforce Marketing Cloud: rows of a data extension, imported from a UTF-8 CSV file over SFTP.

Rules: help.salesforce.com, "Import File Activity". Nothing is hashed. Dates follow the account's locale, so none is
among the fields.
"""

from __future__ import annotations

from datetime import date

from segmentation.activation.destinations.destination import Destination, Field
from segmentation.activation.destinations.values import country, email, phone, trimmed

_NEWEST = Destination(
    name="salesforce_marketing_cloud",
    ruled=date(2026, 11, 1),
    fields=(
        Field("SubscriberKey", "person_id", trimmed, finds=True),
        Field("EmailAddress", "email", email),
        Field("MobilePhone", "phone", phone),
        Field("FirstName", "first_name", trimmed),
        Field("LastName", "last_name", trimmed),
        Field("Country", "country", country),
        Field("City", "city", trimmed),
        Field("SegmentId", "segment_id", trimmed),
        Field("SegmentName", "segment_name", trimmed),
    ),
    only_adds=True,
)

VERSIONS = (_NEWEST,)

"""LinkedIn Matched Audiences: a contact list.

Rules: linkedin.com/help/lms/answer/a1489764. The template's headers stay as they are; a list has at least 300 rows,
and at most 300,000 or 20 MB. E-mail addresses are hashed, names and companies are not.
"""

from __future__ import annotations

from datetime import date

from segmentation.activation.destinations.destination import Destination, Field
from segmentation.activation.destinations.values import at_most, country, email, lowered

_NEWEST = Destination(
    name="linkedin",
    ruled=date(2026, 11, 1),
    fields=(
        Field("email", "email", email, hashed=True, finds=True),
        Field("firstname", "first_name", at_most(35)),
        Field("lastname", "last_name", at_most(35)),
        Field("jobtitle", "job_title", at_most(50)),
        Field("employeecompany", "company", at_most(50)),
        Field("country", "country", country),
        Field("googleaid", "mobile_ad_id", lowered, finds=True),
    ),
    whole_header=True,
    found_together=("firstname", "lastname"),
    fewest=300,
    fewest_is_firm=True,
    most_rows=300_000,
    most_bytes=20_000_000,
)

VERSIONS = (_NEWEST,)

"""Identifier values made comparable, and those that name nobody taken out."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from segmentation.config.identity import IdentitySettings
from segmentation.ingest.phones import e164
from segmentation.ingest.placeholders import is_placeholder

EMAIL = r"^[^@\s\"(),:;<>\[\]\\]+@[^@\s\"(),:;<>\[\]\\]+\.[^@\s\"(),:;<>\[\]\\.]{2,}$"
"""What an address looks like, as a regular expression: on one line, with a domain of two parts."""
GOOGLE_DOMAINS = ("gmail.com", "googlemail.com")
_PLUS = (*GOOGLE_DOMAINS, "outlook.com", "hotmail.com", "live.com", "icloud.com", "me.com", "fastmail.com",
         "protonmail.com", "proton.me")  # fmt: skip
"""Providers that deliver `anna+shop@…` to `anna@…`; with others the sign may be part of the name."""


def normalise_identifier(kind: str, value: Column, identity: IdentitySettings) -> Column:
    """The value as it is compared and kept; null where it is empty, a placeholder, or cannot be of its type."""
    trimmed = F.regexp_replace(value.cast("string"), r"^[\s\u00a0\u200b\ufeff]+|[\s\u00a0\u200b\ufeff]+$", "")
    declared = identity.placeholders.get(kind, [])
    match identity.normalisation(kind):
        case "none":
            normal = value.cast("string")
        case "lower":
            normal = F.lower(trimmed)
        case "email":
            normal = normalise_email(trimmed)
        case "phone":
            region = identity.identifiers[kind].region if kind in identity.identifiers else None
            normal = e164(trimmed, region)
        case _:
            normal = trimmed
    named = (trimmed != "") & ~is_placeholder(kind, trimmed, declared)
    return F.when(named & (normal != ""), normal)


def normalise_email(value: Column) -> Column:
    """An address in lower case, without white space, `mailto:`, and what its provider does not look at: dots at
    Google, and `+suffix` at the providers known to ignore it. Null where it is no address."""
    address = F.regexp_replace(F.lower(F.regexp_replace(value, r"[\s\u00a0\u200b\ufeff]+", "")), "^mailto:", "")
    local, domain = F.substring_index(address, "@", 1), F.substring_index(address, "@", -1)
    base = F.when(domain.isin(*_PLUS), F.substring_index(local, "+", 1)).otherwise(local)
    base = F.when(domain.isin(*GOOGLE_DOMAINS), F.replace(base, F.lit("."), F.lit(""))).otherwise(base)
    provider = F.when(domain == "googlemail.com", F.lit("gmail.com")).otherwise(domain)
    return F.when(address.rlike(EMAIL) & (base != ""), F.concat(base, F.lit("@"), provider))

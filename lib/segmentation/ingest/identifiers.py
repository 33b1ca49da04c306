"""Identifier values made comparable, and those that name nobody taken out: step by step, each from what the one before
gave."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from itertools import zip_longest

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.config.identity import IdentitySettings
from segmentation.ingest.phones import dialled, e164
from segmentation.ingest.placeholders import is_placeholder, mixes_scripts
from segmentation.ingest.unicode import composed

EMAIL = r"^[^@\s\"(),:;<>\[\]\\]+@[^@\s\"(),:;<>\[\]\\]+\.[^@\s\"(),:;<>\[\]\\.]{2,}$"
"""What an address looks like, as a regular expression: on one line, with a domain of two parts."""
GOOGLE_DOMAINS = ("gmail.com", "googlemail.com")
_PLUS = (*GOOGLE_DOMAINS, "outlook.com", "hotmail.com", "live.com", "icloud.com", "me.com", "fastmail.com",
         "protonmail.com", "proton.me")  # fmt: skip
"""Providers that deliver `anna+shop@…` to `anna@…`; with others the sign may be part of the name."""

_BLANK = " \t\n\x0b\f\r\u00a0\u200b\ufeff"

_Step = Callable[[Column], Column]


def normalise_identifier(kind: str, value: Column, identity: IdentitySettings) -> Column:
    """The value as it is compared and kept; null where it is empty, a placeholder, imitates another (`imitates`), or
    cannot be of its type."""
    return reduce(lambda so_far, step: step(so_far), _steps(kind, identity), value)


def normalise_columns(df: DataFrame, kinds: Mapping[str, str], identity: IdentitySettings) -> DataFrame:
    """The same for columns of many rows, in their places: column -> identifier type.

    Each step is a projection of its own. In one expression, Spark would write what a step gives as often as the next
    uses it, and reckon it as often: of an address of e-mail some forty times.
    """
    steps = [[(column, step) for step in _steps(kind, identity)] for column, kind in kinds.items()]
    for together in zip_longest(*steps):
        df = df.withColumns({column: step(F.col(f"`{column}`")) for column, step in filter(None, together)})
    return df


def imitates(kind: str, value: Column, identity: IdentitySettings) -> Column:
    """Whether a value is written in letters of several scripts, to look like another one.

    Of a phone number only digits count; what only describes (`describes`) joins nobody, and an address may well name a
    street in one script and a country in another.
    """
    declared = identity.identifiers.get(kind)
    if identity.normalisation(kind) == "phone" or (declared is not None and declared.describes):
        return F.lit(False)
    return mixes_scripts(value)


def _steps(kind: str, identity: IdentitySettings) -> list[_Step]:
    declared = identity.placeholders.get(kind, [])

    def names_somebody(trimmed: Column) -> Column:
        return (trimmed != "") & ~is_placeholder(kind, trimmed, declared) & ~imitates(kind, trimmed, identity)

    def name(trimmed: Column) -> Column:
        return F.when(names_somebody(trimmed), trimmed)

    match identity.normalisation(kind):
        case "none":
            return [lambda value: F.when(names_somebody(_trim(value)), value.cast("string"))]
        case "lower":
            return [_trim, composed, name, F.lower]
        case "email":
            return [_trim, composed, name, _address, normalise_address]
        case "phone":
            region = identity.identifiers[kind].region if kind in identity.identifiers else None
            return [_trim, name, dialled, lambda number: e164(number, region)]
        case _:
            return [_trim, composed, name]


def _trim(value: Column) -> Column:
    return F.btrim(value.cast("string"), F.lit(_BLANK))


def _address(value: Column) -> Column:
    """An address of e-mail in lower case, without white space and `mailto:`."""
    return F.regexp_replace(F.lower(F.translate(value, _BLANK, "")), "^mailto:", "")


def normalise_address(address: Column) -> Column:
    """Without what its provider does not look at: dots at Google, and `+suffix` at the providers known to ignore it.
    Null where it is no address."""
    local, domain = F.substring_index(address, "@", 1), F.substring_index(address, "@", -1)
    bare = F.substring_index(local, "+", 1)
    base = (
        F.when(domain.isin(*GOOGLE_DOMAINS), F.replace(bare, F.lit("."), F.lit("")))
        .when(domain.isin(*_PLUS), bare)
        .otherwise(local)
    )
    provider = F.when(domain == "googlemail.com", F.lit("gmail.com")).otherwise(domain)
    return F.when(address.rlike(EMAIL) & (base != ""), F.concat(base, F.lit("@"), provider))

"""Normalisers that several platforms share. Each gives null for what cannot be such a value."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from segmentation.activation.destinations.destination import Normaliser
from segmentation.ingest.identifiers import EMAIL
from segmentation.ingest.phones import is_assigned

_BLANK = r"[\s\u00a0\u1680\u2000-\u200b\u2028\u2029\u202f\u205f\u3000\ufeff]"
"""White space by an explicit class: Spark's `trim` leaves all of it but the space."""
_CONTROL = r"[\x00-\x1f\x7f\x85\u2028\u2029]"


def trimmed(value: Column) -> Column:
    """Without white space at either end; null where nothing is left, or a line break or control character stays."""
    bare = F.regexp_replace(value, f"^{_BLANK}+|{_BLANK}+$", "")
    return F.when((bare != "") & ~bare.rlike(_CONTROL), bare)


def lowered(value: Column) -> Column:
    """The same in lower case."""
    return F.lower(trimmed(value))


def compact(value: Column) -> Column:
    """The same in lower case, without white space inside."""
    return F.regexp_replace(lowered(value), f"{_BLANK}+", "")


def email(value: Column) -> Column:
    """An address in lower case, without white space around it."""
    return address(lowered(value))


def address(value: Column) -> Column:
    """What looks like an address, as it is."""
    return F.when(value.rlike(EMAIL), value)


def phone(value: Column) -> Column:
    """E.164 with `+`; the number must be one that some country can have."""
    dialled = F.regexp_replace(trimmed(value), r"[\s\u00a0().\-/]", "")
    return F.when(is_assigned(dialled), dialled)


def phone_digits(value: Column) -> Column:
    """E.164 without `+`."""
    return F.replace(phone(value), F.lit("+"), F.lit(""))


def country(value: Column) -> Column:
    """Two letters of ISO 3166, upper case."""
    code = F.upper(trimmed(value))
    return F.when(code.rlike("^[A-Z]{2}$"), code)


def day(value: Column) -> Column:
    """A date as YYYY-MM-DD."""
    return F.date_format(F.try_to_timestamp(trimmed(value), F.lit("yyyy-MM-dd")), "yyyy-MM-dd")


def at_most(characters: int) -> Normaliser:
    """Trimmed text, cut after so many characters."""
    return lambda value: F.substring(trimmed(value), 1, characters)


def one_of(**codes: str) -> Normaliser:
    """A code for what people write: `one_of(f="female|woman")` gives `f` for `F` and `Female`."""

    def normalise(value: Column) -> Column:
        said = lowered(value)
        return F.coalesce(*(F.when(said.rlike(f"^(?:{code}|{words})$"), F.lit(code)) for code, words in codes.items()))

    return normalise

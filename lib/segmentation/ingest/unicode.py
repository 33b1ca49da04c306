"""Texts that look the same and are written with other characters."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

_NORMALIZER = "com.ibm.icu.text.Normalizer"
"""Of ICU, which Spark has with it for its collations: `compose(text, false)` is the text in NFC."""


def composed(value: Column) -> Column:
    """The text in Unicode's normal form C, in which é is one character however it was written.

    Spark has no function for it, and calls Java's by reflection: only for what is not ASCII, which is in that form.
    """
    form_c = F.reflect(F.lit(_NORMALIZER), F.lit("compose"), value, F.lit(False))
    return F.when(~is_ascii(value), form_c).otherwise(value)


def is_ascii(value: Column) -> Column:
    """Whether each character of a text is one byte; null where there is none."""
    return F.octet_length(value) == F.length(value)

"""Values that stand where an identifier should and name nobody.

One of them taken for an identifier joins thousands of people into one, so they count as absent. Patterns are Java
regular expressions that match the whole value, after trimming, whatever its case.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_

from pyspark.sql import Column
from pyspark.sql import functions as F

from segmentation.ingest.unicode import is_ascii

LONGEST = 512
"""Characters of the longest identifier: what is longer is a text that slipped into its column."""

_PLAIN = (
    "null nil none nan na n/a n.a. undefined unknown unbekannt anonymous anonym anon guest missing empty blank not_set "
    "notset (null) (none) [null] #n/a - -- . ? -1 none@none ffffffff-ffff-ffff-ffff-ffffffffffff"
)
_WORDS = (*_PLAIN.split(), "not set", "(not set)", "[object object]")
_ZEROS = "0-:. {}"
"""Of nothing else are made: 0, 0000-0000, the empty UUID, the advertising id of a phone that hides its own."""

_OF_TYPE: dict[str, tuple[str, ...]] = {
    "email": (
        r"(test|tester|testing|none|null|nil|na|unknown|no-?e?mail|no-?reply|do-?not-?reply|asdf|qwerty)@.*",
        r"(.)\1*@(.)\2*\.[a-z]+",  # a@a.com, xxx@xxx.com
    ),
    "phone": (r"\+?\d*?(\d)\1{6,}", r"\+?0?123456789?0?"),
    "name": (r"(test|name|first ?name|last ?name|customer|user)( (test|name|customer|user))?", r"[\W\d_]+"),
    "address": (r"(test|address|street)", r"[\W_]+"),
}


_OTHERS = r"[\p{IsCyrillic}\p{IsGreek}]"
_TWO_SCRIPTS = rf"\p{{IsLatin}}\p{{M}}*{_OTHERS}|{_OTHERS}\p{{M}}*\p{{IsLatin}}"


def is_placeholder(kind: str, value: Column, declared: Sequence[str] = ()) -> Column:
    """Whether a trimmed value of this identifier type names nobody. `declared` are further patterns."""
    patterns = [value.rlike(f"(?i)^(?:{pattern})$") for pattern in (*_OF_TYPE.get(kind, ()), *declared)]
    nothing = F.btrim(value, F.lit(_ZEROS)) == ""
    return reduce(or_, patterns, F.lower(value).isin(*_WORDS) | (F.length(value) > LONGEST) | nothing)


def mixes_scripts(value: Column) -> Column:
    """Whether Latin letters stand beside Cyrillic or Greek ones: `аnna` with a Cyrillic а is not Anna, and looks it; a
    Cyrillic name at `example.com` is one. Null where the value is.
    """
    return ~is_ascii(value) & value.rlike(_TWO_SCRIPTS)

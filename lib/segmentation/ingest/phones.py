"""Phone numbers in the international form of ITU-T E.164: `+441534456789`.

The rules of the default region (its country code, its prefixes, what its numbers look like) come from the library
`phonenumbers`, and are compiled into Spark columns when the plan is made. The library itself would have to be called
from Python for each value, at twenty to fifty microseconds a number; its rules are regular expressions, which Spark
evaluates where the rows are. The tests hold the two against each other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, REGION_CODE_FOR_NON_GEO_ENTITY, PhoneMetadata
from pyspark.sql import Column
from pyspark.sql import functions as F

_EXTENSION = r"(?i)(;?ext\.?|;?extn\.?|extension|durchwahl|\bx|#|,).*$"
_LENGTHS = r"[1-9]\d{6,14}"
_LOCAL = r"\d{6,15}"


@dataclass(frozen=True)
class _Region:
    code: str
    abroad: str
    """What is dialled before a country code."""
    prefix: str | None
    """What is dialled before a number within the region."""
    rewritten: str
    """What stands in the prefix's place in the international form."""
    numbers: str


def dialled(value: Column) -> Column:
    """What of a number is dialled: digits, and the plus before a country code."""
    # The trunk zero that people put into international numbers in brackets is not dialled from abroad.
    bare = F.regexp_replace(F.regexp_replace(value, _EXTENSION, ""), r"\(0\)", "")
    return F.regexp_replace(bare, r"[^0-9+]", "")


def e164(number: Column, region: str | None) -> Column:
    """A number as it is `dialled` in international form; null where none can look like that.

    A number without a country code is one of `region` (ISO 3166, such as GB); without a region its bare digits are
    kept, which compare within the sources but not with international ones.
    """
    digits = F.replace(number, F.lit("+"), F.lit(""))
    has_plus = number.startswith("+")
    if region is None:
        abroad = F.when(has_plus, digits).when(digits.rlike(r"^00"), F.substring(digits, 3, 20))
        return F.when(abroad.isNotNull(), _international(abroad)).when(digits.rlike(f"^{_LOCAL}$"), digits)
    rules = _rules(region)
    abroad = F.when(has_plus, digits).when(
        digits.rlike(f"^(?:{rules.abroad})"), F.regexp_replace(digits, f"^(?:{rules.abroad})", "")
    )
    own = _national(F.regexp_replace(abroad, f"^{rules.code}", ""), rules)
    local = _national(digits, rules)
    with_code = _national(F.regexp_replace(digits, f"^{rules.code}", ""), rules)
    return (
        F.when(abroad.rlike(f"^{rules.code}"), F.coalesce(own, _international(abroad)))
        .when(abroad.isNotNull(), _international(abroad))
        .otherwise(F.coalesce(local, F.when(digits.rlike(f"^{rules.code}"), with_code)))
    )


def is_assigned(number: Column) -> Column:
    """Whether some country, or international service, has numbers that look like this E.164 one (`+441534456789`)."""
    return number.rlike(_assigned())


@cache
def _assigned() -> str:
    """The shape of all numbers there are: each country code with the numbers of its regions."""
    codes = []
    for code, regions in sorted(COUNTRY_CODE_TO_REGION_CODE.items()):
        found = [
            PhoneMetadata.metadata_for_nongeo_region(code)
            if region == REGION_CODE_FOR_NON_GEO_ENTITY
            else PhoneMetadata.metadata_for_region(region)
            for region in regions
        ]
        numbers = [rules.general_desc.national_number_pattern for rules in found if rules and rules.general_desc]
        codes.append(f"{code}(?:{'|'.join(filter(None, numbers))})")
    return rf"^\+(?:{'|'.join(codes)})$"


def _international(digits: Column) -> Column:
    return F.when(digits.rlike(f"^{_LENGTHS}$"), F.concat(F.lit("+"), digits))


def _national(number: Column, rules: _Region) -> Column:
    """A number of the region without its country code -> its international form; null where it is none."""
    fits = f"^(?:{rules.numbers})$"
    stripped = number
    if rules.prefix:
        without = F.regexp_replace(number, f"^(?:{rules.prefix})", rules.rewritten)
        # Digits that look like the prefix are part of the number where it would be none without them.
        stripped = F.when(number.rlike(fits) & ~without.rlike(fits), number).otherwise(without)
    return F.when(stripped.rlike(fits), F.concat(F.lit(f"+{rules.code}"), stripped))


def _rules(region: str) -> _Region:
    metadata = PhoneMetadata.metadata_for_region(region)
    assert metadata is not None, f"the configuration admits only known regions, not {region}"
    numbers = metadata.general_desc.national_number_pattern if metadata.general_desc else None
    rewritten = metadata.national_prefix_transform_rule or ""
    return _Region(
        code=str(metadata.country_code),
        abroad=metadata.international_prefix or "00",
        prefix=metadata.national_prefix_for_parsing or metadata.national_prefix,
        rewritten=re.sub(r"\\(\d)", r"$\1", rewritten),
        numbers=numbers or _LOCAL,
    )

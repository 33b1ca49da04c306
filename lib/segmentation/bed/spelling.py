"""Names, addresses, e-mails and phone numbers of simulated people, and the ways in which they get written down."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from segmentation.bed.chance import Chance
from segmentation.bed.knobs import Typing

_FIRST = (
    "Anna", "James", "María", "Wei", "Fatima", "Olga", "John", "Priya", "Luca", "Zoë", "Ahmed", "Grace", "Noah",
    "Chloé", "Ivan", "Aisha", "Peter", "Ingrid", "Mateo", "Ruth", "Samuel", "Yuki", "Elena", "David", "Nora", "Omar",
    "Sofia", "Thomas", "Hannah", "Carlos", "Emma", "Daniel",
)  # fmt: skip
_LAST = (
    "Smith", "García", "Nguyen", "Müller", "Khan", "Ivanova", "Johnson", "Patel", "Rossi", "Dubois", "Ali", "O'Brien",
    "Kowalski", "Lefèvre", "Novak", "Hassan", "Andersson", "Silva", "López", "Weber", "Brown", "Tanaka", "Popescu",
    "Cohen", "Jansen", "Haddad", "Costa", "Wright", "Fischer", "Morales", "Davis", "Berg", "Walker", "Young", "Hall",
    "Allen", "King", "Scott", "Green", "Baker",
)  # fmt: skip
_ROOTS = (
    "Ash", "Beck", "Black", "Brad", "Brom", "Carl", "Cran", "Dun", "East", "Fair", "Gold", "Hart", "Hol", "Kirk",
    "Lang", "Mar", "Nor", "Os", "Pres", "Red", "Stan", "Thorn", "West", "Whit",
)  # fmt: skip
_ENDINGS = (
    "berg", "borne", "bury", "by", "combe", "cott", "den", "field", "ford", "gate", "ham", "ley", "low", "man", "mere",
    "more", "stead", "ton", "well", "worth",
)  # fmt: skip
_COMMON = 0.4
"""Homes with one of the few most frequent last names."""
_STREETS = ("Oak", "Maple", "Park", "Church", "Mill", "Station", "High", "Garden", "River", "Lake", "Hill", "School")
_CITIES = ("Springfield", "Riverton", "Fairview", "Lakewood", "Milford", "Ashland", "Clayton", "Georgetown")
_DOMAINS = ("example.com", "example.org", "example.net")
_AREAS = (
    201, 202, 203, 205, 206, 207, 208, 209, 210, 212, 213, 214, 215, 216, 217, 218, 219, 224, 225, 228,
    229, 231, 234, 239, 240, 248, 251, 252, 253, 254, 256, 260, 262, 267, 269, 270, 276, 281, 301, 302,
    303, 304, 305, 307, 308, 309, 310, 312, 313, 314, 315, 316, 317, 318, 319, 320, 321, 323, 325, 330,
    334, 336, 337, 339, 347, 351, 352, 360, 361, 386, 401, 402, 404, 405, 406, 407, 408, 409, 410, 412,
    413, 414, 415, 417, 419, 423, 424, 425, 430, 432, 434, 435, 440, 443, 469, 470, 475, 478, 479, 480,
)  # fmt: skip
_ACCENTS = ("áéíóúüöëèô", "aeiouuoeeo")

PLACEHOLDERS = {
    "user_id": ("null", "0000", "undefined"),
    "email": ("test@test.com", "none@none.com"),
    "phone": ("0000000000", "+10000000000"),
}
"""Values that clerks and broken tags write where they know nothing."""


def known_only(kind: str) -> Column:
    """The identifier column `kind` without placeholders: null where it names nobody."""
    if kind not in PLACEHOLDERS:
        return F.col(kind)
    return F.when(~F.col(kind).isin(*PLACEHOLDERS[kind]), F.col(kind)).alias(kind)


def first_name(chance: Chance, person: Column, home: Column) -> Column:
    """People of one home, whose numbers are at most three apart, have different ones."""
    number = (chance.below(len(_FIRST), "first name", home) + 7 * (person - home)) % len(_FIRST)
    return F.element_at(F.array(*map(F.lit, _FIRST)), number.cast("int") + 1)


def last_name(chance: Chance, home: Column) -> Column:
    """People of one home share it."""
    rare = F.concat(chance.pick(_ROOTS, "last name root", home), chance.pick(_ENDINGS, "last name ending", home))
    return F.when(chance.happens(_COMMON, "common last name", home), chance.pick(_LAST, "last name", home)).otherwise(
        rare
    )


def street(chance: Chance, home: Column) -> Column:
    return F.concat_ws(
        " ",
        (1 + chance.below(400, "house number", home)).cast("string"),
        chance.pick(_STREETS, "street", home),
        F.lit("Street"),
    )


def city(chance: Chance, home: Column) -> Column:
    return chance.pick(_CITIES, "city", home)


def postcode(chance: Chance, home: Column) -> Column:
    return F.lpad((10_000 + chance.below(80_000, "postcode", home)).cast("string"), 5, "0")


def email(chance: Chance, person: Column, home: Column, purpose: str = "email") -> Column:
    """An address of the person's own: no two people's are equal."""
    name = F.lower(F.concat(first_name(chance, person, home), F.lit("."), last_name(chance, home)))
    plain = F.regexp_replace(F.translate(name, *_ACCENTS), "[^a-z.]", "")
    number = F.concat(F.lower(F.hex(person)), F.lit("" if purpose == "email" else "b"))
    return F.concat(plain, F.lit("."), number, F.lit("@"), chance.pick(_DOMAINS, purpose, person))


def phone(person: Column) -> Column:
    """A number of the person's own in E.164, with the shape of a North American one (up to 800 million people)."""
    serial = F.pmod(person * 387_420_489 + 271_828_183, F.lit(len(_AREAS) * 8_000_000))
    area = F.element_at(F.array(*map(F.lit, _AREAS)), F.floor(serial / 8_000_000).cast("int") + 1)
    return F.concat(F.lit("+1"), area.cast("string"), (2_000_000 + serial % 8_000_000).cast("string"))


def write_email(chance: Chance, typing: Typing, address: Column, *keys: Column) -> Column:
    """An address as somebody typed it: as it is, in capitals, with a +tag, or with a typo (two letters swapped)."""
    drawn = chance.uniform("typed email", *keys)
    at = F.instr(address, "@")
    tagged = F.concat(F.substring_index(address, "@", 1), F.lit("+shop@"), F.substring_index(address, "@", -1))
    swapped = F.concat(
        F.substring(address, 2, 1), F.substring(address, 1, 1), address.substr(F.lit(3), F.length(address))
    )
    return (
        F.when(at == 0, address)
        .when(drawn < typing.typo, swapped)
        .when(drawn < typing.typo + typing.plus_tag, tagged)
        .when(drawn < typing.typo + typing.plus_tag + typing.capitals, F.upper(address))
        .otherwise(address)
    )


def write_phone(chance: Chance, number: Column, *keys: Column) -> Column:
    """A number with the separators of somebody's taste."""
    area, exchange, line = (F.substring(number, *part) for part in ((3, 3), (6, 3), (9, 4)))
    style = chance.below(4, "typed phone", *keys)
    return (
        F.when(number.isNull() | (style == 0), number)
        .when(style == 1, F.concat_ws(" ", F.lit("+1"), area, exchange, line))
        .when(style == 2, F.concat_ws("-", F.lit("+1"), area, exchange, line))
        .otherwise(F.concat(F.lit("+1 ("), area, F.lit(") "), exchange, F.lit("-"), line))
    )


def write_name(chance: Chance, share: float | Column, first: Column, last: Column, *keys: Column) -> Column:
    """`First Last`; in a share of the rows an initial, capitals, no accents, swapped, or one letter short."""
    plain = F.concat_ws(" ", first, last)
    way = chance.below(5, "spelled name", *keys)
    other = (
        F.when(way == 0, F.concat(F.substring(first, 1, 1), F.lit(". "), last))
        .when(way == 1, F.upper(plain))
        .when(way == 2, F.translate(plain, *_ACCENTS))
        .when(way == 3, F.concat(last, F.lit(", "), first))
        .otherwise(F.concat(F.substring(plain, 1, 2), plain.substr(F.lit(4), F.length(plain))))
    )
    return F.when(chance.happens(share, "spells name", *keys), other).otherwise(plain)


def write_street(chance: Chance, share: float, plain: Column, *keys: Column) -> Column:
    """A street with `Street` written in one of several ways in a share of the rows."""
    way = chance.below(3, "spelled street", *keys)
    other = (
        F.when(way == 0, F.regexp_replace(plain, "Street", "St."))
        .when(way == 1, F.upper(plain))
        .otherwise(F.regexp_replace(plain, " Street", " Str"))
    )
    return F.when(chance.happens(share, "spells street", *keys), other).otherwise(plain)

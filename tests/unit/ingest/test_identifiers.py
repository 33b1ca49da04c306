"""Identifier values made comparable; those that name nobody."""

from __future__ import annotations

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from segmentation.config.identity import IdentitySettings
from segmentation.ingest.identifiers import normalise_identifier
from segmentation.ingest.phones import dialled, e164

IDENTITY = IdentitySettings.model_validate(
    {
        "identifiers": {
            "user_id": {},
            "code": {"normalise": "lower"},
            "exact": {"normalise": "none"},
            "email": {},
            "phone": {"region": "GB"},
            "name": {},
            "city": {"describes": True},
        },
        "placeholders": {"user_id": ["kiosk-\\d+"]},
    }
)

CASES = [
    ("user_id", " u1 ", "u1"),
    ("user_id", "\u00a0u1\ufeff", "u1"),
    ("user_id", "U1", "U1"),
    ("user_id", "1", "1"),
    ("user_id", "100", "100"),
    ("user_id", "", None),
    ("user_id", "   ", None),
    ("user_id", None, None),
    ("user_id", "NULL", None),
    ("user_id", "n/a", None),
    ("user_id", "None", None),
    ("user_id", "(not set)", None),
    ("user_id", "-", None),
    ("user_id", "0", None),
    ("user_id", "00000000-0000-0000-0000-000000000000", None),
    ("user_id", "[object Object]", None),
    ("user_id", "kiosk-17", None),
    ("user_id", "kiosk-17b", "kiosk-17b"),
    ("user_id", "nullify", "nullify"),
    ("user_id", "x" * 512, "x" * 512),
    ("user_id", "x" * 513, None),
    ("user_id", "anna.bergs" * 1024, None),
    ("email", "anna.bergs" * 1024 + "@example.com", None),
    ("email", "a+b.c@d.ef" * 1024, None),
    ("phone", "0770090012" * 1024, None),
    ("code", " AbC ", "abc"),
    ("exact", " AbC ", " AbC "),
    ("email", " Anna.Berg@Example.COM ", "anna.berg@example.com"),
    ("email", "mailto:anna@example.com", "anna@example.com"),
    ("email", "anna @example.com", "anna@example.com"),
    ("email", "a.n.n.a+shop@gmail.com", "anna@gmail.com"),
    ("email", "anna@googlemail.com", "anna@gmail.com"),
    ("email", "anna.b+x@outlook.com", "anna.b@outlook.com"),
    ("email", "anna+x@example.com", "anna+x@example.com"),
    ("email", "not an address", None),
    ("email", "anna@", None),
    ("email", "@example.com", None),
    ("email", "anna@localhost", None),
    ("email", "a@b@example.com", None),
    ("email", "+@gmail.com", None),
    ("email", "test@test.com", None),
    ("email", "noreply@shop.com", None),
    ("email", "a@a.com", None),
    ("email", "testa@example.com", "testa@example.com"),
    ("phone", "020 7946 0018", "+442079460018"),
    ("phone", "+44 (0)20 7946-0018", "+442079460018"),
    ("phone", "0044 20 7946 0018", "+442079460018"),
    ("phone", "+49 30 123456", "+4930123456"),
    ("phone", "07911 123456 ext. 5", "+447911123456"),
    ("phone", "0000000000", None),
    ("phone", "9999999999", None),
    ("phone", "1234567890", None),
    ("phone", "12", None),
    ("phone", "call me", None),
    ("name", "Anna Berg", "Anna Berg"),
    ("user_id", "Rene\u0301", "Ren\u00e9"),
    ("user_id", "Ren\u00e9", "Ren\u00e9"),
    ("user_id", "\u212bsa", "\u00c5sa"),
    ("exact", "Rene\u0301", "Rene\u0301"),
    ("email", "Rene\u0301@example.com", "ren\u00e9@example.com"),
    ("name", "Bjo\u0308rn Berg", "Bj\u00f6rn Berg"),
    ("user_id", "\u0430nna", None),  # a Cyrillic a
    ("email", "ann\u0430@example.com", None),
    ("email", "\u0430\u043d\u043d\u0430@example.com", "\u0430\u043d\u043d\u0430@example.com"),
    ("exact", "\u03bfscar", None),  # a Greek o
    ("user_id", "\u0430\u043d\u043d\u0430-7", "\u0430\u043d\u043d\u0430-7"),
    ("user_id", "\u00fcber-\u00b5", "\u00fcber-\u00b5"),  # the micro sign is no letter of Greek
    ("phone", "\u0442\u0435\u043b. 020 7946 0018 ext. 5", "+442079460018"),
    ("city", "\u0391\u03b8\u03ae\u03bd\u03b1 (Athens)", "\u0391\u03b8\u03ae\u03bd\u03b1 (Athens)"),
    ("name", "Test User", None),
    ("name", "--", None),
]


def test_every_spelling_has_one_form_and_placeholders_have_none(spark: SparkSession) -> None:
    rows = spark.createDataFrame(
        [(n, kind, value) for n, (kind, value, _) in enumerate(CASES)], "n int, kind string, v string"
    )
    kinds = list(IDENTITY.identifiers)
    by_kind = {kind: normalise_identifier(kind, F.col("v"), IDENTITY) for kind in kinds}
    chosen = F.coalesce(*(F.when(F.col("kind") == kind, value) for kind, value in by_kind.items()))
    found = [row["normal"] for row in rows.select("n", chosen.alias("normal")).orderBy("n").collect()]
    assert [(*case[:2], got) for case, got in zip(CASES, found, strict=True)] == CASES


def test_phone_numbers_agree_with_the_library_whose_rules_are_compiled(spark: SparkSession) -> None:
    kinds = (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE, PhoneNumberType.TOLL_FREE)
    written = (PhoneNumberFormat.NATIONAL, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.E164)
    regions = ("GB", "US", "DE", "FR", "IT", "ES", "CH", "SE", "PL", "RU", "IN", "JP", "AU", "BR", "NL", "AT", "CN")
    rows = []
    for region in regions:
        for kind in kinds:
            number = phonenumbers.example_number_for_type(region, kind)
            texts = [phonenumbers.format_number(number, form) for form in written] if number else []
            rows += [(region, text, phonenumbers.format_number(number, PhoneNumberFormat.E164)) for text in texts]
    df = spark.createDataFrame(rows, "region string, text string, expected string")
    by_region = [F.when(F.col("region") == region, e164(dialled(F.col("text")), region)) for region in regions]
    wrong = df.withColumn("found", F.coalesce(*by_region)).where(~F.col("expected").eqNullSafe(F.col("found")))
    assert len(rows) > 100
    assert wrong.collect() == []


def test_without_a_region_national_numbers_keep_their_digits(spark: SparkSession) -> None:
    texts = ["020 7946 0018", "+44 20 7946 0018", "0044 20 7946 0018", "12"]
    df = spark.createDataFrame([(n, text) for n, text in enumerate(texts)], "n int, text string")
    found = [row[0] for row in df.orderBy("n").select(e164(dialled(F.col("text")), None)).collect()]
    assert found == ["02079460018", "+442079460018", "+442079460018", None]

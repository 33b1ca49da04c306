"""What each platform gets for a value: its published examples, and what it must refuse."""

from __future__ import annotations

import hashlib
import random
from datetime import date
from typing import get_args

import phonenumbers
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from segmentation.activation.destinations import PLATFORMS, platform
from segmentation.config.destinations import PLATFORM_FIELDS, PlatformType
from segmentation.ingest.phones import is_assigned

TEST_ADDRESS = "973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b"
"""SHA-256 of test@example.com, as the platforms' pages print it."""

MARY = "6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec"


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


GOLDEN: list[tuple[str, str, str, str | None]] = [
    # Google: formatting of user data for the Data Manager.
    ("google_customer_match", "Email", "test@example.com", TEST_ADDRESS),
    ("google_customer_match", "Email", " \u00a0Test@ Example.com\t", TEST_ADDRESS),
    ("google_customer_match", "Email", "cloudy.sanfrancisco+shopping@gmail.com", sha("cloudysanfrancisco@gmail.com")),
    ("google_customer_match", "Email", "Cloudy.SanFrancisco@googlemail.com", sha("cloudysanfrancisco@googlemail.com")),
    ("google_customer_match", "Email", "user.name+NYC@Example.com", sha("user.name+nyc@example.com")),
    ("google_customer_match", "Email", "test@exa\nmple.com", None),
    ("google_customer_match", "Phone", "+1 (800) 555-0100", sha("+18005550100")),
    ("google_customer_match", "Phone", "+999 555 0100", None),
    ("google_customer_match", "Phone", "8005550100", None),
    ("google_customer_match", "First Name", "  Mrs. Mary ", MARY),
    ("google_customer_match", "Last Name", "Smith, Jr.", sha("smith")),
    ("google_customer_match", "Last Name", "Sørensen", sha("sørensen")),
    ("google_customer_match", "Country", "us", "US"),
    ("google_customer_match", "Zip", "94016", "94016"),
    # Meta: customer information parameters.
    ("meta", "EMAIL", "John_Smith@gmail.com", "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"),
    ("meta", "EMAIL", " .Test@example.com.\r\n", TEST_ADDRESS),
    ("meta", "EMAIL", "first.last+shop@gmail.com", sha("first.last+shop@gmail.com")),
    ("meta", "PHONE", "+1(650)555-1212", "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176"),
    ("meta", "FN", "Mary", MARY),
    ("meta", "LN", "O'Brien-Łoś", sha("obrienłoś")),
    ("meta", "GEN", "Female", "252f10c83610ebca1a059c0bae8255eba2f95be4d1d7bcfa89d7248a82d9f111"),
    ("meta", "GEN", "unknown", None),
    ("meta", "DOBY", "1997-02-16", sha("1997")),
    ("meta", "DOBM", "1997-02-16", sha("02")),
    ("meta", "DOBD", "1997-02-16", sha("16")),
    ("meta", "DOBD", "16.2.1997", None),
    ("meta", "CT", "Menlo Park", "0007a3d64c01e23d5075203c5977c14e4f7e01a3fc570686fcc50b5e1dd42685"),
    ("meta", "ZIP", "94035-1234", "1794327a4d443904421f5ca1f3d72d0a62ba2f0770d80755ec2220fc0efb052e"),
    ("meta", "ZIP", "M1 1AE", sha("m11ae")),
    ("meta", "COUNTRY", "US", "79adb2a2fce5c6ba215fe5f27f532d4e7edbac4b6a5e09e1ef3a08084a904621"),
    ("meta", "MADID", "5F3A2B18-9C4D-4E7F-B8E2-17D3A1E69B25", "5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25"),
    ("meta", "EXTERN_ID", "p-1", "p-1"),
    # TikTok: supported ids and formats of a customer file, August 2025.
    ("tiktok", "Email_SHA256", "JaneDoe@gmail.com", "d6117306485ed0e50afab3ac871e98f81699151f30281527d63ff5f233656c69"),
    ("tiktok", "Email_SHA256", "Test+shop@example.com", TEST_ADDRESS),
    ("tiktok", "Phone_SHA256", "+374 93 828222", sha("37493828222")),
    # LinkedIn.
    ("linkedin", "email", " TEST@example.com", TEST_ADDRESS),
    ("linkedin", "firstname", "A" * 40, "A" * 35),
    ("linkedin", "jobtitle", "B" * 60, "B" * 50),
    # Braze, Salesforce, Klaviyo: nothing is hashed.
    ("braze", "email", "Test@Example.com", "test@example.com"),
    ("braze", "email", "test@example", None),
    ("braze", "first_name", "<b>Mary</b><script", "Mary"),
    ("braze", "phone", "+1 (650) 555-1212", "+16505551212"),
    ("salesforce_marketing_cloud", "EmailAddress", "Test@Example.com", "test@example.com"),
    ("salesforce_marketing_cloud", "FirstName", "  Zoë\u00a0", "Zoë"),
    ("salesforce_marketing_cloud", "FirstName", "two\nlines", None),
    ("klaviyo", "phone_number", "+44 20 7946 0958", "+442079460958"),
    ("klaviyo", "country", "GBR", None),
]  # fmt: skip


def test_published_examples_come_out_to_the_byte(spark: SparkSession) -> None:
    found = {}
    for name in PLATFORMS:
        cases = [(header, value) for at, header, value, _ in GOLDEN if at == name]
        fields = {field.header: field for field in PLATFORMS[name][0].fields}
        rows = spark.createDataFrame(cases, "header string, value string")
        told = F.coalesce(*(F.when(F.col("header") == h, fields[h].column(F.col("value"))) for h, _ in cases))
        found |= {(name, row.header, row.value): row.told for row in rows.withColumn("told", told).collect()}
    assert found == {(name, header, value): told for name, header, value, told in GOLDEN}


def test_an_older_rule_can_be_asked_for(spark: SparkSession) -> None:
    june = platform("tiktok", date(2025, 7, 31))
    assert june is not None
    phone = next(field for field in june.fields if field.takes == "phone")
    row = spark.createDataFrame([("+374 93 828222",)], "value string").select(phone.column(F.col("value"))).first()
    assert row is not None
    assert row[0] == sha("+37493828222")
    assert platform("tiktok", date(2025, 5, 31)) is None
    assert platform("tiktok", None) == platform("tiktok", date(2026, 1, 1)) != june


def test_the_configuration_and_the_platforms_know_the_same_fields() -> None:
    own = {"person_id", "segment_id", "segment_name"}
    assert set(PLATFORMS) == set(get_args(PlatformType)) == set(PLATFORM_FIELDS)
    for name, versions in PLATFORMS.items():
        assert [version.ruled for version in versions] == sorted((v.ruled for v in versions), reverse=True)
        for version in versions:
            assert {field.takes for field in version.fields} - own == set(PLATFORM_FIELDS[name])


@pytest.mark.parametrize("sure", [True, False])
def test_numbers_that_no_country_has_are_told_as_the_library_tells_them(spark: SparkSession, sure: bool) -> None:
    draw = random.Random(7)
    if sure:
        examples = (phonenumbers.example_number(region) for region in sorted(phonenumbers.SUPPORTED_REGIONS))
        numbers = [phonenumbers.format_number(n, phonenumbers.PhoneNumberFormat.E164) for n in examples if n]
    else:
        unassigned = [code for code in range(200, 1000) if code not in phonenumbers.COUNTRY_CODE_TO_REGION_CODE]
        codes = [code for code in unassigned if code // 10 not in phonenumbers.COUNTRY_CODE_TO_REGION_CODE]
        numbers = [f"+{code}{draw.randrange(10**6, 10**7)}" for code in codes] + ["+10005550100", "+440", "0044 20", ""]
    rows = spark.createDataFrame([(number,) for number in numbers], "number string")
    assert rows.where(is_assigned(F.col("number")) != F.lit(sure)).collect() == []
    assert len(numbers) > 100

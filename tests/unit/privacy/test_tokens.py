"""Tokens are HMAC-SHA256, and the key shows nowhere."""

from __future__ import annotations

import base64

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from segmentation.privacy.tokens import hmac_sha256, token_column, token_of, with_token_key, without_token_key

KEY = b"a key of the tests, 32 bytes long"

# RFC 4231, sections 4.2 to 4.4 and 4.7 (a key longer than a block of SHA-256).
GOLDEN = [
    (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    (b"\xaa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
]


def test_spark_makes_the_published_hmacs(spark: SparkSession) -> None:
    frames = [
        with_token_key(spark.createDataFrame([(n, bytearray(text))], "n int, text binary"), key)
        for n, (key, text, _) in enumerate(GOLDEN)
    ]
    df = frames[0]
    for frame in frames[1:]:
        df = df.unionByName(frame)
    found = df.select("n", hmac_sha256(F.col("text"))).orderBy("n").collect()
    assert [row[1] for row in found] == [digest for _, _, digest in GOLDEN]


def test_column_and_python_agree_and_types_keep_apart(spark: SparkSession) -> None:
    values = ["anna@example.com", "Größe ß 漢字 🙂", "x" * 200, ""]
    df = with_token_key(spark.createDataFrame([(v,) for v in [*values, None]], "v string"), KEY)
    rows = without_token_key(df.withColumn("token", token_column("email", F.col("v")))).collect()
    assert {row["v"]: row["token"] for row in rows} == {**{v: token_of(KEY, "email", v) for v in values}, None: None}
    assert token_of(KEY, "email", "a") != token_of(KEY, "name", "a")
    assert rows[0].asDict().keys() == {"v", "token"}


def test_the_key_is_in_no_plan(spark: SparkSession) -> None:
    df = with_token_key(spark.createDataFrame([("anna",)], "v string"), KEY)
    tokens = df.select(token_column("name", F.col("v")).alias("t"))
    tokens.collect()
    execution = tokens._jdf.queryExecution()
    said = execution.toString() + execution.executedPlan().treeString() + execution.optimizedPlan().toJSON()
    pads = [bytes(byte ^ mask for byte in KEY) for mask in (0, 0x36, 0x5C)]
    forms = {
        text for pad in pads for text in (pad.hex(), pad.hex().upper(), base64.b64encode(pad).decode().rstrip("="))
    }
    forms |= {KEY.decode(), ", ".join(str(byte) for byte in KEY)}
    assert "sha2" in said
    assert not [form for form in forms if form in said]

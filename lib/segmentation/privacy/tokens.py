"""Tokens: keyed HMAC-SHA256 (RFC 2104) of a personal value, made by Spark itself, with the key in no query plan.

Spark has no HMAC, so it is put together from SHA-256::

    HMAC(key, text) = SHA256(outer || SHA256(inner || text)),  inner = key xor 36…36, outer = key xor 5c…5c

The two pads stand in a frame of one row that is joined to the rows: a literal would show in every plan, in Spark's
event log and in error messages.
"""

from __future__ import annotations

import hashlib
import hmac

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import BinaryType, StructField, StructType

_BLOCK = 64
INNER, OUTER = "_token_inner", "_token_outer"


def token_of(key: bytes, kind: str, value: str) -> str:
    """The token of one normalised value of one identifier type, as 64 hexadecimal digits."""
    return hmac.new(key, f"{kind}\0{value}".encode(), hashlib.sha256).hexdigest()


def with_token_key(df: DataFrame, key: bytes) -> DataFrame:
    """`df` with the two columns that `token_column` needs; drop them with `without_token_key`. Same grain."""
    return df.crossJoin(F.broadcast(_pads(df.sparkSession, key)))


def without_token_key(df: DataFrame) -> DataFrame:
    """`df` without the key's columns."""
    return df.drop(INNER, OUTER)


def token_column(kind: str, value: Column) -> Column:
    """The same as `token_of`, over a column of a frame made by `with_token_key`; null for null."""
    return hmac_sha256(F.encode(F.concat(F.lit(f"{kind}\0"), value), "UTF-8"))


def hmac_sha256(text: Column) -> Column:
    """HMAC-SHA256 of bytes, as hexadecimal digits, in a frame made by `with_token_key`; null for null."""
    inner = F.unhex(F.sha2(F.concat(F.col(INNER), text), 256))
    return F.sha2(F.concat(F.col(OUTER), inner), 256)


def _pads(spark: SparkSession, key: bytes) -> DataFrame:
    block = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    pads = tuple(bytearray(byte ^ mask for byte in block) for mask in (0x36, 0x5C))
    schema = StructType([StructField(name, BinaryType(), False) for name in (INNER, OUTER)])
    return spark.createDataFrame([pads], schema)

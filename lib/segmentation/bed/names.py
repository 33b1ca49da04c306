"""Identifiers of the truth, in clear there, named as the warehouse names them: normalised, personal ones as tokens."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from segmentation.config.identity import IdentitySettings
from segmentation.contracts.table import check_columns
from segmentation.ingest.identifiers import normalise_columns
from segmentation.privacy.key import load_key
from segmentation.privacy.tokens import token_column, with_token_key, without_token_key


def name_as_in_tables(truth: DataFrame, identity: IdentitySettings) -> DataFrame:
    """`truth` with each `identifier_value` as the tables of a warehouse with this configuration have it.

    Same grain; rows of a type that the configuration does not know, or with a placeholder for a value, are left out.
    Raises `ConfigError` where tokens need a key and there is none.
    """
    check_columns(truth, {"identifier_type", "identifier_value"}, "the true identifiers")
    own = {f"_of_{kind}": kind for kind in identity.identifiers}
    values = {
        column: F.when(F.col("identifier_type") == kind, F.col("identifier_value")) for column, kind in own.items()
    }
    normal = normalise_columns(_with_key(truth, identity).withColumns(values), own, identity)
    named = F.coalesce(*(_name(kind, F.col(column), identity) for column, kind in own.items()))
    found = without_token_key(normal.withColumn("identifier_value", named).drop(*own))
    return found.where(F.col("identifier_value").isNotNull())


def name_columns_as_in_tables(df: DataFrame, kinds: tuple[str, ...], identity: IdentitySettings) -> DataFrame:
    """The same for identifiers that stand in columns named by their types; unknown types become null."""
    check_columns(df, kinds, "the true identifiers")
    known = {kind: kind for kind in kinds if kind in identity.identifiers}
    named = {
        kind: _name(kind, F.col(kind), identity) if kind in known else F.lit(None).cast("string") for kind in kinds
    }
    return without_token_key(normalise_columns(_with_key(df, identity), known, identity).withColumns(named))


def _name(kind: str, normal: Column, identity: IdentitySettings) -> Column:
    return token_column(kind, normal) if identity.is_personal(kind) else normal


def _with_key(df: DataFrame, identity: IdentitySettings) -> DataFrame:
    personal = any(identity.is_personal(kind) for kind in identity.identifiers)
    return with_token_key(df, load_key()) if personal else df

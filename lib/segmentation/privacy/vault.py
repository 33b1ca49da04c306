"""The vault: token -> clear value. The only table that has personal values."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.contracts.table import check_columns


def new_vault_rows(personal: DataFrame, vault: DataFrame, batch_id: str) -> DataFrame:
    """The values of one batch that no earlier batch has put into the vault.

    Grain in: any number of rows a value (`token`, `identifier_type`, `value`). Grain out: one personal value, as
    rows of the table `vault`. What the same batch has put there before counts as new, so that a batch which was
    stopped half-way gives the same rows again.
    """
    check_columns(personal, ("token", "identifier_type", "value"), "the personal values of a batch")
    check_columns(vault, ("token", "first_batch_id"), "the table 'vault'")
    earlier = vault.where(F.col("first_batch_id") != batch_id).select("token")
    distinct = personal.groupBy("token").agg(
        F.min("identifier_type").alias("identifier_type"), F.min("value").alias("value")
    )
    return distinct.join(earlier, "token", "left_anti").select(
        "token", "identifier_type", "value", F.lit(batch_id).alias("first_batch_id")
    )

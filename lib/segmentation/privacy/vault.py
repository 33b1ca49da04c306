"""The vault: token -> clear value. The only table that has personal values."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.contracts.table import check_columns


def new_vault_rows(personal: DataFrame, vault: DataFrame, batch_ids: Sequence[str]) -> DataFrame:
    """The values of some batches that no earlier batch has put into the vault.

    Grain in: any number of rows a value (`token`, `identifier_type`, `value`) with `batch_id` and `batch_seq`. Grain
    out: one personal value, as rows of the table `vault`. What the same batches have put there before counts as new, so
    that those which were stopped half-way give the same rows again.
    """
    check_columns(
        personal, ("token", "identifier_type", "value", "batch_id", "batch_seq"), "the personal values of a batch"
    )
    check_columns(vault, ("token", "first_batch_id"), "the table 'vault'")
    earlier = vault.where(~F.col("first_batch_id").isin(*batch_ids)).select("token")
    distinct = personal.groupBy("token").agg(
        F.min("identifier_type").alias("identifier_type"),
        F.min("value").alias("value"),
        F.min_by("batch_id", "batch_seq").alias("first_batch_id"),
    )
    return distinct.join(earlier, "token", "left_anti").select("token", "identifier_type", "value", "first_batch_id")

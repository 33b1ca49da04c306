"""Made people with known groups, for tests of clustering and segments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd
from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.clustering.fitted import FittedModel
from segmentation.clustering.scorer import Scorer

AS_OF = date(2026, 3, 31)

GROUPS = {
    # days since the last visit, visits, spend
    "regulars": (3.0, 60.0, 900.0),
    "lookers": (10.0, 30.0, 5.0),
    "lapsed": (300.0, 8.0, 150.0),
    "one-timers": (100.0, 1.0, 40.0),
}


def scorer_of(fitted: PipelineModel, features: Sequence[str]) -> Scorer:
    """A pipeline that ends with three clusters or fewer, as the only model there is."""
    return Scorer(FittedModel("m", 1, "kmeans", 3, tuple(features), "set", AS_OF, "", (), ""), fitted)


def grouped_people(people: int = 240, seed: int = 1) -> pd.DataFrame:
    """People of four groups that nobody could mix up: `person_id`, `group` and three features."""
    random = np.random.default_rng(seed)
    names = list(GROUPS)
    rows = []
    for number in range(people):
        group = names[number % len(names)]
        recency, frequency, monetary = np.array(GROUPS[group]) * random.lognormal(0, 0.12, 3)
        rows.append((f"p{number:05d}", group, recency, frequency, monetary))
    return pd.DataFrame(rows, columns=["person_id", "group", "recency", "frequency", "monetary"])


def feature_rows(spark: SparkSession, people: pd.DataFrame, as_of: date = AS_OF) -> DataFrame:
    """Rows of `features`."""
    df = spark.createDataFrame(people.drop(columns="group", errors="ignore"))
    return df.withColumn("as_of", F.lit(as_of)).withColumn("feature_set", F.lit("set"))

"""Who is nearest to the middle of a segment, as NumPy finds it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pyspark.sql import SparkSession

from segmentation.profiles.statistics import profile_segments
from segmentation.profiles.typical import find_typical


def test_the_people_nearest_to_the_middle_are_typical(spark: SparkSession) -> None:
    random = np.random.default_rng(3)
    people = pd.DataFrame(
        {
            "person_id": [f"p{i:03d}" for i in range(300)],
            "segment_id": random.choice(["s-a", "s-b", "unassigned"], 300),
            "visits": random.integers(0, 40, 300).astype(float),
            "spend": np.where(random.random(300) < 0.2, np.nan, random.lognormal(3, 1, 300)),
            "constant": 1.0,
        }
    )
    rows = spark.createDataFrame(people)
    segments, features = rows.select("person_id", "segment_id"), rows.drop("segment_id")
    told = {s.segment_id: s.features for s in profile_segments(segments, features) if s.segment_id != "unassigned"}
    names = ["visits", "spend", "constant"]
    found = find_typical(segments.repartition(5), features, told, names, 4)

    assert set(found) == {"s-a", "s-b"}
    for segment, ids in found.items():
        own = people[people["segment_id"] == segment].set_index("person_id")
        away = sum(
            ((own[name] - told[segment][name].median).abs() / own[name].std(ddof=0)).fillna(1.0)
            for name in ("visits", "spend")
        )
        assert ids == list(away.sort_values(kind="stable").index[:4])
    assert find_typical(segments, features, told, names, 0) == {}
    assert find_typical(segments, features, told, ["constant"], 4) == {}, "there is no middle where all are alike"
